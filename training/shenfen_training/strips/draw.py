"""One strip as the camera would deliver it: text set from the atlas, printed, photographed, cut out and scaled."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..cards.covers import Covers, cover_line, hidden_shares, lost_shares
from ..cards.render import Line
from ..charset import class_of, drawable
from ..contract import RECOGNISER
from ..fonts import DIGIT_TRAIN, DIGIT_VAL, FALLBACK, HAN_TRAIN, HAN_VAL, Face, installed
from .atlas import CELL, EM, Atlas, load
from .design import Design
from .faults import Faults, lit_evenly, photograph
from .text import SEPARATOR, StripText, flat_han, random_text, with_outsider

STRIP = RECOGNISER.strip
_CANVAS_MARGIN = 2.0
"""Margin of the drawing canvas around the text, in em: room for the neighbours."""
_CANVAS_HEIGHT = int(3.2 * EM)
_ASCII = np.array([ord(char) < 0x80 for char in drawable()])
_COVERED = 0.35
"""How many strips have something lying on them."""
_LONGER = 1.5
"""How much longer, in em at either end, a line may be found where something lies on it."""
_OCR_B_SCALE = 0.833
"""Debian's OCR-B is drawn larger in its em than the card's OCR-B 10 BT (fonts.md: 0.723 against 0.602 em advance)."""


@dataclass
class Strip:
    """A strip in grey levels [height, W], with the number among the drawable characters, the centre (x in strip pixels) of every
    character, and how much of it is hidden, 0..1."""

    grey: np.ndarray
    classes: np.ndarray
    centres: np.ndarray
    hidden: np.ndarray


@dataclass
class Setting:
    """How a line is set: faces, stretch, tracking (em), size of digits, labels and dots, a dot's advance (em) if not its own,
    and how the Han face is redrawn, if it is."""

    han: Atlas
    digits: Atlas
    stretch: float
    tracking: float
    digit_scale: float
    label_scale: float
    dot_scale: float
    dot_advance: float | None
    design: Design | None


class StripArtist:
    """Draws strips. `split` is "train" or "val": validation has its own faces and its own faults."""

    def __init__(self, split: str, cache: Path):
        held_back = split == "val"
        self.faults = Faults(held_back)
        self.han = self._atlases(HAN_VAL if held_back else HAN_TRAIN, cache)
        self.digits = self._atlases(DIGIT_VAL if held_back else DIGIT_TRAIN, cache)
        self.fallback = load(FALLBACK, cache)

    @staticmethod
    def _atlases(faces: tuple[Face, ...], cache: Path) -> tuple[list[Atlas], np.ndarray]:
        found = installed(faces)
        shares = np.array([face.share for face in found])
        return [load(face, cache) for face in found], np.cumsum(shares / shares.sum())

    @staticmethod
    def _pick(rng: np.random.Generator, atlases: tuple[list[Atlas], np.ndarray]) -> Atlas:
        return atlases[0][int(np.searchsorted(atlases[1], rng.random()))]

    def _setting(self, rng: np.random.Generator, number: bool) -> Setting:
        han = self._pick(rng, self.han)
        own_digits = not number and rng.random() < 0.6
        digits = han if own_digits else self._pick(rng, self.digits)
        ocr_b = digits.face.name.startswith("ocr-b")
        return Setting(
            han=han,
            digits=digits,
            stretch=float(rng.uniform(0.88, 1.10)),
            tracking=float(rng.uniform(0.0, 0.12) if number else rng.uniform(-0.02, 0.10)),
            digit_scale=float((_OCR_B_SCALE if ocr_b else 1.0) * rng.uniform(0.88, 1.15)),
            label_scale=float(rng.uniform(0.78, 1.0)),
            dot_scale=float(rng.uniform(0.6, 1.3)),
            dot_advance=float(rng.uniform(0.12, 0.5)) if rng.random() < 0.7 else None,
            # A held-back face is an unseen design already.
            design=None if self.faults.held_back or rng.random() < 0.35 else Design(rng, serif=han.face.serif),
        )

    def strip(self, rng: np.random.Generator, text: StripText | None = None) -> Strip:
        """One strip; its text is drawn too unless given."""
        text = text or with_outsider(rng, random_text(rng))
        setting = self._setting(rng, text.number)
        ink, label_ink, centres = self._set(rng, text, setting)
        grey, centres, hidden = self._cut(rng, ink, label_ink, centres)
        return Strip(grey, text.classes, centres, hidden)

    def _glyph(self, cls: int, setting: Setting) -> tuple[np.ndarray, float, float]:
        """Bitmap, advance in em and scale of a character."""
        first = setting.digits if _ASCII[cls] else setting.han
        scale = setting.digit_scale if _ASCII[cls] else 1.0
        for atlas in (first, setting.han, self.fallback):
            slot = atlas.slot[cls]
            if slot >= 0:
                advance = float(atlas.advance[cls])
                if cls == SEPARATOR:
                    return atlas.bitmaps[slot], setting.dot_advance or advance, setting.dot_scale
                bitmap = atlas.bitmaps[slot]
                if setting.design is not None and not _ASCII[cls]:
                    bitmap = setting.design.redraw(bitmap)
                return bitmap, advance * scale, scale
        raise KeyError(f"no installed face has {drawable()[cls]!r}")

    def _set(self, rng: np.random.Generator, text: StripText, setting: Setting) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Ink of the text [H, W] at the atlas's size, ink of the form's labels, centres in canvas pixels."""
        glyphs = [self._glyph(int(cls), setting) for cls in text.classes]
        pen, x0s = 0.0, []
        for at, (_, advance, _) in enumerate(glyphs):
            if text.start is not None and not np.isnan(text.start[at]):
                pen = max(pen, float(text.start[at]))
            x0s.append(pen)
            pen += advance + setting.tracking
        width = int((pen + 2 * _CANVAS_MARGIN) * EM)
        ink = np.zeros((_CANVAS_HEIGHT, width), np.uint8)
        label_ink = np.zeros_like(ink) if text.label is not None else None
        centres = np.zeros(len(glyphs), np.float32)
        for at, (bitmap, advance, scale) in enumerate(glyphs):
            label = text.label is not None and text.label[at]
            size = scale * setting.label_scale if label else scale
            centre = (_CANVAS_MARGIN + x0s[at] + advance / 2) * EM
            centres[at] = centre
            _paste(label_ink if label_ink is not None and label else ink, bitmap, centre, _CANVAS_HEIGHT / 2, size)
        self._neighbours(rng, ink, setting)
        return ink, label_ink, centres

    def _neighbours(self, rng: np.random.Generator, ink: np.ndarray, setting: Setting) -> None:
        """Lines above and below, and a label before the text: they are there on a card, and are not to be read."""
        width = ink.shape[1]
        for side in (-1, 1):
            if rng.random() < 0.2:
                pitch = rng.uniform(1.22, 1.6) * EM
                begin = rng.uniform(0, 0.5) * width
                for at, cls in enumerate(flat_han(rng, 14)):
                    x = begin + at * EM * (1 + setting.tracking)
                    if x < width - CELL:
                        _paste(ink, self._glyph(int(cls), setting)[0], x, _CANVAS_HEIGHT / 2 + side * pitch, 1.0)
        if rng.random() < 0.12:
            cls = class_of()[str(rng.choice(list("名别族生址码关限")))]
            _paste(ink, self._glyph(cls, setting)[0], (_CANVAS_MARGIN - rng.uniform(1.05, 1.6)) * EM, _CANVAS_HEIGHT / 2, 0.83)

    def _cut(self, rng: np.random.Generator, ink: np.ndarray, label_ink: np.ndarray | None,
             centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Prints and photographs the canvas at a camera's resolution and cuts the strip out, not quite exactly: grey levels, centres,
        and how much of each character is hidden."""
        source_em = float(np.exp(rng.uniform(np.log(10.5), np.log(38))))
        zoom = float(rng.uniform(0.84, 1.16))
        stretch = float(rng.uniform(0.88, 1.10))
        text_em = ink.shape[1] / EM - 2 * _CANVAS_MARGIN
        before, after = STRIP.side_margin + rng.uniform(-0.22, 0.3, 2)
        covered = rng.random() < _COVERED
        if rng.random() < (0.4 if covered else 0.06):
            # Where something lies beyond an end, the line may have been found longer than it is.
            longer = rng.uniform(0, _LONGER, 2) * (rng.random(2) < 0.5)
            before, after = before + longer[0], after + longer[1]
        strip_width = int(np.ceil((text_em * stretch + before + after) * STRIP.em * zoom / STRIP.width_multiple) * STRIP.width_multiple)
        strip_width = max(strip_width, STRIP.min_width)
        ratio = source_em / (STRIP.em * zoom)
        size = (max(round(strip_width * ratio), 8), max(round(STRIP.height * ratio), 8))
        scale = source_em / EM
        angle, shear = rng.normal(0, 0.008), rng.normal(0, 0.04)
        dy = rng.uniform(-0.09, 0.09) * source_em
        # Canvas -> source: scale, slant, turn about the strip's middle left, then shift.
        matrix = np.array([[scale * stretch, -scale * shear, 0.0], [scale * stretch * angle, scale, 0.0]])
        origin = np.array([(_CANVAS_MARGIN - before / stretch) * EM, _CANVAS_HEIGHT / 2])
        mid = np.array([0.0, size[1] / 2 - angle * size[0] / 2 + dy])
        matrix[:, 2] = mid - matrix[:, :2] @ origin
        ink = self.faults.weight(rng, ink)
        paper = cv2.warpAffine(_soften(ink, scale), matrix, size, flags=cv2.INTER_LINEAR)
        label = None if label_ink is None else cv2.warpAffine(_soften(label_ink, scale), matrix, size, flags=cv2.INTER_LINEAR)
        line = _line_at(matrix, centres, source_em)
        masks: list[np.ndarray] = []

        def cover(picture: np.ndarray) -> None:
            covers = Covers(rng, picture, "val" if self.faults.held_back else "train")
            cover_line(rng, covers, line)
            masks.append(covers.hidden)

        source = photograph(rng, self.faults, paper, label, source_em, cover if covered else None)
        if rng.random() < 0.6:
            source = lit_evenly(source, source_em)
        grey = cv2.resize(source, (strip_width, STRIP.height), interpolation=cv2.INTER_AREA if ratio > 1 else cv2.INTER_LINEAR)
        printed = paper if label is None else np.maximum(paper, label)
        hidden = lost_shares(255 - printed, source, line)
        if masks:
            hidden = np.maximum(hidden, hidden_shares(masks[0], line))
        return grey, (line.centres[:, 0] * strip_width / size[0]).astype(np.float32), hidden.astype(np.float32)


def _line_at(matrix: np.ndarray, centres: np.ndarray, em: float) -> Line:
    """The line whose characters have their centres at `centres` on the canvas' middle, through the affine `matrix` [2, 3]."""
    on_canvas = np.stack([centres, np.full(len(centres), _CANVAS_HEIGHT / 2)], 1)
    points = (on_canvas @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    left, right, half = points[0], points[-1], np.array([em / 2, 0.0])
    up = np.array([0.0, em / 2])
    quad = np.stack([left - half - up, right + half - up, right + half + up, left - half + up]).astype(np.float32)
    return Line("", "", quad, points)


def _paste(canvas: np.ndarray, bitmap: np.ndarray, x: float, y: float, scale: float) -> None:
    """Ink of a glyph, centred at (x, y), onto the canvas; what leaves the canvas is dropped."""
    if scale != 1.0:
        side = max(round(CELL * scale), 2)
        bitmap = cv2.resize(bitmap, (side, side), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    side = bitmap.shape[0]
    left, top = round(x - side / 2), round(y - side / 2)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + side, canvas.shape[1]), min(top + side, canvas.shape[0])
    if x1 > x0 and y1 > y0:
        part = canvas[y0:y1, x0:x1]
        np.maximum(part, bitmap[y0 - top : y1 - top, x0 - left : x1 - left], out=part)


def _soften(ink: np.ndarray, scale: float) -> np.ndarray:
    """Takes out what the smaller size cannot show, so that shrinking does not alias."""
    if scale >= 0.95:
        return ink
    return cv2.GaussianBlur(ink, (0, 0), 0.42 / scale)
