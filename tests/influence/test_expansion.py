"""Which expansion a prediction is by, and how far it holds on real data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from support.makers import estimator, make
from support.real_data import LOADERS, load

import fastaif as fa

RADII = (0.001, 0.003, 0.01, 0.03, 0.1)
WANTED = {0.001: 0.95, 0.01: 0.9, 0.03: 0.8, 0.1: 0.6}  # of the cases, within a quarter
QUICK = [
    "diabetes", "linnerud weight", "linnerud pulse", "iris petals", "stackloss", "statecrime",
    "scotland", "ccard", "engel", "autompg", "diabetes, Poisson", "statecrime, Poisson",
    "breast cancer", "iris", "wine", "spector",
]  # fmt: skip
KINDS = ["linear", "logistic", "poisson", "huber"]


def quiet(call, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fa.InfluenceWarning)
        return call(*arguments, **options)


def fitted(kind, alpha=0.0, seed=0, n=150):
    data = make(kind, n=n, seed=seed, weighted=True)
    return estimator(kind, alpha).fit(*data), data


@pytest.mark.parametrize("kind", KINDS)
def test_sums_alone_give_the_first_expansion(kind):
    model, data = fitted(kind, 0.02)
    total = fa.InfluenceAccumulator(model, p=2)
    total.update(data.X[:70], data.y[:70], data.w[:70])
    total.update(data.X[70:], data.y[70:], data.w[70:])
    result = fa.aif(model, data.X, data.y, sample_weight=data.w)
    eps = 0.01
    found, wanted = quiet(total.result().sensitivity, eps), quiet(result.sensitivity, eps)
    assert found == pytest.approx(wanted, rel=1e-8 if kind == "linear" else 0.1)


def test_elsewhere_the_tangent_is_taken():
    X, y, _ = make("linear")
    result = fa.aif(fa.QuadraticRegression(alpha=0.1).fit(X, y), X, y)
    assert result.sensitivity(1e-4) == result.sensitivity(1e-4, expansion="taylor")
    step = 1e-4 * result.influence
    np.testing.assert_array_equal(result.predict_params(1e-4), result.params + step)
    with pytest.raises(ValueError, match="use expansion='taylor'"):
        result.sensitivity(1e-4, expansion="norm")
    with pytest.raises(ValueError, match="use expansion='linear'"):
        result.predict_params(1e-4, expansion="norm")


def test_reasons_for_rough_predictions():
    _, X, y = load("diabetes")
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    assert result.rough_at(0.01) == ""
    assert "steepness" in result.rough_at(3e-3, expansion="quadratic")
    _, X, y = load("longley")
    result = fa.aif(fa.LinearRegression().fit(X, y), X, y)
    assert "have turned round" in result.rough_at(0.003)
    with pytest.warns(fa.InfluenceWarning, match="have turned round"):
        result.sensitivity(0.003)


# --- the costs of robust training on real data -------------------------------------------


MODELS = {
    "linear": lambda: fa.LinearRegression(), "poisson": lambda: fa.PoissonRegression(),
    "logistic": lambda: fa.LogisticRegression(alpha=1e-3),
}  # fmt: skip


def errors_of_costs(name):
    """Relative errors of the default prediction, and of eq. 4, by (p, ε)."""
    kind, X, y = load(name)
    model = MODELS[kind]().fit(X, y)
    found = {}
    for p in (1.0, 2.0, np.inf):
        result = quiet(fa.aif, model, X, y, p=p)
        for eps in RADII:
            robust = quiet(fa.robust_fit, model, X, y, eps, p=p)
            exact = result.problem.loss_change(robust.params)
            ways = ("auto", "quadratic")
            costs = [quiet(result.sensitivity, eps, expansion=way) for way in ways]
            found[p, eps] = tuple(abs(cost / exact - 1.0) for cost in costs)
    return found


def shares(names):
    """The shares of cases within a quarter of the exact cost: by default and by eq. 4."""
    found = [errors_of_costs(name) for name in names]
    return {
        eps: tuple(
            float(np.mean([errors[p, eps][way] <= 0.25 for errors in found for p, _ in errors]))
            for way in (0, 1)
        )
        for eps in RADII
    }


def check_shares(table):
    print("eps      default   eq. 4")
    for eps, (new, old) in table.items():
        print(f"{eps:<8g} {new:>6.0%} {old:>8.0%}")
        assert new >= WANTED.get(eps, 0.9)
    assert table[0.1][0] > table[0.1][1]


def test_costs_on_real_data():
    check_shares(shares(QUICK))


@pytest.mark.long
def test_costs_on_all_real_data():
    check_shares(shares(LOADERS))
