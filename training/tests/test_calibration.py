"""The fits find what was planted in simulated data."""

import numpy as np
import pytest

from shenfen_training.calibrate import calibrated, calibration_error, cautious, fit, fit_hidden, hidden_probability
from shenfen_training.calibration import Calibration


def simulated(calibration: Calibration, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of fields, most of them near 1, and whether each field is right by a known calibration."""
    rng = np.random.default_rng(5)
    probability = 1 / (1 + np.exp(-rng.normal(3, 2.5, count)))
    return probability, (rng.random(count) < calibrated(probability, calibration)).astype(float)


@pytest.mark.parametrize(("scale", "bias"), [(0.6, -0.8), (1.2, 0.7)])
def test_fit_recovers_a_known_calibration(scale, bias):
    probability, right = simulated(Calibration(scale=scale, bias=bias), 40_000)
    fitted = fit(probability, right)
    assert fitted.scale == pytest.approx(scale, abs=0.05)
    assert fitted.bias == pytest.approx(bias, abs=0.1)
    assert calibration_error(calibrated(probability, fitted), right) < 0.01


def test_a_higher_probability_never_becomes_a_lower_confidence():
    probability, right = simulated(Calibration(scale=1.0, bias=0.0), 200)
    for outcome in (right, 1 - right):
        confidence = calibrated(np.linspace(0, 1, 101), fit(probability, outcome))
        assert (np.diff(confidence) >= 0).all()


def test_caution_lowers_every_confidence_the_more_the_less_data_there_is():
    grid = np.linspace(0.01, 0.99, 50)
    lowered = []
    for count in (200, 20_000):
        probability, right = simulated(Calibration(scale=1.0, bias=0.5), count)
        fitted = fit(probability, right)
        careful = cautious(fitted, probability)
        assert (calibrated(grid, careful) < calibrated(grid, fitted)).all()
        lowered.append(fitted.bias - careful.bias)
    assert lowered[0] > 3 * lowered[1] > 0


def test_without_data_the_calibration_is_the_identity():
    assert fit(np.array([]), np.array([])) == Calibration()


def test_fit_of_what_is_hidden_recovers_how_far_each_network_can_be_trusted():
    rng = np.random.default_rng(7)
    count = 20_000
    hidden = rng.random(count) < 0.3
    said = [1 / (1 + np.exp(-(np.where(hidden, 2.0, -3.0) + rng.normal(0, spread, count)))) for spread in (1.0, 1.5)]
    seen = np.full(count, 0.98)
    right = (~hidden & (rng.random(count) < seen)).astype(float)
    fitted = fit_hidden(seen, *said, right, Calibration(scale=1.3, bias=-0.2))
    assert (fitted.scale, fitted.bias) == (1.3, -0.2)
    # Two independent witnesses with normal errors: the logit of the difference of their means over the variance.
    assert fitted.hidden_frame == pytest.approx(5.0, rel=0.15)
    assert fitted.hidden_strips == pytest.approx(5.0 / 1.5**2, rel=0.15)
    whole = seen * (1 - hidden_probability(*said, fitted))
    assert calibration_error(whole, right) < 0.01


def test_hidden_probability_never_falls_when_a_network_sees_more_of_a_cover():
    rng = np.random.default_rng(8)
    frame, strips, right = rng.random(300), rng.random(300), (rng.random(300) < 0.5).astype(float)
    fitted = fit_hidden(np.full(300, 0.9), frame, strips, right, Calibration())
    grid = np.linspace(0, 1, 21)
    assert (np.diff(hidden_probability(grid, np.full(21, 0.3), fitted)) >= 0).all()
    assert (np.diff(hidden_probability(np.full(21, 0.3), grid, fitted)) >= 0).all()
