"""End to end: the error of the first-order prediction of basis models has slope one in eps.

The robust optima come from the library where it has exact inner maxima (a quadratic f, p = 2),
and from the twin's own fixed points for every basis and norm.
"""

from __future__ import annotations

import numpy as np
import pytest
from oracles import basis as twin
from oracles import basis_attack
from support.basis_makers import (
    estimator,
    known_to_twin,
    make_clear,
    params_of,
    twin_of,
)
from support.makers import ORDERS, about, assert_close

import fastaif as fa

CURVED = ["quadratic", "powers 2", "powers 3", "fourier", "custom"]
MODELS = {
    "plain": {"alpha": 0.0, "fit_intercept": True},
    "penalised": {"alpha": 0.1, "fit_intercept": True},
    "no intercept": {"alpha": 0.1, "fit_intercept": False},
}


def result_of(name, kind, p=2.0, **options):
    data = make_clear(kind)
    model = estimator(name, kind, **options).fit(*data)
    return fa.aif(model, data.X, data.y, p=p, sample_weight=data.w), model, data


def radii(result, most=1e-3):
    """From a tenth of the validity radius down to 1e-6."""
    largest = min(most, result.validity_radius / 10.0)
    assert largest >= 2e-5, "these data were chosen to leave the slope a decade"
    return np.geomspace(largest, 1e-6, 4)


def slope_of(eps, error):
    return np.polyfit(np.log(eps), np.log(error), 1)[0]


@pytest.mark.parametrize("options", MODELS)
def test_exact_robust_fits(kind, options):
    result, _, _ = result_of("quadratic", kind, **MODELS[options])
    eps = radii(result)
    fits = [result.verify(float(e)).robust for e in eps]
    assert all(fit.converged for fit in fits)
    slopes = [(fit.params - result.params) / fit.eps for fit in fits]
    error = [np.linalg.norm(slope - result.influence) for slope in slopes]
    assert abs(slope_of(eps, error) - 1.0) <= 0.05, f"errors {error}"


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("name", CURVED)
def test_the_twins_robust_fits(name, kind, p):
    """Neither the inner maxima nor the outer optimum are the library's here."""
    result, model, (X, y, w) = result_of(name, kind, p)
    known = known_to_twin(kind) | {"p": p, "sample_weight": w}
    # For p = 3 an entry of a gradient near zero bends the path long before any kink.
    eps = np.geomspace(max(1e-5, min(1e-4, result.validity_radius / 10.0)), 1e-6, 3)
    base, *fits = (
        basis_attack.robust_fit(twin_of(name, model), X, y, result.params, e, **known)
        for e in (0.0, *eps)
    )
    # Its steps and the library's leave different roundings at eps = 0.
    assert_close(base, result.params, 1e-11)
    error = [
        np.linalg.norm((fit - base) / e - result.influence)
        for fit, e in zip(fits, eps, strict=True)
    ]
    assert abs(slope_of(eps, error) - 1.0) <= 0.05, f"errors {error}"


@pytest.mark.parametrize("options", MODELS)
def test_exact_robust_fits_are_the_twins(kind, options):
    options = MODELS[options]
    result, model, (X, y, w) = result_of("quadratic", kind, **options)
    basis, known = twin_of("quadratic"), known_to_twin(kind, **options) | {"sample_weight": w}
    for eps in radii(result)[:2]:
        wanted = basis_attack.robust_fit(basis, X, y, result.params, eps, **known)
        found = fa.robust_fit(model, X, y, eps, p=2, sample_weight=w, method="exact")
        assert_close(found.params, wanted, 1e-10)
        value = basis_attack.robust_objective(basis, X, y, found.params, eps, **known)
        assert found.objective == about(value, 1e-11)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("name", CURVED)
def test_robust_fits_by_ascent(name, p):
    """In small balls ascent finds the maximum: the relative error is of the order of eps."""
    result, model, (X, y, w) = result_of(name, "poisson", p)
    eps = min(1e-4, result.validity_radius / 10.0)
    one, two = (result.verify(e) for e in (10.0 * eps, eps))
    assert one.method == two.method == ("exact" if name == "quadratic" and p == 2 else "pgd")
    if 20.0 * eps < result.validity_radius:
        assert abs(np.log10(one.params_error / two.params_error) - 1.0) <= 0.1
    assert two.params_error <= 20.0 * eps
    for found in (two.exact_cost / two.predicted_cost, two.exact_gain / two.predicted_gain):
        assert abs(found - 1.0) <= 20.0 * eps
    if two.method == "exact":
        again = fa.robust_fit(model, X, y, eps, sample_weight=w, method="pgd")
        assert again.method == "pgd"
        assert_close(again.params - result.params, two.robust.params - result.params, 1e-3)


@pytest.mark.parametrize("options", MODELS)
def test_gain_equals_cost_to_second_order(kind, options):
    result, _, _ = result_of("quadratic", kind, **MODELS[options])
    half = 0.5 * result.influence @ result.hessian @ result.influence
    for e in radii(result)[:3]:
        found = result.verify(float(e))
        assert found.predicted_cost == about(e**2 * half, 1e-9)
        assert found.predicted_gain == about(e**2 * half, 1e-9)
        # What is left is of third order: relative to the second, a multiple of eps.
        bound = 100.0 * e
        assert abs(found.exact_cost / found.predicted_cost - 1.0) <= bound
        assert abs(found.exact_gain / found.predicted_gain - 1.0) <= bound


def test_value_derivative_is_the_slope_of_the_robust_objective(kind):
    result, model, (X, y, w) = result_of("quadratic", kind)
    known = known_to_twin(kind) | {"sample_weight": w}
    basis, theta = twin.Quadratic(), params_of(model)
    natural = basis_attack.robust_objective(basis, X, y, theta, 0.0, **known)
    one, two = ((result.verify(e).robust.objective - natural) / e for e in (1e-5, 5e-6))
    assert 2 * two - one == about(result.value_derivative, 1e-7)
