"""Glyph bitmaps at any size, and the typefaces that one card is set in."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import ImageFont

from ..fonts import DIGIT_TRAIN, DIGIT_VAL, HAN_TRAIN, HAN_VAL, Face, coverage, installed

FALLBACK = next(face for face in HAN_TRAIN if face.name == "noto-regular")
"""Has every character that a card can show; steps in for what another face lacks."""
SONG_TRAIN = (
    Face("noto-serif-bold", "opentype/noto/NotoSerifCJK-Bold.ttc", 2, 1.0),
    Face("noto-serif-semibold", "opentype/noto/NotoSerifCJK-SemiBold.ttc", 2, 1.0),
    Face("uming", "truetype/arphic/uming.ttc", 0, 0.6),
)
"""Faces for the title on the emblem side."""
SCRIPTS = (
    Face("ukij", "truetype/fonts-ukij-uyghur/UKIJTuz.ttf"),
    Face("noto-kr", "opentype/noto/NotoSansCJK-Regular.ttc", 1),
    Face("latin", "truetype/liberation/LiberationSans-Regular.ttf"),
)
"""Faces for the second script of bilingual cards: Uyghur, Korean, Zhuang."""
REFERENCE = 200
"""Size at which a face is measured."""


@dataclass(frozen=True)
class Glyph:
    """Ink of one glyph: `ink` uint8 [h, w]; its top left from the pen position on the baseline, in pixels."""

    ink: np.ndarray
    left: int
    top: int


# An opened face takes megabytes and a third of a millisecond, so only a few are kept.
@lru_cache(maxsize=48)
def _font(face: Face, half_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(face.path), half_px / 2, index=face.index, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=20_000)
def glyph(face: Face, half_px: int, stretch: int, char: str) -> Glyph:
    """The glyph of `char` at em `half_px / 2` pixels, its width scaled by `stretch` percent."""
    mask, (left, top) = _font(face, half_px).getmask2(char, "L", anchor="ls")
    ink: np.ndarray = np.array(mask, np.uint8).reshape(mask.size[1], mask.size[0])
    if ink.size and stretch != 100:
        ink = cv2.resize(ink, (max(1, round(ink.shape[1] * stretch / 100)), ink.shape[0]), interpolation=cv2.INTER_LINEAR)
        left = round(left * stretch / 100)
    columns = np.flatnonzero(ink.any(axis=0)) if ink.size else np.empty(0, np.intp)
    if len(columns) == 0:
        return Glyph(np.zeros((0, 0), np.uint8), 0, 0)
    return Glyph(np.ascontiguousarray(ink[:, columns[0]:columns[-1] + 1]), left + int(columns[0]), top)


@lru_cache(maxsize=64)
def _reference_font(face: Face) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(face.path), REFERENCE, index=face.index, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=50_000)
def advance(face: Face, char: str) -> float:
    """Advance width in em."""
    return _reference_font(face).getlength(char) / REFERENCE


@lru_cache(maxsize=256)
def _ink_rows(face: Face, char: str) -> tuple[float, float]:
    """Top and bottom of the ink of `char` above the baseline, in em."""
    _, top, _, bottom = _reference_font(face).getbbox(char, anchor="ls")
    return -top / REFERENCE, -bottom / REFERENCE


def em_middle(face: Face) -> float:
    """Height of the em box's middle above the baseline, in em: the middle of 国, or of the digits."""
    top, bottom = _ink_rows(face, "国" if ord("国") in coverage(face) else "0")
    return (top + bottom) / 2


@dataclass(frozen=True)
class Typeface:
    """What one run of text is set in: Han from one face, digits and Latin from another, both stretched in width."""

    han: Face
    latin: Face
    stretch: int = 100
    latin_stretch: int = 100

    def face_of(self, char: str) -> tuple[Face, int]:
        """The face that draws `char`, and the stretch of its width in percent."""
        if char.isascii() and ord(char) in coverage(self.latin):
            return self.latin, self.latin_stretch
        return (self.han if ord(char) in coverage(self.han) else FALLBACK), self.stretch

    def advance(self, char: str) -> float:
        face, stretch = self.face_of(char)
        return advance(face, char) * stretch / 100

    def width(self, text: str, tracking: float = 0.0) -> float:
        """Width of `text` in em."""
        return sum(self.advance(char) + tracking for char in text)


@lru_cache(maxsize=64)
def number_size(face: Face) -> float:
    """Font size for an em of 1 on the number line, where em means digit height / 0.65 whatever the face."""
    top, bottom = _ink_rows(face, "0")
    return 0.65 / (top - bottom)


def _weighted(rng: np.random.Generator, faces: Sequence[Face]) -> Face:
    shares = np.array([face.share for face in faces])
    return faces[int(rng.choice(len(faces), p=shares / shares.sum()))]


@lru_cache(maxsize=4)
def _han_faces(split: str) -> tuple[Face, ...]:
    # A card is set in one face, so only faces with nearly all simplified characters serve here.
    whole = [f for f in installed(HAN_VAL if split == "val" else HAN_TRAIN) if len(coverage(f) & _common()) > 3400]
    return tuple(whole) or (FALLBACK,)


@lru_cache(maxsize=1)
def _common() -> frozenset[int]:
    from ..charset import charset

    return frozenset(ord(char) for char in charset()[55:3555])


@lru_cache(maxsize=4)
def _digit_faces(split: str) -> tuple[Face, ...]:
    return tuple(installed(DIGIT_VAL if split == "val" else DIGIT_TRAIN))


def random_typeface(rng: np.random.Generator, split: str) -> Typeface:
    """The typeface of a card's values."""
    han = _weighted(rng, _han_faces(split))
    plain = [face for face in _digit_faces(split) if not face.name.startswith("ocr-b")]
    own = ord("0") in coverage(han) and rng.random() < 0.6
    latin = han if own else _weighted(rng, plain)
    stretch = int(rng.choice([92, 94, 96, 98, 100, 100, 100, 102, 104]))
    narrow = rng.random() < 0.4  # SimHei's digits are half an em wide
    digits = max(70, round(50 / advance(latin, "0"))) if narrow else stretch
    return Typeface(han, latin, stretch, digits)


def random_number_face(rng: np.random.Generator, split: str) -> Face:
    """The face of the number line."""
    return _weighted(rng, _digit_faces(split))


def random_song(rng: np.random.Generator) -> Face:
    """The face of the title."""
    return _weighted(rng, installed(SONG_TRAIN))
