"""How hard each character is at present, so that drawn text can have more of what is misread."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FOLLOW = 0.1
"""How fast the mean loss of a class follows what is seen."""


class Difficulty:
    """The moving mean loss of every class, kept in a file that the drawing processes read. Classes that are new are hard."""

    def __init__(self, classes: int, cache: Path):
        self.cache = cache
        self.mean = torch.ones(classes)
        if (kept := self.read(cache)) is not None:
            self.mean[: len(kept)] = torch.from_numpy(kept)[:classes]

    @staticmethod
    def _path(cache: Path) -> Path:
        return cache / "difficulty.npy"

    @classmethod
    def read(cls, cache: Path) -> np.ndarray | None:
        """The mean losses [classes] as last saved; None before the first time."""
        path = cls._path(cache)
        return np.load(path) if path.exists() else None

    def see(self, classes: Tensor, losses: Tensor) -> None:
        """Takes in the losses [N] of characters of `classes` [N]; where one occurs twice, one of the two counts."""
        self.mean[classes] += FOLLOW * (losses - self.mean[classes])

    def save(self) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        partial = self._path(self.cache).with_suffix(".partial")
        with open(partial, "wb") as file:
            np.save(file, self.mean.numpy())
        partial.replace(self._path(self.cache))
