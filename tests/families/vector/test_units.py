"""Robust fits of models with several predictions do not depend on units."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import assert_close

import fastaif as fa

_UNITS = {
    "tiny columns": (1e-9, 1.0), "large columns": (1e9, 1.0), "large targets": (1.0, 1e12),
    "unlike columns": (np.array([1.0, 1e-3, 1e3]), 1.0),
    "tiny columns and targets": (1e-9, 1e-12),
}  # fmt: skip


def _data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 3))
    outputs = X @ rng.normal(size=(3, 2)) + 0.5 * rng.normal(size=(24, 2)) + 1.0
    classes = np.argmax(X @ rng.normal(size=(3, 3)) + rng.gumbel(size=(24, 3)), axis=1)
    return X, outputs, classes


def _robust(model, X, y, units):
    scale = np.broadcast_to(units, X.shape[1])
    return fa.robust_fit(model.fit(X, y), X, y, 0.02, radius=1.0, feature_scale=scale)


@pytest.mark.parametrize("kind", ["outputs", "softmax"])
def test_optima_follow_units(kind):
    X, outputs, classes = _data()
    model = fa.LinearRegression() if kind == "outputs" else fa.LogisticRegression(alpha=0.0)
    y = outputs if kind == "outputs" else classes
    plain = _robust(model, X, y, 1.0)
    K = len(model.coef_)
    for name, (columns, targets) in _UNITS.items():
        size = targets if kind == "outputs" else 1.0
        found = _robust(model, X * columns, y * size if kind == "outputs" else y, columns)
        assert found.converged, name
        assert_close(found.objective / size**2, plain.objective, 1e-10)
        W = found.params[: K * 3].reshape(K, 3) * columns / size
        assert_close(W, plain.params[: K * 3].reshape(K, 3), 1e-5)


def test_attacks_by_ascent_follow_units():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    outputs = np.column_stack([X @ [2.0, 1.0, -1.0], X[:, 0]]) + 0.5 * rng.normal(size=(30, 2))
    plain, tiny = (fa.LinearRegression().fit(X, unit * outputs) for unit in (1.0, 1e-9))
    for eps in (0.1, 0.5):
        loss = fa.adversarial_loss(tiny, X, 1e-9 * outputs, eps, p=1.5)
        assert_close(1e18 * loss, fa.adversarial_loss(plain, X, outputs, eps, p=1.5), 1e-12)
