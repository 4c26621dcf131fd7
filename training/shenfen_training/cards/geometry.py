"""Homographies and warps in continuous pixel coordinates: pixel i covers [i, i + 1], its middle is i + 0.5."""

import cv2
import numpy as np

HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
UNHALF = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])


def between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The homography that takes the quad `source` [4, 2] to `target` [4, 2]."""
    return cv2.getPerspectiveTransform(np.asarray(source, np.float32), np.asarray(target, np.float32))


def scaling(x: float, y: float) -> np.ndarray:
    return np.diag([x, y, 1.0])


def translation(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def turning(degrees: float) -> np.ndarray:
    """A turn about the origin, clockwise on the screen."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def warp(image: np.ndarray, homography: np.ndarray, size: tuple[int, int], fill: float | tuple[float, ...] = 0) -> np.ndarray:
    """`image` through `homography` (continuous coordinates) into a picture of `size` (width, height)."""
    return cv2.warpPerspective(image, UNHALF @ homography @ HALF, size, flags=cv2.INTER_LINEAR,
                               borderMode=cv2.BORDER_CONSTANT, borderValue=fill)


def side_lengths(quad: np.ndarray) -> tuple[float, float]:
    """Mean width and mean height of a quad."""
    top, right, bottom, left = (np.linalg.norm(quad[(i + 1) % 4] - quad[i]) for i in range(4))
    return float(top + bottom) / 2, float(right + left) / 2
