"""The generator keeps its promises: labels agree with the picture, text follows the rules, the same seed draws the same."""

import json

import cv2
import numpy as np
import pytest

from shenfen_training.cards import identity
from shenfen_training.cards.camera import photograph
from shenfen_training.cards.dataset import Order, write
from shenfen_training.cards.geometry import between, side_lengths, warp
from shenfen_training.cards.render import render_card
from shenfen_training.cards.views import (
    cut_strip,
    lines_sample,
    locator_sample,
    refinement_sample,
    strip_frame,
    strip_samples,
)
from shenfen_training.charset import class_of
from shenfen_training.contract import FIELDS, LINES


def rng(seed=0):
    return np.random.default_rng(seed)


def persons(count):
    r = rng(5)
    return [identity.random_person(r) for _ in range(count)]


def test_check_digit_of_the_standards_example():
    assert identity.check_digit("11010519491231002") == "X"
    assert identity.check_digit("44052418800101001") == "4"


def test_a_person_agrees_with_the_number():
    for person in persons(300):
        number = person.identity_no
        assert len(number) == 18 and identity.check_digit(number[:17]) == number[17]
        assert number[6:14] == person.birth_date.strftime("%Y%m%d")
        assert (int(number[16]) % 2 == 1) == (person.gender == "男")
        assert person.is_permit == (person.ethnic == "")
        assert person.valid_from >= identity.FIRST_ISSUE and person.valid_from > person.birth_date


def test_every_character_can_be_recognised():
    known = class_of()
    for person in persons(1000):
        for text in [*person.fields("front").values(), *person.fields("back").values()]:
            assert text and all(char in known for char in text)


def test_every_nation_occurs():
    r = rng(1)
    assert len({identity.random_ethnic(r) for _ in range(8000)}) == 58


def test_rare_characters_occur_in_names():
    r = rng(2)
    rare = set(identity._rare_chars())
    share = np.mean([any(char in rare for char in identity.random_name(r)) for _ in range(5000)])
    assert 0.008 < share < 0.12


@pytest.mark.parametrize("side", ["front", "back"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_lines_say_what_the_side_bears(side, split):
    r = rng(7)
    for _ in range(25):
        person = identity.random_person(r, permit_share=0.2)
        card = render_card(person, side, r, split, 8)
        text = dict.fromkeys(FIELDS, "")
        for line in card.lines:
            text[line.field] += line.text
            assert len(line.centres) == len(line.text)
        assert {field: value for field, value in text.items() if value} == person.fields(side)


@pytest.mark.parametrize("side", ["front", "back"])
def test_lines_lie_on_ink_and_inside_the_card(side):
    r = rng(8)
    for _ in range(25):
        card = render_card(identity.random_person(r), side, r, "train", 12)
        grey = cv2.cvtColor(card.image, cv2.COLOR_RGB2GRAY).astype(int)
        height, width = grey.shape
        for line in card.lines:
            (x0, y0), (x1, y1) = line.quad[0].round().astype(int), line.quad[2].round().astype(int)
            assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
            inside = grey[y0:y1, x0:x1]
            # Dark strokes within, and at both ends.
            assert np.percentile(inside, 1) < np.percentile(inside, 90) - 30
            assert (line.centres[:, 0] > x0 - line.em * 0.3).all() and (line.centres[:, 0] < x1 + line.em * 0.3).all()
            assert (np.diff(line.centres[:, 0]) > 0).all()


def test_lines_of_a_card_do_not_overlap():
    r = rng(9)
    for _ in range(60):
        card = render_card(identity.random_person(r), "front", r, "train", 6)
        boxes = [(line.quad[0], line.quad[2]) for line in card.lines]
        for i, (low, high) in enumerate(boxes):
            for other_low, other_high in boxes[i + 1:]:
                shared = np.minimum(high, other_high) - np.maximum(low, other_low)
                assert not (shared > 0.25 * card.ppm * np.array([1, 2])).all(), [line.text for line in card.lines]


def test_saved_cards_bear_the_mark_outside_the_text():
    for side in ("front", "back"):
        r = rng(11)
        for _ in range(40):
            person = identity.random_person(r, permit_share=0.1)
            card = render_card(person, side, r, "train", 6)
            assert card.mark is not None
            low, high = card.mark[0], card.mark[2]
            for line in card.lines:
                shared = np.minimum(high, line.quad[2]) - np.maximum(low, line.quad[0])
                assert (shared <= 0).any(), (side, line.field)


def test_the_mark_is_really_drawn():
    person = persons(1)[0]
    with_mark = render_card(person, "front", rng(3), "train", 8)
    without = render_card(person, "front", rng(3), "train", 8, mark=False)
    (x0, y0), (x1, y1) = with_mark.mark[0].astype(int), with_mark.mark[2].astype(int)
    difference = np.abs(with_mark.image.astype(int) - without.image)[y0:y1, x0:x1]
    assert (difference.max(axis=2) > 20).mean() > 0.05


@pytest.mark.parametrize("level", ["scan", "photo", "hard"])
def test_truth_in_a_photograph_leads_back_to_the_card(level):
    """Warped back by its quad, the photograph shows the card's lines where the card has them."""
    r = rng(12)
    for _ in range(6):
        card = render_card(identity.random_person(r), "back", r, "train", 8)
        photo = photograph([card], r, level)
        truth = photo.cards[0]
        upright = warp(photo.image, between(truth.quad, card.corners), card.image.shape[1::-1])
        grey = [cv2.GaussianBlur(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 4) for i in (upright, card.image)]
        inner = (slice(30, -30), slice(30, -30))
        seen, drawn = grey[0][inner], grey[1][inner]
        # Whatever lies on the photograph, the card's own way round fits better than upside down.
        likeness = [np.corrcoef(seen.ravel(), other.ravel())[0, 1] for other in (drawn, drawn[::-1, ::-1])]
        assert likeness[0] > 0.25 and likeness[0] > likeness[1] + 0.1
        for line, original in zip(truth.lines, card.lines, strict=True):
            assert line.text == original.text and line.quad.shape == (4, 2)


def test_a_strip_is_cut_as_the_contract_says():
    quad = np.array([[100, 50], [260, 50], [260, 70], [100, 70]], np.float32)
    to_image, width = strip_frame(quad)
    # em = 20 px -> 1.28 strip pixels a pixel; (160 + 0.8 * 20) * 1.28 = 225.3 -> 232.
    assert width == 232
    left_middle = to_image @ [0.4 * 25.6, 16, 1]
    assert np.allclose(left_middle[:2], [100, 60])
    image = np.zeros((120, 400), np.uint8)
    image[50:70, 100:260] = 255
    strip = cut_strip(image, to_image, width)
    assert strip.shape == (32, 232)
    inside = np.argwhere(strip > 127)
    assert abs(inside[:, 0].min() - 3.2) <= 1 and abs(inside[:, 0].max() + 1 - 28.8) <= 1
    assert abs(inside[:, 1].min() - 10.24) <= 1


def test_views_have_the_networks_shapes():
    for seed in range(12):
        image, cards = locator_sample(rng(seed))
        assert image.shape == (256, 256, 3) and image.dtype == np.uint8
        assert all(side in ("front", "back") and quad.shape == (4, 2) for side, quad in cards)
        image, cards = refinement_sample(rng(seed))
        assert image.shape == (192, 256, 3) and image.dtype == np.uint8
        image, lines = lines_sample(rng(seed))
        assert image.shape == (320, 512) and image.dtype == np.uint8 and lines
        for field, quad, chars in lines:
            assert chars.shape[1] == 2 and (chars >= 0).all() and (chars <= 1).all()
            assert 0 <= field < len(FIELDS) and 8 < side_lengths(quad)[1] < 32
        for strip, text, centres, _ in strip_samples(rng(seed)):
            assert strip.shape[0] == 32 and strip.shape[1] % 8 == 0 and 24 <= strip.shape[1] <= 1024
            assert len(text) == len(centres) and (centres > 0).all() and (centres < strip.shape[1]).all()


def test_the_lines_frame_has_the_cards_proportions():
    width, height = side_lengths(LINES.frame.card)
    assert abs(width - 492.3) < 0.1 and abs(height - 310.6) < 0.1


def test_a_seed_draws_the_same_again():
    for draw in (locator_sample, refinement_sample, lines_sample):
        first, second = draw(rng(21)), draw(rng(21))
        assert (first[0] == second[0]).all()
    assert all((a[0] == b[0]).all() and a[1] == b[1] for a, b in zip(strip_samples(rng(3)), strip_samples(rng(3)), strict=True))


def test_a_written_set_is_the_same_with_any_number_of_processes(tmp_path):
    for folder, processes in (("one", 1), ("two", 2)):
        write(Order(tmp_path / folder, "mix", "val", 4, sheets=0.4, geometry=True), 6, processes)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir()) and len(files) == 7
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    labels = [json.loads(line) for line in (tmp_path / "one" / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {label["path"] for label in labels} == set(files) - {"labels.jsonl"}
    for label in labels:
        assert label["side"] in ("front", "back") and label["rotation"] in (0, 90, 180, 270)
        assert label["slice"][0] in ("scan", "photo", "hard", "sheet") and np.array(label["quad"]).shape == (4, 2)
        front = {"name", "identityNo", "gender", "birthDate", "birthPlace"}
        expected = {"authority", "effectiveDate"} if label["side"] == "back" else front
        assert expected <= set(label["fields"]) and {line["field"] for line in label["lines"]} == set(label["fields"])
