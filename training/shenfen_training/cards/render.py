"""Draws one side of a card and says where every character stands."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from . import artwork
from .glyphs import em_middle, glyph
from .identity import Person, pick
from .layout import CORNER, HEIGHT, WIDTH, Design, Run, back_design, front_design

INK_LAYERS = ("value", "number", "label", "title", "mark")


@dataclass(frozen=True)
class Line:
    """One printed line of a field, in pixels of the picture it was drawn or photographed into.

    `quad` float32 [4, 2] is the em box from the left ink edge of the first character to the right ink edge of the last
    (TL, TR, BR, BL); `centres` float32 [n, 2] are the middles of the characters' cells on the em box's middle line.
    """

    field: str
    text: str
    quad: np.ndarray
    centres: np.ndarray

    @property
    def em(self) -> float:
        """Height of the em box."""
        return float(np.linalg.norm(self.quad[3] - self.quad[0]) + np.linalg.norm(self.quad[2] - self.quad[1])) / 2

    def mapped(self, homography: np.ndarray) -> "Line":
        """The same line seen through `homography`."""
        return Line(self.field, self.text, map_points(homography, self.quad), map_points(homography, self.centres))


@dataclass(frozen=True)
class Card:
    """A drawn side: uint8 RGB `image`, pixels per mm, its lines, and the quad of the SPECIMEN mark (None: not drawn)."""

    image: np.ndarray
    ppm: float
    side: str
    person: Person
    lines: tuple[Line, ...]
    mark: np.ndarray | None

    @property
    def corners(self) -> np.ndarray:
        """The card's corners TL, TR, BR, BL in pixels of `image`."""
        height, width = self.image.shape[:2]
        return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def map_points(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [n, 2] through a 3 x 3 homography."""
    mapped = np.hstack([points, np.ones((len(points), 1))]) @ np.asarray(homography).T
    return (mapped[:, :2] / mapped[:, 2:]).astype(np.float32)


@lru_cache(maxsize=64)
def corner_mask(width: int, height: int, sharp: bool = False) -> np.ndarray:
    """Alpha of a card of this size with rounded corners, uint8 [height, width]."""
    mask = np.full((height, width), 255, np.uint8)
    if sharp:
        return mask
    r = round(CORNER * width / WIDTH)
    mask[:r] = mask[-r:] = 0
    cv2.rectangle(mask, (r, 0), (width - r - 1, height - 1), 255, -1)
    for x in (r, width - r - 1):
        for y in (r, height - r - 1):
            cv2.circle(mask, (x, y), r, 255, -1, cv2.LINE_AA)
    return mask


def ink_run(layer: np.ndarray, run: Run, ppm: float) -> tuple[float, float, list[float]]:
    """Puts a run into an ink layer; its left and right ink edge and its cells' middles, in pixels."""
    height, width = layer.shape
    em = run.em * run.size * ppm
    half_px = max(8, round(em * 2))
    baseline = round(run.y * ppm + em_middle(run.typeface.han) * em)
    pen = run.x * ppm
    edges, centres = [], []
    for char in run.text:
        face, stretch = run.typeface.face_of(char)
        g = glyph(face, half_px, stretch, char)
        step = run.typeface.advance(char) * em
        x, y = round(pen) + g.left, baseline + g.top
        h, w = g.ink.shape
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
        if x1 > x0 and y1 > y0:
            part = layer[y0:y1, x0:x1]
            np.maximum(part, g.ink[y0 - y:y1 - y, x0 - x:x1 - x], out=part)
            edges += [x, x + w]
        centres.append(pen + step / 2)
        pen += step + run.tracking * em
    return (min(edges), max(edges), centres) if edges else (run.x * ppm, run.x * ppm, centres)


def _line(layers: dict[str, np.ndarray], name: str, runs: tuple[Run, ...], ppm: float) -> Line:
    drawn = [ink_run(layers[run.ink], run, ppm) for run in runs]
    left, right = min(d[0] for d in drawn), max(d[1] for d in drawn)
    y, em = runs[0].y * ppm, max(run.em for run in runs) * ppm
    quad = np.array([[left, y - em / 2], [right, y - em / 2], [right, y + em / 2], [left, y + em / 2]], np.float32)
    centres = np.array([[x, y] for d in drawn for x in d[2]], np.float32)
    return Line(name, "".join(run.text for run in runs), quad, centres)


def _spread(layer: np.ndarray, ppm: float, rng: np.random.Generator) -> np.ndarray:
    """Ink spread or wear: a slight blur, then a steeper or flatter edge, thicker or thinner strokes."""
    sigma = rng.uniform(0.0, 0.055) * ppm
    if sigma > 0.25:
        layer = cv2.GaussianBlur(layer, (0, 0), sigma)
    gain = rng.uniform(1.0, 1.8)
    middle = rng.uniform(85, 165) if gain > 1.1 else 127
    table = np.clip((np.arange(256) - middle) * gain + 127, 0, 255)
    table[0] = 0
    return cv2.LUT(layer, table.astype(np.uint8))


def _colours(rng: np.random.Generator) -> dict[str, np.ndarray]:
    black = np.array([rng.uniform(5, 75)] * 3) + rng.uniform(-6, 10, 3)
    blue = np.array([rng.uniform(0, 90), rng.uniform(90, 165), rng.uniform(150, 225)])
    label = blue if rng.random() < 0.75 else np.array([rng.uniform(30, 110)] * 3) + rng.uniform(-20, 20, 3)
    title = np.array([rng.uniform(5, 70)] * 3) if rng.random() < 0.85 else label * 0.7
    mark = pick(rng, (np.array([200, 40, 40]), np.array([210, 120, 60]), np.array([150, 60, 150]), np.array([120, 130, 140])))
    number = black if rng.random() < 0.7 else np.array([rng.uniform(5, 60)] * 3)
    return {"value": black, "number": number, "label": label, "title": title, "mark": mark}


def _print_ink(image: np.ndarray, layer: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Ink takes light away: each channel is multiplied by 1 - ink * (1 - colour)."""
    keep = 255 - np.arange(256)[:, None] * (1 - colour.clip(0, 255)[None, :] / 255)
    factor = cv2.LUT(cv2.merge([layer] * 3), keep.astype(np.uint8)[None])
    return cv2.multiply(image, factor, scale=1 / 255)


def draw(design: Design, person: Person, rng: np.random.Generator, split: str, ppm: float, mark: bool) -> Card:
    """Draws a design at `ppm` pixels per mm."""
    size = round(WIDTH * ppm), round(HEIGHT * ppm)
    image = artwork.background(rng, split, size)
    if design.wall:
        artwork.draw_wall(image, design.wall, ppm, rng)
    if design.emblem:
        artwork.draw_emblem(image, design.emblem, ppm, rng)
    if design.portrait:
        artwork.draw_portrait(image, design.portrait, ppm, rng)
    layers = {ink: np.zeros((size[1], size[0]), np.uint8) for ink in INK_LAYERS}
    lines = tuple(_line(layers, line.field, line.runs, ppm) for line in design.lines)
    for run in design.printed:
        ink_run(layers[run.ink], run, ppm)
    if mark and design.mark is None:
        raise ValueError("the design has no mark")
    mark_line = _line(layers, "mark", (design.mark,), ppm) if mark and design.mark is not None else None
    colours = _colours(rng)
    for ink, layer in layers.items():
        rows = np.flatnonzero(layer.max(axis=1)) if ink != "mark" or mark else np.empty(0, np.intp)
        if len(rows) == 0:
            continue
        band = slice(max(0, rows[0] - 4), rows[-1] + 5)
        image[band] = _print_ink(image[band], _spread(layer[band], ppm, rng), colours[ink])
    return Card(image, ppm, design.side, person, lines, None if mark_line is None else mark_line.quad)


def render_card(person: Person, side: str, rng: np.random.Generator, split: str = "train", ppm: float | None = None,
                mark: bool = True) -> Card:
    """Designs and draws `side` ("front" = portrait side, "back" = emblem side) of a person's card.

    `mark` = False leaves SPECIMEN out and serves only pictures that are fed to a network and never saved: a network that
    always saw the mark would come to rely on it.
    """
    design = (front_design if side == "front" else back_design)(person, rng, split)
    return draw(design, person, rng, split, ppm or rng.uniform(12, 16), mark)
