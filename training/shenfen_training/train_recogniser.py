"""Trains the line recogniser: python -m shenfen_training.train_recogniser --minutes 60

Goes on where the last training run stopped (training/runs/recogniser.pt), or from scratch. Scores on a fixed drawn set, whose
face, backgrounds and faults training never sees, go to training/log/recogniser.jsonl.
"""

import argparse
import time
from collections import defaultdict

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from .cards.covers import HIDDEN, SEEN
from .charset import charset
from .checkpoint import CACHE, Run
from .crops import strip_input
from .decoding import characters
from .nets.recogniser import STEP, Recogniser, RecogniserConfig
from .precision import mixed_precision
from .schedule import Schedule
from .strips import text as texts
from .strips.batches import StripBatches
from .strips.difficulty import Difficulty
from .strips.draw import Strip, StripArtist
from .warm_start import warm_start

VALIDATION_SEED = 20260101
VALIDATION_PER_KIND = 120
CENTRE_WEIGHT = 4.0
SURE = 0.9


def validation_set() -> dict[str, list[Strip]]:
    """The fixed set by kind of text. The same strips at every call."""
    artist = StripArtist("val", CACHE)
    strips = {}
    for number, (kind, _) in enumerate(texts.KINDS):
        rng = np.random.default_rng([VALIDATION_SEED, number])
        strips[kind.__name__.strip("_")] = [artist.strip(rng, kind(rng)) for _ in range(VALIDATION_PER_KIND)]
    return strips


def held_back_outsiders() -> list[Strip]:
    """Fixed strips with one character each that is no class and that training never sees."""
    artist = StripArtist("val", CACHE)
    rng = np.random.default_rng([VALIDATION_SEED, 99])
    return [artist.strip(rng, texts.held_back_outsider(rng)) for _ in range(2 * VALIDATION_PER_KIND)]


@torch.inference_mode()
def taken_for_sure(net: Recogniser, strips: list[Strip]) -> float:
    """Share of the outsiders that are taken for a known character with a probability over SURE."""
    net.eval()
    sure = 0
    for strip in strips:
        features, _, _ = net(torch.from_numpy(strip_input(strip.grey))[None, None])
        at = int(strip.centres[strip.classes >= len(charset())][0] / STEP)
        sure += float(F.softmax(net.classify(features[0, at]), -1).max()) > SURE
    net.train()
    return round(sure / len(strips), 4)


def losses_of_characters(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Loss of each character [N]: cross entropy of a known one; an outsider's is what it costs to be sure that it is the one
    that it looks most like."""
    count = logits.shape[1]
    known = F.cross_entropy(logits, classes.clamp(max=count - 1), reduction="none")
    likeliest = logits.argmax(-1, keepdim=True)
    others = logits.scatter(-1, likeliest, float("-inf")).logsumexp(-1)
    return torch.where(classes < count, known, logits.logsumexp(-1) - others)


@torch.inference_mode()
def read(net: Recogniser, grey: np.ndarray) -> tuple[list[int], float]:
    """Classes of the characters on a strip, in order, and how likely one is hidden; what the engine does, without candidates."""
    features, centre, hidden = net(torch.from_numpy(strip_input(grey))[None, None])
    steps, _, _ = characters(centre[0].numpy())
    classes = net.classify(features[0][steps]).argmax(-1).tolist() if len(steps) else []
    return classes, float(torch.sigmoid(hidden[0].max()))


def evaluate(net: Recogniser, strips: dict[str, list[Strip]]) -> dict:
    """Share of strips wholly right by kind, and of characters over all, where nothing is hidden; and how often a hidden character is
    said to be there, where it is and where not."""
    net.eval()
    scores, right, total = {}, 0, 0
    said: dict[bool, list[bool]] = {True: [], False: []}
    for kind, group in strips.items():
        exact = []
        for strip in group:
            (seen, hidden), true = read(net, strip.grey), strip.classes.tolist()
            most = float(strip.hidden.max(initial=0))
            if most >= HIDDEN or most <= SEEN:
                said[most >= HIDDEN].append(hidden > 0.5)
            if most > SEEN:
                continue
            exact.append(seen == true)
            right += sum(a == b for a, b in zip(seen, true, strict=True)) if len(seen) == len(true) else 0
            total += len(true)
        scores[kind] = round(float(np.mean(exact)), 4)
    net.train()
    return {
        "strips_right": scores,
        "mean": round(float(np.mean(list(scores.values()))), 4),
        "characters": round(right / total, 4),
        "hidden_found": round(float(np.mean(said[True])), 4),
        "hidden_false": round(float(np.mean(said[False])), 4),
    }


def train(args: argparse.Namespace) -> None:
    device = args.device
    config = RecogniserConfig(classes=len(charset()))
    # Channels last is how the convolutions of a CPU are fastest: a fifth more strips a second.
    net = Recogniser(config).to(device).to(memory_format=torch.channels_last)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}]
    run = Run("recogniser", net, torch.optim.AdamW(groups, args.rate, betas=(0.9, 0.98)))
    loader = DataLoader(StripBatches(int(time.time()), CACHE), batch_size=None, num_workers=args.workers, prefetch_factor=8,
                        multiprocessing_context="spawn")
    fixed, strange = validation_set(), held_back_outsiders()
    difficulty = Difficulty(len(charset()), CACHE)
    # The drawing processes read it when they start, so it must know all classes by then.
    difficulty.save()
    schedule = Schedule(args.minutes, args.rate, args.rate * 0.01)
    last_save, last_score = 0.0, 0.0
    losses: defaultdict[str, float] = defaultdict(float)
    batches = iter(loader)
    warm_start(run, next(batches).strips.to(device))
    before = run.seconds
    net.train()
    for batch in batches:
        for group in run.optimiser.param_groups:
            group["lr"] = schedule.rate()
        with mixed_precision(device):
            features, centre, hidden = net(batch.strips.to(device))
            logits = net.classify(features.flatten(0, 1)[batch.step.to(device)])
        target = batch.centre.to(device)
        care = (target >= 0).float()
        centre_loss = F.binary_cross_entropy_with_logits(
            centre.float(), target.clamp(0, 1), care, pos_weight=torch.tensor(2.0, device=device)
        )
        each = losses_of_characters(logits.float(), batch.classes.to(device))
        class_loss = each.mean()
        unseen = batch.hidden.to(device)
        # Plain cross entropy: what it says is used as a probability.
        hidden_loss = F.binary_cross_entropy_with_logits(hidden.float(), unseen.clamp(0, 1), (unseen >= 0).float())
        known = batch.classes < len(charset())
        difficulty.see(batch.classes[known], each.detach().cpu()[known])
        loss = class_loss + CENTRE_WEIGHT * (centre_loss + hidden_loss)
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        run.optimiser.step()
        run.step(len(batch))
        losses["class"] += class_loss.item() / 100
        losses["centre"] += centre_loss.item() / 100
        losses["hidden"] += hidden_loss.item() / 100
        run.seconds = before + schedule.elapsed
        if run.steps % 100 == 0:
            rate = run.samples / max(run.seconds, 1)
            print(f"{run.steps} {schedule.elapsed / 60:.1f} min {rate:.0f}/s "
                  f"class {losses['class']:.3f} centre {losses['centre']:.4f} hidden {losses['hidden']:.4f}", flush=True)
            losses.clear()
        if schedule.elapsed - last_save > 240 or schedule.over:
            run.save(config)
            difficulty.save()
            last_save = schedule.elapsed
        if schedule.elapsed - last_score > args.score_minutes * 60 or schedule.over:
            judge = Recogniser(config)
            judge.load_state_dict({key: value.cpu() for key, value in run.average.items()})
            scores = evaluate(judge, fixed) | {"outsiders_sure": taken_for_sure(judge, strange)}
            print(scores, flush=True)
            run.log(scores, device)
            last_score = schedule.elapsed
        if schedule.over:
            break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate; lower it (5e-4) when resuming")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw strips")
    parser.add_argument("--score-minutes", type=float, default=15)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
