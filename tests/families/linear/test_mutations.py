"""A wrong formula must turn the comparison with the twin red: here it is made wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from oracles import linear as twin
from support.linear_checks import MODELS, assert_agrees, errors, radii, result_of, slopes
from support.makers import DELTA, LOSS, estimator, make, theta_of
from support.mutation import mutate, times

import fastaif as fa
from fastaif.families.finite_sum.problem import SumProblem
from fastaif.families.kinks import Kinks
from fastaif.families.linear.problem import LinearProblem
from fastaif.families.objective import Objective
from fastaif.threat.ball import Ball

P = 1.5

# Some mutations are so gross that the library itself warns.
pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")


def compare(kind):
    """The comparison of test_influence, on one problem."""
    X, y, w = make(kind, weighted=True)
    model = estimator(kind, 0.05).fit(X, y, w)
    result = fa.aif(model, X, y, p=P, sample_weight=w)
    wanted = twin.influence(
        X, y, theta_of(model), loss=LOSS[kind], alpha=0.05, p=P, sample_weight=w, delta=DELTA
    )
    assert_agrees(result, wanted)
    assert_sensitivity(result, X, y, w, kind)


def assert_sensitivity(result, X, y, w, kind):
    for expansion in ("quadratic", "taylor"):
        found = result.sensitivity(1e-4, expansion=expansion)
        wanted = twin.sensitivity(
            X, y, result.params, result.influence, 1e-4, loss=LOSS[kind], expansion=expansion,
            sample_weight=w, delta=DELTA,
        )  # fmt: skip
        assert found == pytest.approx(wanted, rel=1e-9, abs=0.0)


def first_entry_turned(value):
    """A mutation: the sign of the first entry."""
    value = np.array(value)
    value[0] *= -1.0
    return value


def diagonal_doubled(value):
    return value + np.diag(np.diagonal(value))


def without_intercept(value):
    value = np.array(value)
    value[-1] = 0.0
    return value


MUTATIONS = {
    "phi: sign": (Ball, "gain_gradient", times(-1.0)),
    "phi: factor 2": (Ball, "gain_gradient", times(2.0)),
    "phi: one sign": (Ball, "gain_gradient", first_entry_turned),
    "dual norm: factor 2": (Ball, "gain", times(2.0)),
    "Phi: sign": (LinearProblem, "mixed", times(-1.0)),
    "Phi: factor 2": (LinearProblem, "mixed", times(2.0)),
    "Phi: no intercept": (LinearProblem, "mixed", without_intercept),
    "H: factor 2": (SumProblem, "hessian", times(2.0)),
    "H: diagonal": (SumProblem, "hessian", diagonal_doubled),
    "s: factor 2": (SumProblem, "radius", times(2.0)),
    "s: one per mille": (SumProblem, "radius", times(1.001)),
    "alpha: factor 2": (SumProblem, "alpha", times(2.0)),
    "shares: factor 2": (LinearProblem, "per_sample", times(2.0)),
    "gradient in S: sign": (Objective, "along", lambda parts: (-parts[0], parts[1])),
    "Hessian in S: factor 2": (Objective, "along", lambda parts: (parts[0], 2 * parts[1])),
}


def test_comparison_is_green_without_a_mutation(kind):
    compare(kind)


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutation_turns_the_comparison_red(kind, name, monkeypatch):
    mutate(monkeypatch, *MUTATIONS[name])
    with pytest.raises(AssertionError):
        compare(kind)


@pytest.mark.parametrize("name", ["phi: sign", "Phi: factor 2", "s: one per mille"])
def test_mutation_spoils_the_slope(name, monkeypatch):
    """The comparison with the robust optimum does not need the twin to see it."""
    true = result_of("linear", 2.0, MODELS["ridge"])
    mutate(monkeypatch, *MUTATIONS[name])
    wrong = result_of("linear", 2.0, MODELS["ridge"]).influence
    monkeypatch.undo()
    eps = radii(true)
    assert abs(slope_of(eps, errors(true, eps)) - 1.0) <= 0.05
    spoilt = dataclasses.replace(true, influence=wrong)
    assert abs(slope_of(eps, errors(spoilt, eps)) - 1.0) > 0.05


def slope_of(eps, error):
    return np.polyfit(np.log(eps), np.log(error), 1)[0]


def test_mutation_of_the_flips_is_seen(monkeypatch):
    data = make("linear", n=200)
    result = fa.aif(estimator("linear").fit(data.X, data.y), data.X, data.y)
    start, end = (slopes(result, data, "linear", eps) for eps in (0.0, 0.1))
    assert result.flip_fraction(0.1) == pytest.approx(np.mean(start != end))
    mutate(monkeypatch, Kinks, "flip_fraction", times(2.0))
    assert result.flip_fraction(0.1) != pytest.approx(np.mean(start != end))
