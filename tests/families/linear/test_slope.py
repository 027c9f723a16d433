"""End to end: the error of the first-order prediction falls with the first power of eps."""

from __future__ import annotations

import numpy as np
import pytest
from support.linear_checks import MODELS, errors, radii, result_of
from support.makers import ORDERS

KINDS = ["linear", "logistic", "poisson"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("options", MODELS)
def test_error_has_slope_one(kind, p, options):
    result = result_of(kind, p, MODELS[options])
    eps = radii(result)
    error = errors(result, eps)
    slope = np.polyfit(np.log(eps), np.log(error), 1)[0]
    assert abs(slope - 1.0) <= 0.05, f"slope {slope:.3f}, errors {error}"


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_huber_has_slope_one(p, weighted):
    result = result_of("huber", p, MODELS["ridge"], weighted)
    eps = radii(result)
    slope = np.polyfit(np.log(eps), np.log(errors(result, eps)), 1)[0]
    assert abs(slope - 1.0) <= 0.05


@pytest.mark.parametrize("kind", [*KINDS, "huber"])
@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("options", MODELS)
def test_gain_equals_cost_to_second_order(kind, p, options):
    """Robust training wins on attacked data what it loses on clean data: both half eps^2 I'HI."""
    result = result_of(kind, p, MODELS[options])
    half = 0.5 * result.influence @ result.hessian @ result.influence
    eps = radii(result)[:3]
    for e in eps:
        found = result.verify(float(e))
        assert found.predicted_cost == found.predicted_gain == pytest.approx(e**2 * half, rel=1e-12)
        # What is left is of third order: relative to the second, a multiple of eps.
        bound = 50.0 * e
        assert abs(found.exact_cost / found.predicted_cost - 1.0) <= bound
        assert abs(found.exact_gain / found.predicted_gain - 1.0) <= bound
    worse, better = (abs(result.verify(float(e)).exact_cost / (e**2 * half) - 1) for e in eps[:2])
    assert better <= worse * 1.1 * eps[1] / eps[0] + 1e-9


@pytest.mark.parametrize("kind", [*KINDS, "huber"])
@pytest.mark.parametrize("p", ORDERS)
def test_value_derivative_is_the_slope_of_the_robust_objective(kind, p):
    result = result_of(kind, p, MODELS["ridge"])
    natural = result.problem.evaluate(result.params).loss
    natural += 0.1 * np.sum(result.params[:-1] ** 2)
    eps = 1e-5
    one, two = ((result.verify(e).robust.objective - natural) / e for e in (eps, eps / 2))
    assert 2 * two - one == pytest.approx(result.value_derivative, rel=1e-8)
