"""Logistic regression by maximum likelihood, small enough to need no library."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sigmoid(x: Floats) -> Floats:
    """The logistic function, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)), dtype=np.float64)


def fit_logistic(x: Floats, y: Floats, start: Floats, pull: Floats, steps: int = 100) -> Floats:
    """The weights under which outcomes `y` (0 or 1) of the rows of `x` are most likely, pulled towards `start`.

    `pull` says how strongly, for each weight, in observations. Newton's method; a step that does not help is halved.
    """

    def loss(weights: Floats) -> float:
        z = x @ weights
        away = weights - start
        return float(np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 * np.sum(pull * away * away))

    weights, best = start.copy(), loss(start)
    for _ in range(steps):
        guess = sigmoid(x @ weights)
        gradient = x.T @ (y - guess) - pull * (weights - start)
        hessian = (x * (guess * (1 - guess))[:, None]).T @ x + np.diag(pull + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-6 and loss(weights + size * step) > best:
            size /= 2
        if size <= 1e-6:
            break
        weights = weights + size * step
        improvement, best = best - loss(weights), loss(weights)
        if improvement < 1e-9 * (1 + abs(best)):
            break
    return weights
