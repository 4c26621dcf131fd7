"""From the networks' outputs to cards, lines and characters, as the engine decodes them (crates/ocr/src/locate.rs, lines.rs and
line_hypothesis.rs). All rules and their numbers are in contract.py."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .cards.geometry import side_lengths
from .contract import FIELDS, LINES, LOCATOR, RECOGNISER


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def cell_centres(rows: int, columns: int, stride: int) -> np.ndarray:
    """Input pixels [rows, columns, 2] of the middle of every cell of an output."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    return np.stack([x + 0.5, y + 0.5], axis=2) * stride


@dataclass(frozen=True)
class Located:
    """A card: its corners float32 [4, 2] from its own top left, its side, and the probability that it is one."""

    quad: np.ndarray
    side: str
    confidence: float


def decode_locator(output: np.ndarray, threshold: float = LOCATOR.decoding.threshold) -> list[Located]:
    """Output [channels, rows, columns] -> the cards in the input's pixels, in reading order of their maxima."""
    p = sigmoid(output[LOCATOR.channels.centre])
    centres = cell_centres(p.shape[0], p.shape[1], LOCATOR.stride)
    return [_card_at(output, p, centres, r, c) for r, c in _maxima(p, threshold)]


def _maxima(p: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """Cells above the threshold that no neighbour exceeds; of equal neighbours the first in reading order."""
    padded = np.pad(p, 1, constant_values=-np.inf)
    found = []
    for r, c in zip(*np.nonzero(p > threshold), strict=True):
        around = padded[r : r + 3, c : c + 3].ravel()
        if (p[r, c] > around[:4]).all() and (p[r, c] >= around[5:]).all():
            found.append((int(r), int(c)))
    return found


def _near(r: int, c: int) -> tuple[slice, slice]:
    return slice(max(r - 1, 0), r + 2), slice(max(c - 1, 0), c + 2)


def _weights(p: np.ndarray, r: int, c: int) -> np.ndarray:
    """Weights of a cell and its neighbours."""
    near = p[_near(r, c)]
    return np.where(near >= LOCATOR.decoding.neighbour_share * p[r, c], near, 0)


def _card_at(output: np.ndarray, p: np.ndarray, centres: np.ndarray, r: int, c: int) -> Located:
    channels, near, weights = LOCATOR.channels, _near(r, c), _weights(p, r, c)
    offsets = output[channels.corner_offsets : channels.corner_offsets + 8][:, near[0], near[1]]
    corners = offsets.transpose(1, 2, 0).reshape(*weights.shape, 4, 2) * LOCATOR.offset_unit + centres[near][:, :, None]
    quad = (corners * weights[..., None, None]).sum(axis=(0, 1)) / weights.sum()
    side = float((output[channels.side][near] * weights).sum())
    return Located(_refined(output, centres, quad), "back" if side > 0 else "front", float(p[r, c]))


def _refined(output: np.ndarray, centres: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The corners as the cells near them give them, where these are confident."""
    channels, rules = LOCATOR.channels, LOCATOR.decoding
    reach = max(rules.corner_reach * side_lengths(quad)[0], LOCATOR.stride)
    refined = quad.copy()
    for corner in range(4):
        p = sigmoid(output[channels.corner_logits + corner])
        within = np.where(np.abs(centres - quad[corner]).max(axis=2) <= reach, p, 0)
        r, c = divmod(int(within.argmax()), p.shape[1])
        if within[r, c] < rules.corner_threshold:
            continue
        near, weights = _near(r, c), _weights(p, r, c)
        offsets = output[channels.near_offset : channels.near_offset + 2][:, near[0], near[1]].transpose(1, 2, 0)
        points = centres[near] + offsets * LOCATOR.stride
        refined[corner] = (points * weights[..., None]).sum(axis=(0, 1)) / weights.sum()
    return refined


def without_duplicates(cards: list[Located]) -> list[Located]:
    """Cards without those that repeat a more confident one, most confident first."""
    kept: list[Located] = []
    for card in sorted(cards, key=lambda card: -card.confidence):
        if not any(_is_same(card.quad, other.quad) for other in kept):
            kept.append(card)
    return kept


def _is_same(quad: np.ndarray, other: np.ndarray) -> bool:
    quad, other = (np.asarray(q, np.float32) for q in (quad, other))
    middle = tuple(float(value) for value in quad.mean(axis=0))
    if cv2.pointPolygonTest(other, middle, False) >= 0:
        return True
    shared = cv2.intersectConvexConvex(quad, other)[0]
    either = cv2.contourArea(quad) + cv2.contourArea(other) - shared
    return bool(shared > LOCATOR.decoding.duplicate_iou * either)


@dataclass(frozen=True)
class FoundLine:
    """A line of a field in frame pixels: the middles of its ends, its em box's height, and the sum of its cells' probabilities."""

    field: str
    start: np.ndarray
    end: np.ndarray
    em: float
    weight: float


def decode_lines(output: np.ndarray) -> list[FoundLine]:
    """Output [channels, rows, columns] -> lines by field, top to bottom."""
    return [line for channel in range(len(FIELDS)) for line in _lines_of_field(output, channel)]


def _lines_of_field(output: np.ndarray, channel: int) -> list[FoundLine]:
    rules, p = LINES.decoding, sigmoid(output[channel])
    count, labels = cv2.connectedComponents((p > min(rules.extend_threshold, rules.threshold)).astype(np.uint8), connectivity=8)
    lines = []
    for label in range(1, count):
        cells = labels == label
        if cells.sum() >= rules.min_cells and p[cells].max() > rules.threshold:
            line = _fit(output, channel, p, cells)
            if line is not None:
                lines.append(line)
    lines = sorted(_joined(lines), key=lambda line: -line.weight)[: rules.max_rows[channel]]
    return _aligned(sorted(lines, key=lambda line: line.start[1]))


def _fit(output: np.ndarray, channel: int, p: np.ndarray, cells: np.ndarray) -> FoundLine | None:
    """A straight line through the em box middles that the cells of one component give."""
    rules, channels = LINES.decoding, LINES.channels
    rows, columns = np.nonzero(cells)
    top = output[channels.top][cells].astype(np.float64) * LINES.distance_unit
    bottom = output[channels.bottom][cells].astype(np.float64) * LINES.distance_unit
    x, y = (columns + 0.5) * LINES.stride, (rows + 0.5) * LINES.stride + (bottom - top) / 2
    weight = p[cells]
    total = weight.sum()
    x_mean, y_mean, em = ((weight * value).sum() / total for value in (x, y, top + bottom))
    left, right = _ends(p, rows, columns)
    if not rules.min_em <= em <= rules.max_em or right <= left:
        return None
    slope = 0.0
    if right - left > rules.min_slope_length * em:
        slope = (weight * (x - x_mean) * (y - y_mean)).sum() / (weight * (x - x_mean) ** 2).sum()
    start, end = (np.array([at, y_mean + slope * (at - x_mean)]) for at in (left, right))
    return FoundLine(FIELDS[channel], start, end, float(em), float(total))


def _ends(p: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[float, float]:
    """Left and right end: a column's largest probability counts as the share of it that the line covers."""
    left, right = columns.min(), columns.max()
    covered = np.pad(p[rows.min() : rows.max() + 1].max(axis=0), 1)
    before, after = covered[left + 1] + covered[left], covered[right + 1] + covered[right + 2]
    return float(LINES.stride * (left + 1 - before)), float(LINES.stride * (right + after))


def _joined(lines: list[FoundLine]) -> list[FoundLine]:
    """Lines with the fragments of one row joined."""
    rules = LINES.decoding
    joined: list[FoundLine] = []
    for line in sorted(lines, key=lambda line: line.start[0]):
        for at, earlier in enumerate(joined):
            em = (earlier.em + line.em) / 2
            gap, height = line.start - earlier.end
            if gap < rules.max_gap * em and abs(height) < rules.same_row * em:
                both = earlier.weight + line.weight
                end = line.end if line.end[0] > earlier.end[0] else earlier.end
                em = (earlier.em * earlier.weight + line.em * line.weight) / both
                joined[at] = replace(earlier, em=em, weight=both, end=end)
                break
        else:
            joined.append(line)
    return joined


def _aligned(rows: list[FoundLine]) -> list[FoundLine]:
    """Rows of a field start where the leftmost does, if that is near."""
    left = min((row.start[0] for row in rows), default=0.0)
    aligned = []
    for row in rows:
        more = row.start[0] - left
        if more <= LINES.decoding.max_indent * row.em:
            slope = (row.end[1] - row.start[1]) / max(row.end[0] - row.start[0], 1e-6)
            row = replace(row, start=np.array([left, row.start[1] - more * slope]))
        aligned.append(row)
    return aligned


def maxima_of_centres(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The steps [n] at which the centre probability is a local maximum, the right one of equal neighbours, and all
    probabilities [steps]."""
    p = sigmoid(logits)
    before, after = np.concatenate([[-np.inf], p[:-1]]), np.concatenate([p[1:], [-np.inf]])
    return np.flatnonzero((p >= before) & (p > after)), p


def characters(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Centre logits [steps] of a strip -> the characters' steps, their centres in strip pixels, and the probability that none
    was missed."""
    maxima, p = maxima_of_centres(logits)
    rules = RECOGNISER.decoding
    steps = maxima[p[maxima] > rules.centre_threshold]
    missed = p[maxima[(p[maxima] > rules.missed_threshold) & (p[maxima] <= rules.centre_threshold)]]
    return steps, (steps + 0.5) * RECOGNISER.step, float((1 - missed).prod())
