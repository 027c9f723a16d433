"""Fits with an l1 term in the penalty: optimality, scikit-learn's, and what is hard."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model as sk
from sklearn.exceptions import ConvergenceWarning

import fastaif as fa

LABELS = (
    fa.LogisticRegression, fa.ProbitRegression, fa.CloglogRegression,
    fa.SquaredHingeClassification,
)  # fmt: skip
NUMBERS = (
    fa.LinearRegression, fa.HuberRegression, fa.ExpectileRegression, fa.PoissonRegression,
    fa.GammaRegression, fa.TweedieRegression, fa.NegativeBinomialRegression,
)  # fmt: skip


def data(kind, seed=0, n=100, m=7):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) * rng.uniform(0.5, 2.0, size=m) + rng.normal(size=m)
    f = X[:, 0] - X[:, 1] + 0.3 * X[:, 2] + rng.normal(size=n)
    if kind in LABELS:
        y = np.where(f > 0, 1.0, -1.0)
    elif kind.kind in ("linear", "huber", "expectile"):
        y = f
    else:
        y = rng.poisson(np.exp(0.3 * f)) + (0.5 if kind.kind == "gamma" else 0.0)
    return X, y, rng.uniform(0.2, 3.0, size=n)


def lack(model, X, y, w=None):
    """The least subgradient's largest entry, in units of E |l'| |z|."""
    n = len(X)
    w = np.full(n, 1.0 / n) if w is None else w / w.sum()
    f = X @ model.coef_ + model.intercept_
    loss = model.loss_description()
    slope = loss.slope(f, y)
    scale = np.max(np.abs(slope * w) @ np.abs(X))
    ratio, beta = model.l1_ratio, model.coef_
    gradient = X.T @ (w * slope) + 2.0 * model.alpha * (1.0 - ratio) * beta
    level = model.alpha * ratio
    inside = np.maximum(np.abs(gradient) - level, 0.0)
    least = np.where(beta == 0.0, inside, np.abs(gradient + level * np.sign(beta)))
    return max(least.max(), abs(w @ slope) * bool(model.fit_intercept)) / scale


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ratio", [0.3, 1.0])
@pytest.mark.parametrize("alpha", [0.02, 0.2])
@pytest.mark.parametrize("kind", NUMBERS + LABELS)
def test_every_loss_is_fitted_to_its_optimum(kind, alpha, ratio, weighted):
    X, y, w = data(kind)
    w = w if weighted else None
    model = kind(alpha=alpha, l1_ratio=ratio).fit(X, y, w)
    assert lack(model, X, y, w) < 1e-12


def elastic_net(alpha, ratio):
    """scikit-learn's, with ½ E r² for E r²."""
    l1, squares = alpha * ratio / 2.0, alpha * (1.0 - ratio)
    return sk.ElasticNet(
        alpha=l1 + squares, l1_ratio=l1 / (l1 + squares), tol=1e-14, max_iter=100_000
    )


@pytest.mark.parametrize("ratio", [0.5, 1.0])
@pytest.mark.parametrize("alpha", [0.05, 0.5, 2.0])
def test_least_squares_are_those_of_scikit_learn(alpha, ratio):
    X, y, w = data(fa.LinearRegression)
    ours = fa.LinearRegression(alpha=alpha, l1_ratio=ratio).fit(X, y, w)
    theirs = elastic_net(alpha, ratio).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=0, atol=1e-10)


@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_logistic_fits_are_those_of_scikit_learn(ratio):
    X, y, w = data(fa.LogisticRegression)
    alpha, total = 0.05, w.sum()
    ours = fa.LogisticRegression(alpha=alpha, l1_ratio=ratio).fit(X, y, w)
    size = alpha * ratio + 2.0 * alpha * (1.0 - ratio)
    theirs = sk.LogisticRegression(
        C=1.0 / (total * size), l1_ratio=alpha * ratio / size, solver="saga", tol=1e-12,
        max_iter=100_000, penalty="elasticnet",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        theirs.fit(X, y, sample_weight=w)
    np.testing.assert_allclose(ours.coef_, theirs.coef_[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", [fa.LinearRegression, fa.PoissonRegression])
def test_a_large_penalty_leaves_the_intercept(kind):
    X, y, w = data(kind)
    model = kind(alpha=100.0, l1_ratio=1.0).fit(X, y, w)
    assert not model.coef_.any()
    mean = np.average(y, weights=w)
    wanted = mean if kind is fa.LinearRegression else np.log(mean)
    np.testing.assert_allclose(model.intercept_, wanted, rtol=1e-12)


def test_no_intercept_and_no_l1():
    X, y, w = data(fa.LinearRegression)
    model = fa.LinearRegression(alpha=0.3, l1_ratio=0.7, fit_intercept=False).fit(X, y, w)
    assert lack(model, X, y, w) < 1e-12
    assert model.intercept_ == 0.0
    plain = fa.LinearRegression(alpha=0.3, l1_ratio=0.0).fit(X, y, w)
    np.testing.assert_array_equal(plain.coef_, fa.LinearRegression(0.3).fit(X, y, w).coef_)


def test_more_columns_than_rows():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 300))
    y = X[:, :4] @ [2.0, -1.0, 1.0, 0.5] + 0.1 * rng.normal(size=40)
    model = fa.LinearRegression(alpha=0.1, l1_ratio=1.0).fit(X, y)
    assert lack(model, X, y) < 1e-12
    assert 4 <= np.count_nonzero(model.coef_) < 40
    assert lack(fa.LinearRegression(alpha=0.1, l1_ratio=0.5).fit(X, y), X, y) < 1e-12


@pytest.mark.parametrize("copy", [1.0, -1.0, 2.0])
def test_columns_that_are_copies(copy):
    X, y, w = data(fa.LinearRegression)
    X = np.column_stack([X, copy * X[:, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = fa.LinearRegression(alpha=0.2, l1_ratio=1.0).fit(X, y, w)
    assert lack(model, X, y, w) < 1e-12
    both = fa.LinearRegression(alpha=0.2, l1_ratio=0.5).fit(X, y, w)
    assert lack(both, X, y, w) < 1e-12


def test_constant_columns_and_rows_of_no_weight():
    X, y, w = data(fa.PoissonRegression)
    X[:, 3], w[:10] = 4.0, 0.0
    model = fa.PoissonRegression(alpha=0.1, l1_ratio=0.8).fit(X, y, w)
    assert model.coef_[3] == 0.0
    part = fa.PoissonRegression(alpha=0.1, l1_ratio=0.8).fit(X[10:], y[10:], w[10:])
    np.testing.assert_allclose(model.coef_, part.coef_, rtol=0, atol=1e-12)


def test_columns_far_from_zero_and_of_unlike_scales():
    X, y, _ = data(fa.LinearRegression)
    scale = np.array([1e-4, 1.0, 1e5, 1.0, 1.0, 1.0, 1.0])
    far = X * scale + [0.0, 1e4, 0.0, 0.0, 0.0, 0.0, 0.0]
    model = fa.LinearRegression(alpha=1e-5, l1_ratio=1.0).fit(far, y)
    assert lack(model, far, y) < 1e-9
    shifted = fa.LinearRegression(alpha=0.1, l1_ratio=1.0).fit(X + 1e4, y)
    plain = fa.LinearRegression(alpha=0.1, l1_ratio=1.0).fit(X, y)
    np.testing.assert_allclose(shifted.coef_, plain.coef_, rtol=0, atol=1e-9)


def test_separable_classes_have_an_optimum():
    X, _, _ = data(fa.LogisticRegression)
    y = np.where(X[:, 0] > X[:, 0].mean(), "b", "a")
    model = fa.LogisticRegression(alpha=1e-3, l1_ratio=1.0).fit(X, y)
    assert lack(model, X, np.where(y == "b", 1.0, -1.0)) < 1e-12


def test_sparse_rows_are_the_dense_ones():
    X, y, w = data(fa.LinearRegression)
    X[np.abs(X) < 0.5] = 0.0
    dense = fa.LinearRegression(alpha=0.2, l1_ratio=0.9).fit(X, y, w)
    found = fa.LinearRegression(alpha=0.2, l1_ratio=0.9).fit(sp.csr_matrix(X), y, w)
    np.testing.assert_allclose(found.coef_, dense.coef_, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, np.nan, "half"])
def test_ratios_outside_of_zero_to_one_are_refused(ratio):
    X, y, _ = data(fa.LinearRegression)
    with pytest.raises((ValueError, TypeError), match="l1_ratio"):
        fa.LinearRegression(alpha=1.0, l1_ratio=ratio).fit(X, y)


def test_several_classes_are_refused():
    X, _, _ = data(fa.LogisticRegression)
    with pytest.raises(ValueError, match=r"l1_ratio > 0 is for two classes.*l1_ratio=0"):
        fa.LogisticRegression(alpha=0.1, l1_ratio=0.5).fit(X, np.arange(len(X)) % 3)
