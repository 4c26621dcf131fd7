"""Writes labelled pictures of made-up cards: the pictures, and labels.jsonl in the form that `shenfen eval` reads.

    python -m shenfen_training.cards.dataset --out DIR --count N --level scan|photo|hard|mix --split train|val --seed S

Picture i depends on the seed and i alone, so the same command gives the same files with any number of processes.
Every card saved bears a SPECIMEN mark.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np

from ..charset import charset, class_of, outsiders, usual
from .camera import CardTruth, photograph
from .covers import HIDDEN, SEEN
from .faults import LEVELS, Faults, encode, expose, random_faults
from .identity import Person, pick, random_person
from .negatives import negative
from .render import Card, render_card

SHEET_SHARE = 0.1
"""Share of pictures with several cards, most of them both sides of one."""


@dataclass(frozen=True)
class Order:
    """What is asked for: where to, which level and split, the seed, shares, and whether labels tell all geometry."""

    out: Path
    level: str
    split: str
    seed: int
    sheets: float = SHEET_SHARE
    negatives: float = 0.0
    geometry: bool = False
    outsiders: float = 0.0
    rare: float = 0.0
    covered: float = 0.0
    marked: float = 0.0
    permits: float = 0.02


COMMON = 3554
"""The charset begins with the symbols and the 3,500 characters of the first level of 通用规范汉字表; later ones are rarer."""


def slices_of(level: str, cards: tuple[CardTruth, ...], faults: Faults) -> list[str]:
    """The groups that eval counts a picture in: its level, what is hard about its light and copy, and about its names."""
    slices = ["sheet" if len(cards) > 1 else level]
    present = {
        "glare": faults.glares, "motion": faults.motion * 10 > 1, "blur": faults.blur > 0.15, "noise": faults.noise > 10,
        "moire": faults.moire, "shadow": faults.shadow, "dark": faults.gain < 0.6, "bright": faults.gain > 1.2,
        "JPEG below 40": faults.quality < 40, "grey or copied": faults.copy != "colour", faults.held_back: faults.held_back,
    }
    slices += [name for name, is_there in present.items() if is_there]
    names = [card.card.person.fields("front")["name"] for card in cards if card.side == "front"]
    rank = class_of()
    if any(char not in rank for name in names for char in name):
        slices.append("outside the charset")
    if any(rank.get(char, 0) >= len(usual()) for name in names for char in name):
        slices.append("beyond tier 2")
    if any(rank.get(char, 0) >= COMMON for name in names for char in name if char != "·"):
        slices.append("rare name")
    if any("·" in name or len(name) > 4 for name in names):
        slices.append("long name")
    return slices


def label_of(path: str, truth: CardTruth, slices: list[str], geometry: bool) -> dict:
    """One line of labels.jsonl. `quad` is in pixels of the picture, from the card's own top left; `rotation` is the
    clockwise quarter turn that the card appears at. With `geometry` every printed line is told, too."""
    along = truth.quad[1] - truth.quad[0]
    label = {"path": path, "side": truth.side, "fields": truth.card.person.fields(truth.side), "slice": slices,
             "quad": np.round(truth.quad.astype(float), 1).tolist(),
             "rotation": round(np.degrees(np.arctan2(along[1], along[0])) / 90) % 4 * 90}
    if geometry:
        label["lines"] = [{"field": line.field, "text": line.text, "quad": np.round(line.quad.astype(float), 1).tolist(),
                           "centres": np.round(line.centres.astype(float), 1).tolist()} for line in truth.lines]
    return label


def _person(rng: np.random.Generator, order: Order) -> Person:
    """A person; some have a character in their name that is beyond tier 2, or one that the reader has no class for."""
    person = random_person(rng, order.permits)
    for share, chars in ((order.outsiders, outsiders()), (order.rare, charset()[len(usual()) :])):
        if share > 0.0 and rng.random() < share:
            at = int(rng.integers(len(person.name)))
            person = replace(person, name=person.name[:at] + pick(rng, chars) + person.name[at + 1:])
    return person


def _cards(rng: np.random.Generator, order: Order) -> list[Card]:
    """The cards of one picture: one, both sides of one person, or a few."""
    if rng.random() >= order.sheets:
        return [render_card(_person(rng, order), pick(rng, ("front", "front", "back")), rng, order.split)]
    if rng.random() < 0.75:
        person = _person(rng, order)
        sides = pick(rng, (("front", "back"), ("back", "front")))
        return [render_card(person, side, rng, order.split) for side in sides]
    return [render_card(_person(rng, order), pick(rng, ("front", "back")), rng, order.split)
            for _ in range(int(rng.integers(2, 9)))]


def make_picture(index: int, order: Order) -> list[dict]:
    """Draws, photographs and saves picture `index`; its labels, one without fields for a picture without a card."""
    rng = np.random.default_rng([order.seed, index])
    level = pick(rng, LEVELS) if order.level == "mix" else order.level
    name = f"{index:06d}"
    if rng.random() < order.negatives:
        image = negative(rng, *pick(rng, ((1280, 960), (960, 1280), (1024, 768))))
        encoded = encode(expose(image, random_faults(rng, level, order.split), rng, 8), 85)
        (order.out / f"{name}.jpg").write_bytes(encoded.tobytes())
        return [{"path": f"{name}.jpg", "slice": ["no card"]}]
    covered = order.covered > 0.0 and rng.random() < order.covered
    marked = order.marked > 0.0 and rng.random() < order.marked
    photo = photograph(_cards(rng, order), rng, level, order.split, covered=covered, marked=marked)
    path = f"{name}.jpg"
    if level == "scan" and rng.random() < 0.1:
        path = f"{name}.png"
        cv2.imwrite(str(order.out / path), cv2.cvtColor(photo.image, cv2.COLOR_RGB2BGR))
    else:
        (order.out / path).write_bytes(photo.encoded.tobytes())
    slices = slices_of(level, photo.cards, photo.faults)
    if marked:
        slices.append("marked")
    if covered:
        most = max(float(shares.max()) for truth in photo.cards for shares in truth.hidden)
        slices.append("hidden" if most >= HIDDEN else "partly hidden" if most > SEEN else "covered beside the text")
    return [label_of(path, truth, slices, order.geometry) for truth in photo.cards]


def write(order: Order, count: int, processes: int = 1) -> None:
    """Writes `count` pictures and labels.jsonl into the order's folder."""
    order.out.mkdir(parents=True, exist_ok=True)
    work = partial(make_picture, order=order)
    with open(order.out / "labels.jsonl", "w", encoding="utf-8") as labels:
        if processes > 1:
            # Fresh processes: a fork of one whose OpenCV threads run would hang.
            with get_context("spawn").Pool(processes, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
                results = pool.imap(work, range(count), chunksize=4)
                _write_labels(labels, results)
        else:
            _write_labels(labels, map(work, range(count)))


def _write_labels(file: TextIO, results: Iterable[list[dict]]) -> None:
    for picture in results:
        for label in picture:
            file.write(json.dumps(label, ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write labelled pictures of made-up identity cards.")
    parser.add_argument("--out", type=Path, required=True, help="folder for pictures and labels.jsonl")
    parser.add_argument("--count", type=int, required=True, help="how many pictures")
    parser.add_argument("--level", choices=(*LEVELS, "mix"), default="mix")
    parser.add_argument("--split", choices=("train", "val"), default="train", help="val: held-back faces, grounds, faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheets", type=float, default=SHEET_SHARE, help="share of pictures with several cards")
    parser.add_argument("--negatives", type=float, default=0.0, help="share of pictures without a card")
    parser.add_argument("--outsiders", type=float, default=0.0, help="share of names with a character outside the charset")
    parser.add_argument("--rare", type=float, default=0.0, help="share of names with a character beyond tier 2")
    parser.add_argument("--covered", type=float, default=0.0, help="share of pictures in which something lies on the card")
    parser.add_argument("--marked", type=float, default=0.0, help="share of pictures with watermarks, stamps or signatures")
    parser.add_argument("--permits", type=float, default=0.02, help="share of residence permits of Hong Kong, Macao or Taiwan residents")
    parser.add_argument("--geometry", action="store_true", help="labels tell each line and character's place")
    parser.add_argument("--processes", type=int, default=1)
    a = parser.parse_args()
    order = Order(a.out, a.level, a.split, a.seed, a.sheets, a.negatives, a.geometry, a.outsiders, a.rare, a.covered, a.marked, a.permits)
    write(order, a.count, a.processes)


if __name__ == "__main__":
    main()
