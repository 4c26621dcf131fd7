"""Drawn strips: labels agree with the ink, the same seed draws the same strip, validation keeps its faces."""

import numpy as np
import pytest
import torch

from shenfen_training.charset import charset, class_of, drawable, outsiders, usual
from shenfen_training.checkpoint import CACHE
from shenfen_training.crops import strip_input
from shenfen_training.fonts import DIGIT_TRAIN, FALLBACK, HAN_TRAIN, HAN_VAL, coverage
from shenfen_training.nets.recogniser import HEIGHT, STEP
from shenfen_training.strips.atlas import CELL
from shenfen_training.strips.batches import collate
from shenfen_training.strips.design import Design
from shenfen_training.strips.draw import StripArtist
from shenfen_training.strips.text import StripText, held_back_outsider, with_outsider
from shenfen_training.train_recogniser import losses_of_characters


@pytest.fixture(scope="module")
def artist():
    return StripArtist("val", CACHE)


def test_the_charset_has_no_doubles_and_holds_the_symbols_of_dates():
    assert len(set(charset())) == len(charset()) and charset()[: len(usual())] == usual()
    assert len(usual()) == 10064
    assert all(char in class_of() for char in "0123456789X.-·年月日长期男女")


def test_a_face_of_training_has_every_character():
    assert not {char for char in drawable() if ord(char) not in coverage(FALLBACK)}


def test_outsiders_are_no_classes_and_those_of_validation_are_not_trained_with():
    assert not set(outsiders()) & set(charset()) and len(set(drawable())) == len(drawable())
    rng = np.random.default_rng(8)
    plain = [class_of()[char] for char in "王小明"]
    trained = {number for _ in range(3000) for number in with_outsider(rng, StripText(np.array(plain))).classes.tolist()}
    held_back = {int(max(held_back_outsider(rng).classes)) for _ in range(300)}
    assert len(trained) > 200 and max(trained) < len(drawable()) and set(plain) <= trained
    assert min(held_back) >= len(charset()) and not held_back & trained


def test_an_outsider_costs_the_more_the_surer_it_is_taken_for_another():
    logits = torch.tensor([[9.0, 0.0, 0.0], [1.0, 0.9, 1.0], [9.0, 0.0, 0.0]])
    sure, unsure, known = losses_of_characters(logits, torch.tensor([3, 3, 0])).tolist()
    assert sure > 5 > 1 > unsure and known < 0.01


def test_a_redrawn_glyph_keeps_its_cell_and_most_of_its_ink(artist):
    atlas = artist.han[0][0]
    bitmap = atlas.bitmaps[atlas.slot[class_of()["国"]]]
    for seed in range(40):
        redrawn = Design(np.random.default_rng(seed), serif=False).redraw(bitmap)
        assert redrawn.shape == (CELL, CELL) and 0.4 < redrawn.mean() / bitmap.mean() < 2.5


def test_faces_of_validation_are_not_in_training():
    assert not {face.file for face in HAN_VAL} & {face.file for face in HAN_TRAIN}
    assert "freefont" not in " ".join(face.file for face in DIGIT_TRAIN)


def test_the_same_seed_draws_the_same_strip(artist):
    one, two = (artist.strip(np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.grey, two.grey) and np.array_equal(one.centres, two.centres)


def test_centres_rise_from_left_to_right_inside_the_strip(artist):
    rng = np.random.default_rng(6)
    for _ in range(50):
        strip = artist.strip(rng)
        assert strip.grey.shape[0] == HEIGHT and strip.grey.shape[1] % 8 == 0
        assert (np.diff(strip.centres) > 0).all()
        assert strip.centres[0] > 0 and strip.centres[-1] < strip.grey.shape[1]


def test_a_batch_says_where_every_character_is(artist):
    rng = np.random.default_rng(7)
    text = StripText(np.array([class_of()[char] for char in "浙江省"]))
    batch = collate([artist.strip(rng, text) for _ in range(3)], 256, rng)
    assert batch.strips.shape == (3, 1, HEIGHT, 256) and batch.centre.shape == (3, 256 // STEP)
    assert (batch.centre == 1).sum() == 9 and batch.classes.tolist() == text.classes.tolist() * 3
    target = batch.centre.flatten()[batch.step]
    assert ((target == 1) | (target == -1)).all()


def test_normalised_strips_have_no_mean_and_flat_ones_stay_flat():
    assert np.allclose(strip_input(np.full((32, 64), 200, np.uint8)), 0)
    assert abs(strip_input(np.arange(2048, dtype=np.float32).reshape(32, 64)).mean()) < 1e-4
