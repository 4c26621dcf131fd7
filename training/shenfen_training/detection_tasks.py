"""What the two detectors learn: targets from drawn samples, losses, and scores on a fixed drawn set."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .cards.geometry import between
from .cards.render import map_points
from .cards.views import lines_sample, locator_sample, refinement_sample
from .nets.fpn import LINES, LOCATOR, Fpn, FpnConfig

UNIT_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
LOCATOR_STRIDE = 8
LOCATOR_UNIT = 64.0
"""Corner offsets are in units of so many input pixels."""
AT_CORNER = 10.0
"""A cell is at a corner when its middle lies so near it, in input pixels."""
NEAR_CORNER = 18.0
"""Farther cells are at no corner; between the two the net may say either."""
LINES_STRIDE = 4
LINES_UNIT = 16.0
"""Distances to the em box's edges are in units of so many input pixels."""
FIELD_COUNT = 8
POSITIVE = 0.18
"""A cell is a centre when it lies so near the card's middle, in card widths and heights."""
NEAR = 0.32
"""Farther cells are no centre; between the two the net may say either."""


@dataclass
class Task:
    """One network's training: its shape, its samples, its targets, loss and scores."""

    name: str
    net: FpnConfig
    draw: tuple[Callable, ...]
    """Sample functions (rng, split=) whose samples go in separate batches: their sizes differ."""
    encode: Callable[[np.ndarray, list], np.ndarray]
    loss: Callable[[Tensor, Tensor], Tensor]
    scores: Callable[[Fpn, list[list]], dict[str, Any]]


def pixels(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W] or [H, W, 3] -> the network's input [C, H, W]. The engine does the same."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return np.ascontiguousarray(planes, np.float32) / 127.5 - 1


def cell_centres(height: int, width: int, stride: int) -> np.ndarray:
    """Input pixels [rows * columns, 2] of the middle of every cell of the map."""
    y, x = np.mgrid[0 : height // stride, 0 : width // stride].astype(np.float32)
    return np.stack([x.ravel() + 0.5, y.ravel() + 0.5], axis=1) * stride


# --- locator: target channels 0 centre (1, 0, -1 do not care), 1 side, 2..9 corner offsets, 10 weight of the corners,
# 11..14 at a corner (1, 0, -1), 15..16 offset to it, 17 weight of that offset


def encode_locator(image: np.ndarray, cards: list) -> np.ndarray:
    """Cards (side, quad) -> target [18, rows, columns]."""
    height, width = image.shape[:2]
    centres = cell_centres(height, width, LOCATOR_STRIDE)
    target = np.zeros((18, len(centres)), np.float32)
    for side, quad in cards:
        place = map_points(between(np.asarray(quad, np.float32), UNIT_SQUARE), centres) - 0.5
        reach = np.abs(place).max(axis=1)
        positive = reach < POSITIVE
        nearest = int(np.argmin(np.linalg.norm(centres - quad.mean(axis=0), axis=1)))
        positive[nearest] = True
        near = (reach < NEAR) | positive
        target[0, near & (target[0] != 1)] = -1
        target[0, positive] = 1
        target[1, near] = side == "back"
        offsets = (quad[None] - centres[near, None]) / LOCATOR_UNIT
        target[2:10, near] = offsets.reshape(-1, 8).T
        # An error counts in parts of the card's width, so small cards weigh as much as large ones.
        card_width = max(float(np.linalg.norm(quad[1] - quad[0])), 16.0)
        target[10, near] = LOCATOR_UNIT / card_width
        for corner, point in enumerate(quad):
            away = point[None] - centres
            distance = np.abs(away).max(axis=1)
            at, around = distance < AT_CORNER, distance < NEAR_CORNER
            target[11 + corner, around & (target[11 + corner] != 1)] = -1
            target[11 + corner, at] = 1
            target[15:17, at] = away[at].T / LOCATOR_STRIDE
            target[17, at] = min(220 / card_width, 3.0)
    return target.reshape(18, height // LOCATOR_STRIDE, width // LOCATOR_STRIDE)


def locator_loss(out: Tensor, target: Tensor) -> Tensor:
    centre, care = target[:, 0].clamp(0, 1), (target[:, 0] >= 0).float()
    weight = target[:, 10]
    positive = weight > 0
    p = torch.sigmoid(out[:, 0])
    focus = torch.where(centre > 0.5, (1 - p) ** 2, p**2).detach() * care
    found = F.binary_cross_entropy_with_logits(out[:, 0], centre, focus, reduction="sum") / centre.sum().clamp(min=8)
    count = positive.sum().clamp(min=8)
    side = (F.binary_cross_entropy_with_logits(out[:, 1], target[:, 1], reduction="none") * positive).sum() / count
    miss = F.smooth_l1_loss(out[:, 2:10] * weight[:, None], target[:, 2:10] * weight[:, None], reduction="none", beta=0.02)
    at_corner, care = target[:, 11:15].clamp(0, 1), (target[:, 11:15] >= 0).float()
    p = torch.sigmoid(out[:, 10:14])
    focus = torch.where(at_corner > 0.5, (1 - p) ** 2, p**2).detach() * care
    corners = F.binary_cross_entropy_with_logits(out[:, 10:14], at_corner, focus, reduction="sum") / at_corner.sum().clamp(min=8)
    close = target[:, 17:18]
    near = F.smooth_l1_loss(out[:, 14:16], target[:, 15:17], reduction="none", beta=0.05)
    return (
        found + side + corners
        + 4.0 * (miss * positive[:, None]).sum() / count
        + 2.0 * (near * close).sum() / (close > 0).sum().clamp(min=8)
    )


REACH = 0.2
"""How far from where the card's middle sees a corner that corner is looked for, in card widths."""
SURE_CORNER = 0.3
"""A corner less sure than this stays where the middle sees it: it may be covered or outside the picture."""


def refine(out: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The corners as the cells beside them see them; what the engine does."""
    centres = cell_centres(out.shape[1] * LOCATOR_STRIDE, out.shape[2] * LOCATOR_STRIDE, LOCATOR_STRIDE)
    centres = centres.reshape(out.shape[1], out.shape[2], 2)
    reach = max(REACH * float(np.linalg.norm(quad[1] - quad[0])), LOCATOR_STRIDE)
    refined = quad.copy()
    for corner in range(4):
        p = 1 / (1 + np.exp(-out[10 + corner]))
        p = np.where(np.abs(centres - quad[corner]).max(axis=2) <= reach, p, 0)
        r, c = np.unravel_index(int(p.argmax()), p.shape)
        if p[r, c] < SURE_CORNER:
            continue
        near = np.s_[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2]
        share = np.where(p[near] > p[r, c] / 2, p[near], 0)[..., None]
        points = centres[near] + out[14:16][:, near[0], near[1]].transpose(1, 2, 0) * LOCATOR_STRIDE
        refined[corner] = (points * share).sum(axis=(0, 1)) / share.sum()
    return refined


@torch.inference_mode()
def locate(net: Fpn, image: np.ndarray, threshold: float = 0.4) -> list[tuple[float, str, np.ndarray]]:
    """Cards (confidence, side, quad) on an input picture, best first; what the engine does."""
    out = net(torch.from_numpy(pixels(image))[None])[0].numpy()
    p = 1 / (1 + np.exp(-out[0]))
    rows, columns = p.shape
    centres = cell_centres(image.shape[0], image.shape[1], LOCATOR_STRIDE).reshape(rows, columns, 2)
    padded = np.pad(p, 1)
    found: list[tuple[float, str, np.ndarray]] = []
    for r, c in sorted(zip(*np.nonzero(p > threshold), strict=True), key=lambda rc: -p[rc]):
        if p[r, c] < padded[r : r + 3, c : c + 3].max():
            continue
        near = np.s_[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2]
        share = np.where(p[near] > p[r, c] / 2, p[near], 0)[..., None, None]
        corners = out[2:10][:, near[0], near[1]].transpose(1, 2, 0).reshape(*p[near].shape, 4, 2) * LOCATOR_UNIT
        quad = ((corners + centres[near][:, :, None]) * share).sum(axis=(0, 1)) / share.sum()
        quad = refine(out, quad)
        if all(np.linalg.norm(quad.mean(axis=0) - other.mean(axis=0)) > 0.35 * np.linalg.norm(other[0] - other[3]) for *_, other in found):
            found.append((float(p[r, c]), "back" if out[1, r, c] > 0 else "front", quad))
    return found


def locator_scores(net: Fpn, groups: list[list]) -> dict[str, Any]:
    """Per kind of view: cards found with their side and turn right, mean corner error in card widths, false cards."""
    scores = {}
    for name, group in zip(("first", "second"), groups, strict=True):
        cards = right = false = 0
        errors = []
        for image, truth in group:
            seen = locate(net, image)
            matched = 0
            for side, quad in truth:
                cards += 1
                width = float(np.linalg.norm(quad[1] - quad[0]))
                miss = [float(np.linalg.norm(q - quad, axis=1).mean()) / width for _, s, q in seen if s == side]
                if miss and min(miss) < 0.25:
                    matched += 1
                    errors.append(min(miss))
            right += matched
            false += len(seen) - matched
        scores[name] = {
            "found": round(right / max(cards, 1), 4),
            "corner_error": round(float(np.mean(errors)) if errors else 1.0, 4),
            "corner_error_p95": round(float(np.percentile(errors, 95)) if errors else 1.0, 4),
            "false": round(false / len(group), 4),
        }
    return scores


# --- lines: target channels 0..7 core of a field's line, 8..9 distances to the em box's top and bottom, 10 any core


def encode_lines(image: np.ndarray, lines: list) -> np.ndarray:
    """Lines (field index, quad of the em box) -> target [11, rows, columns]."""
    height, width = image.shape[:2]
    centres = cell_centres(height, width, LINES_STRIDE)
    target = np.zeros((11, len(centres)), np.float32)
    for field, quad in lines:
        quad = np.asarray(quad, np.float32)
        place = map_points(between(quad, UNIT_SQUARE), centres)
        core = (place[:, 0] >= 0) & (place[:, 0] <= 1) & (np.abs(place[:, 1] - 0.5) <= 0.25)
        em = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
        target[field, core] = 1
        target[8, core] = place[core, 1] * em / LINES_UNIT
        target[9, core] = (1 - place[core, 1]) * em / LINES_UNIT
        target[10, core] = 1
    return target.reshape(11, height // LINES_STRIDE, width // LINES_STRIDE)


def lines_loss(out: Tensor, target: Tensor) -> Tensor:
    core, any_core = target[:, :FIELD_COUNT], target[:, 10:11]
    logits = out[:, :FIELD_COUNT]
    cross = F.binary_cross_entropy_with_logits(logits, core, reduction="none")
    # Few cells are text: they and the doubtful ones lead.
    p = torch.sigmoid(logits)
    focus = torch.where(core > 0.5, (1 - p), p).detach()
    found = (cross * (0.2 + focus)).sum() / core.sum().clamp(min=8)
    overlap = (p * core).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / (p.sum((2, 3)) + core.sum((2, 3)) + 1)
    miss = F.smooth_l1_loss(out[:, 8:10], target[:, 8:10], reduction="none", beta=0.05)
    return found + dice.mean() + 2.0 * (miss * any_core).sum() / any_core.sum().clamp(min=8)


@torch.inference_mode()
def lines_scores(net: Fpn, groups: list[list]) -> dict[str, Any]:
    """Overlap of the cores over the set (intersection over union), and the em box's error in em."""
    inter = union = 0.0
    errors = []
    for image, lines in groups[0]:
        out = net(torch.from_numpy(pixels(image))[None])[0].numpy()
        target = encode_lines(image, lines)
        seen, true = out[:FIELD_COUNT] > 0, target[:FIELD_COUNT] > 0.5
        inter += (seen & true).sum()
        union += (seen | true).sum()
        both = (seen & true).any(axis=0)
        em = (target[8] + target[9])[both]
        errors.append(np.abs((out[8:10] - target[8:10])[:, both] / em).mean() if both.any() else 1.0)
    return {"core_iou": round(inter / max(union, 1), 4), "box_error_em": round(float(np.mean(errors)), 4)}


TASKS = {
    "locator": Task("locator", LOCATOR, (locator_sample, refinement_sample), encode_locator, locator_loss, locator_scores),
    "lines": Task("lines", LINES, (lines_sample,), encode_lines, lines_loss, lines_scores),
}
