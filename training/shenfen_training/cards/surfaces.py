"""What a card lies on: wood, cloth, paper with text, stone, grids and clutter, all computed."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from .artwork import cloud
from .glyphs import FALLBACK, glyph
from .identity import pick

KINDS = ("wood", "cloth", "paper", "stone", "gradient", "tiles", "keys", "speckle", "clutter")
SIZE = 640
PIECES = 5


def _ramp(field: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    field = field[..., None]
    return np.asarray(first, np.float32) * (1 - field) + np.asarray(second, np.float32) * field


def _colour(rng: np.random.Generator, low: float = 0, high: float = 255) -> np.ndarray:
    grey = rng.uniform(low, high)
    return np.clip(grey + rng.normal(0, rng.choice([4, 20, 45]), 3), 0, 255)


def scatter_text(image: np.ndarray, rng: np.random.Generator, colour: Sequence[float] | np.ndarray, em: float,
                 box: Sequence[float], density: float = 0.9) -> None:
    """Lines of random characters inside `box` (x0, y0, x1, y1)."""
    from ..charset import charset

    chars = charset()
    x0, y0, x1, y1 = box
    y = y0 + em
    while y < y1:
        x, end = x0, x1 - (rng.random() < 0.25) * rng.uniform(0, x1 - x0)
        while x < end:
            char = chars[55 + int(rng.random() ** 2 * 3000)] if rng.random() < 0.8 else pick(rng, "0123456789-.ABC")
            if rng.random() < density:
                g = glyph(FALLBACK, round(em) * 2, 100, char)
                top, left = round(y) + g.top, round(x) + g.left
                part = image[max(top, 0):top + g.ink.shape[0], max(left, 0):left + g.ink.shape[1]]
                if top >= 0 and left >= 0 and part.shape[:2] == g.ink.shape:
                    alpha = g.ink[..., None] / 255
                    part[:] = part * (1 - alpha) + np.asarray(colour) * alpha
            x += em * 1.04
        y += em * rng.uniform(1.3, 1.8)


@lru_cache(maxsize=64)
def _piece(kind: str, index: int) -> np.ndarray:
    rng = np.random.default_rng([len(kind), ord(kind[0]), index])
    n = SIZE
    x, y = np.meshgrid(np.arange(n, dtype=np.float32), np.arange(n, dtype=np.float32))
    first, second = _colour(rng), _colour(rng)
    match kind:
        case "wood":
            brown = np.array([rng.uniform(90, 210), rng.uniform(60, 150), rng.uniform(30, 100)])
            grain = cv2.resize(rng.random((n // 2, 6), np.float32), (n, n), interpolation=cv2.INTER_CUBIC)
            rings = 0.5 + 0.5 * np.sin(y / rng.uniform(6, 25) + 9 * cloud(rng, n, n, 2))
            image = _ramp(np.clip(0.6 * grain + 0.4 * rings, 0, 1), brown * rng.uniform(0.5, 0.85), brown)
        case "cloth":
            f = rng.uniform(0.4, 1.5)
            weave = 0.5 + 0.25 * (np.sin(f * x) + np.sin(f * y)) * (0.5 + cloud(rng, n, n))
            image = _ramp(np.clip(weave, 0, 1), first, first * rng.uniform(0.6, 0.9))
        case "paper":
            image = np.ones((n, n, 3), np.float32) * rng.uniform(190, 250) + (cloud(rng, n, n)[..., None] - 0.5) * 12
            scatter_text(image, rng, _colour(rng, 10, 90), rng.uniform(9, 26), (15, 10, n - 15, n - 10))
        case "stone":
            image = _ramp(cloud(rng, n, n, 6) ** rng.uniform(0.6, 2.5), first, second)
        case "gradient":
            image = _ramp(np.clip(cloud(rng, n, n, 1, 1), 0, 1), first, first * 0.6 + second * 0.4)
        case "tiles":
            pitch = rng.uniform(30, 160)
            joint = (np.minimum(x % pitch, y % pitch) < pitch * 0.06).astype(np.float32)
            image = _ramp(joint, first, second) + (cloud(rng, n, n)[..., None] - 0.5) * 30
        case "keys":
            pitch = int(rng.uniform(36, 70))
            image = np.ones((n, n, 3), np.float32) * _colour(rng, 10, 60)
            for ky in range(0, n, pitch):
                for kx in range((ky // pitch * 13) % pitch - pitch, n, pitch):
                    cv2.rectangle(image, (kx + 3, ky + 3), (kx + pitch - 4, ky + pitch - 4), first.tolist(), -1)
                    scatter_text(image, rng, second, pitch * 0.3, (kx + 12, ky + 8, kx + pitch * 0.5, ky + pitch * 0.55))
        case "speckle":
            grain = cv2.GaussianBlur(rng.random((n, n), np.float32), (0, 0), rng.uniform(0.5, 2))
            image = _ramp(np.clip((grain - 0.5) * 4 + 0.5, 0, 1), first, second)
        case _:
            image = _ramp(cloud(rng, n, n, 2), first, second)
            add_clutter(image, rng, 25)
    return np.clip(image, 0, 255).astype(np.uint8)


def add_clutter(image: np.ndarray, rng: np.random.Generator, count: int) -> None:
    """Pens, boxes, coins and sheets: filled shapes of one colour."""
    height, width = image.shape[:2]
    for _ in range(count):
        centre = rng.uniform(0, 1, 2) * (width, height)
        size = rng.uniform(0.02, 0.3, 2) * max(height, width)
        angle, colour = float(rng.uniform(0, 180)), tuple(float(v) for v in _colour(rng))
        if rng.random() < 0.35:
            cv2.ellipse(image, (tuple(centre.tolist()), tuple(size.tolist()), angle), colour, -1, cv2.LINE_AA)
        else:
            if rng.random() < 0.3:
                size[0] *= 0.15
            corners = cv2.boxPoints((tuple(centre.tolist()), tuple(size.tolist()), angle))
            cv2.fillPoly(image, [corners.astype(np.int32)], colour, cv2.LINE_AA)


def surface(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A random surface, uint8 RGB [height, width, 3]."""
    piece = _piece(pick(rng, KINDS), int(rng.integers(PIECES)))
    if rng.random() < 0.5:
        piece = piece.transpose(1, 0, 2)
    share = rng.uniform(0.35, 1.0)
    h = w = int(SIZE * share)
    if width > height:
        h = max(8, int(w * height / width))
    else:
        w = max(8, int(h * width / height))
    y, x = int(rng.random() * (SIZE - h + 1)), int(rng.random() * (SIZE - w + 1))
    part = piece[y:y + h, x:x + w][:: pick(rng, (1, -1)), :: pick(rng, (1, -1))]
    image = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if width < w else cv2.INTER_LINEAR)
    tint = np.arange(256)[:, None] * rng.uniform(0.6, 1.1) * rng.uniform(0.85, 1.12, 3)[None]
    image = cv2.LUT(image, tint.clip(0, 255).astype(np.uint8)[None])
    if rng.random() < 0.3:
        add_clutter(image, rng, int(rng.integers(1, 8)))
    return image
