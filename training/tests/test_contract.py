"""What the trainer and the engine agree on is what models/ says, and the trainer's decoders follow it."""

import hashlib

import numpy as np
import pytest

from shenfen_training.charset import charset
from shenfen_training.contract import CONTRACTS, FIELDS, LINES, LOCATOR, MODELS, RECOGNISER, config_text
from shenfen_training.crops import cut, halved, strip_frame
from shenfen_training.decoding import Located, characters, decode_lines, without_duplicates
from shenfen_training.nets.fpn import LINES_NET, LOCATOR_NET


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_config_in_models_is_what_the_trainer_would_write(name: str):
    assert (MODELS / name / "config.json").read_text(encoding="utf-8") == config_text(name)


def test_sums_cover_exactly_the_files_in_models():
    listed = dict(reversed(line.split("  ")) for line in (MODELS / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    files = [path for path in MODELS.rglob("*") if path.is_file() and path.name not in ("README.md", "SHA256SUMS")]
    assert listed == {path.relative_to(MODELS).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_contract_agrees_with_charset_and_networks():
    assert len(charset()) == RECOGNISER.classes
    assert 2 ** (LOCATOR_NET.output_stage + 1) == LOCATOR.stride
    assert 2 ** (LINES_NET.output_stage + 1) == LINES.stride
    assert len(LINES.decoding.max_rows) == len(FIELDS) == LINES.channels.top


def _card(left: float, top: float, confidence: float) -> Located:
    quad = np.array([[left, top], [left + 80, top], [left + 80, top + 50], [left, top + 50]], np.float32)
    return Located(quad, "front", confidence)


def test_duplicates_are_suppressed_by_overlap_or_contained_middle():
    surer, other = _card(0, 0, 0.9), _card(300, 0, 0.5)
    assert without_duplicates([_card(10, 5, 0.6), other, surer]) == [surer, other]
    # Its middle lies outside, and a fifth of both is shared: two cards that touch in the picture.
    touching = _card(55, 0, 0.6)
    assert without_duplicates([surer, touching]) == [surer, touching]
    small = Located(np.array([[5, 5], [25, 5], [25, 17], [5, 17]], np.float32), "front", 0.5)
    assert without_duplicates([surer, small]) == [surer]


def test_a_line_is_decoded_where_it_was_drawn():
    output = np.full((LINES.channels.count, 80, 128), -10, np.float32)
    output[LINES.channels.top :] = 9 / LINES.distance_unit
    output[FIELDS.index("birthPlace"), 40, 20:60] = 10
    (line,) = decode_lines(output)
    assert line.field == "birthPlace"
    assert line.em == pytest.approx(18)
    assert line.start == pytest.approx([80, 162], abs=0.1)
    assert line.end == pytest.approx([240, 162], abs=0.1)


def test_characters_are_local_maxima_and_doubtful_ones_lower_the_probability():
    logit = lambda p: float(np.log(p / (1 - p)))  # noqa: E731
    steps, positions, no_missed = characters(np.array([-9, 4, -9, logit(0.2), -9, 4, 4, -9], np.float32))
    assert steps.tolist() == [1, 6]
    assert positions.tolist() == [6.0, 26.0]
    assert no_missed == pytest.approx(0.8)


def test_crops_average_where_the_picture_is_finer():
    stripes = np.tile(np.array([0, 200], np.uint8), (64, 64))
    assert (halved(stripes) == 100).all()
    crop = cut(stripes, np.diag([8.0, 8.0, 1.0]), (16, 8), RECOGNISER.resampling)
    assert np.abs(crop.astype(int) - 100).max() <= 1


def test_a_strip_is_never_wider_than_the_network_takes():
    quad = np.array([[0, 0], [5000, 0], [5000, 26], [0, 26]], np.float32)
    assert strip_frame(quad)[1] == RECOGNISER.strip.max_width
