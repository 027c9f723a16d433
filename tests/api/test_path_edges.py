"""Robust paths, and what is chosen by them, where there is next to nothing to solve."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from support.makers import estimator, make

import fastaif as fa

ASKED = ["params_at", "influence_at", "objective", "gap", "clean_loss", "cost", "gain",
         "adversarial_loss", "summary"]  # fmt: skip


@pytest.fixture(scope="module")
def data():
    X, y, _ = make("linear", n=40, m=3)
    return X, y


@pytest.fixture(scope="module")
def path(data):
    X, y = data
    return fa.robust_path(fa.LinearRegression(0.01).fit(X, y), X, y, 0.1)


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize(("eps", "why"), [
    ([], "list without a number"),
    (np.ma.masked_array([0.05, 0.1], [False, True]), "masked entries"),
    ([0.05, np.nan], "finite"), (-1e-9, "at least 0"), ([[0.05]], "shape"), (0.2, "last node"),
])  # fmt: skip
def test_no_radii(path, ask, eps, why):
    if ask == "summary" and np.ndim(eps) == 0:
        why = "at least 0|last node"
    with pytest.raises(ValueError, match=why):
        getattr(path, ask)(eps)


@pytest.mark.parametrize("ask", [
    fa.robust_path,
    lambda model, X, y, eps: fa.AdversarialTrainingCV(model, eps).fit(X, y),
    lambda model, X, y, eps: fa.choose_eps(model, X, y, eps=eps, max_cost=0.1),
])  # fmt: skip
def test_no_radius_at_all(data, ask):
    with pytest.raises(ValueError, match="list without a number"):
        ask(fa.LinearRegression().fit(*data), *data, [])


def test_nodes_are_read_only(path):
    for array in (path.eps, path.params, path.influence):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


@pytest.mark.parametrize("kind", ["linear", "huber", "poisson", "logistic"])
@pytest.mark.parametrize("eps", [0, [0.0]])
def test_a_range_of_zero_alone(kind, eps):
    X, y, _ = make(kind, n=40, m=3)
    model = estimator(kind, 0.01).fit(X, y)
    path = fa.robust_path(model, X, y, eps)
    np.testing.assert_array_equal(path.eps, [0.0])
    np.testing.assert_allclose(path.params[0][:3], model.coef_, rtol=1e-9)
    np.testing.assert_allclose(path.influence[0], fa.aif(model, X, y).influence, rtol=1e-9)
    assert (path.cost(0.0), path.choose_eps(0.1), len(path.to_frame())) == (0.0, 0.0, 1)


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("kind", ["linear", "huber", "poisson"])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_targets_that_are_all_the_same(kind, alpha, target):
    """The natural optimum has nothing to attack, at any ε."""
    if kind == "poisson" and target == 0.0:
        return
    X = make("linear", n=40, m=3)[0]
    y = np.full(40, target)
    model = estimator(kind, alpha).fit(X, y)
    path = fa.robust_path(model, X, y, 0.1)
    constant = np.r_[0.0, 0.0, 0.0, 0.0 if kind == "poisson" else target]
    np.testing.assert_allclose(path.params, np.tile(constant, (len(path.eps), 1)), atol=1e-12)
    assert not path.influence.any()
    assert (path.zero_radius, path.cost(0.1), path.choose_eps(0.0)) == (0.0, 0.0, 0.1)
    assert not fa.aif(model, X, y, at=0.05).influence.any()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(fa.robust_fit(model, X, y, 0.1).params, constant, atol=1e-8)


@pytest.mark.parametrize("eps", [1e150, [0.1, 1e150]])
def test_radii_whose_losses_overflow(kind, eps):
    X, y, _ = make(kind, n=40, m=3)
    with pytest.raises(ValueError, match="give a smaller eps"):
        fa.robust_path(estimator(kind, 0.01).fit(X, y), X, y, eps)


def test_one_row():
    model = fa.LinearRegression(0.01).fit([[1.0, 2.0]], [3.0])
    np.testing.assert_allclose(fa.robust_path(model, [[1.0, 2.0]], [3.0]).params[-1], [0, 0, 3])


def test_targets_are_a_column_of_a_matrix(data):
    X, y = data
    model = fa.LinearRegression(0.01).fit(X, y)
    wanted, column = fa.robust_path(model, X, y, 0.1), np.column_stack([X, y])[:, -1]
    assert not column.flags.c_contiguous
    for target in (column, y[::-1].copy()[::-1]):
        found = fa.robust_path(model, X, target, 0.1)
        np.testing.assert_array_equal(found.params, wanted.params)
    again = fa.aif(model, X, column, at=0.05)
    np.testing.assert_array_equal(again.influence, fa.aif(model, X, y, at=0.05).influence)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("eps", [5e-324, 1e-200, 1e-120, 1e-60])
def test_attacks_that_move_no_digit(kind, p, eps):
    X, y, _ = make(kind, n=40, m=3)
    model = estimator(kind, 0.0).fit(X, y)
    found = fa.robust_fit(model, X, y, eps, p=p)
    assert found.converged
    assert found.eps == eps
    np.testing.assert_allclose(found.params[:3], model.coef_, rtol=1e-10)


def test_folds_are_of_rows(data):
    X, y = data
    training = fa.AdversarialTrainingCV(fa.LinearRegression(0.01), [0.0, 0.05], cv=2)
    with pytest.raises(TypeError, match="folds are taken of rows"):
        training.fit([(X, y)], None)
    dense = training.fit(X, y).cv_results_["mean_test_score"]
    sparse = training.fit(sp.coo_matrix(X), y).cv_results_["mean_test_score"]
    np.testing.assert_allclose(sparse, dense, rtol=1e-9)


def test_interpolation_of_huge_rows(data):
    X, y = data
    model = fa.LinearRegression(0.01).fit(X, y)
    with pytest.raises(FloatingPointError, match="column 0 of X has entries"):
        fa.interpolation_radius(model, 1e200 * X, y)
