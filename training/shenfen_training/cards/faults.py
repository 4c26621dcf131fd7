"""What light, lens, sensor and compression do to a picture."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from .identity import pick

LEVELS = ("scan", "photo", "hard")
HELD_BACK = ("stripes", "halftone", "rescaled")
"""Faults that only validation pictures have: shadows of a blind, a printed copy's dots, a picture saved small and enlarged."""


@dataclass
class Faults:
    """One picture's faults. Lengths are in mm on the card, so that they scale with the picture."""

    gain: float = 1.0
    gamma: float = 1.0
    cast: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shade: float = 0.0
    shadow: float = 0.0
    glares: list[tuple[float, float, float]] = field(default_factory=list)
    blur: float = 0.0
    motion: float = 0.0
    noise: float = 0.0
    moire: float = 0.0
    dapple: float = 0.0
    window: float = 0.0
    copy: str = "colour"
    quality: int = 95
    held_back: str = ""


def random_faults(rng: np.random.Generator, level: str, split: str) -> Faults:
    """Faults as they come together at a level."""
    if level == "scan":
        faults = Faults(gain=rng.uniform(0.92, 1.08), gamma=rng.uniform(0.9, 1.1), noise=rng.uniform(0, 4),
                        blur=rng.uniform(0, 0.08), quality=int(rng.integers(80, 99)),
                        copy="grey" if rng.random() < 0.15 else "colour")
    elif level == "photo":
        faults = Faults(gain=rng.uniform(0.75, 1.15), gamma=rng.uniform(0.8, 1.25), cast=tuple(rng.uniform(0.88, 1.06, 3)),
                        shade=rng.uniform(0, 0.4), noise=rng.uniform(0, 9), blur=rng.uniform(0, 0.16),
                        quality=int(rng.integers(50, 96)), copy="grey" if rng.random() < 0.1 else "colour")
        if rng.random() < 0.25:
            faults.shadow = rng.uniform(0.1, 0.4)
        if rng.random() < 0.15:
            faults.glares = _glares(rng, 1, 120)
        if rng.random() < 0.1:
            faults.motion = rng.uniform(0.1, 0.4)
    else:
        faults = Faults(gain=rng.uniform(0.6, 1.3), gamma=rng.uniform(0.65, 1.5), cast=tuple(rng.uniform(0.8, 1.08, 3)),
                        shade=rng.uniform(0.1, 0.6), noise=rng.uniform(2, 12), blur=rng.uniform(0.03, 0.2),
                        quality=int(rng.integers(28, 75)),
                        copy=pick(rng, ("colour", "colour", "colour", "grey", "photocopy")))
        for _ in range(2):
            match pick(rng, ("glare", "blur", "motion", "noise", "jpeg", "moire", "shadow", "dark", "bright")):
                case "glare":
                    faults.glares = _glares(rng, int(rng.integers(1, 4)), 240)
                case "blur":
                    faults.blur = rng.uniform(0.16, 0.27)
                case "motion":
                    faults.motion = rng.uniform(0.25, 0.6)
                case "noise":
                    faults.noise = rng.uniform(10, 22)
                case "jpeg":
                    faults.quality = int(rng.integers(22, 40))
                case "moire":
                    faults.moire = rng.uniform(0.03, 0.12)
                case "shadow":
                    faults.shadow = rng.uniform(0.3, 0.6)
                case "dark":
                    faults.gain, faults.gamma = rng.uniform(0.35, 0.6), rng.uniform(0.8, 1.1)
                case "bright":
                    faults.gain, faults.gamma = rng.uniform(1.2, 1.45), rng.uniform(0.9, 1.3)
        # Each of these alone leaves the text readable; both at once would not.
        if faults.blur > 0.15 and faults.motion:
            faults.motion *= 0.4
        if faults.copy == "photocopy":
            faults.gain = min(faults.gain, 1.1)
    if split == "val" and rng.random() < (0.1 if level == "scan" else 0.25):
        faults.held_back = pick(rng, HELD_BACK if level != "scan" else HELD_BACK[1:])
    if split == "train" and level != "scan":
        chance = rng.random()
        if chance < 0.12:
            faults.dapple = rng.uniform(0.15, 0.55)
        elif chance < 0.2:
            faults.window = rng.uniform(0.15, 0.5)
    return faults


def _glares(rng: np.random.Generator, count: int, top: float) -> list[tuple[float, float, float]]:
    """Centre x and y as fractions of the picture, strength in grey levels."""
    return [(rng.uniform(0.05, 0.95), rng.uniform(0.05, 0.95), rng.uniform(50, top)) for _ in range(count)]


def _light(rng: np.random.Generator, faults: Faults, height: int, width: int) -> np.ndarray:
    """Light falling on each pixel, float32 [height, width]."""
    x, y = np.meshgrid(np.linspace(-1, 1, 64, dtype=np.float32), np.linspace(-1, 1, 64, dtype=np.float32))
    angle = rng.uniform(0, 2 * np.pi)
    slope = x * np.cos(angle) + y * np.sin(angle)
    light = 1 - faults.shade * (0.5 + 0.5 * slope) * rng.uniform(0.5, 1) - faults.shade * 0.3 * (x * x + y * y) / 2
    light = light * faults.gain
    if not (faults.shadow or faults.dapple or faults.window) and faults.held_back != "stripes":
        return cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    light = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    across = cv2.resize(slope, (width, height), interpolation=cv2.INTER_LINEAR)
    if faults.shadow:  # somebody's hand or phone: one soft or hard edge across the picture
        edge = rng.uniform(0.01, 0.3)
        light *= 1 - faults.shadow * np.clip((across - rng.uniform(-0.6, 0.6)) / edge, 0, 1)
    if faults.dapple:
        light *= 1 - faults.dapple * _dapple(rng, height, width)
    if faults.window:
        light *= 1 - faults.window * _window(rng, across)
    if faults.held_back == "stripes":
        light *= 1 - rng.uniform(0.12, 0.3) * np.clip(4 * np.sin(across * rng.uniform(8, 25)), 0, 1)
    return light


def _dapple(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Shade of leaves: blots of any size with soft or hard edges, 0..1 [height, width]."""
    cells = int(rng.integers(4, 22))
    coarse = rng.normal(0, 1, (max(2, cells * height // max(width, height)), max(2, cells * width // max(width, height))))
    blots = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip((blots - rng.uniform(-0.5, 0.8)) * rng.uniform(1, 8), 0, 1)


def _window(rng: np.random.Generator, across: np.ndarray) -> np.ndarray:
    """Shade of a window's frame: a few bars, some crossing, of uneven width; 0..1, the size of `across` (-1..1)."""
    height, width = across.shape
    along = np.broadcast_to(np.linspace(-1, 1, height, dtype=np.float32)[:, None], (height, width))
    shade = np.zeros((height, width), np.float32)
    for axis, bars in ((across, rng.integers(1, 6)), (along, rng.integers(0, 3))):
        for _ in range(int(bars)):
            half, edge = rng.uniform(0.01, 0.12), rng.uniform(0.003, 0.05)
            shade = np.maximum(shade, np.clip((half - np.abs(axis - rng.uniform(-1, 1))) / edge + 0.5, 0, 1))
    return shade


def _motion_kernel(length: float, angle: float) -> np.ndarray:
    size = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((size, size), np.uint8)
    middle = (size - 1) / 2
    dx, dy = np.cos(angle) * length / 2, np.sin(angle) * length / 2
    # Subpixel ends: cv2.line takes fixed-point coordinates with `shift` fractional bits.
    start, end = ((round((middle + s * dx) * 16), round((middle + s * dy) * 16)) for s in (-1, 1))
    cv2.line(kernel, start, end, 255, 1, cv2.LINE_AA, 4)
    shares = kernel.astype(np.float32)
    return shares / shares.sum()


def _photocopy(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A copier's steep greys: light tones burn out, dark ones fill."""
    low, high = rng.uniform(5, 60), rng.uniform(180, 235)
    table = np.clip((np.arange(256) - low) / (high - low), 0, 1) ** rng.uniform(0.8, 1.3) * 255
    return cv2.LUT(image, table.astype(np.uint8))


def _to_grey(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def expose(image: np.ndarray, faults: Faults, rng: np.random.Generator, ppm: float) -> np.ndarray:
    """Everything before compression. `image` is uint8, RGB or grey; `ppm` says how many pixels a mm of card has."""
    height, width = image.shape[:2]
    if faults.moire:
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        a, b, c = rng.uniform(0.2, 1.2), rng.uniform(0.2, 1.2), rng.uniform(0.004, 0.02)
        wave = np.sin(a * x + 4 * np.sin(c * y)) * np.sin(b * y + 4 * np.sin(c * x))
        image = _scaled(image, 1 + faults.moire * wave)
    lit = _scaled(image, _light(rng, faults, height, width), raw=True)
    for gx, gy, strength in faults.glares:
        _add_glare(lit, gx * width, gy * height, strength, rng, ppm)
    sigma = faults.blur * ppm
    if sigma > 0.3:
        lit = cv2.GaussianBlur(lit, (0, 0), sigma)
    if faults.motion * ppm > 1:
        lit = cv2.filter2D(lit, -1, _motion_kernel(faults.motion * ppm, rng.uniform(0, np.pi)))
    if faults.noise > 0.5:
        lit += _noise(rng, lit.shape, faults.noise)
    image = _tone(np.clip(lit, 0, 255).astype(np.uint8), faults)
    if faults.copy != "colour" and image.ndim == 3:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if faults.copy == "photocopy":
        image = _photocopy(rng, image)
    if faults.held_back == "halftone":
        image = _halftone(rng, image, ppm)
    elif faults.held_back == "rescaled":
        factor = rng.uniform(0.6, 0.85) if ppm > 6 else 0.9
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image = cv2.resize(compress(small, 60), (width, height), interpolation=cv2.INTER_CUBIC)
    return image


def _scaled(image: np.ndarray, light: np.ndarray, raw: bool = False) -> np.ndarray:
    out = image.astype(np.float32)
    out *= light.astype(np.float32) if image.ndim == 2 else light.astype(np.float32)[..., None]
    return out if raw else np.clip(out, 0, 255).astype(np.uint8)


def _add_glare(lit: np.ndarray, x: float, y: float, strength: float, rng: np.random.Generator, ppm: float) -> None:
    rx, ry = rng.uniform(1.5, 9, 2) * max(ppm, lit.shape[1] / 140)
    left, right = max(0, int(x - 3 * rx)), min(lit.shape[1], int(x + 3 * rx) + 1)
    top, bottom = max(0, int(y - 3 * ry)), min(lit.shape[0], int(y + 3 * ry) + 1)
    if right <= left or bottom <= top:
        return
    u = (np.arange(left, right, dtype=np.float32) - x) / rx
    v = (np.arange(top, bottom, dtype=np.float32) - y) / ry
    spot = strength * np.exp(-(v * v))[:, None] * np.exp(-(u * u))[None, :]
    lit[top:bottom, left:right] += spot if lit.ndim == 2 else spot[..., None]


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    grain = np.empty(shape, np.float32)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    # A plain number would fill the first channel alone.
    channels = shape[2] if len(shape) == 3 else 1
    cv2.randn(grain, np.zeros(channels), np.full(channels, sigma))
    if rng.random() < 0.4:  # what a phone's denoiser leaves is coarser
        grain = cv2.GaussianBlur(grain, (0, 0), 0.8) * 2.2
    return grain


def _tone(image: np.ndarray, faults: Faults) -> np.ndarray:
    curve = (np.arange(256) / 255) ** faults.gamma * 255
    if image.ndim == 2:
        return cv2.LUT(image, curve.clip(0, 255).astype(np.uint8))
    table = curve[:, None] * np.array(faults.cast)[None, :]
    return cv2.LUT(image, table.clip(0, 255).astype(np.uint8)[None])


def _halftone(rng: np.random.Generator, image: np.ndarray, ppm: float) -> np.ndarray:
    height, width = image.shape[:2]
    pitch = max(2.0, rng.uniform(0.2, 0.35) * ppm)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    screen = np.sin((x + y) * (np.pi / pitch)) * np.sin((x - y) * (np.pi / pitch))
    steep = np.clip(_scaled(image, 1 + 0 * x, raw=True) + (screen if image.ndim == 2 else screen[..., None]) * 45, 0, 255)
    return cv2.GaussianBlur(steep.astype(np.uint8), (0, 0), 0.6)


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """Through JPEG and back."""
    return decode(encode(image, quality), cv2.IMREAD_UNCHANGED if image.ndim == 2 else cv2.IMREAD_COLOR_RGB)


def decode(data: np.ndarray, flags: int) -> np.ndarray:
    """The picture in the bytes that `encode` gave, by OpenCV's `flags`."""
    image = cv2.imdecode(data, flags)
    if image is None:
        raise RuntimeError("decoding a drawn picture failed")
    return image


def encode(image: np.ndarray, quality: int) -> np.ndarray:
    """JPEG bytes of an RGB or grey picture."""
    picture = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
