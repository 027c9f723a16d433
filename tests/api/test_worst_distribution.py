"""The worst distribution within a shared budget: in budget, of the right weights, and the worst."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import losses
from oracles import order as twin
from support import makers
from support.makers import DELTA, LOSS, about, theta_of

import fastaif as fa


def fitted(kind, n=30):
    X, y, _ = makers.make_clear(kind, n=n, m=4)
    w = np.random.default_rng(8).uniform(0.5, 2.0, size=n)
    w[::5] = 0.0
    return makers.estimator(kind, 0.02).fit(X, y, w), X, y, w


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_it_is_within_the_budget_and_attains_the_loss(kind, order, p):
    model, X, y, w = fitted(kind)
    options = {"order": order, "p": p, "sample_weight": w}
    found = fa.worst_distribution(model, X, y, 0.2, **options)
    s = twin.attack_scale(X, p=p, sample_weight=w)[1]
    assert found.radius == about(s, 1e-12)
    lengths = np.linalg.norm(found.inputs - X[found.rows], ord=p, axis=1)
    assert (found.weights @ lengths**order) ** (1.0 / order) == about(0.2 * s, 1e-9)
    np.testing.assert_allclose(
        np.bincount(found.rows, found.weights, len(y)), w / w.sum(), atol=1e-15
    )
    np.testing.assert_array_equal(found.targets, y[found.rows])
    theta = theta_of(model)
    f = found.inputs @ theta[:-1] + theta[-1]
    mean = found.weights @ losses.loss(LOSS[kind], f, found.targets, DELTA)[0]
    assert found.loss == about(mean, 1e-10)
    whole = fa.adversarial_loss(model, X, y, 0.2, **options)
    assert whole <= found.loss + 1e-10 * abs(found.loss)
    if len(np.unique(found.rows)) == len(found.rows):
        assert whole == about(found.loss, 1e-10)


def test_weights_are_divided_where_moves_jump():
    """Two samples alike, and a budget that takes one of them far: half of each would go."""
    X, y = np.array([[8.0], [8.0], [-3.0], [2.0]]), np.array([1.0, 1.0, -1.0, 1.0])
    model = fa.LogisticRegression(alpha=0.1).fit(X, y)
    found = fa.worst_distribution(model, X, y, 6.0, order=1.2, radius=1.0)
    assert len(found.rows) > len(y)
    assert found.weights.sum() == about(1.0, 1e-14)
    assert found.loss > fa.adversarial_loss(model, X, y, 6.0, order=1.2, radius=1.0)


def test_no_budget_is_the_data():
    model, X, y, w = fitted("logistic")
    found = fa.worst_distribution(model, X, y, 0.0, sample_weight=w)
    np.testing.assert_array_equal(found.inputs, X[found.rows])
    assert found.loss == about(fa.adversarial_loss(model, X, y, 0.0, sample_weight=w), 1e-12)


def test_what_has_none_is_refused():
    model, X, y, _ = fitted("linear")
    with pytest.raises(ValueError, match="finite orders"):
        fa.worst_distribution(model, X, y, 0.1, order=np.inf)
    quadratic = fa.QuadraticRegression(alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match="linear predictors"):
        fa.worst_distribution(quadratic, X, y, 0.1)
