"""Reads what `shenfen eval DIR --dump FILE` wrote: what the engine saw in labelled pictures, field by field."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABELS = {
    "name": "姓名",
    "gender": "性别",
    "ethnic": "民族",
    "birthDate": "出生",
    "birthPlace": "住址",
    "identityNo": "公民身份号码",
    "authority": "签发机关",
    "effectiveDate": "有效期限",
    "permitNumber": "通行证号码",
    "issueCount": "签发次数",
}
"""What stands before each field on the card; the engine may read it as part of the field, and takes it off afterwards."""
_SAME = str.maketrans("（）－—–、．Xx", "()---,.XX")
"""Characters that are one character to the checks after reading."""


@dataclass(frozen=True)
class Detection:
    """A place where a character may be."""

    position: float
    """Of its centre, in em from the line's start."""
    centre: float
    """The probability that a character's centre is there."""
    kept: bool
    """Whether the engine took it for a character."""
    candidates: tuple[tuple[str, float], ...]
    """What it may be, with probabilities, the most probable first."""


@dataclass(frozen=True)
class Round:
    """What a line said after one, three or five crops."""

    crops: int
    text: str
    probability: float


@dataclass(frozen=True)
class Line:
    """One line of a field."""

    length: float
    hidden: float
    """The probability that a character in it is hidden, by the recogniser."""
    rounds: tuple[Round, ...]
    detections: tuple[Detection, ...]


@dataclass(frozen=True)
class Field:
    """A labelled field of a card that was found."""

    picture: str
    level: str
    """scan, photo, hard or sheet: the first slice of the picture."""
    decision: str
    name: str
    truth: str
    raw: str
    """The most probable character at each place that was kept; empty if the field was not read."""
    probability: float
    """That raw is right, before calibration."""
    hidden: float
    """That a character is hidden, by the line detector, before calibration."""
    confidence: float
    """The same as the engine calibrated it."""
    text: str
    """As assessed."""
    assessed: float
    """The confidence as assessed."""
    lines: tuple[Line, ...]

    @property
    def raw_is_right(self) -> bool:
        """Whether what was read is the truth, up to what the checks put right without any doubt."""
        read, truth = unified(self.raw), unified(self.truth)
        return read in (truth, LABELS[self.name] + truth)

    @property
    def hidden_in_strips(self) -> float:
        """That a character is hidden, by the recogniser, before calibration: of the strip that says most."""
        return max((line.hidden for line in self.lines), default=self.hidden)

    @property
    def text_is_right(self) -> bool:
        return self.text == self.truth


def unified(text: str) -> str:
    """A text with one form of each bracket and stroke, without spaces."""
    return "".join(text.split()).translate(_SAME)


def read_pictures(paths: list[Path]) -> Iterator[dict[str, Any]]:
    """The lines of some dumps."""
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def read_fields(paths: list[Path]) -> list[Field]:
    """All labelled fields of all cards that were found with the right side."""
    return [field for picture in read_pictures(paths) for field in fields_of(picture)]


def fields_of(picture: dict[str, Any]) -> Iterator[Field]:
    """The labelled fields of one picture."""
    level = picture["slices"][0] if picture["slices"] else ""
    for card in picture["cards"]:
        if card["label"] is None:
            continue
        for name, truth in card["label"]["fields"].items():
            read = card["read"]["fields"].get(name, {"chars": [], "confidence": 0.0})
            result = card["result"]["fields"].get(name, {"text": "", "confidence": 0.0})
            details = card["details"].get(name, {"probability": 0.0, "hidden": 0.0, "lines": []})
            yield Field(
                picture=picture["path"],
                level=level,
                decision=picture["decision"],
                name=name,
                truth=truth,
                raw="".join(char["candidates"][0][0] for char in read["chars"]),
                probability=details["probability"],
                hidden=details["hidden"],
                confidence=read["confidence"],
                text=result["text"],
                assessed=result["confidence"],
                lines=tuple(_line(line) for line in details["lines"]),
            )


def _line(line: dict[str, Any]) -> Line:
    detections = tuple(
        Detection(
            position=one["position"],
            centre=one["centre"],
            kept=one["kept"],
            candidates=tuple((char, probability) for char, probability in one["candidates"]),
        )
        for one in line["detections"]
    )
    rounds = tuple(Round(one["crops"], one["text"], one["probability"]) for one in line["rounds"])
    return Line(length=line["length"], hidden=line["hidden"], rounds=rounds, detections=detections)
