"""Reports of results: pages, notebooks' tables, plain words."""

from __future__ import annotations

import re

import numpy as np
import pytest

import fastaif as fa
from fastaif.influence.html_pages import analysis_page

pytestmark = pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    return X, X @ [1.0, -2.0, 0.5, 0.0] + rng.normal(size=80)


def fitted(data, kind: str):
    X, y = data
    if kind == "logistic":
        y = np.where(y > 0, "up <b>", "down")
        return fa.LogisticRegression(alpha=0.1).fit(X, y), X, y
    if kind == "kernel":
        return fa.KernelRegression(fa.kernels.RBF(gamma=0.3), alpha=0.1).fit(X, y), X, y
    return fa.LinearRegression().fit(X, y), X, y


@pytest.mark.parametrize("kind", ["linear", "logistic", "kernel"])
def test_page_says_what_was_found(data, kind: str) -> None:
    model, X, y = fitted(data, kind)
    result = fa.aif(model, X, y)
    verified = [result.verify(eps) for eps in (0.001, 0.01)]
    path = None if kind == "kernel" else fa.robust_path(model, X, y, eps=0.01)
    page = analysis_page("some <data>", result, verified, path)
    assert "some &lt;data&gt;" in page
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)""", page)
    assert page.count("<svg ") == (0 if path is None else 3)
    cost = verified[1].exact_cost
    if model.alpha == 0.0:  # else the verification's has the penalty
        found = [float(v) for v in re.findall(r'data-value="([^"]*)"', page)]
        assert min(abs(v - cost) for v in found) <= 1e-9 * abs(cost)
    assert ("classified rightly" in page) == (kind == "logistic")


def test_path_page(data) -> None:
    model, X, y = fitted(data, "linear")
    path = fa.robust_path(model, X, y, eps=0.2)
    page = path.to_html()
    assert page.count("<svg ") == 3
    assert f'data-value="{float(path.cost(path.eps[1]))!r}"' in page


def test_shares_of_samples_are_those_of_the_penalised_model_s_S(data) -> None:
    model, X, y = fitted(data, "logistic")
    result = fa.aif(model, X, y)
    shares = result.sensitivity_shares()
    page = analysis_page("data", result, [result.verify(0.01)], None)
    assert f'data-value="{float(shares[np.argmax(np.abs(shares))])!r}"' in page


def test_words(data) -> None:
    model, X, y = fitted(data, "linear")
    result = fa.aif(model, X, y)
    told = result.explain(0.01)
    assert f"{result.sensitivity(0.01):.4g}" in told
    assert "x1 (" in told
    assert "robust_path" in told
    kernel, U, v = fitted(data, "kernel")
    for one in (result, fa.aif(kernel, U, v)):
        for eps in (1e-6, 0.5):
            assert ("rough prediction" in one.explain(eps)) == bool(one.rough_at(eps))
    assert "rough prediction" in one.explain(0.5)
    with pytest.raises(ValueError, match="eps must be a number above 0"):
        result.explain(0.0)


def test_notebooks_show_tables(data) -> None:
    model, X, y = fitted(data, "linear")
    fit = fa.robust_fit(model, X, y, eps=0.05)
    for shown in (fa.aif(model, X, y), fit, fa.robust_path(model, X, y, eps=0.05)):
        assert "<table" in shown._repr_html_()
