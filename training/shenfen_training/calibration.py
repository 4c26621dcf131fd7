"""The recogniser's calibration, fitted on held-back faces and faults and kept in the repository beside the logs.

`temperature` divides the class logits; `scale` and `bias` act on the logit of a field's probability. The probability that a character
of a field is hidden is sigmoid(hidden_frame * logit of what the line detector says + hidden_strips * logit of what the recogniser says
+ hidden_bias).
"""

import json
from dataclasses import asdict, dataclass

from .checkpoint import LOG

PATH = LOG / "calibration.json"


@dataclass
class Calibration:
    """Identity unless fitted."""

    temperature: float = 1.0
    scale: float = 1.0
    bias: float = 0.0
    hidden_frame: float = 0.5
    hidden_strips: float = 0.5
    hidden_bias: float = 0.0


def load() -> Calibration:
    """The fitted calibration, or the identity before the first fit."""
    return Calibration(**json.loads(PATH.read_text(encoding="utf-8"))) if PATH.exists() else Calibration()


def save(calibration: Calibration) -> None:
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(json.dumps(asdict(calibration), indent=2) + "\n", encoding="utf-8")
