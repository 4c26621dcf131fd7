"""Counts which characters follow each other in names of places and of persons, for the priors of the text fields:

    python -m shenfen_training.bigrams

writes crates/core/data/place_bigrams.bin from the lists in training/data of regions, towns, villages, roads and estates, and
person_bigrams.bin from those of surnames, characters of given names and minorities' names. Only pairs of characters are kept, so
no list can be had back from it. The format, all numbers little-endian:

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
from typing import NamedTuple

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "data"
OUT = DATA.parent.parent / "crates" / "core" / "data"
START = "^"
class Shares(NamedTuple):
    """Where a character's probability comes from."""

    pair: float
    """From the one before it, or from beginning a name."""
    single: float
    """From its frequency in names."""
    rest: float
    """From being a character at all."""


PLACE = Shares(0.5, 0.3, 2e-5)
PERSON = Shares(0.5, 0.4, 1e-5)
SURNAME = Shares(0.9, 0.0, 3e-6)
"""At the beginning of a person's name, where characters of given names do not stand."""
LISTED = 20
"""What a surname counts for being in the list at all; the rarest were never counted."""
MINORITIES = 0.1
"""How often a name begins as those of the listed minorities, to one that begins with a surname; about one in twelve people
belongs to a minority (census of 2020), many of them with names as all others'."""
MOST = 20
"""A word counts no more often: the list is about which names there are, not about how many live there."""


def _rows(name: str) -> Iterator[dict[str, str]]:
    file = DATA / name
    with (gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else open(file, encoding="utf-8")) as lines:
        yield from csv.DictReader(lines)


def places() -> Iterator[tuple[str, int]]:
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


def persons() -> Iterator[tuple[str, int]]:
    """Beginnings and parts of persons' names with how much each counts."""
    for row in _rows("surnames.csv"):
        yield row["surname"], int(row["n_news"]) + LISTED
    common = sum(int(row["n_news"]) for row in _rows("surnames.csv"))
    minorities = list(_rows("minority_names.csv"))
    weights = sum(int(row["weight"]) for row in minorities)
    for row in minorities:
        yield row["element"], round(MINORITIES * common * int(row["weight"]) / weights) + 1


def _cost(probability: float) -> int:
    return min(round(-8 * np.log2(probability)), 255)


def write(file: Path, names: Iterator[tuple[str, int]], single: Counter[str], begin: Shares, inside: Shares) -> None:
    """Writes the table of `names` whose characters, wherever they stand, are as frequent as `single` says."""
    total = sum(single.values())
    follows: dict[str, Counter[str]] = defaultdict(Counter)
    for name, count in names:
        for first, second in zip(START + name, name, strict=False):
            if second in single and (first in single or first == START):
                follows[first][second] += count
    chars = sorted(single)
    number = {char: index for index, char in enumerate(chars)}
    alone = {char: (single[char] + 1) / total for char in chars}
    begins: list[int] = []
    seconds: list[int] = []
    costs: list[int] = []
    for first in [*chars, START]:
        begins.append(len(seconds))
        after = follows.get(first, Counter())
        all_after = sum(after.values())
        shares = begin if first == START else inside
        # What is not written costs as much as anywhere inside.
        for second in chars if shares != inside else sorted(after):
            seconds.append(number[second])
            costs.append(_cost(shares.pair * after[second] / all_after + shares.single * alone[second] + shares.rest))
    begins.append(len(seconds))
    with open(file, "wb") as out:
        out.write(struct.pack("<II", len(chars), len(seconds)))
        out.write(np.array([ord(char) for char in chars], "<u4").tobytes())
        out.write(bytes(_cost(inside.single * alone[char] + inside.rest) for char in chars))
        out.write(np.array(begins, "<u4").tobytes())
        out.write(np.array(seconds, "<u2").tobytes())
        out.write(bytes(costs))
    print(f"{file.name}: {len(chars)} characters, {len(seconds)} pairs, {file.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    han = [row for row in _rows("charset.csv") if row["tier"] in "012" and ord(row["char"]) >= 0x3400]
    in_places = Counter({row["char"]: int(row["n_place"] or 0) for row in han})
    write(OUT / "place_bigrams.bin", places(), in_places, PLACE, PLACE)
    in_persons = Counter({row["char"]: 0 for row in han})
    for row in _rows("given_chars.csv"):
        if row["char"] in in_persons:
            in_persons[row["char"]] += sum(int(row[column]) for column in ("news_first", "news_second", "news_single"))
    write(OUT / "person_bigrams.bin", persons(), in_persons, SURNAME, PERSON)


if __name__ == "__main__":
    main()
