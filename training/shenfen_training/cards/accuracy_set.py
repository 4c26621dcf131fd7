"""Draws the fixed set of the accuracy test: small pictures of every slice, some with characters covered.

    python -m shenfen_training.cards.accuracy_set --out ../tests/accuracy --seed 20261126

A slice takes the first pictures of its stream that are small enough, so the same seed gives the same set. Covered pictures
keep the label of what is printed below the cover: a reader may leave the field empty or ask for review, but must not accept
a value that is not there.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .dataset import Order, make_picture
from .faults import encode
from .identity import pick


@dataclass(frozen=True)
class Slice:
    """How many pictures of a kind, and how they are drawn.

    Files of more than `max_bytes` are left out, so that the set stays below 2.5 MB. `offset` keeps the streams of random
    numbers apart.
    """

    name: str
    count: int
    max_bytes: int
    level: str
    offset: int
    sheets: float = 0.0
    negatives: float = 0.0
    covered: bool = False


SLICES = (
    Slice("scan", 8, 75_000, "scan", 1),
    Slice("photo", 16, 33_000, "photo", 2),
    Slice("hard", 18, 24_000, "hard", 3),
    Slice("sheet", 4, 90_000, "photo", 4, sheets=1.0),
    Slice("no-card", 4, 60_000, "photo", 5, negatives=1.0),
    Slice("covered-scan", 8, 45_000, "scan", 6, covered=True),
    Slice("covered-photo", 8, 32_000, "photo", 7, covered=True),
)

COVERABLE = ("name", "identityNo", "birthPlace", "authority", "effectiveDate", "birthDate")
"""Fields whose characters are covered. Gender and ethnicity have too few characters to cover a part of."""


def cover(image: np.ndarray, line: dict, rng: np.random.Generator) -> None:
    """Hides one or two characters of a line below a thumb, a patch of paper, ink or a wash."""
    centres = np.array(line["centres"], float).reshape(-1, 2)
    quad = np.array(line["quad"], float)
    height = float(np.linalg.norm(quad[3] - quad[0]))
    first = int(rng.integers(len(centres)))
    hidden = centres[first : first + int(rng.integers(1, 3))]
    middle = hidden.mean(axis=0)
    radius = max(height * 0.55, float(np.linalg.norm(hidden[-1] - hidden[0])) / 2 + height * 0.5)
    mask = np.zeros(image.shape[:2], np.uint8)
    kind = pick(rng, ("thumb", "paper", "ink", "wash"))
    if kind == "thumb":
        cv2.circle(mask, middle.round().astype(int).tolist(), round(radius), 255, -1, cv2.LINE_AA)
    else:
        along = (quad[1] - quad[0]) / np.linalg.norm(quad[1] - quad[0])
        down = (quad[3] - quad[0]) / height
        sides = [along * radius * x + down * height * 0.6 * y for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        cv2.fillPoly(mask, [(middle + np.array(sides)).round().astype(np.int32)], 255, cv2.LINE_AA)
    paper = np.median(image[mask > 0].astype(float), axis=0)
    colour, opacity = {
        "thumb": (np.array([120.0, 150.0, 205.0]) * rng.uniform(0.5, 1.0), 1.0),
        "paper": (paper, 1.0),
        "ink": (np.full(3, rng.uniform(10, 60)), 1.0),
        "wash": (np.maximum(paper, 225.0), 0.93),
    }[kind]
    alpha = mask[..., None].astype(float) / 255 * opacity
    image[:] = (image * (1 - alpha) + colour * alpha).round().clip(0, 255).astype(np.uint8)


def with_cover(path: Path, labels: list[dict], rng: np.random.Generator) -> None:
    """Covers characters of the picture's only card, in the file itself."""
    lines = [line for line in labels[0]["lines"] if line["field"] in COVERABLE and len(line["text"]) > 1]
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f"cannot read {path}")
    cover(image, pick(rng, lines), rng)
    path.write_bytes(encode(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), 75).tobytes())


def draw(part: Slice, out: Path, seed: int) -> Iterator[dict]:
    """Draws a slice's pictures into `out` and gives their labels."""
    order = Order(out, part.level, "val", seed + part.offset, part.sheets, part.negatives, geometry=part.covered)
    taken, index = 0, 0
    while taken < part.count:
        labels = make_picture(index, order)
        drawn = out / labels[0]["path"]
        if part.covered:
            with_cover(drawn, labels, np.random.default_rng([order.seed, index, 1]))
        index += 1
        if drawn.suffix != ".jpg" or drawn.stat().st_size > part.max_bytes:
            drawn.unlink()
            continue
        taken += 1
        name = f"{part.name}-{taken:02}.jpg"
        drawn.rename(out / name)
        for label in labels:
            label.pop("lines", None)
            yield {**label, "path": name, "slice": part.name}


def main() -> None:
    """Writes the pictures and labels.jsonl."""
    parser = argparse.ArgumentParser(description="Draw the fixed set of the accuracy test.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures and labels.jsonl")
    parser.add_argument("--seed", type=int, required=True)
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    with open(a.out / "labels.jsonl", "w", encoding="utf-8") as file:
        for part in SLICES:
            for label in draw(part, a.out, a.seed):
                file.write(json.dumps(label, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
