"""Writes the list of towns (乡, 镇, 街道 and others of that level) that the lexicon of addresses walks through:

    python -m shenfen_training.towns

writes crates/core/data/towns.csv from training/data/towns.csv.gz: a line for each county with its code and its towns, parted by
`;`, both in ascending order. Left out is what no address prints, headings of statistics, prisons, works and their like, which do
not end as a town does; the counties that crates/core/data/regions.csv lacks, most of them zones of statistics; and cities without
counties, whose towns the lexicon does not look at.
"""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
CORE = DATA.parent.parent / "crates" / "core" / "data"
OUT = CORE / "towns.csv"
ENDS = ("镇", "乡", "街道", "苏木", "场", "区", "办事处")
LONGEST = 12
"""Longer names are those of zones in full, as no address has them; that of the longest township of a minority has 11 characters."""


def main() -> None:
    with open(CORE / "regions.csv", encoding="utf-8") as lines:
        codes = {row["code"] for row in csv.DictReader(line for line in lines if not line.startswith("#"))}
    towns: dict[str, set[str]] = defaultdict(set)
    left_out = 0
    with gzip.open(DATA / "towns.csv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            town = row["town"]
            county = row["county_code"]
            if county in codes and not county.endswith("00") and town.endswith(ENDS) and len(town) <= LONGEST:
                towns[county].add(town)
            else:
                left_out += 1
    with open(OUT, "w", encoding="utf-8", newline="\n") as out:
        out.write("county,towns\n")
        for county in sorted(towns):
            out.write(f"{county},{';'.join(sorted(towns[county]))}\n")
    print(f"{OUT.name}: {sum(map(len, towns.values()))} towns of {len(towns)} counties, {left_out} left out")


if __name__ == "__main__":
    main()
