"""Things that lie on a card and hide what is printed: fingers, patches, glare, ink, washed-out print, objects.

Drawn into a picture before light and lens. What is hidden afterwards is measured, not assumed: every character of a line gets the
share of its cell that is hidden (`hidden_shares`).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .geometry import side_lengths
from .identity import pick
from .render import Line

MATERIALS = ("skin", "paper", "glare", "ink", "strokes", "wash", "smear", "object")
HIDDEN = 0.45
"""A character is hidden when at least this share of its cell is."""
SEEN = 0.15
"""It is seen when at most this share is hidden; between the two a network may say either."""
HELD_BACK_MATERIAL = "lattice"
"""A material that only validation pictures have: opaque, of crossing bars."""


@dataclass(frozen=True)
class Place:
    """Where a cover lies: its middle (x, y), half its width and height, and the angle of its width, in pixels and radians."""

    middle: tuple[float, float]
    half: tuple[float, float]
    angle: float = 0.0


class Covers:
    """Covers drawn into one picture, uint8 RGB or grey, and the mask of what they hide."""

    def __init__(self, rng: np.random.Generator, image: np.ndarray, split: str = "train"):
        self.rng = rng
        self.image = image
        self.materials = MATERIALS if split == "train" else (*MATERIALS, HELD_BACK_MATERIAL)
        self.hidden = np.zeros(image.shape[:2], np.uint8)
        """255 where nothing of the print is left."""

    def add(self, place: Place, material: str | None = None) -> None:
        """Draws a cover; what lies outside of the picture is left out."""
        material = material or pick(self.rng, self.materials)
        reach = 1.7 * float(np.hypot(*place.half)) + 3
        height, width = self.image.shape[:2]
        x0, y0 = (max(0, int(middle - reach)) for middle in place.middle)
        x1, y1 = (min(side, int(middle + reach) + 1) for middle, side in zip(place.middle, (width, height), strict=True))
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        window = self.image[y0:y1, x0:x1]
        radius, along, across = self._radius(place, (x0, y0, x1, y1))
        alpha = self._alpha(material, radius, along, across, place)
        paint = self._paint(material, window, along, across, place).astype(np.float32)
        weight = alpha if window.ndim == 2 else alpha[..., None]
        window[:] = np.clip(window + (paint - window) * weight, 0, 255).astype(np.uint8)
        # Print shows through what is less opaque than about two thirds.
        opaque = np.clip((alpha - 0.5) / 0.35, 0, 1)
        part = self.hidden[y0:y1, x0:x1]
        np.maximum(part, (opaque * 255).astype(np.uint8), out=part)

    def _radius(self, place: Place, box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each pixel of a window 1 at the cover's outline, which is an ellipse, a rounded box or anything between, and wavers;
        and its place along and across, 1 at the ends."""
        rng, (x0, y0, x1, y1) = self.rng, box
        x = np.arange(x0, x1, dtype=np.float32)[None] + 0.5 - place.middle[0]
        y = np.arange(y0, y1, dtype=np.float32)[:, None] + 0.5 - place.middle[1]
        c, s = np.cos(place.angle), np.sin(place.angle)
        along, across = (x * c + y * s) / place.half[0], (y * c - x * s) / place.half[1]
        power = pick(rng, (2.0, 2.0, 3.0, 6.0, 20.0))
        radius = (np.abs(along) ** power + np.abs(across) ** power) ** (1 / power)
        if rng.random() < 0.5:
            turn = np.arctan2(across, along)
            for waves in range(2, 6):
                radius = radius * (1 + rng.normal(0, 0.05) * np.sin(waves * turn + rng.uniform(0, 6.3)))
        return radius.astype(np.float32), along.astype(np.float32), across.astype(np.float32)

    def _alpha(self, material: str, radius: np.ndarray, along: np.ndarray, across: np.ndarray, place: Place) -> np.ndarray:
        """Opacity 0..1 of each pixel of the window."""
        rng, least = self.rng, min(place.half)
        if material == "glare":
            return np.clip(np.exp(-((radius * rng.uniform(0.7, 1.1)) ** pick(rng, (2, 4, 6)))) * rng.uniform(0.9, 1.6), 0, 1)
        if material == "strokes":
            return self._strokes(along, across)
        soft = rng.uniform(0.6, 2.0) if rng.random() < 0.6 else rng.uniform(0.1, 0.6) * least
        most = rng.uniform(0.75, 1.0) if material == "wash" else 1.0
        alpha = np.clip((1 - radius) * least / max(soft, 0.5) + 0.5, 0, 1) * most
        if material == HELD_BACK_MATERIAL:
            bars = np.maximum(np.sin(along * 9), np.sin(across * 9)) > -0.3
            alpha = alpha * bars
        return alpha.astype(np.float32)

    def _strokes(self, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """A place struck through or scribbled over with a pen or marker."""
        rng = self.rng
        alpha = np.zeros(along.shape, np.float32)
        thick = rng.uniform(0.06, 0.35)
        for _ in range(int(rng.integers(1, 9))):
            slope, shift = rng.uniform(-1.2, 1.2), rng.uniform(-0.8, 0.8)
            wave = rng.uniform(0, 0.3) * np.sin(along * rng.uniform(2, 12) + rng.uniform(0, 6.3))
            near = np.abs(across - slope * along * rng.uniform(0, 1) - shift - wave)
            alpha = np.maximum(alpha, np.clip((thick - near) / 0.08 + 0.5, 0, 1))
        return alpha * (np.abs(along) < 1.1) * (np.abs(across) < 1.2)

    def _paint(self, material: str, window: np.ndarray, along: np.ndarray, across: np.ndarray, place: Place) -> np.ndarray:
        """Colour of the cover at each pixel of the window."""
        rng = self.rng
        channels = () if window.ndim == 2 else (3,)
        flat = np.ones((*window.shape[:2], *channels), np.float32)

        def shaded(colour: np.ndarray, strength: float) -> np.ndarray:
            shade = 1 - strength * (along * rng.uniform(-1, 1) + across * rng.uniform(-1, 1) + 0.4 * across * across)
            return flat * (colour if channels else colour.mean()) * (shade[..., None] if channels else shade)

        if material == "skin":
            return shaded(np.array([225, 178, 148]) * rng.uniform(0.3, 1.08), rng.uniform(0.05, 0.35)) + self._grain(window.shape, 6)
        if material == "glare":
            return flat * 255
        if material in ("ink", "strokes"):
            tone = np.array([rng.uniform(0, 90)] * 3) if rng.random() < 0.7 else rng.uniform(0, 200, 3)
            return flat * (tone if channels else tone.mean())
        if material == "paper":
            paper = np.percentile(window.reshape(-1, *channels), rng.uniform(55, 95), axis=0)
            paper = paper + rng.normal(0, 5 if rng.random() < 0.7 else 25)
            return flat * paper + self._grain(window.shape, 4 if rng.random() < 0.5 else 0)
        if material in ("wash", "smear"):
            sigma = max(1.0, rng.uniform(0.25, 1.0) * min(place.half))
            if material == "smear":
                size = max(3, int(rng.uniform(0.8, 2.5) * min(place.half)))
                return cv2.blur(window, (size, max(1, size // 4)) if rng.random() < 0.5 else (size, size))
            lifted = cv2.GaussianBlur(cv2.dilate(window, np.ones((5, 5), np.uint8), iterations=2), (0, 0), sigma)
            return lifted * rng.uniform(0.92, 1.12)
        base = rng.uniform(0, 255, 3) if rng.random() < 0.7 else np.array([rng.uniform(0, 255)] * 3)
        texture = np.sin(along * rng.uniform(1, 25) + across * rng.uniform(-25, 25))
        wave = rng.uniform(0, 60) * (texture[..., None] if channels else texture)
        return shaded(base, rng.uniform(0, 0.3)) + wave + self._grain(window.shape, 10)

    def _grain(self, shape: tuple[int, ...], sigma: float) -> np.ndarray:
        return self.rng.standard_normal(shape, np.float32) * (sigma * self.rng.random())


def hidden_shares(hidden: np.ndarray, line: Line) -> np.ndarray:
    """The share of each character's cell that is hidden, 0..1 [n], by the mask of `Covers`. Outside of the picture all is hidden."""
    along = (line.quad[1] - line.quad[0]) / max(float(np.linalg.norm(line.quad[1] - line.quad[0])), 1e-6)
    down = np.array([-along[1], along[0]])
    pitch = np.abs(np.diff(line.centres @ along, prepend=np.nan, append=np.nan))
    half = np.clip(np.fmin(pitch[:-1], pitch[1:]), 0.4 * line.em, 0.95 * line.em) / 2 if len(line.centres) > 1 else np.array([line.em / 2])
    grid = (np.arange(5) - 2) / 2
    offsets = grid[None, :, None, None] * 0.85 * half[:, None, None, None] * along + grid[None, None, :, None] * 0.4 * line.em * down
    points = np.floor(line.centres[:, None, None] + offsets).astype(int)
    height, width = hidden.shape
    inside = (points >= 0).all(-1) & (points < (width, height)).all(-1)
    x, y = points[..., 0].clip(0, width - 1), points[..., 1].clip(0, height - 1)
    return np.where(inside, hidden[y, x] / 255, 1.0).mean(axis=(1, 2))


LOST = 0.35
"""A character is lost when its ink correlates less than this with what was printed there."""
FADED = 0.55
"""It is seen when it correlates at least so much."""
_AROUND_INK = 0.12
"""How far around a stroke, in em, the picture counts: thin characters leave most of their cell empty, and what noise does there says
nothing of them."""


def lost_shares(printed: np.ndarray, seen: np.ndarray, line: Line) -> np.ndarray:
    """For each character of a line 1 where light, lens and tones left nothing of it, 0 where it is there, [n]. `printed` and `seen` are
    grey pictures of one size, before and after."""
    shares = np.zeros(len(line.centres))
    half = 0.5 * line.em
    for at, (x, y) in enumerate(line.centres):
        rows, columns = slice(max(0, int(y - half)), int(y + half) + 1), slice(max(0, int(x - half)), int(x + half) + 1)
        before, after = printed[rows, columns].astype(np.float32), seen[rows, columns].astype(np.float32)
        if not before.size:
            continue
        weight = cv2.GaussianBlur(np.abs(before - np.median(before)), (0, 0), _AROUND_INK * line.em)
        before, after = (cell - np.average(cell, weights=weight + 1e-6) for cell in (before, after))
        spread = float(np.sqrt((weight * before**2).sum() * (weight * after**2).sum()))
        likeness = float((weight * before * after).sum()) / spread if spread > 0 else 0.0
        shares[at] = 1.0 if likeness < LOST else (HIDDEN + SEEN) / 2 if likeness < FADED else 0.0
    return shares


def _over_characters(rng: np.random.Generator, line: Line) -> Place:
    """Over some characters of a line: at its start, at its end or inside, from half a character on."""
    count = len(line.centres)
    span = min(count, pick(rng, (1, 1, 1, 2, 2, 3, 4)))
    first = pick(rng, (0, count - span, int(rng.integers(count - span + 1))))
    middle = line.centres[first : first + span].mean(axis=0)
    along = line.quad[1] - line.quad[0]
    pitch = float(np.linalg.norm(line.centres[-1] - line.centres[0])) / max(count - 1, 1) if count > 1 else line.em
    half = (max(span * pitch, 0.5 * line.em) * rng.uniform(0.4, 0.75), line.em * rng.uniform(0.4, 0.95))
    if rng.random() < 0.3:
        half = (float(max(half)), float(max(half)) * rng.uniform(0.7, 1.0))
    middle = middle + rng.normal(0, 0.12, 2) * line.em
    return Place(tuple(middle.tolist()), half, float(np.arctan2(along[1], along[0]) + rng.normal(0, 0.08)))


def _over_row(rng: np.random.Generator, line: Line) -> Place:
    along = line.quad[1] - line.quad[0]
    length = float(np.linalg.norm(along))
    middle = line.quad.mean(axis=0) + rng.normal(0, 0.2, 2) * line.em
    half = (length * rng.uniform(0.35, 0.65) + 0.3 * line.em, line.em * rng.uniform(0.45, 0.8))
    return Place(tuple(middle.tolist()), half, float(np.arctan2(along[1], along[0])))


def _beside(rng: np.random.Generator, line: Line) -> Place:
    """Where no character stands: over the label before a line, or just behind its end."""
    along = line.quad[1] - line.quad[0]
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    half = line.em * rng.uniform(0.4, 1.6)
    end = line.quad[[0, 3]].mean(axis=0) if rng.random() < 0.6 else line.quad[[1, 2]].mean(axis=0)
    out = -along if np.allclose(end, line.quad[[0, 3]].mean(axis=0)) else along
    middle = end + out * (half + line.em * rng.uniform(-0.1, 1.2))
    return Place(tuple(middle.tolist()), (half, line.em * rng.uniform(0.4, 1.1)), float(np.arctan2(along[1], along[0])))


def _on_the_edge(rng: np.random.Generator, quad: np.ndarray) -> Place:
    """A finger over an edge, or something over a corner of a card."""
    side = int(rng.integers(4))
    start, end, middle = quad[side], quad[(side + 1) % 4], quad.mean(axis=0)
    at = start + (end - start) * (rng.uniform(0.05, 0.95) if rng.random() < 0.5 else float(rng.integers(2)))
    inward = middle - (start + end) / 2
    inward = inward / max(float(np.linalg.norm(inward)), 1e-6)
    width = side_lengths(quad)[0]
    depth, half = width * rng.uniform(0.01, 0.16), width * rng.uniform(0.05, 0.11)
    length = width * rng.uniform(0.15, 0.4)
    tip = at + inward * (depth - length) + rng.normal(0, 0.02, 2) * width
    return Place(tuple(tip.tolist()), (length, half), float(np.arctan2(inward[1], inward[0]) + rng.normal(0, 0.35)))


def cover_card(rng: np.random.Generator, covers: Covers, quad: np.ndarray, lines: tuple[Line, ...]) -> None:
    """Draws one to three covers over a card: mostly over its characters, else beside them, over its edges, or anywhere."""
    for _ in range(pick(rng, (1, 1, 1, 2, 2, 3))):
        chance = rng.random()
        if lines and chance < 0.5:
            covers.add(_over_characters(rng, pick(rng, lines)))
        elif lines and chance < 0.6:
            covers.add(_over_row(rng, pick(rng, lines)))
        elif lines and chance < 0.72:
            covers.add(_beside(rng, pick(rng, lines)))
        elif chance < 0.88:
            covers.add(_on_the_edge(rng, quad), pick(rng, ("skin", "skin", "skin", "object", "glare", "ink")))
        else:
            share = rng.uniform(0.1, 0.9, 2)
            top, bottom = quad[0] + (quad[1] - quad[0]) * share[0], quad[3] + (quad[2] - quad[3]) * share[0]
            width = side_lengths(quad)[0]
            half = width * rng.uniform(0.015, 0.1, 2)
            covers.add(Place(tuple((top + (bottom - top) * share[1]).tolist()), tuple(half.tolist()), rng.uniform(0, np.pi)))


def cover_line(rng: np.random.Generator, covers: Covers, line: Line) -> None:
    """Draws one or two covers over a single line: over its characters, all of it, or beside it."""
    for _ in range(pick(rng, (1, 1, 1, 2))):
        chance = rng.random()
        place = _over_characters if chance < 0.7 else _over_row if chance < 0.76 else _beside
        covers.add(place(rng, line))
