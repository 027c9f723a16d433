"""Influences with bounds, budgets, a metric or groups, of models that are not linear predictors.

They are −H⁻¹Φ with Φ the slope in θ of what first-order attacks gain. Here ℓ is written out row by
row, its derivatives are complex steps, and those of the gains differences.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest
from families.test_restricted_attacks import HIGH, LOW, RESTRICTIONS, SIZES, X, fitted
from sklearn.base import clone

import fastaif as fa

STEP = 1e-30


def one_hot(y):
    return np.eye(int(y.max()) + 1)[y.astype(int)]


def softmax(theta, X, y):
    Y = one_hot(y)
    z = X @ theta[: -Y.shape[1]].reshape(Y.shape[1], -1).T + theta[-Y.shape[1] :]
    return np.log(np.exp(z).sum(axis=1)) - (z * Y).sum(axis=1)


def outputs(theta, X, y):
    z = X @ theta[: -y.shape[1]].reshape(y.shape[1], -1).T + theta[-y.shape[1] :]
    return ((z - y) ** 2).sum(axis=1)


def quadratic(theta, X, y):
    pairs = combinations_with_replacement(range(X.shape[1]), 2)
    V = np.column_stack([X] + [X[:, j] * X[:, k] for j, k in pairs])
    return (V @ theta[:-1] + theta[-1] - y) ** 2


def powers(theta, X, y):
    V = np.concatenate([X**k for k in (1, 2, 3)], axis=1)
    return np.log1p(np.exp(-np.where(y, 1.0, -1.0) * (V @ theta[:-1] + theta[-1])))


def linear(theta, X, y):
    return (X @ theta[:-1] + theta[-1] - y) ** 2


LOSSES = {
    "softmax": (softmax, 1e-2), "outputs": (outputs, 1e-2), "quadratic": (quadratic, 1e-2),
    "powers": (powers, 0.1), "l1": (linear, 0.025),
}  # fmt: skip


def slopes_of(call, at):
    """d call(at)/d at by complex steps, for `at` (d,), or row by row (n, m)."""
    shape = at.shape[-1]
    moves = [np.where(np.arange(shape) == k, 1j * STEP, 0.0) for k in range(shape)]
    return np.stack([call(at + move).imag / STEP for move in moves], axis=-1)


def gains(slopes, p, given):
    """What unit attacks gain along slopes (n, m)."""
    if "metric" in given:
        return np.sqrt(np.einsum("ij,jk,ik->i", slopes, given["metric"], slopes))
    if "bounds" in given:
        out = (slopes > 0.0) & (X >= HIGH) | (slopes < 0.0) & (X <= LOW)
        slopes = np.where(out, 0.0, slopes)
    q = 2.0 if "groups" in given else np.inf if p == 1 else 1.0 if np.isinf(p) else p / (p - 1.0)
    return np.linalg.norm(slopes, q, axis=1)


def difference(call, theta, step=1e-6):
    moves = step * np.eye(len(theta))
    return np.array([(call(theta + e) - call(theta - e)) / (2 * step) for e in moves])


@pytest.mark.parametrize("name", LOSSES)
def test_influences_are_those_of_the_gains_of_first_order_attacks(name):
    model, y = fitted(name)
    loss, alpha = LOSSES[name]
    for kind, given in RESTRICTIONS.items():
        for p in (2,) if "metric" in given else (1, 2, 3, np.inf):
            result = fa.aif(model, X, y, radius=1.0, **{**given, "p": p})
            theta, t = result.params, SIZES if "budgets" in given else np.ones(60)

            def value(at, t=t, p=p, given=given):
                slopes = slopes_of(lambda rows: loss(at, rows, y), X.astype(complex))
                return np.mean(t * gains(slopes, p, given))

            def gradient(at):
                return slopes_of(lambda there: loss(there, X, y).mean(), at.astype(complex))

            penalized = np.array(["intercept" not in part for part in result.problem.names])
            if name == "quadratic":  # products alone
                penalized[:2] = False
            H = difference(gradient, theta) + 2.0 * alpha * np.diag(penalized)
            kept = theta != 0.0 if name == "l1" else np.ones(len(theta), dtype=bool)
            wanted = np.zeros(len(theta))
            phi = difference(value, theta)
            wanted[kept] = -np.linalg.pinv(H[np.ix_(kept, kept)], 1e-8) @ phi[kept]
            scale = np.abs(wanted).max()
            np.testing.assert_allclose(result.influence, wanted, atol=1e-7 * scale, err_msg=kind)
            assert np.isclose(result.value_derivative, value(theta), rtol=1e-12)
            mean = result.per_sample().mean(axis=0)
            np.testing.assert_allclose(mean, result.influence, atol=1e-12 * scale)
            assert result.validity_radius > 0.0


def test_sums_of_blocks_are_those_of_all_rows():
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=60)
    for name in ("softmax", "outputs", "quadratic", "powers", "l1"):
        model, y = fitted(name)
        model = clone(model).fit(X, y, sample_weight=weights)
        for kind in ("bounds", "metric", "groups"):
            given = RESTRICTIONS[kind]
            whole = fa.aif(model, X, y, sample_weight=weights, **given)
            parts = [
                fa.InfluenceAccumulator(model, **given).update(X[rows], y[rows], weights[rows])
                for rows in (slice(0, 25), slice(25, None))
            ]
            total = (parts[0] + parts[1]).result()
            for found in ("influence", "radius", "value_derivative"):
                pair = getattr(total, found), getattr(whole, found)
                np.testing.assert_allclose(*pair, rtol=1e-9, atol=1e-13, err_msg=f"{name} {kind}")
