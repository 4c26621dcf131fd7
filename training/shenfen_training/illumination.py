"""Illumination normalisation of a card's frame; twin of crates/ocr/src/illumination.rs.

The networks learn from frames that were normalised as the engine does it: among other things a dark thing on a card becomes as bright
as paper.
"""

import cv2
import numpy as np

from .contract import LINES

RULES = LINES.illumination


def gains(frame: np.ndarray, block: int = RULES.block) -> np.ndarray:
    """The gain of each block [H / block, W / block] of a frame uint8 [H, W]: the brightest pixel of a block is paper, after a
    morphological closing over strokes."""
    height, width = (side // block for side in frame.shape)
    blocks = frame[: height * block, : width * block].reshape(height, block, width, block).max(axis=(1, 3))
    kernel = np.ones((2 * RULES.closing_radius + 1,) * 2, np.uint8)
    closed = cv2.erode(cv2.dilate(blocks, kernel), kernel)
    weight = cv2.boxFilter(np.ones_like(closed, np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    paper = cv2.boxFilter(closed.astype(np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT) / weight
    return RULES.target_paper / np.maximum(paper, RULES.min_paper)


def normalised(frame: np.ndarray) -> np.ndarray:
    """The frame normalised block by block."""
    gain = np.repeat(np.repeat(gains(frame), RULES.block, axis=0), RULES.block, axis=1)
    return np.clip(frame[: gain.shape[0], : gain.shape[1]] * gain + 0.5, 0, 255).astype(np.uint8)


def normalised_crop(crop: np.ndarray, frame_gains: np.ndarray, to_frame: np.ndarray) -> np.ndarray:
    """A crop whose pixels `to_frame` leads to those of the frame, normalised with the gains between its blocks' middles."""
    height, width = crop.shape
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    points = np.stack([x, y, np.ones_like(x)], -1) @ np.asarray(to_frame).T
    place = (points[..., :2] / points[..., 2:] / RULES.block - 0.5).astype(np.float32)
    rows, columns = frame_gains.shape
    gain = cv2.remap(frame_gains.astype(np.float32), place[..., 0].clip(0, columns - 1), place[..., 1].clip(0, rows - 1), cv2.INTER_LINEAR)
    return np.clip(crop * gain + 0.5, 0, 255).astype(np.uint8)
