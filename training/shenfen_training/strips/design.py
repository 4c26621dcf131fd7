"""Designs that no installed face has: a face redrawn with other proportions and other stroke weights.

Hei faces differ in how large the inner parts of a character are (中宫), where its middle lies, and how thick level strokes are
against upright ones. All characters of a line are redrawn alike, as one face would have them.
"""

import cv2
import numpy as np

from .atlas import CELL, EM

_INNER = 0.2
"""How far the inner parts may spread or shrink; their distance from the middle changes by up to this share."""
_SHIFT = 0.05
"""How far the middle may move, in half ems; the edges stay."""


def _axis(rng: np.random.Generator) -> np.ndarray:
    """Where each pixel of a redrawn cell comes from along one axis [CELL]; strictly rising."""
    u = (np.arange(CELL) + 0.5 - CELL / 2) / (EM / 2)
    inside = np.clip(u, -1, 1)
    moved = u + rng.uniform(-_INNER, _INNER) * np.sin(np.pi * inside) / np.pi
    moved += rng.uniform(-_SHIFT, _SHIFT) * np.cos(np.pi / 2 * inside)
    return (moved * (EM / 2) + CELL / 2 - 0.5).astype(np.float32)


class Design:
    """One redrawing, drawn at random. `serif`: of a face whose level strokes are hairlines, which then mostly thicken."""

    def __init__(self, rng: np.random.Generator, serif: bool):
        self._x, self._y = np.meshgrid(_axis(rng), _axis(rng))
        self._level = float(rng.uniform(0.5, 1.6)) if serif and rng.random() < 0.7 else _weight(rng)
        self._upright = _weight(rng)

    def redraw(self, bitmap: np.ndarray) -> np.ndarray:
        """The ink of a glyph [CELL, CELL] in this design."""
        bitmap = cv2.remap(bitmap, self._x, self._y, cv2.INTER_LINEAR)
        bitmap = _thicken(bitmap, self._level, np.ones((3, 1), np.uint8))
        return _thicken(bitmap, self._upright, np.ones((1, 3), np.uint8))


def _weight(rng: np.random.Generator) -> float:
    """Half of all faces keep the weight of a stroke; others gain or lose, in pixels of the atlas."""
    return 0.0 if rng.random() < 0.5 else float(rng.uniform(-0.7, 1.2))


def _thicken(bitmap: np.ndarray, pixels: float, kernel: np.ndarray) -> np.ndarray:
    """Strokes across the kernel thicker by `pixels`, thinner where that is negative; two at most."""
    if pixels == 0.0:
        return bitmap
    edge = cv2.dilate(bitmap, kernel) if pixels > 0 else cv2.erode(bitmap, kernel)
    share = min(abs(pixels) / 2, 1.0)
    return cv2.addWeighted(bitmap, 1 - share, edge, share, 0)
