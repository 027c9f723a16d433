"""Data of known properties, estimators by name, and comparisons that many tests share."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

import fastaif as fa

Array = npt.NDArray[np.float64]

DELTA = 1.3
LOSS = {
    "linear": "squared_error",
    "logistic": "logistic",
    "poisson": "poisson",
    "huber": "huber",
}
ORDERS = [1.0, 1.5, 2.0, 3.0, np.inf]


class Data(NamedTuple):
    """Inputs, targets, weights."""

    X: Array
    y: Array
    w: Array | None


def targets(kind: str, f: Array, rng: np.random.Generator) -> Array:
    """Random targets around the predictions f; labels are -1 and 1."""
    if kind == "linear":
        return f + rng.normal(size=f.size)
    if kind == "logistic":
        return np.where(f + rng.logistic(size=f.size) > 0, 1.0, -1.0)
    if kind == "poisson":
        return rng.poisson(np.exp(f)).astype(float)
    return f + rng.standard_t(2, size=f.size)


def make(kind: str, n: int = 150, m: int = 5, seed: int = 0, weighted: bool = False) -> Data:
    """Correlated inputs of unlike scales; some weights are zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.2 * rng.normal(size=(m, m)))
    X = (X + 0.3) * rng.uniform(0.5, 2.0, size=m)
    beta = rng.uniform(0.3, 1.0, size=m) * rng.choice([-1.0, 1.0], size=m)
    spread = X.std(axis=0) if n > 1 else 1.0
    y = targets(kind, X @ (beta / (np.sqrt(m) * spread)) + 0.2, rng)
    return Data(X, y, rng.integers(0, 4, size=n).astype(float) if weighted else None)


def make_clear(kind: str, n: int = 40, m: int = 4, seed: int = 43) -> Data:
    """As `make`, but no residual is near zero: the robust path is smooth for a long way."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m))
    f = X @ np.linspace(0.9, -0.5, m) + 0.2
    jump = rng.choice([-1.0, 1.0], size=n) * rng.uniform(0.8, 1.5, size=n)
    if kind == "logistic":
        y = targets(kind, f, rng)
    else:
        y = np.exp(f + jump) if kind == "poisson" else f + jump
    return Data(X, y, rng.uniform(0.5, 2.0, size=n))


def estimator(kind: str, alpha: float = 0.02, fit_intercept: bool = True) -> Any:
    """Our estimator of that kind, not fitted."""
    if kind == "huber":
        return fa.HuberRegression(delta=DELTA, alpha=alpha, fit_intercept=fit_intercept)
    classes = {
        "linear": fa.LinearRegression,
        "logistic": fa.LogisticRegression,
        "poisson": fa.PoissonRegression,
    }
    return classes[kind](alpha=alpha, fit_intercept=fit_intercept)


def theta_of(model: Any) -> Array:
    """The parameters of a fitted linear model: coefficients, then the intercept if it has one."""
    coef = np.ravel(model.coef_)
    return np.append(coef, model.intercept_) if model.fit_intercept else coef


def about(value: float, rel: float = 1e-12) -> Any:
    """Approximately equal in relative terms alone (pytest adds 1e-12 absolutely)."""
    return pytest.approx(float(value), rel=rel, abs=0.0)


def relative_error(found: npt.ArrayLike, wanted: npt.ArrayLike) -> float:
    """The norm of the difference over the norm of what was wanted."""
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    assert found.shape == wanted.shape
    size = np.linalg.norm(wanted)
    error = np.linalg.norm(found - wanted)
    return float(error / size if size > 0 else error)


def assert_close(found: npt.ArrayLike, wanted: npt.ArrayLike, tol: float = 1e-9) -> None:
    """Equal up to `tol` of the size of the whole."""
    error = relative_error(found, wanted)
    assert error <= tol, f"relative error {error:.3g} exceeds {tol:g}"
