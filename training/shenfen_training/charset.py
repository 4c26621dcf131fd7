"""The characters that the recogniser can tell apart, in the order of its classes."""

import csv
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
TIERS = ("0", "1", "2")
"""Symbols; the table of general standard characters (2013); characters of names, places and GB 2312 beyond it."""


@lru_cache(maxsize=1)
def charset() -> tuple[str, ...]:
    """All classes: about 10,000 characters. Class i is charset()[i]."""
    with open(DATA / "charset.csv", encoding="utf-8", newline="") as file:
        return tuple(row["char"] for row in csv.DictReader(file) if row["tier"] in TIERS)


@lru_cache(maxsize=1)
def outsiders() -> tuple[str, ...]:
    """Han characters of Unicode's main block that are no class. Drawn as number len(charset()) + i, they teach and test doubt."""
    known = set(charset())
    return tuple(char for char in map(chr, range(0x4E00, 0x9FD6)) if char not in known)


@lru_cache(maxsize=1)
def drawable() -> tuple[str, ...]:
    """What strips are drawn with: the classes, then the outsiders."""
    return charset() + outsiders()


@lru_cache(maxsize=1)
def class_of() -> dict[str, int]:
    """Character -> class."""
    return {char: index for index, char in enumerate(charset())}
