"""The learning rate over one training run, by the clock: a run is limited in minutes, not in steps."""

import math
import time


class Schedule:
    """Warm-up, then a cosine from `peak` down to `floor` at the end of the run."""

    def __init__(self, minutes: float, peak: float, floor: float, warmup_steps: int = 200):
        self.begin = time.monotonic()
        self.limit = minutes * 60
        self.peak = peak
        self.floor = floor
        self.warmup_steps = warmup_steps
        self.steps = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.begin

    @property
    def over(self) -> bool:
        return self.elapsed >= self.limit

    def rate(self) -> float:
        """The learning rate of the next step."""
        self.steps += 1
        cosine = 0.5 * (1 + math.cos(math.pi * min(self.elapsed / self.limit, 1)))
        return (self.floor + (self.peak - self.floor) * cosine) * min(self.steps / self.warmup_steps, 1)
