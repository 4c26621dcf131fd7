"""What is printed around the text: patterned backgrounds and stand-ins for emblem, wall and portrait.

All of it is our own drawing. Nothing copies the real card's background, emblem, wall or hologram, so that what comes out
cannot be taken for a card. Pieces are drawn once per process from fixed seeds and then varied cheaply on each card.
"""

from functools import lru_cache

import cv2
import numpy as np

from .identity import pick
from .layout import HEIGHT, WIDTH

PPM = 10
"""Pixels per millimetre at which pieces are kept."""
PIECES = 12
"""Pieces of each family and kind."""
FAMILIES = {"train": ("sines", "rosettes", "mesh", "contours", "plain"), "val": ("ornaments",)}
"""Families of backgrounds; validation's own is never trained on."""
TINTS = (
    ((206, 228, 240), (244, 220, 226), (206, 230, 240)),
    ((190, 222, 238), (238, 214, 222), (196, 226, 236)),
    ((224, 236, 240), (240, 232, 232), (222, 236, 242)),
    ((214, 234, 226), (242, 236, 214), (214, 230, 238)),
    ((232, 236, 244), (226, 234, 240), (236, 230, 238)),
    ((240, 234, 224), (236, 226, 226), (226, 232, 236)),
    ((200, 214, 236), (222, 222, 240), (204, 226, 240)),
    ((238, 240, 242), (240, 240, 240), (244, 244, 244)),
)
"""Left, middle and right colour (RGB) of the ground."""


def cloud(rng: np.random.Generator, height: int, width: int, octaves: int = 4, start: int = 3) -> np.ndarray:
    """Smooth random field in 0..1, float32 [height, width]."""
    total = np.zeros((height, width), np.float32)
    for k in range(octaves):
        n = start * 2**k
        coarse = rng.random((n + 1, round(n * 1.5) + 1), np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / 2**k
    low, high = total.min(), total.max()
    return (total - low) / max(high - low, 1e-6)


def _phase(rng: np.random.Generator, family: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A field whose whole multiples of pi are the lines of the pattern; x and y are in mm."""
    match family:
        case "sines":
            a, b = rng.uniform(-1.5, 1.5, 2)
            f, g = rng.uniform(0.05, 0.35, 2)
            return (a + 2.5 * np.sign(a)) * y + b * x + rng.uniform(2, 8) * np.sin(f * x + 0.1 * y) * np.cos(g * y)
        case "rosettes":
            cx, cy = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
            radius, around = np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx)
            petals = int(rng.integers(5, 40))
            return rng.uniform(1.2, 3.0) * radius + rng.uniform(1, 6) * np.sin(petals * around + rng.uniform(0, 0.3) * radius)
        case "mesh":
            angle = rng.uniform(0, np.pi)
            return rng.uniform(1.5, 4) * (x * np.cos(angle) + y * np.sin(angle)) + np.sin(rng.uniform(0.2, 1) * (x - y))
        case "contours":
            height, width = x.shape
            field = cloud(rng, height, width, octaves=2, start=int(rng.integers(2, 6)))
            return rng.uniform(30, 110) * field
        case "ornaments":
            f = rng.uniform(0.5, 1.4)
            return rng.uniform(2, 5) * (np.sin(f * x) * np.sin(f * y) + 0.5 * np.cos(2 * f * (x + y)))
        case _:
            return rng.uniform(0.1, 0.4) * (x + y)


@lru_cache(maxsize=128)
def _background_piece(family: str, index: int) -> np.ndarray:
    rng = np.random.default_rng([index, len(family), ord(family[0])])
    x, y = np.meshgrid(np.arange(0, WIDTH, 1 / PPM, dtype=np.float32), np.arange(0, HEIGHT, 1 / PPM, dtype=np.float32))
    left, middle, right = np.array(TINTS[int(rng.integers(len(TINTS)))], np.float32)
    t = (x / WIDTH)[..., None]
    ground = np.where(t < 0.5, left + (middle - left) * 2 * t, middle + (right - middle) * (2 * t - 1))
    for _ in range(1 if family == "plain" else int(rng.integers(2, 5))):
        wave = np.abs(np.sin(_phase(rng, family, x, y)))
        width = rng.uniform(0.15, 0.45)
        line = np.clip(1 - wave / width, 0, 1)
        reach = cloud(rng, *x.shape, octaves=2) if rng.random() < 0.5 else 1.0
        ink = np.array([rng.uniform(20, 110), rng.uniform(10, 70), rng.uniform(0, 60)], np.float32)
        ground -= (line * reach * rng.uniform(0.25, 0.9))[..., None] * rng.permutation(ink)
    ground += (cloud(rng, *x.shape)[..., None] - 0.5) * rng.uniform(0, 30)
    return np.clip(ground, 0, 255).astype(np.uint8)


@lru_cache(maxsize=128)
def _small_background_piece(family: str, index: int) -> np.ndarray:
    return cv2.resize(_background_piece(family, index), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def background(rng: np.random.Generator, split: str, size: tuple[int, int]) -> np.ndarray:
    """A card's ground, uint8 RGB of `size` (width, height)."""
    whole = size[0] > 0.6 * WIDTH * PPM
    piece = (_background_piece if whole else _small_background_piece)(pick(rng, FAMILIES[split]), int(rng.integers(PIECES)))
    ground = cv2.resize(piece[:: pick(rng, (1, -1)), :: pick(rng, (1, -1))], size, interpolation=cv2.INTER_LINEAR)
    # Weaker or stronger pattern and another tint, by a table per channel.
    contrast, level = rng.uniform(0.4, 1.15), rng.uniform(205, 245)
    values = np.arange(256, dtype=np.float32)
    table = np.stack([level + (values - 225) * contrast + rng.uniform(-10, 8) for _ in range(3)], axis=1)
    return cv2.LUT(ground, np.clip(table, 0, 255).astype(np.uint8)[None])


@lru_cache(maxsize=32)
def _emblem_piece(index: int) -> np.ndarray:
    rng = np.random.default_rng([71, index])
    size = 18 * PPM
    ink = np.zeros((size, size), np.uint8)
    middle, radius = size // 2, size * 0.48

    def ring(r: float, thickness: int) -> None:
        cv2.circle(ink, (middle, middle), round(r), 255, thickness, cv2.LINE_AA)

    def star(points: int, outer: float, inner: float, cx: float = middle, cy: float = middle, turn: float = 0.0,
             value: int = 255) -> None:
        angles = turn + np.arange(2 * points) * np.pi / points
        radii = np.where(np.arange(2 * points) % 2, inner, outer)
        corners = np.stack([cx + radii * np.sin(angles), cy - radii * np.cos(angles)], 1)
        cv2.fillPoly(ink, [np.round(corners).astype(np.int32)], value, cv2.LINE_AA)

    if rng.random() < 0.5:
        ring(radius, -1)
        star(int(rng.integers(6, 24)), radius * 0.85, radius * rng.uniform(0.3, 0.8), value=90)
        star(int(rng.integers(3, 9)), radius * 0.5, radius * rng.uniform(0.15, 0.4), turn=rng.uniform(0, 1), value=220)
    else:
        star(int(rng.integers(8, 40)), radius, radius * rng.uniform(0.7, 0.92))
        for k in range(int(rng.integers(2, 6))):
            ring(radius * (0.85 - 0.14 * k), int(rng.integers(2, 7)) if k % 2 else 3)
        for k in range(int(rng.integers(3, 8))):
            star(int(rng.integers(3, 7)), radius * 0.16, radius * 0.07, middle + radius * 0.5 * np.sin(k * 1.3 + 1),
                 middle - radius * 0.5 * np.cos(k * 1.3 + 1), value=int(rng.integers(40, 160)))
    return ink


@lru_cache(maxsize=32)
def _wall_piece(index: int) -> np.ndarray:
    """Grey battlement-like lines over a ridge."""
    rng = np.random.default_rng([72, index])
    width, height = 64 * PPM, 20 * PPM
    ink = np.zeros((height, width), np.uint8)
    for layer in range(int(rng.integers(2, 5))):
        ridge = cloud(rng, 2, width, 3)[0] * height * 0.7 + layer * height * 0.1
        step = int(rng.integers(8, 22))
        points = []
        for x in range(0, width - 1, step):
            drop = step // 2 * (x // step % 2)
            points += [(x, round(ridge[x]) + drop), (min(x + step, width - 1), round(ridge[x]) + drop)]
        cv2.polylines(ink, [np.array(points, np.int32)], False, int(rng.integers(60, 160)), int(rng.integers(2, 5)), cv2.LINE_AA)
    return cv2.GaussianBlur(ink, (0, 0), 1.5)


@lru_cache(maxsize=64)
def _portrait_piece(index: int) -> np.ndarray:
    """A shaded head and shoulders without a face, uint8 RGBA at 26 x 32 mm."""
    rng = np.random.default_rng([73, index])
    width, height = 26 * PPM, 32 * PPM
    image = np.full((height, width, 3), rng.uniform(215, 250), np.float32)
    alpha: np.ndarray = np.full((height, width), 255, np.uint8)
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))

    def put(inside: np.ndarray, colour: np.ndarray) -> None:
        soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 3)[..., None]
        shade = 1 + 0.25 * (x * rng.uniform(-1, 1) - y * 0.3)[..., None]
        image[:] = image * (1 - soft) + soft * shade * colour

    hair, cloth = rng.uniform(10, 60) * np.ones(3), rng.uniform(20, 220, 3)
    skin = np.array([222, 184, 158]) * rng.uniform(0.75, 1.08)
    w, h = rng.uniform(0.36, 0.48), rng.uniform(0.42, 0.52)
    long_hair = rng.random() < 0.5
    put((x / (w * 1.2)) ** 2 + ((y + 0.2) / (h * 1.2)) ** 2 < 1, hair)
    if long_hair:
        put((np.abs(x) < w * 1.15) & (y > -0.2) & (y < 0.55), hair)
    put((np.abs(x) < 0.16) & (y > 0) & (y < 0.6), skin * 0.9)
    put((x / 0.95) ** 2 + ((y - 1.1) / 0.65) ** 2 < 1, cloth)
    put((x / w) ** 2 + ((y + 0.1) / h) ** 2 < 1, skin)
    put((x / w) ** 2 + ((y + 0.1) / h) ** 2 < (y < -0.1 - h * rng.uniform(0.3, 0.7)), hair)
    if rng.random() < 0.7:  # no ground of its own
        alpha = np.where(np.abs(image - image[2, 2]).sum(axis=2) > 12, 255, 0).astype(np.uint8)
        alpha = cv2.GaussianBlur(alpha, (0, 0), 2)
    return np.dstack([np.clip(image, 0, 255).astype(np.uint8), alpha])


def _place(canvas: np.ndarray, box: tuple[float, float, float, float], ppm: float) -> tuple[slice, slice] | None:
    """The part of the canvas that a box (x, y, w, h in mm) covers, None where it leaves the card."""
    x, y, w, h = (round(v * ppm) for v in box)
    if x < 0 or y < 0 or w < 2 or h < 2 or x + w > canvas.shape[1] or y + h > canvas.shape[0]:
        return None
    return slice(y, y + h), slice(x, x + w)


def _tint(canvas: np.ndarray, box: tuple[float, float, float, float], ppm: float, ink: np.ndarray, colour: np.ndarray,
          strength: float) -> None:
    place = _place(canvas, box, ppm)
    if place is None:
        return
    target = canvas[place]
    ink = cv2.resize(ink, (target.shape[1], target.shape[0]), interpolation=cv2.INTER_AREA)
    alpha = (ink.astype(np.float32) * (strength / 255))[..., None]
    target[:] = (target * (1 - alpha) + colour.astype(np.float32) * alpha).astype(np.uint8)


def draw_emblem(canvas: np.ndarray, box: tuple[float, float, float, float], ppm: float, rng: np.random.Generator) -> None:
    """A red ornament at `box` (mm)."""
    colour = np.array([rng.uniform(170, 225), rng.uniform(20, 80), rng.uniform(20, 70)])
    _tint(canvas, box, ppm, _emblem_piece(int(rng.integers(24))), colour, rng.uniform(0.7, 1))


def draw_wall(canvas: np.ndarray, box: tuple[float, float, float, float], ppm: float, rng: np.random.Generator) -> None:
    """A grey ridge of battlements at `box` (mm)."""
    colour = np.array([rng.uniform(90, 150)] * 3) + rng.uniform(-10, 10, 3)
    _tint(canvas, box, ppm, _wall_piece(int(rng.integers(24))), colour, rng.uniform(0.2, 0.8))


def draw_portrait(canvas: np.ndarray, box: tuple[float, float, float, float], ppm: float, rng: np.random.Generator) -> None:
    """A head without a face at `box` (mm)."""
    place = _place(canvas, box, ppm)
    if place is None:
        return
    target = canvas[place]
    piece = _portrait_piece(int(rng.integers(48)))[:, :: pick(rng, (1, -1))]
    piece = cv2.resize(piece, (target.shape[1], target.shape[0]), interpolation=cv2.INTER_AREA)
    alpha = piece[..., 3:].astype(np.float32) / 255
    target[:] = (target * (1 - alpha) + piece[..., :3] * (rng.uniform(0.85, 1.05) * alpha)).clip(0, 255).astype(np.uint8)
