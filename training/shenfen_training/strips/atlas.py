"""Glyph bitmaps, drawn once a face and kept on disk: drawing a strip is then only pasting."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..charset import drawable
from ..fonts import Face, coverage

EM = 40
"""Em size of the atlas in pixels: about the largest that a card in a photograph has."""
CELL = 48
"""Cell size: the em box centred, with room for strokes that leave it."""


@dataclass
class Atlas:
    """All glyphs of one face.

    `bitmaps[slot[c]]` is the uint8 ink [CELL, CELL] of drawable character c, its advance box centred in the cell; `advance[c]` is the
    advance in em. `slot[c]` is -1 where the face has no glyph.
    """

    face: Face
    bitmaps: np.ndarray
    slot: np.ndarray
    advance: np.ndarray

    def has(self, classes: np.ndarray) -> np.ndarray:
        return self.slot[classes] >= 0


def _draw(face: Face) -> Atlas:
    font = ImageFont.truetype(str(face.path), EM, index=face.index)
    # Faces disagree on the line box; the em box of a Han glyph is found from the glyph of 国, which fills its cell.
    probe = "国" if ord("国") in coverage(face) else "8"
    box = font.getbbox(probe, anchor="ls")
    middle = (box[1] + box[3]) / 2 if probe == "国" else -0.38 * EM
    chars = drawable()
    slot = np.full(len(chars), -1, np.int32)
    advance = np.zeros(len(chars), np.float32)
    bitmaps: list[np.ndarray] = []
    for index, char in enumerate(chars):
        if ord(char) not in coverage(face):
            continue
        width = font.getlength(char)
        cell = Image.new("L", (CELL, CELL))
        ImageDraw.Draw(cell).text((CELL / 2 - width / 2, CELL / 2 - middle), char, fill=255, font=font, anchor="ls")
        bitmap = np.asarray(cell)
        if not bitmap.any():
            continue
        slot[index] = len(bitmaps)
        advance[index] = width / EM
        bitmaps.append(bitmap)
    return Atlas(face, np.stack(bitmaps), slot, advance)


def load(face: Face, cache: Path) -> Atlas:
    """The atlas of a face, from the cache folder when it is there."""
    key = hashlib.sha256(f"{face.file} {face.index} {EM} {CELL} {''.join(drawable())}".encode()).hexdigest()[:16]
    path = cache / f"{face.name}-{key}.npz"
    if path.exists():
        with np.load(path) as data:
            return Atlas(face, data["bitmaps"], data["slot"], data["advance"])
    atlas = _draw(face)
    cache.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, bitmaps=atlas.bitmaps, slot=atlas.slot, advance=atlas.advance)
    partial.replace(path)
    return atlas
