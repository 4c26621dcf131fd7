"""What people print, stamp and write over pictures of cards: purpose watermarks, stamps, signatures.

Text below them stays readable, so nothing of it counts as hidden. Marks are drawn once at a size of their own, a pool of each kind in
every process, and laid over a picture at any size and angle. Validation has texts and a face of its own.
"""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from ..fonts import HAN_TRAIN, HAN_VAL, Face, installed
from .glyphs import FALLBACK, SONG_TRAIN, glyph
from .identity import pick, random_county, random_name

LINE = 48
"""Height of a watermark's characters in the pool, in pixels."""
STAMP = 256
"""Side of a stamp in the pool, in pixels."""
POOL = 40
PURPOSES = {
    "train": ("仅供办理{}业务使用", "仅限{}使用,他用无效", "仅用于{}", "{}专用", "本复印件仅供{}使用", "此件仅限{}用途",
              "只作{}之用 再次复印无效"),
    "val": ("只限于{}用途,不得作他用", "供{}核验", "{}留存"),
}
ERRANDS = {
    "train": ("银行开户", "实名认证", "信用卡申请", "租房合同", "贷款", "入职登记", "车辆过户", "手机卡", "考试报名", "社保",
              "工商注册", "保险理赔"),
    "val": ("签证", "快递代收", "宽带安装", "股票账户"),
}
WORDS = ("SAMPLE", "COPY", "KYC", "ONLY FOR", "CONFIDENTIAL", "VOID")


@lru_cache(maxsize=2)
def _faces(split: str) -> tuple[Face, ...]:
    return tuple(installed(HAN_VAL if split == "val" else (*HAN_TRAIN, *SONG_TRAIN)))


def _text_ink(text: str, face: Face, size: int, tracking: float = 0.0) -> np.ndarray:
    """A line of text, uint8 ink [about 1.3 size, w]."""
    pen, placed = 0.0, []
    for char in text:
        drawn = glyph(face, 2 * size, 100, char)
        if not drawn.ink.size:
            drawn = glyph(FALLBACK, 2 * size, 100, char)
        width = size if ord(char) > 0x2E80 else drawn.ink.shape[1] + size // 8 if drawn.ink.size else size // 2
        placed.append((pen, drawn))
        pen += width + tracking * size
    ink = np.zeros((round(1.3 * size), int(pen) + size), np.uint8)
    for at, drawn in placed:
        top, left = round(1.05 * size) + drawn.top, int(at) + max(drawn.left, 0)
        height, width = drawn.ink.shape
        top, bottom, right = max(top, 0), min(top + height, ink.shape[0]), min(left + width, ink.shape[1])
        if bottom > top and right > left:
            part = ink[top:bottom, left:right]
            np.maximum(part, drawn.ink[: bottom - top, : right - left], out=part)
    return ink


def _purpose(rng: np.random.Generator, split: str) -> str:
    text = pick(rng, PURPOSES[split]).format(pick(rng, ERRANDS[split]))
    chance = rng.random()
    if chance < 0.2:
        text += f" {rng.integers(2012, 2027)}.{rng.integers(1, 13)}.{rng.integers(1, 29)}"
    elif chance < 0.3:
        text = f"{pick(rng, WORDS)} {text}"
    elif chance < 0.38:
        text = pick(rng, WORDS)
    elif chance < 0.5:
        text = f"{random_county(rng)[-4:]}{random_name(rng)} {text}"
    return text


def _watermark(rng: np.random.Generator, split: str) -> np.ndarray:
    """A watermark's ink; outlined now and then."""
    ink = _text_ink(_purpose(rng, split), pick(rng, _faces(split)), LINE, rng.uniform(0, 0.25))
    if rng.random() < 0.15:
        ink = cv2.subtract(cv2.dilate(ink, np.ones((5, 5), np.uint8)), cv2.erode(ink, np.ones((2, 2), np.uint8)))
    return ink


def _stamp(rng: np.random.Generator, split: str) -> np.ndarray:
    """A stamp's ink uint8 [STAMP, STAMP]: a ring or a frame with text, unevenly inked."""
    ink = np.zeros((STAMP, STAMP), np.uint8)
    middle, thick = STAMP // 2, int(rng.integers(3, 9))
    face = pick(rng, _faces(split))
    name = f"{random_county(rng)}{pick(rng, ('贸易', '科技', '投资', '物业', '人力'))}有限公司"
    shape = rng.random()
    if shape < 0.6:
        axes = (120, 120) if shape < 0.45 else (122, 80)
        cv2.ellipse(ink, (middle, middle), axes, 0, 0, 360, 255, thick, cv2.LINE_AA)
        span = rng.uniform(200, 280)
        for at, char in enumerate(name):
            turn = -90 - span / 2 + span * (at + 0.5) / len(name)
            x = middle + (axes[0] - 28) * np.cos(np.radians(turn))
            y = middle + (axes[1] - 28) * np.sin(np.radians(turn))
            _turned(ink, _text_ink(char, face, 30), (x, y), turn + 90)
        if axes[0] == axes[1] and rng.random() < 0.8:
            points = [(middle + r * np.sin(k * np.pi / 5), middle - r * np.cos(k * np.pi / 5)) for k, r in enumerate((42, 17) * 5)]
            cv2.fillPoly(ink, [np.array(points, np.int32)], 255, cv2.LINE_AA)
        if rng.random() < 0.6:
            _turned(ink, _text_ink(pick(rng, ("合同专用章", "业务专用章", "人事部", "2")), face, 26), (middle, middle + 62), 0)
    else:
        height = int(rng.integers(40, 120))
        cv2.rectangle(ink, (8, middle - height), (STAMP - 8, middle + height), 255, thick, cv2.LINE_AA)
        said = pick(rng, ("复印件与原件一致", "原件已核", "与原件核对无误", "仅供存档", "身份核验"))
        for at, row in enumerate((said, pick(rng, ("核对人", "年  月  日", name[:8])))):
            _turned(ink, _text_ink(row, face, min(32, 230 // max(len(row), 1))), (middle, middle + (at - 0.5) * height), 0)
    blotches = cv2.resize(rng.normal(0, 1, (12, 12)).astype(np.float32), (STAMP, STAMP), interpolation=cv2.INTER_CUBIC)
    return (ink * np.clip(1 - rng.uniform(0, 0.7) * np.clip(blotches, 0, 2), 0.1, 1)).astype(np.uint8)


def _turned(ink: np.ndarray, part: np.ndarray, middle: tuple[float, float], degrees: float) -> None:
    """Adds a part, turned about its middle, to some ink."""
    height, width = part.shape
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0))
    matrix[:, 2] += np.array(middle) - (width / 2, height / 2)
    np.maximum(ink, cv2.warpAffine(part, matrix, ink.shape[::-1]), out=ink)


def _signature(rng: np.random.Generator, split: str) -> np.ndarray:
    """Handwriting-like strokes, uint8 ink [LINE, 4 LINE]."""
    ink = np.zeros((LINE, 4 * LINE), np.uint8)
    x = rng.uniform(6, 20)
    for _ in range(int(rng.integers(3, 9))):
        steps = np.linspace(0, 1, 12)[:, None]
        a, b, c = (np.array([x, LINE / 2]) + rng.normal(0, (14, LINE / 4), 2) for _ in range(3))
        curve = (1 - steps) ** 2 * a + 2 * steps * (1 - steps) * b + steps**2 * c
        cv2.polylines(ink, [curve.astype(np.int32)], False, 255, int(rng.integers(1, 4)), cv2.LINE_AA)
        x += rng.uniform(8, 24)
    return ink


@lru_cache(maxsize=8)
def _pool(draw: Callable[[np.random.Generator, str], np.ndarray], split: str) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng([POOL, split == "val"])
    return tuple(draw(rng, split) for _ in range(POOL))


def _laid(ink: np.ndarray, size: tuple[int, int], middle: np.ndarray, angle: float, scale: float, tiled: bool) -> np.ndarray:
    """Ink turned by `angle` (radians) and scaled, its middle at `middle`, over a picture of `size` (width, height); repeated without end
    if it is `tiled`."""
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[c, -s, 0.0], [s, c, 0.0]])
    matrix[:, 2] = middle - matrix[:, :2] @ (np.array(ink.shape[::-1]) / 2)
    if scale < 0.8:
        ink = cv2.GaussianBlur(ink, (0, 0), 0.42 / scale)
    border = cv2.BORDER_WRAP if tiled else cv2.BORDER_CONSTANT
    return cv2.warpAffine(ink, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)


def _tile(rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """A line twice, the second one shifted, with room around."""
    right, below = int(rng.uniform(0.1, 1.5) * ink.shape[1]), int(rng.uniform(0.6, 5) * ink.shape[0])
    row = cv2.copyMakeBorder(ink, 0, below, 0, right, cv2.BORDER_CONSTANT)
    return np.vstack([row, np.roll(row, int(rng.integers(row.shape[1])), axis=1)])


def add_watermark(rng: np.random.Generator, image: np.ndarray, ppm: float, split: str) -> None:
    """Lays a purpose watermark over a picture, in place: one, or tiled, 12 to 60 % opaque. `image`: RGB or grey, uint8 or float32 levels;
    `ppm`: its pixels per mm of card."""
    height, width = image.shape[:2]
    ink, tiled = pick(rng, _pool(_watermark, split)), rng.random() < 0.55
    if tiled:
        ink = _tile(rng, ink)
    size = rng.uniform(1.8, 5.0) if tiled else rng.uniform(2.5, 11)
    angle = pick(rng, (0.0, -0.5, 0.5, -0.35, 0.6)) + rng.normal(0, 0.1)
    mask = _laid(ink, (width, height), rng.uniform(0, 1, 2) * (width, height), angle, size * ppm / LINE, tiled)
    greys = ((20, 20, 20), (60, 60, 60), (90, 90, 90), (120, 120, 120), (150, 150, 155))
    tone = pick(rng, (*greys, (200, 40, 40), (40, 70, 190), (255, 255, 255)))
    _blend(image, mask, np.array(tone) * rng.uniform(0.8, 1.1), rng.uniform(0.12, 0.6))


def add_stamp(rng: np.random.Generator, image: np.ndarray, ppm: float, split: str) -> None:
    """Presses a stamp onto a picture, in place; see `add_watermark`."""
    height, width = image.shape[:2]
    size = rng.uniform(18, 42) * ppm / STAMP
    middle = rng.uniform(0, 1, 2) * (width, height)
    mask = _laid(pick(rng, _pool(_stamp, split)), (width, height), middle, rng.normal(0, 0.3), size, False)
    tone = pick(rng, ((205, 30, 40), (220, 50, 60), (190, 20, 60), (60, 50, 170), (80, 80, 80)))
    _blend(image, mask, np.array(tone, float), rng.uniform(0.25, 0.85), ink=True)


def add_signature(rng: np.random.Generator, image: np.ndarray, ppm: float, split: str) -> None:
    """Writes over a picture with a thin pen, in place; see `add_watermark`."""
    height, width = image.shape[:2]
    size = rng.uniform(6, 14) * ppm / LINE
    middle = rng.uniform(0, 1, 2) * (width, height)
    mask = _laid(pick(rng, _pool(_signature, split)), (width, height), middle, rng.normal(0, 0.2), size, False)
    _blend(image, mask, np.array(pick(rng, ((20, 20, 25), (30, 40, 140), (60, 60, 70)))), rng.uniform(0.5, 0.9), ink=True)


def add_marks(rng: np.random.Generator, image: np.ndarray, ppm: float, split: str) -> None:
    """One or two marks of any kind, mostly watermarks."""
    for _ in range(pick(rng, (1, 1, 1, 2))):
        pick(rng, (add_watermark, add_watermark, add_watermark, add_stamp, add_stamp, add_signature))(rng, image, ppm, split)


def _blend(image: np.ndarray, mask: np.ndarray, tone: np.ndarray, opacity: float, ink: bool = False) -> None:
    """Paints `tone` where the mask is; as `ink` it darkens what is there, else it replaces it."""
    weight = mask.astype(np.float32) * (opacity / 255)
    if image.ndim == 3:
        weight = weight[..., None]
    colour = tone.clip(0, 255).astype(np.float32) if image.ndim == 3 else float(tone.mean())
    levels = image.astype(np.float32)
    target = levels * colour / 255 if ink else colour
    levels += (target - levels) * weight
    image[:] = levels.astype(image.dtype)
