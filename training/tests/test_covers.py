"""Covers hide what they say they hide, and nothing else; frames are lit evenly as the engine does it."""

import cv2
import numpy as np
import pytest

from shenfen_training.cards.camera import photograph
from shenfen_training.cards.covers import (
    HELD_BACK_MATERIAL,
    HIDDEN,
    MATERIALS,
    Covers,
    Place,
    cover_line,
    hidden_shares,
    lost_shares,
)
from shenfen_training.cards.identity import random_person
from shenfen_training.cards.render import Line, render_card
from shenfen_training.illumination import RULES, gains, normalised


def line(x: float, y: float, em: float, count: int) -> Line:
    """A line of `count` characters as wide as high, from x on, its middle at y."""
    quad = np.array([[x, y - em / 2], [x + count * em, y - em / 2], [x + count * em, y + em / 2], [x, y + em / 2]], np.float32)
    centres = np.array([[x + (at + 0.5) * em, y] for at in range(count)], np.float32)
    return Line("name", "一" * count, quad, centres)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("material", [*MATERIALS, HELD_BACK_MATERIAL])
def test_a_cover_changes_nothing_away_from_its_place(material, channels):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        image = rng.integers(60, 240, (90, 300, *channels)).astype(np.uint8)
        covers = Covers(rng, image.copy())
        covers.add(Place((150, 45), (20, 12), 0.2), material)
        changed = covers.image != image
        away = np.ones(image.shape[:2], bool)
        away[:, 100:200] = False
        assert changed.any() and not changed[away].any()
        assert not covers.hidden[away].any()


@pytest.mark.parametrize("material", ["skin", "paper", "ink", "object", "glare"])
def test_opaque_covers_hide_the_character_below_and_not_its_neighbours(material):
    text = line(20, 45, 24, 10)
    for seed in range(8):
        covers = Covers(np.random.default_rng(seed), np.full((90, 300), 200, np.uint8))
        covers.add(Place(tuple(text.centres[4]), (22, 22)), material)
        shares = hidden_shares(covers.hidden, text)
        assert shares[4] > HIDDEN
        assert shares[[0, 1, 8, 9]].max() < 0.1


def test_what_lies_outside_of_the_picture_is_hidden():
    shares = hidden_shares(np.zeros((90, 100), np.uint8), line(-48, 45, 24, 10))
    assert (shares[:2] == 1).all() and (shares[2:6] == 0).all() and (shares[7:] == 1).all()


@pytest.mark.parametrize(("strokes", "length"), [((44,), 6), ((44,), 20), ((34, 39, 44, 49, 54), 20)], ids=["hyphen", "one", "many"])
def test_noise_loses_no_character_however_thin_but_blank_paper_does(strokes, length):
    text = line(20, 45, 24, 10)
    printed = np.full((90, 300), 220, np.uint8)
    for x, _ in text.centres.astype(int):
        for y in strokes:
            cv2.rectangle(printed, (x - length // 2, y), (x + length // 2, y + 1), 60, -1)
    for seed in range(4):
        noise = np.random.default_rng(seed).normal(0, 35, printed.shape)
        seen = np.clip(printed * 0.8 + 20 + noise, 0, 255).astype(np.uint8)
        assert (lost_shares(printed, seen, text) == 0).all()
        blank = np.clip(220 + noise, 0, 255).astype(np.uint8)
        assert (lost_shares(printed, blank, text) == 1).all()


def test_a_line_is_covered_at_any_of_its_characters_and_beside_them():
    text = line(40, 45, 24, 8)
    hidden = []
    for seed in range(150):
        covers = Covers(np.random.default_rng(seed), np.full((90, 300), 200, np.uint8))
        cover_line(covers.rng, covers, text)
        hidden.append(hidden_shares(covers.hidden, text) >= HIDDEN)
    share = np.array(hidden).mean(axis=0)
    assert (share > 0.1).all() and (share < 0.6).all()
    assert (~np.array(hidden).any(axis=1)).mean() > 0.1


def test_a_photograph_tells_what_of_its_lines_is_hidden():
    def shares(seed: int, covered: bool) -> np.ndarray:
        rng = np.random.default_rng(seed)
        photo = photograph([render_card(random_person(rng), "front", rng)], rng, "scan", covered=covered)
        (truth,) = photo.cards
        assert [len(hidden) for hidden in truth.hidden] == [len(one.centres) for one in truth.lines]
        return np.concatenate(truth.hidden)

    assert max(shares(seed, covered=True).max() for seed in range(4)) > HIDDEN
    assert shares(0, covered=False).max() == 0


def test_a_frame_lit_evenly_has_paper_of_one_brightness():
    frame = np.full((320, 512), 200, np.uint8)
    frame[:, 256:] = 90
    frame[100:110, ::7] = 30
    lit = normalised(frame)
    assert abs(int(np.median(lit[:, :200])) - RULES.target_paper) < 3
    assert abs(int(np.median(lit[:, 320:])) - RULES.target_paper) < 3
    assert lit[104, ::7].max() < 80
    assert gains(frame).shape == (320 // RULES.block, 512 // RULES.block)
