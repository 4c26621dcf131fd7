"""What printing and a camera do to a strip. Validation has other textures and other strengths than training."""

from collections.abc import Callable

import cv2
import numpy as np

from ..cards.marks import add_marks
from ..illumination import RULES, gains

_TEXTURES = 48
_TEXTURE_SIZE = (160, 1536)
_WAVES = 24
MARKED = 0.2
"""How many strips something is printed, stamped or written over."""
EM_MM = 3.1
"""Height of an em box on a card, between that of an address and that of a number."""


class Faults:
    """Banks of background textures and of smooth displacements, drawn once."""

    def __init__(self, held_back: bool):
        self.held_back = held_back
        rng = np.random.default_rng(7001 if held_back else 7)
        draw = _crosshatch if held_back else _guilloche
        self.textures = [draw(rng) for _ in range(_TEXTURES)]
        self.waves = [_wave(rng) for _ in range(_WAVES)]

    def texture(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        """A random piece of background, -1..1 [height, width]."""
        bank = self.textures[int(rng.integers(_TEXTURES))]
        zoom = rng.uniform(0.5, 2.0)
        h, w = min(int(height * zoom) + 2, bank.shape[0]), min(int(width * zoom) + 2, bank.shape[1])
        y, x = int(rng.integers(bank.shape[0] - h + 1)), int(rng.integers(bank.shape[1] - w + 1))
        return cv2.resize(bank[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_LINEAR)

    def weight(self, rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
        """Bolder or finer strokes, and a smooth bending that no two faces share."""
        share, most = (0.4, 1.3) if self.held_back else (0.6, 2.1)
        chance = rng.random()
        if chance < 0.22:
            ink = cv2.max(ink, (cv2.dilate(ink, np.ones((2, 2), np.uint8)) * rng.uniform(0.4, 1.0)).astype(np.uint8))
        elif chance < 0.36:
            thin = cv2.erode(ink, np.ones((2, 2), np.uint8))
            ink = cv2.addWeighted(ink, 0.5, thin, 0.5, 0)
        if rng.random() < share:
            wave = self.waves[int(rng.integers(_WAVES))]
            h, w = ink.shape
            if w <= wave.shape[1] and h <= wave.shape[0]:
                x0 = int(rng.integers(wave.shape[1] - w + 1))
                strength = rng.uniform(0.4, most)
                grid_x, grid_y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
                bend = wave[:h, x0 : x0 + w] * strength
                ink = cv2.remap(ink, grid_x + bend[..., 0], grid_y + bend[..., 1], cv2.INTER_LINEAR)
        return ink


def _guilloche(rng: np.random.Generator) -> np.ndarray:
    """Bundles of fine waving lines, as security printing has them; our own, random each time."""
    h, w = _TEXTURE_SIZE
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    out = np.zeros((h, w), np.float32)
    for _ in range(int(rng.integers(1, 4))):
        bend = rng.uniform(2, 30) * np.sin(x * rng.uniform(0.005, 0.08) + rng.uniform(0, 6.3))
        bend += rng.uniform(0, 12) * np.sin(x * rng.uniform(0.03, 0.2) + y * rng.uniform(-0.05, 0.05))
        phase = (y * rng.uniform(-1, 1) + x * rng.uniform(-0.5, 0.5) + bend) * rng.uniform(0.3, 1.6)
        line = np.cos(phase)
        out -= np.clip((line - rng.uniform(-0.2, 0.8)) * rng.uniform(1, 4), 0, 1)
    return out / max(float(np.abs(out).max()), 1e-3)


def _crosshatch(rng: np.random.Generator) -> np.ndarray:
    """The family that only validation has: rings and crossing straight hatches."""
    h, w = _TEXTURE_SIZE
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    radius = np.hypot(x - rng.uniform(0, w), (y - rng.uniform(-h, 2 * h)) * rng.uniform(0.6, 1.6))
    rings = np.cos(radius * rng.uniform(0.4, 1.2)) > rng.uniform(0.3, 0.8)
    angle = rng.uniform(0, np.pi)
    hatch = np.cos((x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.3, 1.0)) > rng.uniform(0.5, 0.9)
    out = -(rings.astype(np.float32) + 0.7 * hatch)
    return cv2.GaussianBlur(out, (0, 0), 0.8) / 1.7


def _wave(rng: np.random.Generator) -> np.ndarray:
    """A smooth displacement field of about one pixel, [128, 1600, 2]."""
    coarse = rng.normal(0, 1.0, (9, 100, 2)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (1600, 160), interpolation=cv2.INTER_CUBIC), -2.5, 2.5)


def photograph(rng: np.random.Generator, faults: Faults, ink: np.ndarray, label: np.ndarray | None, em: float,
               cover: Callable[[np.ndarray], None] | None = None) -> np.ndarray:
    """Ink (uint8, 255 = full) at the camera's resolution -> grey levels uint8 of the same size. `em` is in its pixels; `cover` draws
    what lies on the print into the picture, float32 grey levels, before light and lens."""
    h, w = ink.shape
    paper = float(rng.uniform(120, 252))
    ground = np.full((h, w), paper, np.float32)
    if rng.random() < 0.8:
        ground += faults.texture(rng, h, w) * float(rng.uniform(3, 0.28 * paper if rng.random() < 0.3 else 0.12 * paper))
    black = paper * float(rng.uniform(0.03, 0.35) if rng.random() < 0.8 else rng.uniform(0.35, 0.62))
    strength = float(rng.uniform(0.85, 1.15))
    alpha = np.clip(ink.astype(np.float32) * (strength / 255), 0, 1)
    picture = ground + (black - ground) * alpha
    if label is not None:
        blue = black + (paper - black) * float(rng.uniform(0.0, 0.6))
        picture += (blue - picture) * (label.astype(np.float32) * (1 / 255))
    if rng.random() < MARKED:
        add_marks(rng, picture, em / EM_MM, "val" if faults.held_back else "train")
    if cover is not None:
        cover(picture)
    picture = _light(rng, picture)
    if not faults.held_back and rng.random() < 0.12:
        picture = picture * _screen(rng, h, w, em)
    picture = _lens(rng, picture, em)
    sigma = float(rng.choice([1.5, 4.0, 9.0], p=[0.5, 0.35, 0.15])) * float(rng.random())
    picture += rng.standard_normal((h, w), np.float32) * sigma
    out = np.clip(picture, 0, 255).astype(np.uint8)
    if not faults.held_back and rng.random() < 0.25:
        out = _processed(rng, out, em)
    return _jpeg(rng, out) if rng.random() < 0.65 else out


_EM_IN_FRAME = 17.0
"""Height of an em box in the card's frame, in pixels: about that of an address."""


def lit_evenly(grey: np.ndarray, em: float) -> np.ndarray:
    """A strip with the brightness of its paper divided out, about as the engine does on a card's frame. `em` is in pixels."""
    block = max(1, round(em * RULES.block / _EM_IN_FRAME))
    height, width = grey.shape
    if min(height, width) < 2 * block:
        return grey
    gain = cv2.resize(gains(grey, block).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(grey * gain + 0.5, 0, 255).astype(np.uint8)


def _light(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Uneven light: a slope, the edge of a shade, a spot of glare, a washed-out exposure."""
    h, w = picture.shape
    if rng.random() < 0.5:
        picture = picture * np.linspace(rng.uniform(0.7, 1.1), rng.uniform(0.7, 1.1), w, dtype=np.float32)
    if rng.random() < 0.08:
        edge, soft = rng.uniform(0, w), rng.uniform(2, 0.3 * w + 3)
        slope = 1 / (1 + np.exp(-np.clip((np.arange(w) - edge) / soft * 4, -30, 30)))
        picture = picture * (1 - rng.uniform(0.2, 0.6) * slope).astype(np.float32)
    if rng.random() < 0.06:
        x, y, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0.5, 2.5) * h
        dx, dy = (np.arange(w) - x) / r, (np.arange(h) - y) / r
        spot = np.exp(-(dx[None] ** 2 + dy[:, None] ** 2)).astype(np.float32)
        picture = picture + (255 - picture) * spot * rng.uniform(0.3, 0.85)
    if rng.random() < 0.1:
        picture = 255 * np.power(np.clip(picture, 0, 255) / 255, rng.uniform(0.5, 1.8))
    return picture.astype(np.float32)


def _screen(rng: np.random.Generator, height: int, width: int, em: float) -> np.ndarray:
    """What a photographed display or a printer's lines do to the light: one or two gratings, finer than an em, that bend a
    little and beat with the sensor's pixels; around 1 [height, width]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = np.ones((height, width), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        angle, pitch = rng.uniform(0, np.pi), rng.uniform(1.6, max(0.5 * em, 4.0))
        along = x * np.cos(angle) + y * np.sin(angle)
        along += rng.uniform(0, 1.5) * np.sin(y * rng.uniform(0.01, 0.1) + x * rng.uniform(0.01, 0.06))
        wave = np.sin(along * (2 * np.pi / pitch) + rng.uniform(0, 6.3))
        if rng.random() < 0.4:  # hard lines rather than soft ones
            wave = np.clip(wave * rng.uniform(1.5, 5), -1, 1)
        light += wave * rng.uniform(0.03, 0.2)
    return light


def _processed(rng: np.random.Generator, grey: np.ndarray, em: float) -> np.ndarray:
    """What a phone or a copier makes of a picture: sharpened edges with halos, noise painted over, tones torn apart."""
    match int(rng.integers(4)):
        case 0:
            soft = cv2.GaussianBlur(grey, (0, 0), max(float(rng.uniform(0.03, 0.09)) * em, 0.6))
            strength = rng.uniform(0.5, 2.2)
            return cv2.addWeighted(grey, 1 + strength, soft, -strength, 0)
        case 1:
            return cv2.bilateralFilter(grey, 5, float(rng.uniform(15, 60)), float(rng.uniform(1, 3)))
        case 2:
            return cv2.medianBlur(grey, 3) if em > 16 else cv2.GaussianBlur(grey, (0, 0), 0.5)
        case _:
            low, high = np.percentile(grey, (rng.uniform(0, 6), rng.uniform(50, 100)))
            steep = (np.arange(256) - low) / max(float(high - low), 20.0)
            return cv2.LUT(grey, (np.clip(steep, 0, 1) ** rng.uniform(0.7, 1.4) * 255).astype(np.uint8))


def _lens(rng: np.random.Generator, picture: np.ndarray, em: float) -> np.ndarray:
    """Defocus and motion, in parts of the em so that small type suffers as large type does."""
    if rng.random() < 0.6:
        sigma = float(abs(rng.normal(0, 0.035))) * em
        if sigma > 0.25:
            picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    if rng.random() < 0.12:
        length = max(int(rng.uniform(0.05, 0.2) * em), 2)
        kernel = np.zeros((length, length), np.float32)
        angle = rng.uniform(0, np.pi)
        end = (np.cos(angle) * length / 2, np.sin(angle) * length / 2)
        mid = (length - 1) / 2
        cv2.line(kernel, (round(mid - end[0]), round(mid - end[1])), (round(mid + end[0]), round(mid + end[1])), 1.0)
        picture = cv2.filter2D(picture, -1, kernel / max(float(kernel.sum()), 1e-3))
    return picture


def _jpeg(rng: np.random.Generator, grey: np.ndarray) -> np.ndarray:
    quality = int(rng.uniform(28, 95))
    # Blocks start anywhere in a picture, so a margin of random size goes around the strip first.
    top, left = (int(v) for v in rng.integers(0, 8, 2))
    padded = cv2.copyMakeBorder(grey, top, 0, left, 0, cv2.BORDER_REPLICATE)
    ok, data = cv2.imencode(".jpg", padded, (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not ok:
        raise RuntimeError("encoding a strip as JPEG failed")
    decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    if decoded is None:
        raise RuntimeError("decoding a strip as JPEG failed")
    return decoded[top:, left:]
