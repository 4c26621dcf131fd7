"""The fits find what was planted in simulated data."""

import numpy as np
import pytest

from shenfen_training.calibrate import calibrated, calibration_error, cautious, fit
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
