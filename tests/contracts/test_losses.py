"""What every loss promises: of its numbers, of what it says of itself, of compiled operations."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from support.makers import about

import fastaif as fa
from fastaif import losses
from fastaif._compute import get
from fastaif._compute import types as c
from fastaif._compute.numba_ops import point_losses

F = np.array([-6.0, -1.3, -0.2, 0.0, 0.4, 1.1, 2.5, 5.0])
KAPPAS = [0.0, 1e-5, 0.3, 1.7]


@pytest.fixture(params=losses.names())
def loss(request):
    return losses.get(request.param)


def targets(loss, n):
    """Targets of all kinds that the loss takes."""
    if loss.has_labels:
        return np.resize([1.0, -1.0, -1.0], n)
    return np.resize([1.0, 0.5, 4.0] if loss.has_positive_targets else [-2.0, 0.3, 1.0], n)


@pytest.fixture
def pairs(loss):
    """Predictions and targets, every one with every other."""
    y = np.unique(targets(loss, 3))
    f, y = (np.array(part) for part in zip(*itertools.product(F, y), strict=True))
    return f, y


def test_slope_and_curvature_are_derivatives(loss, pairs):
    f, y = pairs
    h = 1e-5
    rise = (loss.value(f + h, y) - loss.value(f - h, y)) / (2.0 * h)
    np.testing.assert_allclose(loss.slope(f, y), rise, rtol=1e-6, atol=1e-8)
    bend = (loss.slope(f + h, y) - loss.slope(f - h, y)) / (2.0 * h)
    np.testing.assert_allclose(loss.curvature(f, y), bend, rtol=1e-6, atol=1e-8)
    assert np.all(loss.curvature(f, y) >= 0.0)


@pytest.mark.parametrize("step", [1e-12, -1e-6, 0.3, -2.0, 5.0])
def test_change_is_that_of_the_value(loss, pairs, step):
    f, y = pairs
    found = loss.change(f, np.full(f.shape, step), y)
    if abs(step) < 1e-5:  # differences of values would have lost these digits
        third = (loss.curvature(f + 1e-3, y) - loss.curvature(f - 1e-3, y)) / 2e-3
        bend = loss.curvature(f, y) + step / 3.0 * third
        wanted = step * (loss.slope(f, y) + 0.5 * step * bend)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-24)
        return
    np.testing.assert_allclose(
        found, loss.value(f + step, y) - loss.value(f, y), rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize("kappa", KAPPAS)
def test_ends(loss, pairs, kappa):
    f, y = pairs
    gap, side = loss.end_gap(f, y, kappa), loss.worse_end(f, y, kappa)
    if kappa == 0.0:
        np.testing.assert_allclose(gap, loss.slope(f, y), rtol=1e-14)
    else:
        wanted = loss.change(f - kappa, np.full(f.shape, 2.0 * kappa), y) / (2.0 * kappa)
        np.testing.assert_allclose(gap, wanted, rtol=1e-9, atol=1e-9)
    assert set(side) <= {-1.0, 1.0}
    worst = loss.value(f + side * kappa, y)
    np.testing.assert_allclose(worst, loss.worst(f, y, kappa), rtol=1e-13)
    np.testing.assert_array_equal(side[gap != 0.0], np.sign(gap)[gap != 0.0])


def test_conjugate(loss, pairs):
    """Fenchel and Young: ℓ*(s) + ℓ(f) ≥ s f, with equality where s = ℓ'(f)."""
    f, y = pairs
    slope = loss.slope(f, y)
    size = 1.0 + np.abs(slope * f) + loss.value(f, y)
    touching = loss.conjugate(slope, y) + loss.value(f, y) - slope * f
    assert np.all(np.abs(touching) <= 1e-12 * size)
    for other in F:
        above = loss.conjugate(slope, y) + loss.value(other, y) - slope * other
        assert np.all(above >= -1e-12 * size)


def test_slope_vanishes_where_it_says(loss, pairs):
    _, y = pairs
    there = loss.zero_slope_prediction(y)
    known = np.isfinite(there)
    np.testing.assert_allclose(loss.slope(there[known], y[known]), 0.0, atol=1e-13)
    assert loss.attains_minimum <= bool(known.all())


def test_what_it_says_of_itself(loss, pairs):
    f, y = pairs
    if loss.is_quadratic:
        assert np.ptp(loss.curvature(f, y)) == 0.0
    if loss.is_of_residuals:
        r = f - y
        np.testing.assert_allclose(loss.value(r, 0.0 * y), loss.value(f, y), rtol=1e-12)
    if loss.is_symmetric:
        assert loss.is_of_residuals
        r = f - y
        np.testing.assert_allclose(loss.value(r, 0.0 * y), loss.value(f, y), rtol=1e-12)
        np.testing.assert_allclose(loss.value(-r, 0.0 * y), loss.value(f, y), rtol=1e-12)
    signs = np.sign(loss.slope(f, y))
    if loss.is_monotone:
        assert not loss.has_kinks
        steep = (signs != 0.0) | (loss.value(f, y) > 0.0)  # it may be flat where it is zero
        np.testing.assert_array_equal(signs[steep], -y[steep])
        np.testing.assert_array_equal(loss.worse_end(f, y, 0.3), -y)
        assert np.all(loss.value(30.0 * y, y) < 1e-12)
    if loss.has_kinks:
        assert {-1.0, 1.0} <= set(signs)


def test_null_prediction(loss):
    y = targets(loss, 9)
    f = np.full(9, loss.null_prediction(float(y.mean())))
    if loss.is_of_residuals and not loss.is_quadratic:
        assert f[0] == y.mean()  # only nearly a fit
        return
    assert abs(loss.slope(f, y).mean()) <= 1e-14


def test_targets_and_predictions(loss):
    y = targets(loss, 9)
    encoded = loss.encode(y)
    assert encoded.dtype == np.float64
    np.testing.assert_array_equal(encoded, y)
    assert loss.score(y, y) == about(1.0, 1e-12)
    assert loss.score(y, y[::-1] if loss.has_labels else y[::-1] + 0.5) < 1.0
    wanted = [-1.0, 1.0] if loss.has_labels else [1.0, 2.0]
    np.testing.assert_array_equal(loss.encode(np.array([1, 2])), wanted)
    if loss.has_positive_targets:
        with pytest.raises(ValueError, match=r"y must not be negative for a .* model"):
            loss.encode(np.array([1.0, -1.0]))
    np.testing.assert_array_equal(np.sign(loss.response(F[F > 0])), np.ones((F > 0).sum()))


def test_a_start_is_given_where_zero_is_none(loss):
    y = 1e3 * targets(loss, 9) if not loss.has_labels else targets(loss, 9)
    start, easier = loss.starting_intercept(float(y.mean())), loss.easier(y)
    assert loss.needs_start == (start is not None or len(easier) > 0)
    for other in easier:
        assert type(other) is type(loss)


def test_it_is_a_value(loss):
    copy = pickle.loads(pickle.dumps(loss))
    assert copy == loss
    assert hash(copy) == hash(loss)
    assert losses.get(loss.name) == loss


# --- compiled operations ----------------------------------------------------------------------


def test_sums_of_compiled_operations(engine, loss, rng):
    for kappa, multiplier in itertools.product(KAPPAS, [None, 0.25]):
        compare_sums_of_compiled_operations(loss, rng, kappa, multiplier)


def test_fits_of_a_batch(engine, loss, rng):
    """Newton's method in compiled code ends at a minimum, also where it has to start elsewhere."""
    n, m, alpha = 60, 3, 0.05
    X, y = rng.normal(size=(n, m)), targets(loss, n)
    if loss.is_of_residuals:  # residuals far larger than what a loss may call small
        y = 1e4 * y + X @ [1.0, -2.0, 0.5]
    elif loss.has_positive_targets:
        y = 1e3 * y
    d = m + 1
    found = c.BatchFound(
        np.empty((1, d)), np.empty((1, d)), np.empty((1, 3)), np.empty((1, 2), dtype=np.int64)
    )
    get("linear_batch")(
        c.Rows(X, y, c.EMPTY), np.array([[0, n]]),
        c.BatchModel(loss.code, loss.parameter, alpha, 0.0, True, False),
        c.BatchAttack(2.0, 1.0, np.ones(m), np.ones(m)), found,
    )  # fmt: skip
    assert found.status[0, 0] == c.FOUND
    theta, V = found.params[0], np.column_stack([X, np.ones(n)])
    slope = loss.slope(V @ theta, y)
    gradient = V.T @ slope / n + 2.0 * alpha * np.append(theta[:m], 0.0)
    size = np.abs(V).T @ np.abs(slope) / n + 2.0 * alpha * np.append(np.abs(theta[:m]), 0.0)
    assert np.all(np.abs(gradient) <= 1e-9 * size)


def test_compiled_code_answers_like_the_class(loss):
    questions = {
        "is_monotone": loss.is_monotone,
        "of_residuals": loss.is_of_residuals,
        "has_log_link": loss.starting_intercept(2.0) is not None,
        "starts_wider": bool(loss.easier(1e6 * targets(loss, 9))),
    }
    for name, answer in questions.items():
        asked = getattr(point_losses, name).py_func
        assert bool(asked(loss.code)) == answer, name


def compare_sums_of_compiled_operations(loss, rng, kappa, multiplier):
    n, m = 37, 3
    X, beta, w = rng.normal(size=(n, m)), rng.normal(size=m), rng.uniform(0.5, 2.0, n)
    y, f = targets(loss, n), X @ beta
    lam = c.EMPTY if multiplier is None else np.full(n, multiplier)
    sums = c.Sums(np.zeros((m, m)), np.zeros((c.N_VECTORS, m)), np.zeros(c.N_SCALARS))
    need = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_LOSS
    get("linear_sums")(
        c.Rows(X, y, w), c.Predictor(beta, 0.0, c.EMPTY, c.EMPTY), c.NormOf(2.0, c.EMPTY, c.EMPTY),
        loss.inner(kappa, 0.0, lam), need, sums,
    )  # fmt: skip
    ends = [
        (part * w, side)
        for side, part in (
            [(loss.worse_end(f, y, kappa), np.ones(n))]
            if multiplier is None
            else [(np.ones(n), np.full(n, 0.625)), (-np.ones(n), np.full(n, 0.375))]
        )
    ]
    value = sum(p @ loss.value(f + side * kappa, y) for p, side in ends)
    first = sum(p * loss.slope(f + side * kappa, y) for p, side in ends)
    second = sum(p * loss.curvature(f + side * kappa, y) for p, side in ends)
    gain = sum(p @ (side * loss.slope(f + side * kappa, y)) for p, side in ends)
    assert sums.scalars[c.S_LOSS] == about(value, 1e-12)
    assert sums.scalars[c.S_K] == about(gain, 1e-11)
    np.testing.assert_allclose(sums.vectors[c.V_F], X.T @ first, rtol=1e-11, atol=1e-12)
    wanted = np.tril(X.T @ (second[:, None] * X))
    np.testing.assert_allclose(np.tril(sums.hessian), wanted, rtol=1e-11, atol=1e-12)


def test_a_fit_is_stationary(engine, loss, rng):
    """Of an estimator, which takes the loss by its name."""
    X = rng.normal(size=(60, 3))
    y = targets(loss, 60)
    model = fa.BasisRegression(fa.bases.Linear(), loss.name, alpha=0.1).fit(X, y)
    f = X @ model.coef_ + model.intercept_
    slope = loss.slope(f, y)
    assert abs(slope.mean()) <= 1e-9
    np.testing.assert_allclose(X.T @ slope / 60 + 0.2 * model.coef_, 0.0, atol=1e-9)
    result = fa.aif(model, X, y)
    assert np.isfinite(result.influence).all()


@pytest.mark.parametrize("eps", [1e-6, 1e-3, 0.1])
@pytest.mark.parametrize("unit", [1.0, 1e4])
def test_robust_fits_prove_their_gap(loss, rng, unit, eps):
    """Also where most residuals are far beyond the parameter, and slopes at their bound."""
    X, y = rng.normal(size=(60, 3)), targets(loss, 60)
    if loss.is_of_residuals:
        y = unit * (y + 0.1 * rng.normal(size=60))
    model = fa.BasisRegression(fa.bases.Linear(), loss, alpha=1e-3).fit(X, y)
    found = fa.robust_fit(model, X, y, eps)
    assert found.converged
    assert found.gap <= 1e-8
