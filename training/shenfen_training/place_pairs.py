"""Counts which characters follow each other in names of places, for the reader's address law:

    python -m shenfen_training.place_pairs

writes crates/core/data/place_pairs.bin from the lists in training/data (regions, towns, villages, roads, estates). Only pairs
of characters are kept, so no list can be had back from it. The format, all numbers little-endian:

    u32 C, u32 P                  characters, pairs
    C x u32                       the characters' code points, ascending; number C stands for the start of a name
    C x u8                        cost of each character after one with which it makes no pair
    (C + 2) x u32                 where the pairs of each first character begin, the start's last
    P x u16                       second characters, ascending for each first one
    P x u8                        the pair's cost

A cost is -8 log2 of a probability, rounded.
"""

import csv
import gzip
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "data"
OUT = DATA.parent.parent / "crates" / "core" / "data" / "place_pairs.bin"
START = "^"
PAIR, SINGLE, ANY = 0.5, 0.3, 2e-5
"""Shares of a character's probability: by the one before it, by its frequency in place names, by being a character."""
MOST = 20
"""A word counts no more often: the list is about which names there are, not about how many live there."""


def _rows(name: str) -> Iterator[dict[str, str]]:
    file = DATA / name
    with (gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else open(file, encoding="utf-8")) as lines:
        yield from csv.DictReader(lines)


def names() -> Iterator[tuple[str, int]]:
    """Names of places with how much each counts; those that follow each other in an address joined."""
    regions: dict[str, str] = {}
    for row in _rows("regions.csv"):
        name = row["name"]
        if name in ("市辖区", "县", "市", "市区"):
            continue
        regions[row["code"]] = name
        code = row["code"]
        above = regions.get(code[:2] + "0000" if code.endswith("00") else code[:4] + "00", "")
        yield (above + name if name != above else name), 3
    towns: dict[str, str] = {}
    for row in _rows("towns.csv.gz"):
        towns[row["town_code"]] = row["town"]
        yield regions.get(row["county_code"], "") + row["town"], 1
    with gzip.open(DATA / "villages.tsv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            code, below = line.rstrip("\n").split("\t")
            for name in below.split(" "):
                yield towns.get(code, "") + (name if name.endswith(("村", "社区")) else name + "村"), 1
    suffix = {"road": "路", "village": "村", "community": "社区"}
    for row in _rows("addr_words.csv.gz"):
        word, end = row["word"], suffix.get(row["type"], "")
        yield word if word.endswith(end) else word + end, min(int(row["n"]), MOST)


def _cost(probability: float) -> int:
    return min(int(round(-8 * np.log2(probability))), 255)


def main() -> None:
    single = {row["char"]: int(row["n_place"] or 0) for row in _rows("charset.csv") if row["tier"] in "012" and ord(row["char"]) >= 0x3400}
    total = sum(single.values())
    follows: dict[str, Counter[str]] = defaultdict(Counter)
    for name, count in names():
        for first, second in zip(START + name, name):
            if second in single and (first in single or first == START):
                follows[first][second] += count
    chars = sorted(single)
    number = {char: index for index, char in enumerate(chars)}
    base = {char: SINGLE * (single[char] + 1) / total + ANY for char in chars}
    begins, seconds, costs = [], [], []
    for first in [*chars, START]:
        begins.append(len(seconds))
        after = follows.get(first, Counter())
        all_after = sum(after.values())
        for second in sorted(after):
            seconds.append(number[second])
            costs.append(_cost(PAIR * after[second] / all_after + base[second]))
    begins.append(len(seconds))
    with open(OUT, "wb") as file:
        file.write(struct.pack("<II", len(chars), len(seconds)))
        file.write(np.array([ord(char) for char in chars], "<u4").tobytes())
        file.write(bytes(_cost(base[char]) for char in chars))
        file.write(np.array(begins, "<u4").tobytes())
        file.write(np.array(seconds, "<u2").tobytes())
        file.write(bytes(costs))
    print(f"{len(chars)} characters, {len(seconds)} pairs, {OUT.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
