"""What the two detectors learn: targets from drawn samples, losses, and scores on a fixed drawn set."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cards.covers import HIDDEN, SEEN
from .cards.geometry import between
from .cards.render import map_points
from .cards.views import lines_sample, locator_sample, refinement_sample
from .contract import LINES, LOCATOR, Pixels
from .crops import network_input
from .decoding import Located, cell_centres, decode_locator, without_duplicates
from .nets.fpn import LINES_NET, LOCATOR_NET, Fpn, FpnConfig

UNIT_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
AT_CORNER = 10.0
"""A cell is at a corner when its middle lies so near it, in input pixels."""
NEAR_CORNER = 18.0
"""Farther cells are at no corner; between the two the net may say either."""
FIELD_COUNT = len(LINES.channels.fields)
POSITIVE = 0.18
"""A cell is a centre when it lies so near the card's middle, in card widths and heights."""
NEAR = 0.32
"""Farther cells are no centre; between the two the net may say either."""


@dataclass
class Task:
    """One network's training: its shape, its samples, its targets, loss and scores."""

    name: str
    net: FpnConfig
    pixels: Pixels
    draw: tuple[Callable, ...]
    """Sample functions (rng, split=) whose samples go in separate batches: their sizes differ."""
    encode: Callable[[np.ndarray, list], np.ndarray]
    loss: Callable[[Tensor, Tensor], Tensor]
    scores: Callable[[Fpn, list[list]], dict[str, Any]]


# --- locator: target channels 0 centre (1, 0, -1 do not care), 1 side, 2..9 corner offsets, 10 weight of the corners,
# 11..14 at a corner (1, 0, -1), 15..16 offset to it, 17 weight of that offset


def encode_locator(image: np.ndarray, cards: list) -> np.ndarray:
    """Cards (side, quad) -> target [18, rows, columns]."""
    rows, columns = image.shape[0] // LOCATOR.stride, image.shape[1] // LOCATOR.stride
    centres = cell_centres(rows, columns, LOCATOR.stride).reshape(-1, 2)
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
        offsets = (quad[None] - centres[near, None]) / LOCATOR.offset_unit
        target[2:10, near] = offsets.reshape(-1, 8).T
        # An error counts in parts of the card's width, so small cards weigh as much as large ones.
        card_width = max(float(np.linalg.norm(quad[1] - quad[0])), 16.0)
        target[10, near] = LOCATOR.offset_unit / card_width
        for corner, point in enumerate(quad):
            away = point[None] - centres
            distance = np.abs(away).max(axis=1)
            at, around = distance < AT_CORNER, distance < NEAR_CORNER
            target[11 + corner, around & (target[11 + corner] != 1)] = -1
            target[11 + corner, at] = 1
            target[15:17, at] = away[at].T / LOCATOR.stride
            target[17, at] = min(220 / card_width, 3.0)
    return target.reshape(18, rows, columns)


def locator_loss(out: Tensor, target: Tensor) -> Tensor:
    channels = LOCATOR.channels
    corner_logits = out[:, channels.corner_logits : channels.corner_logits + 4]
    corner_offsets = out[:, channels.corner_offsets : channels.corner_offsets + 8]
    near_offset = out[:, channels.near_offset : channels.near_offset + 2]
    centre, care = target[:, 0].clamp(0, 1), (target[:, 0] >= 0).float()
    weight = target[:, 10]
    positive = weight > 0
    p = torch.sigmoid(out[:, channels.centre])
    focus = torch.where(centre > 0.5, (1 - p) ** 2, p**2).detach() * care
    found = F.binary_cross_entropy_with_logits(out[:, channels.centre], centre, focus, reduction="sum") / centre.sum().clamp(min=8)
    count = positive.sum().clamp(min=8)
    side = (F.binary_cross_entropy_with_logits(out[:, channels.side], target[:, 1], reduction="none") * positive).sum() / count
    miss = F.smooth_l1_loss(corner_offsets * weight[:, None], target[:, 2:10] * weight[:, None], reduction="none", beta=0.02)
    at_corner, care = target[:, 11:15].clamp(0, 1), (target[:, 11:15] >= 0).float()
    p = torch.sigmoid(corner_logits)
    focus = torch.where(at_corner > 0.5, (1 - p) ** 2, p**2).detach() * care
    corners = F.binary_cross_entropy_with_logits(corner_logits, at_corner, focus, reduction="sum") / at_corner.sum().clamp(min=8)
    close = target[:, 17:18]
    near = F.smooth_l1_loss(near_offset, target[:, 15:17], reduction="none", beta=0.05)
    return (
        found + side + corners
        + 4.0 * (miss * positive[:, None]).sum() / count
        + 2.0 * (near * close).sum() / (close > 0).sum().clamp(min=8)
    )


@torch.inference_mode()
def locate(net: nn.Module, image: np.ndarray, threshold: float = LOCATOR.decoding.threshold) -> list[Located]:
    """The cards on an input picture, best first, as the engine decodes them."""
    output = net(torch.from_numpy(network_input(image, LOCATOR.pixels))[None])[0].numpy()
    return without_duplicates(decode_locator(output, threshold))


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
                miss = [float(np.linalg.norm(card.quad - quad, axis=1).mean()) / width for card in seen if card.side == side]
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


# --- lines: target channels as those of the output (core of a field's line, distances to the em box's top and bottom, a hidden character
# of a field, where -1 stands for do not care), and after them any core
ANY_CORE = LINES.channels.count


def encode_lines(image: np.ndarray, lines: list) -> np.ndarray:
    """Lines (field index, quad of the em box, characters) -> target [channels + 1, rows, columns]. Hidden characters belong to their line's
    core like any other: a line is whole."""
    rows, columns = image.shape[0] // LINES.stride, image.shape[1] // LINES.stride
    centres = cell_centres(rows, columns, LINES.stride).reshape(-1, 2)
    channels = LINES.channels
    target = np.zeros((ANY_CORE + 1, len(centres)), np.float32)
    for field, quad, chars in lines:
        quad = np.asarray(quad, np.float32)
        place = map_points(between(quad, UNIT_SQUARE), centres)
        core = (place[:, 0] >= 0) & (place[:, 0] <= 1) & (np.abs(place[:, 1] - 0.5) <= 0.25)
        em = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
        target[field, core] = 1
        target[channels.top, core] = place[core, 1] * em / LINES.distance_unit
        target[channels.bottom, core] = (1 - place[core, 1]) * em / LINES.distance_unit
        share = chars[np.abs(place[core, 0][:, None] - chars[None, :, 0]).argmin(axis=1), 1]
        target[channels.hidden + field, core] = np.where(share >= HIDDEN, 1, np.where(share > SEEN, -1, 0))
        target[ANY_CORE, core] = 1
    return target.reshape(-1, rows, columns)


def lines_loss(out: Tensor, target: Tensor) -> Tensor:
    channels = LINES.channels
    core, any_core = target[:, :FIELD_COUNT], target[:, ANY_CORE : ANY_CORE + 1]
    logits = out[:, :FIELD_COUNT]
    cross = F.binary_cross_entropy_with_logits(logits, core, reduction="none")
    # Few cells are text: they and the doubtful ones lead.
    p = torch.sigmoid(logits)
    focus = torch.where(core > 0.5, (1 - p), p).detach()
    found = (cross * (0.2 + focus)).sum() / core.sum().clamp(min=8)
    overlap = (p * core).sum((2, 3))
    dice = 1 - (2 * overlap + 1) / (p.sum((2, 3)) + core.sum((2, 3)) + 1)
    box = slice(channels.top, channels.bottom + 1)
    miss = F.smooth_l1_loss(out[:, box], target[:, box], reduction="none", beta=0.05)
    hidden_logits = out[:, channels.hidden : channels.hidden + FIELD_COUNT]
    hidden = target[:, channels.hidden : channels.hidden + FIELD_COUNT]
    # One cell in some thousands is hidden. What comes out is calibrated afterwards, so the weight does no harm.
    unseen = F.binary_cross_entropy_with_logits(
        hidden_logits, hidden.clamp(0, 1), (hidden >= 0).float(), pos_weight=torch.tensor(4.0, device=out.device), reduction="sum"
    )
    return found + dice.mean() + 2.0 * ((miss * any_core).sum() + unseen) / any_core.sum().clamp(min=8)


@torch.inference_mode()
def lines_scores(net: Fpn, groups: list[list]) -> dict[str, Any]:
    """Overlap of the cores over the set (intersection over union), the em box's error in em, and for fields with and without a hidden
    character the share in which some cell says so with more than a half."""
    channels = LINES.channels
    inter = union = 0.0
    errors = []
    said: dict[bool, list[bool]] = {True: [], False: []}
    for image, lines in groups[0]:
        out = net(torch.from_numpy(network_input(image, LINES.pixels))[None])[0].numpy()
        target = encode_lines(image, lines)
        seen, true = out[:FIELD_COUNT] > 0, target[:FIELD_COUNT] > 0.5
        inter += (seen & true).sum()
        union += (seen | true).sum()
        both = (seen & true).any(axis=0)
        box = slice(channels.top, channels.bottom + 1)
        em = target[box].sum(axis=0)[both]
        for field, _, chars in lines:
            said[bool((chars[:, 1] >= HIDDEN).any())].append(bool((out[channels.hidden + field] > 0).any()))
        miss = out[box] - target[box]
        errors.append(np.abs(miss[:, both] / em).mean() if both.any() else 1.0)
    shares = {"hidden_found": said[True], "hidden_false": said[False]}
    return {"core_iou": round(inter / max(union, 1), 4), "box_error_em": round(float(np.mean(errors)), 4)} | {
        name: round(float(np.mean(seen)), 4) for name, seen in shares.items()
    }


TASKS = {
    "locator": Task(
        "locator", LOCATOR_NET, LOCATOR.pixels, (locator_sample, refinement_sample), encode_locator, locator_loss, locator_scores
    ),
    "lines": Task("lines", LINES_NET, LINES.pixels, (lines_sample,), encode_lines, lines_loss, lines_scores),
}
