"""Saving and resuming a training run, averaging weights, and the committed log of scores."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

TRAINING = Path(__file__).resolve().parent.parent
RUNS = TRAINING / "runs"
CACHE = TRAINING / "cache"
LOG = TRAINING / "log"


class Run:
    """One network's training over any number of training runs: weights, their moving average, optimiser, samples so far."""

    def __init__(self, name: str, net: nn.Module, optimiser: torch.optim.Optimizer, decay: float = 0.998):
        self.name = name
        self.net = net
        self.optimiser = optimiser
        self.decay = decay
        self.average = {key: value.detach().clone() for key, value in net.state_dict().items()}
        self.steps = 0
        self.samples = 0
        self.seconds = 0.0
        self.path = RUNS / f"{name}.pt"
        if self.path.exists():
            self._resume()

    def _resume(self) -> None:
        saved = torch.load(self.path, map_location="cpu", weights_only=True)
        self.net.load_state_dict(saved["net"])
        self.average = saved["average"]
        self.optimiser.load_state_dict(saved["optimiser"])
        self.steps, self.samples, self.seconds = saved["steps"], saved["samples"], saved["seconds"]
        print(f"{self.name}: goes on after {self.steps} steps, {self.samples} samples", flush=True)

    def step(self, samples: int) -> None:
        """Counts a step and moves the average. The average follows faster while the run is young."""
        self.steps += 1
        self.samples += samples
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for key, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - decay)
                else:
                    self.average[key].copy_(value)

    def save(self, config: Any) -> None:
        RUNS.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        state = {
            "net": self.net.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "steps": self.steps,
            "samples": self.samples,
            "seconds": self.seconds,
            "config": asdict(config),
        }
        torch.save(state, partial)
        partial.replace(self.path)

    def log(self, scores: dict[str, Any], device: str) -> None:
        """Appends one line to the committed log."""
        LOG.mkdir(parents=True, exist_ok=True)
        line = {
            "date": time.strftime("%Y-%m-%d"),
            "steps": self.steps,
            "samples": self.samples,
            "seconds": round(self.seconds),
            "device": device,
            **scores,
        }
        with open(LOG / f"{self.name}.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def averaged(name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The averaged weights and the config of a run, for export."""
    saved = torch.load(RUNS / f"{name}.pt", map_location="cpu", weights_only=True)
    return saved["average"], saved["config"]
