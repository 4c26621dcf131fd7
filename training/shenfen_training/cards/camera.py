"""Lays drawn cards on a surface and photographs them: where each card and each line then lies in the picture."""

from dataclasses import dataclass

import cv2
import numpy as np

from .covers import Covers, cover_card, hidden_shares
from .faults import Faults, decode, encode, expose, random_faults
from .geometry import between, scaling, side_lengths, translation, turning, warp
from .identity import pick
from .layout import HEIGHT, WIDTH
from .marks import add_marks
from .render import Card, Line, corner_mask, map_points
from .surfaces import surface

LEAST_WIDTH = {"scan": 700, "photo": 480, "hard": 400}
"""Fewest pixels along a card's long side in a picture of each level."""
CARD_MM = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)


@dataclass(frozen=True)
class CardTruth:
    """One card in a photograph: its corners from its own top left, side, lines in pixels of the photograph, and for each line how much
    of every character something hides, 0..1 [n]."""

    quad: np.ndarray
    side: str
    lines: tuple[Line, ...]
    hidden: tuple[np.ndarray, ...]
    card: Card


@dataclass(frozen=True)
class Photo:
    """A photograph, uint8 RGB as decoded from `encoded` (JPEG bytes), and the cards in it."""

    image: np.ndarray
    encoded: np.ndarray
    cards: tuple[CardTruth, ...]
    level: str
    faults: Faults


def _placements(rng: np.random.Generator, count: int, level: str) -> list[np.ndarray]:
    """Card to table in mm, for cards side by side in rows; the table's origin is the first card's middle."""
    columns = 1 if count == 2 and rng.random() < 0.7 else int(np.ceil(np.sqrt(count)))
    gap = rng.uniform(3, 35 if count < 3 else 12, 2)
    wobble = 0.7 if level == "scan" else 5.0
    placed = []
    for i in range(count):
        x, y = (i % columns) * (WIDTH + gap[0]), (i // columns) * (HEIGHT + gap[1])
        own = rng.normal(0, wobble / 2) if count > 1 else 0.0
        if count > 1 and rng.random() < 0.06:
            own += 180
        dx, dy = rng.uniform(-0.3, 0.3, 2) * gap if count > 1 else (0, 0)
        placed.append(translation(x + dx, y + dy) @ turning(own) @ translation(-WIDTH / 2, -HEIGHT / 2))
    return placed


def _view(rng: np.random.Generator, level: str, extent: float) -> np.ndarray:
    """Table to image plane: turn, tilt and perspective."""
    if level == "scan":
        quarter = pick(rng, (0,) * 12 + (90, 180, 270))
        return turning(quarter + rng.uniform(-2, 2))
    quarter = pick(rng, (0,) * 7 + (90, 180, 270))
    wide = rng.random() < (0.15 if level == "photo" else 0.3)
    angle = rng.uniform(-25, 25) if wide else np.clip(rng.normal(0, 5), -25, 25)
    a, b = np.radians(rng.normal(0, 9 if level == "photo" else 13, 2).clip(-28, 28))
    distance = extent * rng.uniform(1.6, 4)
    tilt = np.array([[np.cos(b), np.sin(a) * np.sin(b), 0], [0, np.cos(a), 0],
                     [-np.sin(b) / distance, np.sin(a) * np.cos(b) / distance, 1]])
    return turning(quarter + angle) @ tilt


def _fill(rng: np.random.Generator, level: str) -> float:
    """Share of the frame that the cards' bounding box takes; above 1 they are slightly cut."""
    chance = rng.random()
    if level == "scan":
        return rng.uniform(0.995, 1.005) if chance < 0.3 else rng.uniform(0.5, 0.98)
    if level == "hard" and chance < 0.1:
        return rng.uniform(1.0, 1.035)
    return 1 - 0.58 * rng.random() ** 1.5


def _frame(rng: np.random.Generator, level: str, box: np.ndarray) -> tuple[int, int]:
    """Width and height of the picture for a bounding box (width, height)."""
    long_side = int(rng.choice([640, 800, 960, 1024, 1280, 1440, 1600]))
    aspect = box[0] / box[1] if level == "scan" and rng.random() < 0.5 else pick(rng, (4 / 3, 3 / 2, 16 / 9, 1.0))
    aspect = max(aspect, 1 / aspect)
    if (box[0] > box[1]) == (rng.random() < 0.8):
        return long_side, round(long_side / aspect)
    return round(long_side / aspect), long_side


def _blend(image: np.ndarray, card: Card, quad: np.ndarray, sharp: bool) -> None:
    """Puts a card's picture over `image` at `quad`."""
    picture = card.image
    target = side_lengths(quad)[0] / WIDTH
    if card.ppm > 1.5 * target:
        picture = cv2.resize(picture, (max(8, round(WIDTH * target * 1.2)), max(6, round(HEIGHT * target * 1.2))),
                             interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    low = np.floor(quad.min(axis=0)).astype(int).clip(0)
    high = np.minimum(np.ceil(quad.max(axis=0)).astype(int) + 1, (image.shape[1], image.shape[0]))
    if (high <= low).any():
        return
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    size = tuple((high - low).tolist())
    homography = between(corners, quad - low)
    alpha = warp(corner_mask(width, height, sharp), homography, size).astype(np.float32) / 255
    part = image[low[1]:high[1], low[0]:high[0]]
    # Beyond its own edge the card's last pixels go on, so that the soft edge has the card's colour.
    framed = cv2.copyMakeBorder(picture, 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    warped = warp(framed, homography @ translation(-2, -2), size)
    part[:] = cv2.blendLinear(warped, np.ascontiguousarray(part), alpha, 1 - alpha)


def _shadow(image: np.ndarray, quads: list[np.ndarray], rng: np.random.Generator) -> None:
    """A soft shadow beside each card."""
    height, width = image.shape[:2]
    mask = np.zeros((height // 4 + 1, width // 4 + 1), np.float32)
    reach = side_lengths(quads[0])[0] * rng.uniform(0.005, 0.03)
    shift = rng.uniform(-1, 1, 2) * reach
    for quad in quads:
        cv2.fillPoly(mask, [((quad + shift) / 4).astype(np.int32)], 1.0)
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.6, reach / 4))
    light = cv2.resize(1 - mask * rng.uniform(0.15, 0.6), (width, height))
    cv2.multiply(image, cv2.merge([light] * 3), dst=image, dtype=cv2.CV_8U)


def _cover_edge(image: np.ndarray, card_to_image: np.ndarray, rng: np.random.Generator) -> None:
    """A finger or a clip over the card's edge, at most 3.5 mm deep: no text stands there."""
    depth, half = rng.uniform(1, 3.5), rng.uniform(4, 9)
    along_width = rng.random() < 0.5
    at = rng.uniform(10, (WIDTH if along_width else HEIGHT) - 10)
    length = rng.uniform(12, 40)
    turns = np.linspace(0, 2 * np.pi, 40)
    if rng.random() < 0.7:
        skin = np.array([225, 180, 150]) * rng.uniform(0.45, 1.05)
        across, deep = half * np.cos(turns), depth - length + length * np.sin(turns)
    else:
        skin = np.full(3, rng.uniform(10, 200))
        across, deep = half * np.sign(np.cos(turns)), np.where(np.sin(turns) > 0, depth, -length)
    far = rng.random() < 0.5
    edge = HEIGHT if along_width else WIDTH
    inward = edge - deep if far else deep
    points = np.stack([at + across, inward] if along_width else [inward, at + across], 1)
    polygon = map_points(card_to_image, points)
    cv2.fillPoly(image, [polygon.round().astype(np.int32)], tuple(float(v) for v in skin), cv2.LINE_AA)


def compose(cards: list[Card], rng: np.random.Generator, level: str,
            size: tuple[int, int] | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
    """The scene before light and lens: image, the quad of each card."""
    placed = _placements(rng, len(cards), level)
    extent = WIDTH * max(1.0, np.sqrt(len(cards)))
    view = _view(rng, level, extent)
    on_table = [map_points(p, CARD_MM) for p in placed]
    middle = np.concatenate(on_table).mean(axis=0)
    plane = view @ translation(*-middle)
    seen = np.concatenate([map_points(plane, quad) for quad in on_table])
    low, box = seen.min(axis=0), np.ptp(seen, axis=0)

    fixed = size is not None
    width, height = size or _frame(rng, level, box)
    fill = _fill(rng, level)
    border = rng.uniform(0, 0.06, 4) if rng.random() < 0.06 else np.zeros(4)
    inner = np.array([width * (1 - border[0] - border[2]), height * (1 - border[1] - border[3])])
    scale = (inner / box).min() * fill
    shortest = min(side_lengths(map_points(scaling(scale, scale) @ plane, quad))[0] for quad in on_table)
    if not fixed and shortest < LEAST_WIDTH[level]:
        grow = LEAST_WIDTH[level] / shortest * rng.uniform(1, 1.3)
        width, height, inner, scale = round(width * grow), round(height * grow), inner * grow, scale * grow
    slack = inner - box * scale
    offset = np.where(slack > 0, rng.uniform(0, 1, 2) * slack, slack / 2) + border[:2] * (width, height)
    camera = translation(*offset) @ scaling(scale, scale) @ translation(*-low) @ plane
    homographies = [camera @ p for p in placed]
    quads = [map_points(h, CARD_MM) for h in homographies]

    image = _ground(rng, level, len(cards), width, height)
    if level != "scan" and rng.random() < 0.7:
        _shadow(image, quads, rng)
    sharp = rng.random() < 0.12
    for card, quad in zip(cards, quads, strict=True):
        _blend(image, card, quad, sharp)
        if rng.random() < 0.25:
            tone = float(rng.uniform(40, 255))
            cv2.polylines(image, [quad.round().astype(np.int32)], True, (tone,) * 3, 1, cv2.LINE_AA)
    if len(cards) == 1 and rng.random() < {"scan": 0.0, "photo": 0.06, "hard": 0.3}[level]:
        _cover_edge(image, homographies[0], rng)
    if border.any():
        x0, y0, x1, y1 = (border * (width, height, width, height)).astype(int)
        tone = pick(rng, (0, 0, 0, 20, 255))
        image[:y0] = image[:, :x0] = image[height - y1:] = image[:, width - x1:] = tone
    return image, quads


def _ground(rng: np.random.Generator, level: str, count: int, width: int, height: int) -> np.ndarray:
    """What the cards lie on."""
    if level == "scan" or (count > 1 and rng.random() < 0.5):
        tone = pick(rng, (255, 250, 240, 225, 30, 5)) if level == "scan" else rng.uniform(200, 250)
        return np.full((height, width, 3), tone, np.uint8)
    return surface(rng, width, height)


def photograph(cards: list[Card], rng: np.random.Generator, level: str, split: str = "train",
               size: tuple[int, int] | None = None, covered: bool = False, marked: bool = False) -> Photo:
    """Photographs `cards` lying on one surface at `level` ("scan", "photo", "hard"); `size` (width, height) if fixed. `covered`:
    something lies on each card. `marked`: it is watermarked, stamped or signed."""
    image, quads = compose(cards, rng, level, size)
    if marked:
        add_marks(rng, image, float(np.mean([side_lengths(quad)[0] for quad in quads])) / WIDTH, split)
    covers = Covers(rng, image, split)
    if covered:
        for card, quad in zip(cards, quads, strict=True):
            homography = between(card.corners, quad)
            cover_card(rng, covers, quad, tuple(line.mapped(homography) for line in card.lines))
    faults = random_faults(rng, level, split)
    ppm = float(np.mean([side_lengths(quad)[0] for quad in quads])) / WIDTH
    encoded = encode(expose(image, faults, rng, ppm), faults.quality)
    image = decode(encoded, cv2.IMREAD_COLOR_RGB)
    truths = []
    for card, quad in zip(cards, quads, strict=True):
        homography = between(card.corners, quad)
        lines = tuple(line.mapped(homography) for line in card.lines)
        truths.append(CardTruth(quad, card.side, lines, tuple(hidden_shares(covers.hidden, line) for line in lines), card))
    return Photo(image, encoded, tuple(truths), level, faults)
