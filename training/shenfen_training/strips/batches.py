"""Batches of strips of like width, endless for training and fixed for validation."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from ..cards.covers import HIDDEN, SEEN
from ..cards.views import strip_samples
from ..charset import class_of
from ..contract import RECOGNISER
from ..crops import strip_input
from .difficulty import Difficulty
from .draw import Strip, StripArtist
from .text import FLAT_HAN, FLAT_RARE

COLUMNS = 64 * 320
"""Pixel columns in a batch: so many strips of a width that the work is about the same."""
CARD_SHARE = 0.035
"""How often a whole card is drawn rather than a strip; it gives about five strips."""
WIDTHS = (96, 160, 224, 288, 352, 416, 512)
"""Widths that strips are padded to; wider ones are dropped, there are next to none."""

FAVOUR_EVERY = 20_000
"""After so many strips a drawing process checks again which characters are hard."""


@dataclass
class Batch:
    """Strips [B, 1, 32, W]; centre target [B, W/4] (1 a centre, 0 none, -1 do not care); in the same way, whether a character is there
    that is hidden; `step` (index into B * W/4) and `classes` of each character that is seen, those from the number of classes on being
    outsiders."""

    strips: Tensor
    centre: Tensor
    hidden: Tensor
    step: Tensor
    classes: Tensor

    def __len__(self) -> int:
        return len(self.strips)


def collate(strips: list[Strip], width: int, rng: np.random.Generator) -> Batch:
    """Pads to `width` with 0, the mean grey."""
    steps = width // RECOGNISER.step
    pixels = np.zeros((len(strips), 1, RECOGNISER.strip.height, width), np.float32)
    centre = np.zeros((len(strips), steps), np.float32)
    unseen = np.zeros((len(strips), steps), np.float32)
    step, classes = [], []
    for row, strip in enumerate(strips):
        pixels[row, 0, :, : strip.grey.shape[1]] = strip_input(strip.grey)
        inside = (strip.centres >= 0) & (strip.centres < strip.grey.shape[1])
        unseen[row] = _hidden_steps(strip, inside, steps)
        seen = inside & (strip.hidden < HIDDEN)
        place = strip.centres[seen] / RECOGNISER.step
        nearest = np.clip(place.astype(int), 0, steps - 1)
        # The step next to a centre that lies near the border between two may say either.
        fraction = place - nearest
        beside = np.clip(nearest + np.where(fraction > 0.5, 1, -1), 0, steps - 1)
        doubtful = strip.centres[inside & (strip.hidden > SEEN)] / RECOGNISER.step
        centre[row, beside[abs(fraction - 0.5) > 0.25]] = -1
        centre[row, nearest] = 1
        for at in doubtful[doubtful < steps]:
            # A part of a character shows: whether it counts as one is not to be learned.
            centre[row, max(0, int(at) - 1) : int(at) + 2] = -1
        chosen = np.where((abs(fraction - 0.5) > 0.25) & (rng.random(len(nearest)) < 0.3), beside, nearest)
        step.append(row * steps + chosen)
        classes.append(strip.classes[seen])
    return Batch(
        torch.from_numpy(pixels),
        torch.from_numpy(centre),
        torch.from_numpy(unseen),
        torch.from_numpy(np.concatenate(step)),
        torch.from_numpy(np.concatenate(classes)),
    )


def _hidden_steps(strip: Strip, inside: np.ndarray, steps: int) -> np.ndarray:
    """For each step 1 where a hidden character is, 0 where none is, -1 where part of one shows."""
    target = np.zeros(steps, np.float32)
    if not (strip.hidden[inside] > SEEN).any():
        return target
    middle = (np.arange(steps) + 0.5) * RECOGNISER.step
    away = np.abs(middle[:, None] - strip.centres[None, inside])
    share = strip.hidden[inside][away.argmin(axis=1)]
    near = away.min(axis=1) < RECOGNISER.strip.em / 2
    target[near & (share > SEEN)] = -1
    target[near & (share >= HIDDEN)] = 1
    return target


def _strips(rng: np.random.Generator, artist: StripArtist) -> Iterator[Strip]:
    """Drawn strips, and between them all lines of a whole card as the engine would cut them out."""
    while True:
        if rng.random() < CARD_SHARE:
            for grey, text, centres, hidden in strip_samples(rng):
                keep = np.array([char in class_of() for char in text])
                classes = np.array([class_of()[char] for char in text if char in class_of()], np.int64)
                if len(classes):
                    yield Strip(grey, classes, centres[keep].astype(np.float32), hidden[keep].astype(np.float32))
        else:
            yield artist.strip(rng)


class StripBatches(IterableDataset):
    """Endless batches, different in every worker and every training run."""

    def __init__(self, seed: int, cache: Path):
        self.seed = seed
        self.cache = cache

    def __iter__(self) -> Iterator[Batch]:
        cv2.setNumThreads(1)
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        artist = StripArtist("train", self.cache)
        # One pool a width. Every new shape costs the convolution library set-up time, so there are few.
        pools: dict[int, list[Strip]] = {}
        for count, strip in enumerate(_strips(rng, artist)):
            if count % FAVOUR_EVERY == 0 and (difficulty := Difficulty.read(self.cache)) is not None:
                FLAT_HAN.favour(difficulty)
                FLAT_RARE.favour(difficulty)
            width = next((w for w in WIDTHS if strip.grey.shape[1] <= w), None)
            if width is None:
                continue
            pool = pools.setdefault(width, [])
            pool.append(strip)
            if len(pool) == COLUMNS // width:
                yield collate(pool, width, rng)
                pools[width] = []
