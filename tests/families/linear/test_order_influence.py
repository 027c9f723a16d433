"""Influences of attacks whose budget the samples share, against the slow twin."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from oracles import basis as basis_twin
from oracles import losses
from oracles import order as twin
from support import basis_makers, kernel_makers, makers
from support.basis_makers import assert_agrees
from support.makers import DELTA, LOSS, about, assert_close, relative_error, theta_of
from support.sums import ALL, sweep

import fastaif as fa

U = [1.0, 1.25, 2.0, 4.0, np.inf]
P = makers.ORDERS
FORMULAS = ["exact", "paper"]
LINE = basis_twin.Powers(1)
UNLIKE = {  # a feature that is safe, others in units of their own
    "feature_scale": [1.0, 0.0, 2.0, 0.5, 1.0],
    "radius": 0.7,
}


def both(kind, p, u, formula="exact", data=None, fit_intercept=True, **attack):
    """The library's result and the twin's for a linear predictor."""
    X, y, w = makers.make(kind, weighted=True) if data is None else data
    model = makers.estimator(kind, fit_intercept=fit_intercept).fit(X, y, w)
    options = {"p": p, "order": u, "formula": formula, "sample_weight": w, **attack}
    wanted = twin.influence(
        LINE, X, y, theta_of(model), loss=LOSS[kind], alpha=0.02, delta=DELTA,
        fit_intercept=fit_intercept, **options,
    )  # fmt: skip
    return fa.aif(model, X, y, **options), wanted


# --- against the twin -------------------------------------------------------------------


@pytest.mark.parametrize("u", U)
@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("attack", [{}, UNLIKE], ids=["plain", "unlike"])
def test_linear_predictors(kind, p, u, formula, attack):
    if np.isinf(u) and formula == "paper":
        pytest.skip("the paper's formula is for finite orders")
    assert_agrees(*both(kind, p, u, formula, fit_intercept=not attack, **attack), tol=1e-10)


@pytest.mark.parametrize("u", U)
@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("name", ["quadratic", "powers 3"])
def test_basis_models(kind, name, p, u):
    X, y, w = basis_makers.make(kind, weighted=True)
    model = basis_makers.estimator(name, kind).fit(X, y, sample_weight=w)
    for formula in FORMULAS[: 1 if np.isinf(u) else 2]:
        options = {"p": p, "order": u, "formula": formula, "sample_weight": w}
        result = fa.aif(model, X, y, **options)
        wanted = twin.influence(
            basis_makers.twin_of(name), X, y, basis_makers.params_of(model),
            **basis_makers.known_to_twin(kind), **options,
        )  # fmt: skip
        assert_agrees(result, wanted, tol=1e-9)


@pytest.mark.parametrize("u", U)
@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("case", kernel_makers.FEW, ids=str)
def test_kernel_regressions(case, p, u):
    fitted = kernel_makers.fitted(case, kernel_makers.positive(kernel_makers.make()))
    X, y, w = fitted.data
    for formula in FORMULAS[: 1 if np.isinf(u) else 2]:
        options = {"p": p, "order": u, "formula": formula}
        result = fa.aif(fitted.model, X, y, sample_weight=w, **options)
        wanted = twin.kernel_influence(fitted.twin, X, fitted.theta, **options)
        assert_agrees(result, wanted, tol=1e-9)


@pytest.mark.parametrize("u", U)
@pytest.mark.parametrize("centers", ["moving", "fixed"])
def test_kernel_regressions_with_weights_of_zero(centers, u):
    """In the rkhs norm a sample without weight has no coefficient: nothing to gain from it."""
    case = kernel_makers.Case("rbf", "rkhs", centers)
    fitted = kernel_makers.fitted(case, kernel_makers.make(weighted=True))
    X, y, w = fitted.data
    result = fa.aif(fitted.model, X, y, sample_weight=w, order=u)
    wanted = twin.kernel_influence(fitted.twin, X, fitted.theta, order=u)
    assert_agrees(result, wanted, tol=1e-9)


@pytest.mark.parametrize("u", [1.0, 1.25, 2.0, 4.0])
def test_weightless_centres_that_move_for_nothing_are_refused(u):
    """In the l2 norm they keep a gradient and cost nothing: a finite order has no optimum."""
    fitted = kernel_makers.fitted(
        kernel_makers.Case("rbf", "l2", "moving"), kernel_makers.make(weighted=True)
    )
    X, y, w = fitted.data
    with pytest.raises(ValueError, match="weight"):
        fa.aif(fitted.model, X, y, sample_weight=w, order=u)


# --- limits -----------------------------------------------------------------------------


@pytest.mark.parametrize("p", P)
def test_infinite_order_is_the_plain_influence(kind, p):
    X, y, w = makers.make(kind, weighted=True)
    model = makers.estimator(kind).fit(X, y, w)
    plain = fa.aif(model, X, y, p=p, sample_weight=w)
    shared = fa.aif(model, X, y, p=p, sample_weight=w, order=np.inf)
    assert np.array_equal(shared.influence, plain.influence)
    near = fa.aif(model, X, y, p=p, sample_weight=w, order=1e9)
    assert_close(near.influence, plain.influence, 1e-7)
    assert near.value_derivative == about(plain.value_derivative, 1e-8)


@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("u", [1.0 + 1e-9, 1.0 + 1e-6, 1.002])
def test_orders_next_to_one(kind, p, u):
    """v is up to 1e9, and the powers of the gains leave the range of doubles."""
    data = makers.make_clear(kind)
    result, wanted = both(kind, p, u, data=data)
    # A gain's rounding is magnified by v.
    tol = 1e-10 + 1e-15 * u / (u - 1.0)
    assert_close(result.influence, wanted["influence"], tol)
    assert result.value_derivative == about(wanted["value_derivative"], 1e-11)
    if u < 1.001:
        one, _ = both(kind, p, 1.0, data=data)
        assert_close(result.influence, one.influence, 50 * (u - 1.0) + 1e-9)


@pytest.mark.parametrize("u", [1.25, 2.0, 4.0])
def test_gains_of_every_size(u):
    """Targets times 1e+-100 multiply the parameters alone, and leave t as it is."""
    X, y, _ = makers.make_clear("linear")
    model = fa.LinearRegression().fit(X, y)
    wanted = fa.aif(model, X, y, order=u)
    for size in (1e-100, 1e100):
        found = fa.aif(fa.LinearRegression().fit(X, size * y), X, size * y, order=u)
        assert_close(found.influence / size, wanted.influence, 1e-10)


def test_the_value_grows_as_the_order_falls(kind):
    values = [both(kind, 2.0, u)[0].value_derivative for u in (np.inf, 8.0, 2.0, 1.5, 1.1, 1.0)]
    assert values == sorted(values)


# --- symmetries -------------------------------------------------------------------------


@pytest.mark.parametrize("u", U)
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_shares_of_the_influence(kind, p, u):
    result, _ = both(kind, p, u)
    w = makers.make(kind, weighted=True).w
    mean = w @ result.per_sample() / w.sum()
    assert_close(mean, result.influence, 1e-11)


@pytest.mark.parametrize("u", U)
def test_the_size_of_the_weights_is_nothing(kind, u):
    X, y, w = makers.make(kind, weighted=True)
    one, _ = both(kind, 2.0, u)
    for size in (7.0, 1e-30, 1e30):
        other, _ = both(kind, 2.0, u, data=makers.Data(X, y, size * w))
        assert_close(other.influence, one.influence, 1e-11)
        assert other.value_derivative == about(one.value_derivative, 1e-12)


@pytest.mark.parametrize("u", U)
@pytest.mark.parametrize("formula", FORMULAS)
def test_weights_are_repetitions(kind, u, formula):
    """Where one sample has it all its copies tie, and share evenly what it had alone."""
    X, y, w = makers.make(kind, n=60, weighted=True)
    many = w.astype(int)
    weighted, _ = both(kind, 2.0, u, formula, data=makers.Data(X, y, w))
    data = makers.Data(np.repeat(X, many, axis=0), np.repeat(y, many), None)
    repeated, _ = both(kind, 2.0, u, formula, data=data)
    assert_close(repeated.influence, weighted.influence, 1e-10)
    assert repeated.value_derivative == about(weighted.value_derivative, 1e-11)


@pytest.mark.parametrize("u", U)
def test_samples_of_no_weight_are_not_there(kind, u):
    X, y, w = makers.make(kind, weighted=True)
    keep = w > 0
    whole, _ = both(kind, 2.0, u)
    left, _ = both(kind, 2.0, u, data=makers.Data(X[keep], y[keep], w[keep]))
    assert_close(whole.influence, left.influence, 1e-11)


def test_a_weightless_outlier_is_not_the_steepest():
    X, y, _ = makers.make("linear")
    y[3] += 1e6
    w = np.ones(len(y))
    w[3] = 0.0
    for u in U:
        result, wanted = both("linear", 2.0, u, data=makers.Data(X, y, w))
        assert_close(result.influence, wanted["influence"], 1e-10)


def shared_sums(kind, rows, theta, exponent):
    """The sums of one pass over some rows, as the shares (g / M)^e enter them."""
    X, y, w = rows
    return sweep(kind, X, y, w).run(theta, ALL, exponent=exponent)


@pytest.mark.parametrize("exponent", [np.inf, 4.0, 1.0, 1.0 / 3.0])
@pytest.mark.parametrize("copies", [1, 3])
def test_blocks_merge(kind, copies, exponent):
    """In any order; also where the steepest sample has a copy in each third of the data."""
    X, y, w = makers.make(kind, n=60, weighted=True)
    X, y, w = np.tile(X, (copies, 1)), np.tile(y, copies), np.tile(w, copies)
    w = w * np.linspace(1.0, 2.0, len(w))
    theta = np.linspace(0.3, -0.2, 6)
    cuts = [1, 2, 59] if copies == 1 else [1, 2, 60, 61, 140]
    blocks = list(zip(*(np.split(part, cuts) for part in (X, y, w)), strict=True))

    Z, ws = np.column_stack([X, np.ones(len(X))]), w / w.sum()
    _, l1, l2 = losses.loss(LOSS[kind], Z @ theta, y, DELTA)
    g = np.where(w > 0, np.abs(l1), 0.0)
    top = g.max()
    a = (g >= top * (1 - 1e-12)) * 1.0 if np.isinf(exponent) else (g / top) ** exponent
    wanted = (ws * a * l2 * np.sign(l1)) @ Z
    for turn in (range(len(blocks)), reversed(range(len(blocks))), [1, 0, *range(2, len(blocks))]):
        total = None
        for k in turn:
            part = shared_sums(kind, blocks[k], theta, exponent)
            total = part if total is None else total.merge(part)
        assert_close(total.mixed_direction, wanted, 1e-11)
        assert total.peak == about(top, 1e-13)
        assert total.power == about(ws @ (a * g) / top, 1e-12)


@pytest.mark.parametrize("u", U)
def test_threads_and_rows(u):
    """The same to the bit on any number of threads; another order of rows rounds otherwise."""
    X, y, w = makers.make("linear", n=5000, weighted=True)
    model = fa.LinearRegression().fit(X, y, w)
    one, two = (fa.aif(model, X, y, sample_weight=w, order=u, n_threads=k) for k in (1, 2))
    assert np.array_equal(one.influence, two.influence)
    turn = np.random.default_rng(3).permutation(len(y))
    other = fa.aif(model, X[turn], y[turn], sample_weight=w[turn], order=u)
    assert_close(other.influence, one.influence, 1e-10)


def test_ties_are_shared(rng):
    """Two samples of equal gain and unlike slopes: half of the budget each, by their weights."""
    X = np.array([[1.0, 2.0], [-1.0, 2.0], [0.5, -0.25], [2.0, 1.0], [-1.5, 0.5]])
    w = np.array([1.0, 3.0, 1.0, 1.0, 1.0])
    y = X @ [1.0, -0.5] + np.array([2.0, -2.0, 0.25, -0.5, 0.125])
    model = fa.LinearRegression(fit_intercept=False).fit(X, y)
    model.coef_ = np.array([1.0, -0.5])  # dyadic: the two residuals are equal to the bit
    with pytest.warns(fa.InfluenceWarning):  # not stationary, and a tie
        result = fa.aif(model, X, y, order=1, sample_weight=w)
    wanted = twin.influence(
        LINE, X, y, model.coef_, loss="squared_error", order=1, sample_weight=w,
        fit_intercept=False,
    )  # fmt: skip
    np.testing.assert_array_equal(np.flatnonzero(wanted["shares"]), [0, 1])
    assert_close(result.influence, wanted["influence"], 1e-12)


def test_scaled_pipelines():
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y, _ = makers.make("linear")
    model = make_pipeline(StandardScaler(), Ridge(alpha=3.0)).fit(X, y)
    scaler, last = model[0], model[-1]
    theta = np.append(last.coef_, last.intercept_)
    basis = basis_twin.Between(LINE, scaler.mean_, scaler.scale_, 0.0, np.ones(X.shape[1]))
    for space in ("scaled", "raw"):
        for u in U:
            options = {"order": u, "p": 2, "attack_space": space}
            wanted = twin.influence(
                basis, X, y, theta, loss="squared_error", alpha=3.0 / len(y),
                shift=scaler.mean_, scale=scaler.scale_, **options,
            )  # fmt: skip
            assert_agrees(fa.aif(model, X, y, **options), wanted, tol=1e-10)


# --- single precision, frames and refusals ----------------------------------------------


@pytest.mark.parametrize("u", U)
def test_single_precision_inputs(u):
    X, y, _ = makers.make("linear")
    X = X.astype(np.float32)
    model = fa.LinearRegression().fit(X, y)
    one = fa.aif(model, X, y, order=u)
    assert_close(one.influence, fa.aif(model, X.astype(float), y, order=u).influence, 1e-12)


@pytest.mark.parametrize("order", [0.99, 0.0, -1.0, np.nan, -np.inf, "two", None])
def test_orders_that_are_none(order):
    X, y, _ = makers.make("linear")
    model = fa.LinearRegression().fit(X, y)
    for call in (fa.aif, lambda *a, **k: fa.attack(*a, 0.1, **k)):
        with pytest.raises((ValueError, TypeError), match="order"):
            call(model, X, y, order=order)


def test_the_result_says_its_order():
    X, y, _ = makers.make("linear")
    model = fa.LinearRegression().fit(X, y)
    for u in (1, 2.5, np.inf):
        assert fa.aif(model, X, y, order=u).order == u


def test_far_from_the_paper_above_order_one():
    exact, paper = (both("linear", 2.0, 2.0, f)[0] for f in FORMULAS)
    assert relative_error(paper.influence, exact.influence) > 0.5
    exact, paper = (both("linear", 2.0, 1.0, f)[0] for f in FORMULAS)
    assert_close(paper.influence, exact.influence, 1e-14)


def test_order_1_says_that_samples_tie(rng):
    """Which of the steepest samples the budget goes to moves along the robust path."""
    X = rng.normal(size=(20, 3))
    y = X @ [1.0, 0.5, -0.3] + 0.3 * rng.normal(size=20)
    y[0] += 4.0
    Z = np.column_stack([X, np.ones(20)])
    left = np.eye(20) - Z @ np.linalg.pinv(Z)
    r = left @ y
    y[1] += (r[0] - r[1]) / (left[1, 1] - left[0, 1])  # r is linear in y
    with pytest.warns(fa.TieWarning):
        result = fa.aif(fa.LinearRegression().fit(X, y), X, y, order=1)
    assert result.diagnostics["ties"] == 1
    with warnings.catch_warnings():  # a sample that is there twice pulls one way
        warnings.simplefilter("error", fa.TieWarning)
        twice, y = np.vstack([X[[0]], X[[0]], X[2:]]), np.r_[y[0], y[0], y[2:]]
        result = fa.aif(fa.LinearRegression().fit(twice, y), twice, y, order=1)
    assert result.diagnostics["ties"] == 0
