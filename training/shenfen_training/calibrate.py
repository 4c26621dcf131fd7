"""Fits the recogniser's confidences on what ships: python -m shenfen_training.calibrate --fit DUMP... [--report DUMP...]

A dump is what `shenfen eval DIR --dump FILE` wrote about drawn pictures with held-back faces, grounds and faults
(`python -m shenfen_training.cards.dataset --split val`): the engine's own arithmetic in bytes, all its crops of doubtful lines, and
its rules of spacing. How often is a field right whose probability is p? Two numbers, scale and bias on the logit of p, are fitted
by maximum likelihood, the bias lowered by two standard errors, and written to log/calibration.json and models/recogniser/config.json.

--fit-hidden takes dumps of pictures of which many have something lying on the card (`--covered 0.5`). A field is right if what was seen
is right and nothing is hidden: three numbers, on the logits of what the line detector and the recogniser say, are fitted so that
the product of the two probabilities is, the first one as calibrated before.

--report prints a table about other dumps: expected calibration errors and how many wrong fields are confident, by level and by
field. It tells of the confidences in those dumps as they stand, so dump again after a fit.
"""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from .calibration import Calibration, load, save
from .contract import MODELS, PROBABILITY_FLOOR, config_text
from .dumps import Field, read_fields, read_pictures
from .logistic import Floats, fit_logistic, sigmoid

PULL = 0.1
"""Weight of the pull towards the identity, in observations."""
CAUTION = 2.0
"""Standard errors by which the fitted bias is lowered."""
CONFIDENT = (0.95, 0.99, 0.999)
"""Wrong fields are counted above these confidences."""


def logit(probability: Floats) -> Floats:
    """Of probabilities kept away from 0 and 1."""
    p = np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.log(p / (1 - p))


def fit(probability: Floats, right: Floats) -> Calibration:
    """Scale and bias of the logit by maximum likelihood, with a weak pull to the identity.

    The scale is not let below 0: a higher probability never becomes a lower confidence.
    """
    x = np.stack([logit(probability), np.ones_like(probability)], axis=1)
    weights = fit_logistic(x, right, start=np.array([1.0, 0.0]), pull=np.full(2, PULL))
    return Calibration(temperature=1.0, scale=max(0.0, round(float(weights[0]), 4)), bias=round(float(weights[1]), 4))


def cautious(fitted: Calibration, probability: Floats) -> Calibration:
    """The same with a bias that is lower by some standard errors: a wrong field that is confident costs more than a right one that a
    person looks at."""
    x = np.stack([logit(probability), np.ones_like(probability)], axis=1)
    guess = calibrated(probability, fitted)
    information = (x * (guess * (1 - guess))[:, None]).T @ x + PULL * np.eye(2)
    error = float(np.sqrt(np.linalg.inv(information)[1, 1]))
    return replace(fitted, bias=round(fitted.bias - CAUTION * error, 4))


def fit_hidden(confidence: Floats, frame: Floats, strips: Floats, right: Floats, known: Calibration) -> Calibration:
    """The weights of what the line detector (`frame`) and the recogniser (`strips`) say of hidden characters, by maximum likelihood of
    `right` under `confidence` that what was seen is right, times the probability that nothing is hidden. No weight is below 0."""
    x = torch.from_numpy(np.stack([logit(frame), logit(strips)], axis=1))
    seen, outcome = torch.from_numpy(np.clip(confidence, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)), torch.from_numpy(right)
    weights = torch.tensor([np.log(np.expm1(0.5))] * 2 + [0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        whole = seen * torch.sigmoid(-(x @ F.softplus(weights[:2]) + weights[2]))
        pull = PULL * (F.softplus(weights[:2]) - 0.5).square().sum()
        total = F.binary_cross_entropy(whole.clamp(1e-9, 1 - 1e-9), outcome, reduction="sum") + pull
        total.backward()
        return total

    optimiser.step(loss)
    frame_weight, strips_weight = (round(float(value), 4) for value in F.softplus(weights[:2].detach()))
    return replace(known, hidden_frame=frame_weight, hidden_strips=strips_weight, hidden_bias=round(weights[2].item(), 4))


def hidden_probability(frame: Floats, strips: Floats, calibration: Calibration) -> Floats:
    """What the engine makes of what the two networks say of hidden characters."""
    return sigmoid(calibration.hidden_frame * logit(frame) + calibration.hidden_strips * logit(strips) + calibration.hidden_bias)


def calibrated(probability: Floats, calibration: Calibration) -> Floats:
    """What the engine makes of the probabilities of fields."""
    return sigmoid(calibration.scale * logit(probability) + calibration.bias)


def calibration_error(confidence: Floats, right: Floats, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(sum(abs(right[place == b].mean() - confidence[place == b].mean()) * (place == b).mean() for b in np.unique(place)))


def log_loss(confidence: Floats, right: Floats) -> float:
    """Mean negative log likelihood."""
    p = np.clip(confidence, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return float(-np.mean(np.where(right > 0, np.log(p), np.log(1 - p))))


def report(fields: list[Field]) -> list[str]:
    """Rows of a Markdown table: all fields that were read, by level, and by field."""
    rows = [
        "| fields | read | wrong | error as read | error as assessed | " + " | ".join(f"wrong above {c}" for c in CONFIDENT) + " |",
        "| --- " * (5 + len(CONFIDENT)) + "|",
    ]
    read = [field for field in fields if field.text]
    rows.append(_row("all", read))
    rows.extend(_groups(read, lambda field: field.level))
    rows.extend(_groups(read, lambda field: field.name))
    return rows


def _groups(fields: list[Field], key: Callable[[Field], str]) -> Iterable[str]:
    for name in dict.fromkeys(map(key, fields)):
        yield _row(name, [field for field in fields if key(field) == name])


def _row(name: str, fields: list[Field]) -> str:
    raw_right = np.array([field.raw_is_right for field in fields], float)
    right = np.array([field.text_is_right for field in fields], float)
    confidence = np.array([field.confidence for field in fields])
    assessed = np.array([field.assessed for field in fields])
    wrong = assessed[right == 0]
    counts = " | ".join(str(int((wrong > limit).sum())) for limit in CONFIDENT)
    errors = f"{calibration_error(confidence, raw_right):.4f} | {calibration_error(assessed, right):.4f}"
    return f"| {name} | {len(fields)} | {len(wrong)} | {errors} | {counts} |"


def accepted(paths: list[Path]) -> tuple[int, int, int]:
    """Pictures, those of them that were accepted, and those of these with anything wrong."""
    pictures = taken = wrong = 0
    for picture in read_pictures(paths):
        pictures += 1
        if picture["decision"] != "accept":
            continue
        taken += 1
        cards = [(card["label"], card["result"]["fields"]) for card in picture["cards"]]
        is_right = not picture["not_found"] and all(
            label is not None and all(read.get(name, {"text": ""})["text"] == text for name, text in label["fields"].items())
            for label, read in cards
        )
        wrong += not is_right
    return pictures, taken, wrong


def write_config() -> None:
    """Puts the saved calibration into the engine's config, and the config's new sum into SHA256SUMS."""
    from .export import write_sums

    (MODELS / "recogniser" / "config.json").write_text(config_text("recogniser"), encoding="utf-8")
    write_sums()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", type=Path, nargs="+", default=[], help="dumps to fit on; writes the calibration")
    parser.add_argument("--report", type=Path, nargs="+", default=[], help="dumps to report on, of another draw")
    parser.add_argument("--fit-hidden", type=Path, nargs="+", default=[], help="dumps of partly covered pictures to fit on, after --fit")
    args = parser.parse_args()
    if args.fit:
        fields = [field for field in read_fields(args.fit) if field.raw]
        probability = np.array([field.probability for field in fields])
        right = np.array([field.raw_is_right for field in fields], float)
        fitted = cautious(fit(probability, right), probability)
        save(fitted := replace(load(), scale=fitted.scale, bias=fitted.bias))
        write_config()
        after = calibrated(probability, fitted)
        before = np.array([field.confidence for field in fields])
        print(f"{len(fields)} fields, right {right.mean():.4f}: {fitted}")
        for name, confidence in (("before", before), ("after", after)):
            print(f"{name}: error {calibration_error(confidence, right):.4f}, log loss {log_loss(confidence, right):.4f}")
    if args.fit_hidden:
        fields = [field for field in read_fields(args.fit_hidden) if field.raw]
        right = np.array([field.raw_is_right for field in fields], float)
        seen = calibrated(np.array([field.probability for field in fields]), load())
        frame, strips = (np.array(values) for values in zip(*((field.hidden, field.hidden_in_strips) for field in fields), strict=True))
        fitted = fit_hidden(seen, frame, strips, right, load())
        save(fitted)
        write_config()
        whole = seen * (1 - hidden_probability(frame, strips, fitted))
        print(f"{len(fields)} fields, right {right.mean():.4f}: {fitted}")
        for name, confidence in (("seen", seen), ("seen and whole", whole)):
            print(f"{name}: error {calibration_error(confidence, right):.4f}, log loss {log_loss(confidence, right):.4f}")
    if args.report:
        print("\n".join(report(read_fields(args.report))))
        pictures, taken, wrong = accepted(args.report)
        print(f"\n{pictures} pictures, {taken} accepted, {wrong} of these with anything wrong")


if __name__ == "__main__":
    main()
