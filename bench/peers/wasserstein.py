"""Wasserstein-robust regression by the packages dro and skwdro, as their users call them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def missing(package: str) -> bool:
    """Whether a package is absent; one that is not is imported, which nobody's time is to have."""
    if importlib.util.find_spec(package) is None:
        return True
    importlib.import_module(
        {"dro": "dro.linear_model.wasserstein_dro", "skwdro": "skwdro.linear_models"}[package]
    )
    return False


def by_dro(X: Array, y: Array, eps: float, p: float, kind: str) -> Array:
    """θ = (β, b) by CVXPY with Clarabel; kind "logistic" (order 1) or "linear" (order 2)."""
    from dro.linear_model.wasserstein_dro import WassersteinDRO

    model = WassersteinDRO(X.shape[1], "logistic" if kind == "logistic" else "ols")
    cost = eps if kind == "logistic" else eps**2  # of squares: a mean of them
    model.update({"eps": float(cost), "p": "inf" if np.isinf(p) else float(p), "kappa": "inf"})
    found = model.fit(X, y)
    return np.append(found["theta"], found["b"])


def by_skwdro(X: Array, y: Array, eps: float, kind: str) -> Array:
    """The same by its dedicated solvers, p = 2; labels may be flipped at a cost of 1,000."""
    from skwdro import linear_models as theirs

    cls: Any = theirs.LogisticRegression if kind == "logistic" else theirs.LinearRegression
    cost = "t-NLC-1-2" if kind == "logistic" else "t-NLC-2-2"
    return _theta(cls(rho=eps, solver="dedicated", fit_intercept=True, cost=cost).fit(X, y))


def by_sampling(X: Array, y: Array, eps: float) -> Array:
    """Logistic regression of order 2, p = 2, by skwdro's default: an entropic dual, sampled."""
    from skwdro.linear_models import LogisticRegression

    return _theta(LogisticRegression(rho=eps, cost="t-NLC-2-2", fit_intercept=True).fit(X, y))


def _theta(fitted: Any) -> Array:
    return np.append(np.ravel(fitted.coef_), np.ravel(fitted.intercept_)).astype(np.float64)
