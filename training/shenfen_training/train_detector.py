"""Trains one of the detectors: python -m shenfen_training.train_detector locator|lines --minutes 40

Goes on where the last training run stopped (training/runs/NAME.pt), or from scratch; scores on a fixed drawn set, whose face,
background and faults training never sees, go to training/log/NAME.jsonl.
"""

import argparse
import time
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .checkpoint import Run
from .contract import OUTSIDE
from .crops import network_input
from .detection_tasks import TASKS, Task
from .nets.fpn import Fpn
from .precision import mixed_precision
from .schedule import Schedule
from .warm_start import warm_start

VALIDATION_SEED = 20260102
VALIDATION_COUNT = 150
BATCH = 8
POOL = 800
"""Drawn samples kept at hand: drawing costs more than learning, so each is shown several times, never twice alike."""
SHOWN = 8


def vary(rng: np.random.Generator, image: np.ndarray, truth: list) -> tuple[np.ndarray, list]:
    """A sample shown again: other light and noise, moved a little; whole pictures, where any turn is natural, turned."""
    gain, bias = rng.uniform(0.75, 1.2), rng.uniform(-25, 25)
    image = cv2.add(cv2.convertScaleAbs(image, alpha=gain), np.full(image.shape, bias, np.float32), dtype=cv2.CV_8U)
    if rng.random() < 0.3:
        image = cv2.add(image, rng.integers(0, 1 + int(rng.uniform(2, 16)), image.shape, np.uint8))
    if image.ndim == 3 and rng.random() < 0.2:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    height, width = image.shape[:2]
    whole_picture = height == width
    if whole_picture:
        angle, scale, shift = 90.0 * int(rng.integers(4)), 1.0, np.zeros(2)
        if rng.random() < 0.6:
            angle, scale, shift = angle + rng.normal(0, 12), rng.uniform(0.75, 1.25), rng.normal(0, 14, 2)
    else:
        angle, scale, shift = rng.normal(0, 0.7), rng.normal(1, 0.015), rng.normal(0, 0.01 * width, 2)
    matrix: np.ndarray = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    matrix[:, 2] += shift
    moved = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(OUTSIDE,) * 3)
    moved_truth = [(kind, (quad @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32), *rest) for kind, quad, *rest in truth]
    return moved, [one for one in moved_truth if (one[1].mean(axis=0) > 0).all() and (one[1].mean(axis=0) < (width, height)).all()]


class Samples(IterableDataset):
    """Endless batches (input [B, C, H, W], target [B, planes, h, w]); kinds of sample take turns."""

    def __init__(self, task: str, seed: int):
        self.task = task
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        cv2.setNumThreads(1)
        task = TASKS[self.task]
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        pools: list[list] = [[] for _ in task.draw]
        while True:
            for draw, pool in zip(task.draw, pools, strict=True):
                for _ in range(BATCH // SHOWN if pool else 12 * BATCH):
                    sample = draw(rng)
                    if len(pool) < POOL:
                        pool.append(sample)
                    else:
                        pool[int(rng.integers(POOL))] = sample
                chosen = [vary(rng, *pool[index]) for index in rng.choice(len(pool), BATCH, replace=False)]
                yield (
                    torch.from_numpy(np.stack([network_input(image, task.pixels) for image, _ in chosen])),
                    torch.from_numpy(np.stack([task.encode(image, truth) for image, truth in chosen])),
                )


def validation_set(task: Task) -> list[list]:
    """The fixed set, a list a kind of sample; drawn once and kept."""
    groups = []
    for number, draw in enumerate(task.draw):
        rng = np.random.default_rng([VALIDATION_SEED, number])
        groups.append([draw(rng, split="val") for _ in range(VALIDATION_COUNT)])
    return groups


def train(args: argparse.Namespace) -> None:
    task = TASKS[args.task]
    net = Fpn(task.net).to(args.device)
    run = Run(task.name, net, torch.optim.AdamW(net.parameters(), args.rate, weight_decay=0.01))
    seed = int(time.time())
    loader = DataLoader(
        Samples(task.name, seed),
        batch_size=None,
        num_workers=args.workers,
        multiprocessing_context="spawn" if args.workers else None,
    )
    fixed = validation_set(task)
    schedule = Schedule(args.minutes, args.rate, args.rate * 0.02)
    last_save, last_score, mean_loss = 0.0, 0.0, 0.0
    batches = iter(loader)
    warm_start(run, next(batches)[0].to(args.device))
    before = run.seconds
    net.train()
    for image, target in batches:
        for group in run.optimiser.param_groups:
            group["lr"] = schedule.rate()
        with mixed_precision(args.device):
            out = net(image.to(args.device))
        loss = task.loss(out.float(), target.to(args.device))
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        run.optimiser.step()
        run.step(len(image))
        mean_loss += loss.item() / 50
        run.seconds = before + schedule.elapsed
        if run.steps % 50 == 0:
            print(f"{run.steps} {schedule.elapsed / 60:.1f} min {run.samples / run.seconds:.1f}/s loss {mean_loss:.3f}", flush=True)
            mean_loss = 0.0
        if schedule.elapsed - last_save > 180 or schedule.over:
            run.save(task.net)
            last_save = schedule.elapsed
        if schedule.elapsed - last_score > args.score_minutes * 60 or schedule.over:
            judge = Fpn(task.net)
            judge.load_state_dict({key: value.cpu() for key, value in run.average.items()})
            judge.eval()
            scores = task.scores(judge, fixed)
            print(scores, flush=True)
            run.log(scores, args.device)
            last_score = schedule.elapsed
        if schedule.over:
            break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate; lower it (5e-4) when resuming")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples; 0 draws in between")
    parser.add_argument("--score-minutes", type=float, default=8)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
