"""End to end: what kernel regressions do where their inputs really move.

First without any adversary: the influence is the derivative of the refitted optimum along the
attack's direction. Then with one: the error of the first-order prediction has slope one in eps,
against the library's robust fits and against the twin's own fixed points.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from oracles import gram
from support import kernel_makers as makers
from support.gram_checks import radii, slope_of
from support.kernel_makers import CASES, FEW, Case, fitted, make, positive, smooth
from support.makers import about, assert_close

import fastaif as fa

NORMS = [2.0, np.inf]
SOME = [case for case in CASES if case.kernel in ("rbf", "cubic", "ntk")]
ALL = [(case, p) for case in CASES for p in NORMS] + [(case, 1.5) for case in SOME]


def refitted(found, X):
    """The optimum where the inputs are at X: by the library where the centres follow them."""
    case_moves = found.model.centers == "moving"
    if not case_moves:
        return found.twin.fit(X)
    again = fa.KernelRegression(**found.model.get_params())
    return again.fit(X, found.data.y, sample_weight=found.data.w).dual_coef_


def derivative(at, step):
    """at'(0) by central differences, extrapolated once."""
    wide, narrow = ((at(t) - at(-t)) / (2.0 * t) for t in (step, step / 2.0))
    return (4.0 * narrow - wide) / 3.0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("case", "p"), ALL, ids=str)
def test_influence_is_the_derivative_of_the_refitted_optimum(case, p, weighted):
    found = fitted(case, make(weighted=weighted))
    result, wanted = found.inspected(p=p)
    X, B = found.data.X, wanted["directions"]
    slope = derivative(lambda t: refitted(found, X + t * B), 1e-3)
    assert_close(result.influence, slope, 1e-7)


@pytest.mark.parametrize("case", SOME, ids=str)
def test_shares_are_derivatives_where_one_input_moves(case):
    found = fitted(case, positive(make()))
    result, wanted = found.inspected(p=2.0)
    X, w = found.data.X, found.twin.w
    shares = result.per_sample()
    for k in (0, 7, 23):
        alone = np.zeros_like(X)
        alone[k] = wanted["directions"][k]
        slope = derivative(lambda t, B=alone: refitted(found, X + t * B), 1e-3)
        assert_close(w[k] * shares[k], slope, 1e-6)


def errors(result, fits):
    slopes = [(fit.params - result.params) / fit.eps for fit in fits]
    return np.array([np.linalg.norm(slope - result.influence) for slope in slopes])


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_error_has_slope_one(case, p):
    found = smooth(case, positive(make()))
    result, _ = found.inspected(p=p)
    eps = radii(found, result)
    fits = [found.robust(float(e), p=p) for e in eps]
    assert all(fit.converged for fit in fits)
    error = errors(result, fits)
    assert abs(slope_of(eps, error) - 1.0) <= 0.1, f"errors {error} at {eps}"
    assert error[-1] <= 1e-3 * np.linalg.norm(result.influence)


@pytest.mark.parametrize("case", SOME, ids=str)
def test_error_has_slope_one_with_weights_of_zero_and_features_out_of_reach(case):
    found = smooth(case, make(weighted=True))
    options = {"feature_scale": [1.0, 0.0, 2.0], "radius": 0.8}
    result, _ = found.inspected(**options)
    eps = radii(found, result, **options)
    error = errors(result, [found.robust(float(e), **options) for e in eps])
    assert abs(slope_of(eps, error) - 1.0) <= 0.1, f"errors {error} at {eps}"


@pytest.mark.parametrize(("case", "p"), ALL, ids=str)
def test_the_twins_robust_fits(case, p):
    """Neither the inner maximum nor the outer optimum are the library's here."""
    found = smooth(case, make(weighted=True))
    result, _ = found.inspected(p=p)
    theta = found.twin.fit(found.data.X)
    assert_close(theta, found.theta, 1e-10)
    eps = radii(found, result)
    fits = [gram.robust_fit(found.twin, theta, found.data.X, e, p=p)[0] for e in eps]
    error = [
        np.linalg.norm((fit - theta) / e - result.influence)
        for fit, e in zip(fits, eps, strict=True)
    ]
    assert abs(slope_of(eps, error) - 1.0) <= 0.1, f"errors {error} at {eps}"


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("case", FEW, ids=str)
def test_gain_equals_cost_to_second_order(case, p):
    """Robust training wins on attacked data what it loses on clean data: both half eps^2 I'HI."""
    found = smooth(case, make())
    result, _ = found.inspected(p=p)
    half = 0.5 * result.influence @ result.hessian @ result.influence
    eps = float(radii(found, result)[0])
    first, second = (result.verify(e) for e in (eps, eps / 3.0))
    for verified in (first, second):
        assert verified.predicted_cost == about(verified.eps**2 * half, 1e-9)
        assert verified.predicted_gain == about(verified.eps**2 * half, 1e-9)
        assert verified.method == "pgd"
        # What is left is of third order: relative to the second, a multiple of eps.
        bound = 50.0 * verified.eps
        assert abs(verified.exact_cost / verified.predicted_cost - 1.0) <= bound
        assert abs(verified.exact_gain / verified.predicted_gain - 1.0) <= bound
    assert second.params_error <= 0.5 * first.params_error <= 25.0 * eps
    np.testing.assert_array_equal(first.robust.params, found.robust(eps, p=p).params)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("case", FEW, ids=str)
def test_value_derivative_is_the_slope_of_the_robust_objective(case, p):
    found = smooth(case, make(weighted=True))
    result, _ = found.inspected(p=p)
    natural = found.twin.objective(found.theta, found.data.X)
    eps = min(1e-4, result.validity_radius / 10.0)
    values = [found.robust(e, p=p).objective for e in (eps, eps / 2.0)]
    one, two = ((value - natural) / e for value, e in zip(values, (eps, eps / 2.0), strict=True))
    assert 2.0 * two - one == about(result.value_derivative, 1e-5)


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("case", FEW, ids=str)
def test_sensitivities_three_ways(case, held_out):
    """ "exact" and "quadratic" against the twin's robust fit; "taylor" comes near in eps."""
    found = smooth(case, make(weighted=True))
    X, y, w = found.data
    other, centers = make(n=40, seed=99), found.model.X_fit_
    given = {"X_eval": other.X, "y_eval": other.y} if held_out else {}
    Xe, ye, we = other if held_out else (X, y, w)
    result, _ = found.inspected()
    eps, theta = float(radii(found, result)[0]), found.theta
    robust, _, _ = gram.robust_fit(found.twin, theta, X, eps)
    exact = gram.exact_sensitivity(found.twin, centers, Xe, ye, theta, robust, sample_weight=we)
    quadratic = gram.sensitivity(
        found.twin, centers, Xe, ye, theta, robust - theta, 1.0, sample_weight=we
    )

    def ask(**options):
        return fa.sensitivity(found.model, X, y, eps, sample_weight=w, **(given | options))

    assert ask(method="exact") == about(exact, 1e-6)
    assert ask(method="quadratic") == about(quadratic, 1e-6)
    pair = (other.X, other.y) if held_out else ()
    assert ask() == about(result.sensitivity(eps, *pair), 1e-12)
    assert ask(method="aif", expansion="quadratic") == about(quadratic, 50.0 * eps)
    # With the first-order term the prediction is right to first order, whatever the data.
    taylor = result.sensitivity(eps, *pair, expansion="taylor")
    assert abs(taylor - exact) <= 0.1 * abs(exact) + 10.0 * quadratic


@pytest.mark.parametrize("case", CASES, ids=str)
def test_how_far_the_path_is_smooth(case):
    """The attacks turn round no earlier than the least kink that is reported."""
    found = smooth(case, make(weighted=True))
    result, wanted = found.inspected()
    first = gram.loss_slope_change(found.twin, found.theta, wanted["influence"], found.data.X)
    assert result.validity_reason
    assert 0.0 < result.validity_radius <= first * (1.0 + 1e-8)
    if np.isinf(result.validity_radius):
        assert result.flip_fraction(1e3) == 0.0
    elif np.isfinite(first):
        assert result.flip_fraction(0.999 * first) == 0.0
        assert result.flip_fraction(1.001 * first) > 0.0


def test_the_first_turn_in_the_rkhs_norm():
    """A dual coefficient is in proportion to its residual: with p = 2 there are no other kinks."""
    found = fitted(Case("rbf", "rkhs"), make(n=40))
    result, wanted = found.inspected()
    first = gram.loss_slope_change(found.twin, found.theta, wanted["influence"], found.data.X)
    assert result.validity_radius == about(first, 1e-8)
    eps = np.linspace(0.0, 5.0, 60) * first
    moved = found.theta[None, :] + eps[:, None] * wanted["influence"]
    turned = np.mean(moved * found.theta <= 0.0, axis=1)
    np.testing.assert_allclose(result.flip_fraction(eps), turned, atol=1e-12)


def test_makers_leave_out_what_has_no_influence():
    """The table of cases is not empty by accident."""
    fewer = {"ntk": 2, "deep ntk": 2, "linear": 5, "squares": 5, "cubic": 5}
    wanted = {name: fewer.get(name, 6) for name in makers.KERNELS}
    assert Counter(case.kernel for case in CASES) == wanted
    assert makers.is_defined(Case("rbf", "rkhs", "fixed"))
