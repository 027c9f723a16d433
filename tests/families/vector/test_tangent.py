"""The influence of several predictions at ε > 0, against differences of robust optima."""

from __future__ import annotations

import numpy as np
import pytest
from support import outputs_makers, softmax_makers
from support.makers import relative_error

import fastaif as fa
from fastaif.families.vector import optimum
from fastaif.influence.along_path import along_path

FAMILIES = {"softmax": softmax_makers, "outputs": outputs_makers}


def case(family, p, seed=0, **options):
    makers = FAMILIES[family]
    X, y, w = makers.make(3, seed=seed)
    model = makers.fitted(type(makers.make())(X, y, w), **options)
    return (model, X, y), {"p": p, "sample_weight": w}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("p", [1.5, 2.0, 3.0])
def test_is_the_slope_of_robust_optima(family, p):
    """Where every worst attack is alone: fits that know nothing of derivatives.

    Attacks with p > 2 turn fast near gradients with a zero, and differences see that.
    """
    data, options = case(family, p)
    eps, h = 0.02, 1e-5 if p > 2.0 else 1e-4
    result = fa.aif(*data, at=eps, **options)
    found = [fa.robust_fit(*data, eps + k * h, **options).params for k in (-1, 0, 1)]
    np.testing.assert_allclose(result.params, found[1], rtol=0, atol=1e-10)
    assert relative_error(result.influence, (found[2] - found[0]) / (2.0 * h)) < 1e-6
    assert result.diagnostics["pinned_samples"] == 0


@pytest.mark.parametrize(
    ("family", "p", "seed"),
    [("softmax", 1.0, 3), ("softmax", np.inf, 3), ("outputs", 1.0, 0), ("outputs", 2.0, 1),
     ("outputs", np.inf, 3)],
)  # fmt: skip
def test_follows_attacks_that_stay_as_bad(family, p, seed):
    """Rows at kinks, and coefficients at p = ∞: the optima that it finds are those of fits."""
    data, options = case(family, p, seed)
    eps, h = 0.1, 1e-4
    first = fa.aif(*data, at=eps, **options)
    assert first.diagnostics["pinned_samples"] > 0
    assert (first.diagnostics["pinned_coefficients"] > 0) == (family == "softmax" and p == np.inf)
    assert first.validity_radius > eps + h
    ahead = [fa.aif(*data, at=eps + k * h, **options) for k in (0.5, 1.0)]
    slope = (-3.0 * first.params + 4.0 * ahead[0].params - ahead[1].params) / h
    assert relative_error(first.influence, slope) < 1e-6
    if family == "outputs":
        robust = fa.robust_fit(*data, eps, **options)
        assert np.abs(robust.params - first.params).max() < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_what_goes_with_it(family):
    """Gauges, units, columns far from zero, no intercept; values, costs, predictions ahead."""
    data, options = case(family, 2.0)
    model, X, y = data
    result = fa.aif(*data, at=0.05, radius=1.0, **options)
    first = result.influence[: model.coef_.size]
    for Z, unit in ((X + 200.0, 1.0), (1e4 * X, 1e4)):
        moved = type(model)(alpha=0.02 * unit**2).fit(Z, y, options["sample_weight"])
        found = fa.aif(moved, Z, y, at=0.05, radius=unit, **options).influence
        assert relative_error(found[: first.size] * unit, first) < 1e-8
    ahead = fa.aif(*data, at=0.051, radius=1.0, **options)
    rise = (result.value_derivative + ahead.value_derivative) * 0.0005
    assert result.problem.model.kind == ahead.problem.model.kind
    objective = [fa.robust_fit(*data, e, radius=1.0, **options).objective for e in (0.05, 0.051)]
    assert objective[1] - objective[0] == pytest.approx(rise, rel=1e-5)
    assert relative_error(result.predict_params(0.051), ahead.params) < 1e-5
    cost = fa.sensitivity(*data, 0.051, method="exact", radius=1.0, **options)
    assert result.sensitivity(0.051) == pytest.approx(cost, rel=1e-3)
    path = fa.robust_path(*data, [0.05], radius=1.0, **options)
    assert relative_error(path.influence[-1], result.influence) < 1e-10


def test_its_hessian_and_mixed_derivative_make_it():
    data, options = case("softmax", 2.0)
    result = fa.aif(*data, at=0.1, **options)
    left = result.hessian @ result.influence + result.mixed
    assert np.abs(left).max() < 1e-12 * np.abs(result.mixed).max()
    classes = result.influence[:12].reshape(3, 4).sum(axis=0)
    assert np.abs(classes).max() < 1e-12


def test_softmax_of_two_classes_is_logistic():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = (X @ [1.0, -1.0, 0.5] + rng.logistic(size=80) > 0.0).astype(int)
    binary = fa.LogisticRegression(alpha=0.02).fit(X, y)
    data = softmax_makers.Classes(X, y, np.ones(80))
    for p in (1.5, 2.0):
        wanted = fa.aif(binary, X, y, at=0.1, p=p, radius=1.0).influence
        theta = np.concatenate([-0.5 * binary.coef_, 0.5 * binary.coef_, [0.0, 0.0]])
        theta[6:] = -0.5 * binary.intercept_, 0.5 * binary.intercept_
        model = softmax_makers.described(theta, 2, 3, 0.04)
        found = along_path(softmax_makers.problem_of(model, data, p=p, radius=1.0), 0.1).influence
        np.testing.assert_allclose(found[3:6] - found[:3], wanted[:3], atol=1e-8)
        assert found[7] - found[6] == pytest.approx(wanted[3], abs=1e-8)


@pytest.mark.long
def test_is_refused_where_attacks_are_not_told_apart(monkeypatch):
    """At a fit that predicts nothing, and where attacks that are as bad are not looked for."""
    data, options = case("outputs", np.inf, seed=3)
    with pytest.raises(ValueError, match=r"eps=9 is not known: no attackable coefficient is left"):
        fa.aif(*data, at=9.0, **options)
    monkeypatch.setattr(optimum, "_TIES", (0.0,))
    with pytest.raises(ValueError, match=r"too many to be told apart; take another eps, p=2"):
        fa.aif(*data, at=0.1, **options)
