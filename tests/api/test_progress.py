"""Robust fits of every family tell a bar of their passes."""

import io
import sys

import numpy as np
import pytest

import fastaif as fa
from fastaif.utils import progress

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 2))
Y = X @ [1.0, 2.0] + RNG.normal(size=24)
CLASSES = np.digitize(Y, [-1.0, 1.0])
MODELS = {
    "linear": (fa.LinearRegression(), Y),
    "quadratic": (fa.QuadraticRegression(alpha=0.1), Y),
    "kernel": (fa.KernelRegression(alpha=0.1), Y),
    "one hidden layer": (fa.MLPRegression(hidden=2, alpha=0.1, random_state=0), Y),
    "two hidden layers": (fa.MLPRegression(hidden=(2, 2), alpha=0.1, random_state=0), Y),
    "softmax": (fa.LogisticRegression(alpha=0.1), CLASSES),
    "outputs": (fa.LinearRegression(), np.column_stack([Y, Y**2])),
}


def squared(theta, x, y):
    return (x @ theta - y) ** 2


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("name", [*MODELS, "user's"])
def test_robust_fits_show_their_passes(name, monkeypatch):
    if name == "user's":
        pytest.importorskip("jax")
        theta = np.linalg.lstsq(X, Y, rcond=None)[0]
        model, y = fa.DifferentiableModel(squared, theta, backend="jax"), Y
    else:
        model, y = MODELS[name][0].fit(X, MODELS[name][1]), MODELS[name][1]
    told = []
    monkeypatch.setattr(progress.Progress, "tick", lambda self: told.append(self._bar is not None))
    monkeypatch.setattr(sys, "stderr", Terminal())
    fa.robust_fit(model, X, y, 0.02)
    assert sum(told) >= 3
