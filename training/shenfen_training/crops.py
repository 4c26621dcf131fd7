"""Cutting the networks' inputs out of a picture, as the engine does (crates/ocr/src/rectify.rs and strip.rs).

Homographies lead from the crop's pixels to the picture's, in continuous coordinates: pixel i covers [i, i + 1].
"""

import cv2
import numpy as np

from .cards.geometry import between, scaling, side_lengths, translation, warp
from .cards.render import map_points
from .contract import LINES, LOCATOR, RECOGNISER, Pixels, Resampling


def cut(image: np.ndarray, to_image: np.ndarray, size: tuple[int, int], resampling: Resampling) -> np.ndarray:
    """The crop of `size` (width, height)."""
    width, height = size
    middle = np.array([[width / 2, height / 2], [width / 2 + 1, height / 2], [width / 2, height / 2 + 1]])
    here, right, below = map_points(to_image, middle)
    ratio = max(float(np.linalg.norm(right - here)), float(np.linalg.norm(below - here)))
    shrink = 1.0
    while ratio * shrink > resampling.max_samples + resampling.slack:
        image = halved(image)
        shrink /= 2
    samples = int(np.clip(np.ceil(ratio * shrink - resampling.slack), 1, resampling.max_samples))
    to_samples = scaling(samples, samples) @ np.linalg.inv(scaling(shrink, shrink) @ to_image)
    crop = warp(image, to_samples, (width * samples, height * samples), (resampling.outside,) * 3)
    return crop if samples == 1 else cv2.resize(crop, size, interpolation=cv2.INTER_AREA)


def halved(image: np.ndarray) -> np.ndarray:
    """Half the width and height, rounded up, by the mean of two by two pixels; a last odd row or column counts twice."""
    height, width = image.shape[:2]
    odd = ((0, height % 2), (0, width % 2)) + ((0, 0),) * (image.ndim - 2)
    whole = np.pad(image, odd, mode="edge").astype(np.uint16)
    sums = whole[::2, ::2] + whole[1::2, ::2] + whole[::2, 1::2] + whole[1::2, 1::2]
    return ((sums + 2) // 4).astype(np.uint8)


def grey(image: np.ndarray) -> np.ndarray:
    """Brightness of an RGB picture (ITU-R BT.601)."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def coarse_crop(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The locator's coarse pass: the whole picture letterboxed, and the way from its pixels to the picture's."""
    height, width = image.shape[:2]
    side = max(width, height)
    to_image = translation((width - side) / 2, (height - side) / 2) @ scaling(side / LOCATOR.coarse_side, side / LOCATOR.coarse_side)
    return cut(image, to_image, (LOCATOR.coarse_side,) * 2, LOCATOR.resampling), to_image


def refinement_quad() -> np.ndarray:
    """Where the rough corners go in the refinement pass."""
    left, top, right, bottom = LOCATOR.refinement.card
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def refinement_crop(image: np.ndarray, rough: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The locator's refinement pass around the rough corners of a card, and the way from its pixels to the picture's."""
    to_image = between(refinement_quad(), rough)
    return cut(image, to_image, LOCATOR.refinement.size, LOCATOR.resampling), to_image


def card_crop(image: np.ndarray, quad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The line detector's frame of a card in a grey picture, and the way from its pixels to the picture's."""
    to_image = between(LINES.frame.card, quad)
    return cut(image, to_image, LINES.frame.size, LINES.resampling), to_image


def strip_frame(quad: np.ndarray) -> tuple[np.ndarray, int]:
    """The way from a strip's pixels to the picture's, and the strip's width, for a line's em box `quad` in that picture.

    The em box is in the middle of the strip's height and starts `side_margin` em from its left; the width is rounded up, so
    there is a little more room on the right.
    """
    strip = RECOGNISER.strip
    left, right = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
    em = side_lengths(quad)[1]
    length = float(np.linalg.norm(right - left))
    along = (right - left) / max(length, 1e-6)
    down = np.array([-along[1], along[0]])
    step = em / strip.em
    wanted = (length + 2 * strip.side_margin * em) / step
    width = -(-int(np.ceil(wanted)) // strip.width_multiple) * strip.width_multiple
    width = int(np.clip(width, strip.min_width, strip.max_width))
    across = step * max(1.0, wanted / strip.max_width)  # too long a line is squeezed
    origin = left - along * strip.side_margin * em - down * step * strip.height / 2
    u, v = along * across, down * step
    return np.array([[u[0], v[0], origin[0]], [u[1], v[1], origin[1]], [0, 0, 1]]), width


def cut_strip(image: np.ndarray, to_image: np.ndarray, width: int) -> np.ndarray:
    """The strip uint8 [height, width] that `to_image` finds in a grey picture."""
    return cut(image, to_image, (width, RECOGNISER.strip.height), RECOGNISER.resampling)


def network_input(crop: np.ndarray, pixels: Pixels) -> np.ndarray:
    """Levels uint8 [H, W] or [H, W, 3] -> a detector's input float32 [C, H, W]."""
    planes = crop[None] if crop.ndim == 2 else crop.transpose(2, 0, 1)
    return np.ascontiguousarray(planes, np.float32) / np.float32(pixels.scale) + np.float32(pixels.offset)


def strip_input(strip: np.ndarray) -> np.ndarray:
    """Levels uint8 [height, W] -> the recogniser's input float32 [height, W]: mean 0, deviation 1 over the strip."""
    levels = strip.astype(np.float32)
    return (levels - levels.mean()) / max(float(levels.std()), RECOGNISER.strip.min_deviation)
