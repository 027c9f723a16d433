"""Which expansion a prediction is by, and how far it holds on real data."""

from __future__ import annotations

import numpy as np
import pytest
from support.expansion_table import DOCS, errors_of_costs, quiet, row, shares, table
from support.makers import estimator, make
from support.real_data import LOADERS, load

import fastaif as fa

WANTED = {0.001: 0.95, 0.01: 0.9, 0.03: 0.8, 0.1: 0.6}  # of the cases, within a quarter
QUICK = [
    "diabetes", "linnerud weight", "linnerud pulse", "iris petals", "stackloss", "statecrime",
    "scotland", "ccard", "engel", "autompg", "diabetes, Poisson", "statecrime, Poisson",
    "breast cancer", "iris", "wine", "spector",
]  # fmt: skip
KINDS = ["linear", "logistic", "poisson", "huber"]


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


def check(found):
    """Shares are as good as wanted, and the documentation's lines are these."""
    table = shares(found.values())
    for eps, (new, _) in table.items():
        assert new >= WANTED.get(eps, 0.9)
    assert table[0.1][0] > table[0.1][1]
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    for name, errors in found.items():
        assert row(name, errors) in lines


@pytest.mark.long
def test_costs_on_real_data():
    check({name: errors_of_costs(name) for name in QUICK})


@pytest.mark.long
def test_costs_on_all_real_data():
    found = {name: errors_of_costs(name) for name in LOADERS}
    check(found)
    assert table(found) == DOCS.read_text(encoding="utf-8")
