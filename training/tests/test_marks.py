"""Marks lie over a picture without hiding what is below, and are the same for the same seed."""

import numpy as np
import pytest

from shenfen_training.cards.marks import add_marks, add_signature, add_stamp, add_watermark

PPM = 8.0


def print_on_paper() -> np.ndarray:
    """Dark bars on light paper, RGB."""
    picture = np.full((300, 500, 3), 215, np.uint8)
    picture[::12, :, :] = picture[1::12] = picture[2::12] = 40
    return picture


@pytest.mark.parametrize("add", [add_watermark, add_stamp, add_signature])
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_mark_changes_a_picture_and_leaves_its_print_readable(add, split):
    changed = 0
    for seed in range(25):
        picture = print_on_paper()
        add(np.random.default_rng(seed), picture, PPM, split)
        changed += int((picture != print_on_paper()).any())
        before, after = (one.astype(float).ravel() - one.mean() for one in (print_on_paper(), picture))
        assert (before * after).sum() / np.sqrt((before**2).sum() * (after**2).sum()) > 0.8
    assert changed > 15


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_seed_draws_the_same_marks_again_on_colour_and_on_grey(dtype):
    for picture in (print_on_paper().astype(dtype), print_on_paper()[..., 0].astype(dtype)):
        one, two, other = picture.copy(), picture.copy(), picture.copy()
        for seed in range(4):
            add_marks(np.random.default_rng(seed), one, PPM, "train")
            add_marks(np.random.default_rng(seed), two, PPM, "train")
            add_marks(np.random.default_rng(seed + 100), other, PPM, "train")
        assert (one == two).all() and (one != other).any() and one.dtype == dtype


def test_validation_has_texts_of_its_own():
    drawn = []
    for split in ("train", "val"):
        picture = print_on_paper()
        add_watermark(np.random.default_rng(3), picture, PPM, split)
        drawn.append(picture)
    assert (drawn[0] != drawn[1]).any()
