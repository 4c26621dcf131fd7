"""The inputs of the three networks, drawn straight at their input size, in the frames that the engine cuts too.

Nothing here is saved, so half of the cards bear no SPECIMEN mark; a network must not come to rely on it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..contract import FIELDS, LINES, LOCATOR, OUTSIDE
from ..crops import cut_strip, refinement_quad, strip_frame
from ..illumination import gains, normalised, normalised_crop
from .camera import CARD_MM, compose
from .covers import Covers, cover_card, hidden_shares, lost_shares
from .faults import Faults, compress, expose, random_faults
from .geometry import between, side_lengths, translation, turning, warp
from .identity import pick, random_person
from .layout import WIDTH
from .marks import add_marks
from .negatives import negative
from .render import Card, Line, map_points, render_card
from .surfaces import surface

PERMITS = 0.4
"""How many cards are residence permits of Hong Kong, Macao or Taiwan residents: more than in life, so that their rows are learned."""


def _level(rng: np.random.Generator) -> str:
    return pick(rng, ("scan", "photo", "photo", "photo", "hard", "hard"))


def _cards(rng: np.random.Generator, count: int, split: str, ppm: float) -> list[Card]:
    cards: list[Card] = []
    for i in range(count):
        if i % 2 and rng.random() < 0.7:
            side = "back" if cards[-1].side == "front" else "front"
        else:
            side = pick(rng, ("front", "back"))
        cards.append(render_card(random_person(rng, PERMITS), side, rng, split, ppm, mark=rng.random() < 0.5))
    return cards


def _shrunk_faults(rng: np.random.Generator, level: str, split: str) -> Faults:
    """Faults as they remain once the picture is scaled down to a few hundred pixels."""
    faults = random_faults(rng, level, split)
    faults.noise *= 0.4
    faults.quality = max(faults.quality, 75)
    return faults


def _count(rng: np.random.Generator) -> int:
    chance = rng.random()
    return 1 if chance < 0.68 else 2 if chance < 0.86 else int(rng.integers(3, 9))


def locator_sample(rng: np.random.Generator, size: int = LOCATOR.coarse_side, split: str = "train",
                   negatives: float = 0.16) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """A whole picture letterboxed into `size` x `size` (uint8 RGB) and the (side, quad) of each card in it."""
    aspect = pick(rng, (4 / 3, 4 / 3, 3 / 2, 16 / 9, 1.0, 1.6))
    width, height = size, max(16, round(size / aspect))
    if rng.random() < 0.45:
        width, height = height, width
    level = _level(rng)
    quads: list[np.ndarray]
    cards: list[Card]
    if rng.random() < negatives:
        image, quads, cards = negative(rng, width, height), [], []
    else:
        count = _count(rng)
        cards = _cards(rng, count, split, 4.2 if count == 1 else 3.2)
        image, quads = compose(cards, rng, level, (width, height))
        _cover_some(rng, image, cards, quads, split)
    ppm = side_lengths(quads[0])[0] / WIDTH if quads else 2.0
    faults = _shrunk_faults(rng, level, split)
    image = compress(expose(image, faults, rng, ppm), faults.quality)
    view = np.full((size, size, 3), OUTSIDE, np.uint8)
    x, y = (size - width) // 2, (size - height) // 2
    view[y:y + height, x:x + width] = image
    return view, [(card.side, quad + np.array([x, y], np.float32)) for card, quad in zip(cards, quads, strict=True)]


COVERED = 0.35
"""How many of the cards in a picture have something lying on them."""
COVERED_SHOTS = 0.5
"""The same of the cards that are photographed alone."""
MARKED = 0.25
"""How many cards something is printed, stamped or written over."""


def _cover_some(rng: np.random.Generator, image: np.ndarray, cards: list[Card], quads: list[np.ndarray], split: str) -> None:
    """Marks and covers some cards of a picture, in place. Corners and sides stay what they are, seen or not."""
    for card, quad in zip(cards, quads, strict=True):
        if rng.random() < MARKED:
            add_marks(rng, image, side_lengths(quad)[0] / WIDTH, split)
        if rng.random() < COVERED:
            homography = between(card.corners, quad)
            cover_card(rng, Covers(rng, image, split), quad, tuple(line.mapped(homography) for line in card.lines))


def _rough(rng: np.random.Generator, quad: np.ndarray, most: float) -> np.ndarray:
    """`quad` as the coarse pass would give it: each corner off by up to `most` of the card's width."""
    width = side_lengths(quad)[0]
    shift, corners = rng.normal(0, most / 3, 2), rng.normal(0, most / 3, (4, 2))
    return (quad + (shift + corners).clip(-most, most) * width).astype(np.float32)


def refinement_sample(rng: np.random.Generator, split: str = "train",
                       negatives: float = 0.1) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """The refinement pass, uint8 RGB, around a rough quad; (side, quad) of each card whose middle it shows."""
    size = (int(rng.integers(300, 480)), int(rng.integers(300, 480)))
    level = _level(rng)
    quads: list[np.ndarray]
    cards: list[Card]
    if rng.random() < negatives:
        image, quads, cards = negative(rng, *size), [], []
        middle = np.array(size) * rng.uniform(0.3, 0.7, 2)
        half = CARD_MM - CARD_MM.mean(axis=0)
        rough = map_points(translation(*middle) @ turning(rng.uniform(0, 360)), half * rng.uniform(1.5, 4))
    else:
        cards = _cards(rng, 1 if rng.random() < 0.85 else 2, split, 4.5)
        image, quads = compose(cards, rng, level, size)
        _cover_some(rng, image, cards, quads, split)
        # Mostly as good as the coarse pass should be; now and then as bad as one can be.
        rough = _rough(rng, quads[0], 0.04 if rng.random() < 0.6 else 0.14)
        if rng.random() < 0.06:  # the coarse pass took it upside down
            rough = np.roll(rough, 2, axis=0)
    ppm = side_lengths(rough)[0] / WIDTH
    faults = _shrunk_faults(rng, level, split)
    image = compress(expose(image, faults, rng, ppm), faults.quality)
    homography = between(rough, refinement_quad())
    view = warp(image, homography, LOCATOR.refinement.size, (OUTSIDE,) * 3)
    seen = [(card.side, map_points(homography, quad)) for card, quad in zip(cards, quads, strict=True)]
    edge = np.array(LOCATOR.refinement.size)
    return view, [(side, quad) for side, quad in seen if (quad.mean(axis=0) > 0).all() and (quad.mean(axis=0) < edge).all()]


@dataclass(frozen=True)
class GreyShot:
    """A grey photograph of little more than one card: uint8 [h, w], the card's quad and lines in its pixels, and for each line how much
    of every character is hidden, 0..1 [n]."""

    image: np.ndarray
    quad: np.ndarray
    lines: tuple[Line, ...]
    hidden: tuple[np.ndarray, ...]


def grey_shot(rng: np.random.Generator, split: str, density: float) -> GreyShot:
    """Photographs one card at about `density` pixels per mm, upright but for a small turn and perspective.

    The quarter turns of real pictures are undone by the card's homography and leave nothing to learn here.
    """
    card = render_card(random_person(rng, PERMITS), pick(rng, ("front", "front", "front", "back", "back")), rng, split,
                       float(np.clip(density * rng.uniform(1.1, 1.4), 5, 14)), mark=rng.random() < 0.5)
    level = _level(rng)
    spread = 0.003 if level == "scan" else 0.03
    half = CARD_MM - CARD_MM.mean(axis=0)
    quad = map_points(turning(rng.normal(0, 0.5 if level == "scan" else 3)), half)
    quad = (quad + rng.normal(0, spread, (4, 2)) * WIDTH) * density
    margin = rng.uniform(0.5, 5) * density
    quad = (quad - quad.min(axis=0) + margin).astype(np.float32)
    width, height = (np.ceil(quad.max(axis=0) + margin)).astype(int).tolist()
    grey = _plain_grey(rng, card.image)
    homography = between(card.corners, quad)
    image = warp(grey, homography, (width, height))
    outside = warp(np.full_like(grey, 255), homography, (width, height)) < 128
    if rng.random() < 0.3:
        ground = cv2.cvtColor(surface(rng, width // 4, height // 4), cv2.COLOR_RGB2GRAY)
        ground = cv2.resize(ground, (width, height))
        image[outside] = ground[outside]
    else:
        image[outside] = int(rng.integers(256))
    lines = tuple(line.mapped(homography) for line in card.lines)
    printed = image.copy()
    covers = Covers(rng, image, split)
    if rng.random() < MARKED:
        add_marks(rng, image, density, split)
    if rng.random() < COVERED_SHOTS:
        cover_card(rng, covers, quad, lines)
    faults = random_faults(rng, level, split)
    image = _toned(rng, compress(expose(image, faults, rng, density), faults.quality))
    hidden = tuple(np.maximum(hidden_shares(covers.hidden, line), lost_shares(printed, image, line)) for line in lines)
    return GreyShot(image, quad, lines, hidden)


def _toned(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """What people and programs do to the tones of a picture: stretched levels, a threshold, few steps, faded contrast."""
    chance = rng.random()
    if chance > 0.28:
        return image
    levels = np.arange(256, dtype=np.float32)
    paper, ink = np.percentile(image, (75, 2))
    if chance < 0.10:  # levels stretched far beyond what the picture has
        low, high = rng.uniform(0, 0.5) * ink, rng.uniform(0.35, 1.0) * paper
        table = (levels - low) / max(high - low, 12.0) * 255
    elif chance < 0.15:
        return np.where(image > ink + (paper - ink) * rng.uniform(0.3, 0.75), 255, 0).astype(np.uint8)
    elif chance < 0.18:
        step = 255 / float(rng.integers(2, 9))
        table = np.round(levels / step) * step
    elif chance < 0.23:
        table = 255 * (levels / 255) ** rng.choice([rng.uniform(0.3, 0.7), rng.uniform(1.6, 3.0)])
    else:
        table = levels * rng.uniform(0.25, 0.7) + rng.uniform(0, 120)
    return np.clip(table, 0, 255).astype(np.uint8)[image]


def _plain_grey(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Grey by weights that a colour cast would give."""
    weights = np.array([0.299, 0.587, 0.114]) * rng.uniform(0.75, 1.25, 3)
    return cv2.transform(image, (weights / weights.sum())[None].astype(np.float32))


def lines_sample(rng: np.random.Generator, split: str = "train") -> tuple[np.ndarray, list[tuple[int, np.ndarray, np.ndarray]]]:
    """The line detector's frame, uint8 grey and mostly normalised, and (field's index in FIELDS, quad of the em box, characters [n, 2])
    of each line: of a character where along the quad its middle is, 0..1, and how much of it is hidden, 0..1."""
    shot = grey_shot(rng, split, rng.uniform(4.0, 8.0))
    # Now and then as bad as the locator can be where a corner is covered.
    rough = _rough(rng, shot.quad, 0.016 if rng.random() < 0.85 else 0.05)
    homography = between(rough, LINES.frame.card)
    frame = warp(shot.image, homography, LINES.frame.size, OUTSIDE)
    if rng.random() < 0.85:
        frame = normalised(frame)
    lines = []
    for line, hidden in zip(shot.lines, shot.hidden, strict=True):
        along = (line.centres - line.quad[0])[:, 0] / max(float(line.quad[1, 0] - line.quad[0, 0]), 1e-6)
        lines.append((FIELDS.index(line.field), map_points(homography, line.quad), np.stack([along, hidden], 1).astype(np.float32)))
    return frame, lines


def _found(rng: np.random.Generator, quad: np.ndarray) -> np.ndarray:
    """A line's box as the line detector would give it: ends, middle and height slightly off."""
    em = side_lengths(quad)[1]
    down = (quad[3] + quad[2] - quad[0] - quad[1]) / 2
    along = (quad[1] + quad[2] - quad[0] - quad[3]) / 2
    along, down = along / np.linalg.norm(along), down / np.linalg.norm(down)
    ends = rng.normal(0, 0.12, 2).clip(-0.3, 0.3) * em
    lift, slant, grow = rng.normal(0, 0.05) * em, rng.normal(0, 0.02) * em, rng.normal(0, 0.05) * em
    moves = ((ends[0], lift - slant - grow), (ends[1], lift + slant - grow), (ends[1], lift + slant + grow), (ends[0], lift - slant + grow))
    return (quad + np.array([a * along + d * down for a, d in moves])).astype(np.float32)


def strip_samples(rng: np.random.Generator, split: str = "train") -> list[tuple[np.ndarray, str, np.ndarray, np.ndarray]]:
    """All lines of one photographed card as the recogniser gets them.

    Each is (strip uint8 grey, lit evenly but not yet standardised, text, x of each character's middle in strip pixels, how much of each
    is hidden, 0..1).
    """
    shot = grey_shot(rng, split, float(rng.choice([rng.uniform(4.5, 7), rng.uniform(6, 12)])))
    to_shot = between(LINES.frame.card, _rough(rng, shot.quad, 0.01))
    to_frame = np.linalg.inv(to_shot)
    frame_gains = gains(warp(shot.image, to_frame, LINES.frame.size, OUTSIDE))
    samples = []
    for line, hidden in zip(shot.lines, shot.hidden, strict=True):
        in_frame, width = strip_frame(_found(rng, map_points(to_frame, line.quad)))
        to_image = to_shot @ in_frame
        centres = map_points(np.linalg.inv(to_image), line.centres)[:, 0]
        strip = normalised_crop(cut_strip(shot.image, to_image, width), frame_gains, in_frame)
        samples.append((strip, line.text, centres, hidden))
    return samples
