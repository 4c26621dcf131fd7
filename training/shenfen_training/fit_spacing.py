"""Fits the lengths by which the engine tells characters from strays: python -m shenfen_training.fit_spacing --fit DUMP... --report DUMP...

A dump is what `shenfen eval DIR --dump FILE` wrote: every place where a character may be, before any was left out. The rules of
`remove_spurious` (crates/ocr/src/line_hypothesis.rs) are applied to them again with other lengths, one length at a time, as long as the
cost of the fields falls: the log loss, which counts a confident error more than a doubt, and 1 for every wrong field, which a person has
to look at. The lengths in use stand in crates/ocr/src/parameters.rs; this prints better ones, and what both give on other dumps.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from .calibrate import calibrated, log_loss
from .calibration import load
from .contract import RECOGNISER
from .dumps import LABELS, Detection, Field, Line, read_fields, unified

DOT = "·"
STEPS = (-0.3, -0.15, -0.07, 0.07, 0.15, 0.3)
"""By how much of an em a length is changed at a time."""
LEAST_GAIN = 0.05
"""A change that lowers the cost of all fields together by less proves nothing."""


@dataclass(frozen=True)
class Spacing:
    """The lengths of crates/ocr/src/parameters.rs, in em, by the same names."""

    min_room_narrow: float = 0.0
    min_room_one_wide: float = 0.9
    min_room_wide: float = 1.2
    max_mark_gap: float = 1.5
    max_narrow_gap_in_address: float = 1.15
    max_uncertain_gap: float = 1.35
    same_bracket: float = 0.6

    @property
    def min_room(self) -> tuple[float, float, float]:
        return self.min_room_narrow, self.min_room_one_wide, self.min_room_wide


CERTAIN_CENTRE = 0.9


def best(one: Detection) -> str:
    return one.candidates[0][0]


def is_wide_bracket(one: Detection) -> bool:
    return "\uff00" <= best(one) <= "\uffef"


def is_wide(one: Detection) -> bool:
    return best(one) >= "\u3400" and not is_wide_bracket(one)


def is_same_bracket(one: Detection, other: Detection) -> bool:
    return any(best(one) in pair and best(other) in pair for pair in ("(（", ")）"))


def max_gap(one: Detection, field: str, spacing: Spacing) -> float:
    """How far from what stands before it a character may be at the end of a line."""
    if field == "birthPlace" and not is_wide(one) and not is_wide_bracket(one):
        return spacing.max_narrow_gap_in_address
    if field == "birthPlace" and is_wide(one) and one.centre < CERTAIN_CENTRE:
        return spacing.max_uncertain_gap
    if best(one).isascii() and not best(one).isdigit():
        return spacing.max_mark_gap
    return float("inf")


def kept(line: Line, field: str, spacing: Spacing) -> tuple[list[Detection], list[Detection]]:
    """The detections of a line that count or may have been missed, and those that are left out as strays."""
    threshold = RECOGNISER.decoding.centre_threshold
    rest, out = list(line.detections), []
    while True:
        sure = [at for at, one in enumerate(rest) if one.centre > threshold]
        if len(sure) < 2:
            break
        last, before = rest[sure[-1]], rest[sure[-2]]
        if best(last) == DOT or last.position - before.position <= max_gap(last, field, spacing):
            break
        out += rest[sure[-1] :]
        rest = rest[: sure[-1]]
    sure = [at for at, one in enumerate(rest) if one.centre > threshold]
    stays = [not _is_stray(at, rest, sure, field, spacing) for at in range(len(rest))]
    out += [one for one, stay in zip(rest, stays, strict=True) if not stay]
    return [one for one, stay in zip(rest, stays, strict=True) if stay], out


def _is_stray(at: int, rest: list[Detection], sure: list[int], field: str, spacing: Spacing) -> bool:
    one = rest[at]
    if best(one) == DOT:
        return False
    before = next((rest[other] for other in reversed(sure) if other < at), None)
    after = next((rest[other] for other in sure if other > at), None)
    if before is None:
        return False
    if is_same_bracket(before, one):
        return one.position - before.position < spacing.same_bracket
    if after is not None:
        return after.position - before.position < spacing.min_room[is_wide(before) + is_wide(after)]
    return one.position - before.position > max_gap(one, field, spacing)


def read_again(field: Field, spacing: Spacing) -> tuple[bool, float]:
    """Whether a field is right with these lengths, and its probability before calibration."""
    rules = RECOGNISER.decoding
    text, probability = "", 1.0
    for line in field.lines:
        remain, out = kept(line, field.name, spacing)
        for one in remain:
            if one.centre > rules.centre_threshold:
                text += best(one)
                probability *= one.candidates[0][1]
            elif one.centre >= rules.missed_threshold:
                probability *= 1 - one.centre
        for one in out:
            if one.centre > rules.centre_threshold:
                probability *= 1 - one.centre * one.candidates[0][1]
    truth = unified(field.truth)
    return unified(text) in (truth, LABELS[field.name] + truth), probability


def score(fields_read: list[Field], spacing: Spacing) -> tuple[int, float]:
    """Fields that are right, and the cost of all."""
    read = [read_again(field, spacing) for field in fields_read]
    right = np.array([is_right for is_right, _ in read], float)
    confidence = calibrated(np.array([probability for _, probability in read]), load())
    wrong = len(read) - int(right.sum())
    return len(read) - wrong, log_loss(confidence, right) * len(read) + wrong


def neighbours(spacing: Spacing) -> Iterator[Spacing]:
    """The same lengths with one of them changed."""
    for field in fields(Spacing):
        for step in STEPS:
            value = round(getattr(spacing, field.name) + step, 2)
            if value >= 0:
                yield replace(spacing, **{field.name: value})


def fit(fields_read: list[Field], spacing: Spacing) -> Spacing:
    """The lengths of the least cost, changing one at a time."""
    # Only where something is near a rule do the lengths matter.
    doubtful = [field for field in fields_read if any(len(line.detections) > 1 for line in field.lines)]
    _, least = score(doubtful, spacing)
    while True:
        scored = [(score(doubtful, other)[1], other) for other in neighbours(spacing)]
        loss, other = min(scored, key=lambda pair: pair[0])
        if loss > least - LEAST_GAIN:
            return spacing
        spacing, least = other, loss
        print(f"{least:.2f} {spacing}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", type=Path, nargs="+", required=True, help="dumps to fit on")
    parser.add_argument("--report", type=Path, nargs="+", default=[], help="dumps to report on, of another draw")
    args = parser.parse_args()
    drawn = [field for field in read_fields(args.fit) if field.lines]
    fitted = fit(drawn, Spacing())
    reported = [field for field in read_fields(args.report) if field.lines]
    for name, group in (("fitted on", drawn), ("reported on", reported)) if reported else (("fitted on", drawn),):
        for what, spacing in (("in use", Spacing()), ("fitted", fitted)):
            right, loss = score(group, spacing)
            print(f"{name} {len(group)} fields, {what}: {right} right, cost {loss:.2f}")
    print(fitted)


if __name__ == "__main__":
    main()
