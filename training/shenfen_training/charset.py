"""The characters that the recogniser can tell apart, in the order of its classes."""

import csv
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
TIERS = ("0", "1", "2")
"""Symbols; the table of general standard characters (2013); characters of names, places and GB 2312 beyond it."""
_MAIN_BLOCK = range(0x4E00, 0x9FD6)
"""CJK Unified Ideographs, as far as the faces of training go. What tier 3 has of it are mostly traditional and Japanese forms: few
cards have one, but one that is no class can only be taken for another."""
_EXTENSION_A = range(0x3400, 0x4DB6)
"""CJK Unified Ideographs Extension A, as far as the faces go."""
_EVERY = 4
"""So many of the strange ones are passed over for one that is drawn: a quarter tells as much, and atlases stay small."""


@lru_cache(maxsize=1)
def _rows() -> tuple[dict[str, str], ...]:
    with open(DATA / "charset.csv", encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@lru_cache(maxsize=1)
def usual() -> tuple[str, ...]:
    """Tiers 0 to 2: about 10,000 characters. They are the first classes."""
    return tuple(row["char"] for row in _rows() if row["tier"] in TIERS)


@lru_cache(maxsize=1)
def charset() -> tuple[str, ...]:
    """All classes, the usual ones and about 11,000 rare ones. Class i is charset()[i]."""
    return usual() + tuple(row["char"] for row in _rows() if row["tier"] == "3" and ord(row["char"]) in _MAIN_BLOCK)


@lru_cache(maxsize=1)
def outsiders() -> tuple[str, ...]:
    """Han characters that are no class. Drawn as number len(charset()) + i, they teach and test doubt."""
    return tuple(row["char"] for row in _rows() if row["tier"] == "3" and ord(row["char"]) in _EXTENSION_A)[::_EVERY]


@lru_cache(maxsize=1)
def drawable() -> tuple[str, ...]:
    """What strips are drawn with: the classes, then the outsiders."""
    return charset() + outsiders()


@lru_cache(maxsize=1)
def class_of() -> dict[str, int]:
    """Character -> class."""
    return {char: index for index, char in enumerate(charset())}
