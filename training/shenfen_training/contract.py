"""What the trainer and the engine agree on: every number that both use, once.

One frozen dataclass per network. Training reads the numbers from here; export writes them to models/NAME/config.json, where the
engine reads them (crates/ocr/src/contract.rs). Coordinates are continuous: pixel i covers [i, i + 1].

A number whose docstring says "decoding only" acts on the network's output and may be changed alone; any other belongs to the
weights that were trained with it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 2
"""Version of the configs' keys and their meaning; the engine refuses others."""
MODELS = Path(__file__).resolve().parents[2] / "models"
FIELDS = (
    "name", "gender", "ethnic", "birthDate", "birthPlace", "identityNo", "authority", "effectiveDate", "permitNumber", "issueCount"
)
"""All fields, in the order of the line detector's channels."""
CARD_MM = (85.6, 54.0)
"""Width and height of a card in millimetres (ISO/IEC 7810 ID-1, rounded as the card's own standard has it)."""
OUTSIDE = 128
"""Level of what lies outside the picture."""


@dataclass(frozen=True)
class Resampling:
    """How a crop is sampled from a picture: bilinearly, averaged where the picture is finer than the crop."""

    max_samples: int = 1
    """The most samples per pixel of the crop and direction; where they are not enough, the picture is halved first."""
    slack: float = 0.3
    """One sample is enough for up to this many picture pixels more than one."""
    outside: int = OUTSIDE
    """Level of what lies outside the picture."""


@dataclass(frozen=True)
class Pixels:
    """How levels 0..255 become a detector's input: level / scale + offset."""

    scale: float = 127.5
    offset: float = -1.0


@dataclass(frozen=True)
class LocatorChannels:
    """Channels of the locator's output: the first one of each quantity."""

    centre: int = 0
    """Logit: a card's centre is here."""
    side: int = 1
    """Logit: the card shows its back."""
    corner_offsets: int = 2
    """Eight: x and y from the cell's centre to the card's four corners, in units of `offset_unit` input pixels."""
    corner_logits: int = 10
    """Four logits: the card's top left, top right, bottom right, bottom left corner is near the cell."""
    near_offset: int = 14
    """Two: x and y from the cell's centre to that corner, in cells."""
    count: int = 16


@dataclass(frozen=True)
class RefinementPass:
    """The card warped upright by its rough corners, which go to `card` (left, top, right, bottom) of an input of `size`
    (width, height)."""

    size: tuple[int, int] = (256, 192)
    card: tuple[float, float, float, float] = (18.0, 26.6, 238.0, 165.4)


@dataclass(frozen=True)
class LocatorDecoding:
    """From the locator's output to cards. Decoding only."""

    threshold: float = 0.4
    """A local maximum of the centre probability above this is a card."""
    neighbour_share: float = 0.5
    """Cells around a maximum count, weighted by their probability, if it is at least this share of the maximum's."""
    corner_reach: float = 0.2
    """Cells are searched for a corner up to this far from where the card's centre predicts it, in card widths; at least one cell."""
    corner_threshold: float = 0.3
    """With a lower corner probability the predicted corner stays: the real one may be covered or outside the picture."""
    duplicate_iou: float = 0.3
    """A card is a duplicate if its middle lies in a more confident one, or their intersection over union is above this."""


@dataclass(frozen=True)
class LocatorContract:
    """Locator: picture (RGB) -> corners and side of every card."""

    name: str = "locator"
    version: str = "0.6.0"
    inputs: int = 3
    resampling: Resampling = Resampling()
    pixels: Pixels = Pixels()
    coarse_side: int = 256
    """Side of the square into which the whole picture is letterboxed for the coarse pass."""
    refinement: RefinementPass = RefinementPass()
    output_stage: int = 2
    """The stage of the network at whose size the output comes out."""
    stride: int = 8
    """Input pixels per cell of the output: 2 to the power of output_stage + 1."""
    channels: LocatorChannels = LocatorChannels()
    offset_unit: float = 64.0
    decoding: LocatorDecoding = LocatorDecoding()


@dataclass(frozen=True)
class CardFrame:
    """The frame into which an upright card is warped: the card in the middle of `size` (width, height) pixels, which are
    `width_in_cards` card widths wide."""

    size: tuple[int, int] = (512, 320)
    width_in_cards: float = 1.04
    card_mm: tuple[float, float] = CARD_MM

    @property
    def pixels_per_mm(self) -> float:
        return self.size[0] / (self.width_in_cards * self.card_mm[0])

    @property
    def card(self) -> np.ndarray:
        """Where the card's corners go, float32 [4, 2], from its own top left."""
        half = np.array(self.card_mm) * self.pixels_per_mm / 2
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        return (np.array(self.size) / 2 + signs * half).astype(np.float32)


@dataclass(frozen=True)
class Illumination:
    """How the brightness of the paper is estimated on a card's frame, and divided out: the brightest pixel of each block is paper,
    after a morphological closing over strokes."""

    block: int = 4
    """Side of the blocks of the frame (5.75 pixels a millimetre) that share one gain. Compared on 2026-11-25 on 420 hard photos and
    pictures with several cards: all four together took wrong fields from 57 to 56."""
    closing_radius: int = 2
    """Strokes and the gaps between them are narrower than twice this many blocks; larger dark areas are taken for dark paper."""
    target_paper: float = 200.0
    """Brightness of paper after normalisation."""
    min_paper: float = 4.0
    """Paper is taken to be at least this bright: below, there is only noise."""


@dataclass(frozen=True)
class LinesChannels:
    """Channels of the line detector's output: first of all a logit for each field, then the distances from the cell's centre to
    the em box's top and bottom, in units of `distance_unit` input pixels, then for each field the logit that a character of it is
    printed here and cannot be seen."""

    fields: tuple[str, ...] = FIELDS
    top: int = len(FIELDS)
    bottom: int = len(FIELDS) + 1
    hidden: int = len(FIELDS) + 2
    """The first of as many as there are fields."""
    count: int = 2 * len(FIELDS) + 2


@dataclass(frozen=True)
class LinesDecoding:
    """From the line detector's output to lines; lengths in em unless they say otherwise. Decoding only."""

    threshold: float = 0.5
    """A line has a cell of a higher probability."""
    extend_threshold: float = 0.3
    """It extends over neighbouring cells of a higher probability than this: thin characters at its ends score lower."""
    min_cells: int = 2
    """Fewer cells are not a line: a single character covers about eight, a small one in a second row four."""
    max_gap: float = 4.0
    """Fragments of a row are joined over a gap of less than this."""
    same_row: float = 0.5
    """Fragments whose middles differ by less than this are in one row."""
    max_indent: float = 1.3
    """A row that starts further right than another of its field, by no more than this, has lost a thin character."""
    min_slope_length: float = 2.0
    """Shorter lines are taken as horizontal: there is too little to fit a slope to."""
    min_em: float = 4.0
    """Smallest height of an em box in frame pixels."""
    max_em: float = 40.0
    """Largest one."""
    max_rows: tuple[int, ...] = (2, 1, 1, 1, 4, 1, 2, 1, 1, 1)
    """How many rows each field can take on a card, in the order of the channels."""


@dataclass(frozen=True)
class LinesContract:
    """Line detector: upright card (grey) -> the lines of its fields."""

    name: str = "lines"
    version: str = "0.6.0"
    inputs: int = 1
    resampling: Resampling = Resampling()
    pixels: Pixels = Pixels()
    frame: CardFrame = CardFrame()
    illumination: Illumination = Illumination()
    output_stage: int = 1
    stride: int = 4
    channels: LinesChannels = LinesChannels()
    distance_unit: float = 16.0
    decoding: LinesDecoding = LinesDecoding()


@dataclass(frozen=True)
class StripCrop:
    """How a line is cut for the recogniser. Lengths in pixels of the strip unless they say otherwise."""

    height: int = 32
    em: float = 25.6
    """Height of the line's em box; it is in the middle of the strip's height."""
    side_margin: float = 0.4
    """Margin left and right of the line, in em."""
    width_multiple: int = 8
    """The width is rounded up to a multiple of this."""
    min_width: int = 24
    max_width: int = 1024
    """Longer lines are squeezed."""
    min_deviation: float = 6.0
    """Levels are brought to mean 0 and deviation 1 over the strip; a smaller deviation than this counts as this."""


@dataclass(frozen=True)
class RecogniserDecoding:
    """From centre logits to characters. Decoding only."""

    centre_threshold: float = 0.35
    """A local maximum of the centre probability above this is a character."""
    missed_threshold: float = 0.15
    """One between this and the threshold may be a missed character."""


@dataclass(frozen=True)
class RecogniserChannels:
    """Channels of the recogniser's output for each step of a strip, besides the features that are classified."""

    centre: int = 0
    """Logit: a character's centre is here."""
    hidden: int = 1
    """Logit: a character is here that cannot be seen."""
    count: int = 2


@dataclass(frozen=True)
class RecogniserContract:
    """Recogniser: strip of one line (grey) -> characters with positions and probabilities."""

    name: str = "recogniser"
    version: str = "0.6.0"
    inputs: int = 1
    strip: StripCrop = StripCrop()
    resampling: Resampling = Resampling(max_samples=4)
    step: int = 4
    """Pixels of strip width per step of the output."""
    channels: RecogniserChannels = RecogniserChannels()
    classes: int = 21288
    """Characters in charset.txt."""
    decoding: RecogniserDecoding = RecogniserDecoding()


LOCATOR = LocatorContract()
LINES = LinesContract()
RECOGNISER = RecogniserContract()
CONTRACTS = {contract.name: contract for contract in (LOCATOR, LINES, RECOGNISER)}


PROBABILITY_FLOOR = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logit is taken for the calibration."""


def config(name: str) -> dict[str, Any]:
    """What config.json of a network says: its contract, and the recogniser's fitted calibration."""
    facts = asdict(CONTRACTS[name])
    if name == "recogniser":
        from .calibration import load  # imports torch, which drawing cards does without

        fitted = load()
        facts["temperature"] = fitted.temperature
        hidden = {"frame": fitted.hidden_frame, "strips": fitted.hidden_strips, "bias": fitted.hidden_bias}
        facts["calibration"] = {"scale": fitted.scale, "bias": fitted.bias, "floor": PROBABILITY_FLOOR, "hidden": hidden}
    return {"format": FORMAT, **facts}


def config_text(name: str) -> str:
    """The same as the file's text."""
    return json.dumps(config(name), indent=2, ensure_ascii=False) + "\n"
