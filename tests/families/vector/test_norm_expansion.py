"""Predictions of robust optima of several predictions, against the optima themselves."""

from __future__ import annotations

import numpy as np
import pytest
from support import outputs_makers, softmax_makers
from support.makers import relative_error

import fastaif as fa

FAMILIES = {"softmax": softmax_makers, "outputs": outputs_makers}


def case(family, p):
    makers = FAMILIES[family]
    X, y, w = makers.make(3)
    model = makers.fitted(type(makers.make())(X, y, w))
    return fa.aif(model, X, y, p=p, sample_weight=w), (model, X, y), {"p": p, "sample_weight": w}


@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
@pytest.mark.parametrize("family", FAMILIES)
def test_leaves_the_tangent_for_the_robust_path(family):
    for p, eps in ((1.5, 0.05), (2.0, 0.05), (np.inf, 0.01)):
        result, data, options = case(family, p)
        robust = fa.robust_fit(*data, eps, **options).params
        moved = robust - result.params
        straight = relative_error(eps * result.influence, moved)
        error = relative_error(result.predict_params(eps) - result.params, moved)
        assert error < min(0.03, 0.4 * straight), (p, error, straight)
        cost = result.problem.loss_change(robust)
        assert result.sensitivity(eps) == pytest.approx(cost, rel=0.05)
        step = (result.predict_params(1e-6) - result.params) / 1e-6
        assert relative_error(step, result.influence) < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_says_where_it_is_rough_and_why_the_tangent_is(family):
    result, _, _ = case(family, 2.0)
    assert result.rough_at(1e-3) == result.rough_at(1e-3, expansion="taylor") == ""
    assert result.problem.norm_expansion.turned(1e-3) == 0.0
    with pytest.warns(fa.InfluenceWarning, match="at eps=3 "):
        result.sensitivity(3.0)


@pytest.mark.parametrize(
    ("p", "why"), [(1.5, "the loss bends within"), (np.inf, "the lengths of the inputs' gradients")]
)
def test_names_what_takes_the_tangent_off(p, why):
    result, _, _ = case("outputs", p)
    found = result.rough_at(0.1, expansion="taylor")
    assert found.startswith(why)
    assert "the tangent misses the step of expansion='norm' by" in found


def test_is_of_balls_alone():
    X, y, _ = softmax_makers.make(3)
    model = fa.LogisticRegression(alpha=0.02).fit(X, y)
    for attack in ({"bounds": (None, X.max())}, {"groups": [[0, 1], [2, 3]]}, {"order": 2}):
        result = fa.aif(model, X, y, **attack)
        assert result.sensitivity(1e-3) == result.sensitivity(1e-3, expansion="taylor")
