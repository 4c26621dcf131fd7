"""The model card of each network: its task, training data, scores and limits."""

import json
from typing import Any

from torch import Tensor

from .checkpoint import LOG

EVAL = LOG / "eval.json"
"""What `shenfen eval --format json` printed for the set of [`EVAL_SET`] with the committed weights."""
EVAL_SET = "--split val --seed 2801 --level mix --sheets 0.05 --count 400"
"""The set: arguments of `python -m shenfen_training.cards.dataset`."""

_TASK = {
    "locator": "Finds cards in a picture: the four corners, beginning with the card's own top left, and the side. A coarse pass over "
    "the whole picture (256 x 256) is followed by refinement passes over each card, warped upright (256 x 192).",
    "lines": "Finds the lines of text on an upright card (512 x 320, grey) and the field of each, and says where a character of a field is "
    "printed that cannot be seen.",
    "recogniser": "Reads one line (32 pixels high, any width, grey): where each character's centre is, and which of 21,288 characters "
    "it is; and where a character is that cannot be seen.",
}
_LIMITS = {
    "locator": "Cards narrower than about 60 of the 256 pixels, or more than half outside the picture, may be missed. Trained on drawn "
    "cards with placeholders for emblem, portrait and background.",
    "lines": "Trained on drawn layouts that follow the card within a few millimetres. Bilingual cards are a small share of them. "
    "A cover of the paper's own colour without an edge leaves nothing to see at the end of a line.",
    "recogniser": "The charset is tiers 0 to 2 (see training/data/README.md) and the rest of Unicode's main block. Other characters are "
    "read as the most similar one, mostly with a low probability; `outsiders_sure` is the share that gets more than 0.9. Sans-serif "
    "(Hei) typefaces, as on cards, are read best. Handwriting is not read.",
}


def _reader_by_slice() -> str:
    """Scores of the whole reader on each slice of pictures."""
    if not EVAL.exists():
        return ""
    scores = json.loads(EVAL.read_text(encoding="utf-8"))

    def percent(share: float | None) -> str:
        return "" if share is None else f"{100 * share:.1f} %"

    def right(tally: dict[str, int]) -> str:
        return percent(tally["exact"] / tally["total"]) if tally["total"] else ""

    rows = [
        f"| {name} | {score['pictures']['total']} | {right(score['all'])} | {right(score['pictures'])} "
        f"| {percent(score['accepted']['share'])} | {percent(score['accepted']['precision'])} "
        f"| {score['calibration']['error'] or 0:.4f} |"
        for name, score in sorted(scores["slices"].items())
    ]
    return f"""
## The whole reader, by slice of pictures

All three networks and the checks, measured by `shenfen eval` on `python -m shenfen_training.cards.dataset {EVAL_SET}`. A picture
without a card is right when it is refused; "accepted" results need no review.

| slice | pictures | fields right | wholly right | accepted | of these right | calibration error |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}
"""


def model_card(name: str, tensors: dict[str, Tensor], scores: list[dict[str, Any]]) -> str:
    """The card as Markdown; `scores` are the lines of the committed log, oldest first."""
    last = scores[-1]
    weights = sum(value.numel() for value in tensors.values())
    figures = {key: value for key, value in last.items() if key not in ("date", "steps", "samples", "seconds", "device")}
    return f"""# {name}

{_TASK[name]}

* Weights: {weights:,} in f16, trained from scratch.
* Training data: pictures drawn by training/shenfen_training (made-up persons, free typefaces, own artwork). No real card.
* Training: {last["samples"]:,} samples in {last["steps"]:,} steps, {last["seconds"] / 60:.0f} minutes on {last["device"]}.
* Held back for validation: the typeface WenQuanYi Zen Hei, the digits of FreeSans, one family of backgrounds, one set of faults.
* Recipe: `python -m shenfen_training.{"train_recogniser" if name == "recogniser" else "train_detector " + name}`; the log
  is training/log/{name}.jsonl.

## Scores on the fixed validation set ({last["date"]})

```json
{json.dumps(figures, indent=2, ensure_ascii=False)}
```
{_reader_by_slice()}
## Limits

{_LIMITS[name]}
"""
