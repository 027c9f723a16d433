"""Random robust fits: every loss, norm and awkwardness of data, by a seed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

KINDS = ("linear", "logistic", "poisson", "huber")
NORMS = (1.0, 1.5, 2.0, 3.0, np.inf)


class RobustCase(NamedTuple):
    """A model's kind, its data, and the attack on it."""

    kind: str
    X: Array
    y: Array
    weights: Array | None
    alpha: float
    fit_intercept: bool
    p: float
    eps: float
    feature_scale: Array | None


def gaussian(kind: str, n: int, m: int, seed: int = 0) -> tuple[Array, Array]:
    """Standard normal inputs, targets with as much noise as signal."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m))
    return X, _targets(kind, X @ rng.normal(size=m) / np.sqrt(m) + 0.3, rng)


def robust_case(seed: int, most_rows: int = 1000, most_columns: int = 40) -> RobustCase:
    """One of them; with α = 0 there may be no minimum only for the logistic loss."""
    rng = np.random.default_rng(seed)
    m = int(np.exp(rng.uniform(np.log(2), np.log(most_columns))))
    n = int(np.exp(rng.uniform(np.log(20), np.log(most_rows))))
    kind, p = str(rng.choice(KINDS)), float(rng.choice(NORMS))
    X = _inputs(n, m, rng)
    y = _targets(kind, X @ rng.normal(size=m) / np.sqrt(m) + 0.3, rng)
    weights = rng.integers(0, 4, size=n).astype(float) if rng.random() < 0.3 else None
    if rng.random() < 0.15:  # equal rows
        third = n // 3
        X[:third], y[:third] = X[third : 2 * third], y[third : 2 * third]
    _settle(kind, y, weights)
    alpha = float(rng.choice([0.0, 0.0, 1e-3, 0.1])) if n >= m + 2 else 1e-3
    scale = None
    if rng.random() < 0.2:
        scale = np.where(rng.random(m) < 0.3, 0.0, rng.uniform(0.2, 3.0, size=m))
        scale[0] = 1.0
    eps = float(10.0 ** rng.uniform(-3.0, 0.3))
    return RobustCase(kind, X, y, weights, alpha, bool(rng.random() < 0.8), p, eps, scale)


def _inputs(n: int, m: int, rng: np.random.Generator) -> Array:
    X = rng.normal(size=(n, m))
    if rng.random() < 0.3:
        X = X @ (np.eye(m) + 0.5 * rng.normal(size=(m, m)))
    if rng.random() < 0.2:
        X = np.round(X)
    if rng.random() < 0.2:
        X = (X > 0.5).astype(float)
    if rng.random() < 0.15:
        X[:, 1] = X[:, 0]
    return X


def _targets(kind: str, f: Array, rng: np.random.Generator) -> Array:
    if kind == "logistic":
        return np.where(f + rng.logistic(size=f.size) > 0, 1.0, -1.0)
    if kind == "poisson":
        return rng.poisson(np.exp(np.clip(f, -5.0, 4.0))).astype(float)
    y = f + (rng.normal(size=f.size) if rng.random() < 0.7 else rng.standard_t(2, size=f.size))
    return np.round(y) if rng.random() < 0.3 else y


def _settle(kind: str, y: Array, weights: Array | None) -> None:
    """Both classes, some counts and some weight there must be."""
    if weights is not None:
        weights[[0, -1]] = 1.0
    if kind == "logistic":
        y[0], y[-1] = 1.0, -1.0
    if kind == "poisson":
        y[0] = max(y[0], 1.0)


def clarabel_optimum(case: RobustCase, rho: float, delta: float) -> Array:
    """θ (m,) or (m + 1,) by CVXPY and Clarabel; attacks ‖δ/c‖_p ≤ rho."""
    import cvxpy as cp

    n, m = case.X.shape
    w = np.ones(n) if case.weights is None else case.weights
    X, y, w = case.X[w > 0], case.y[w > 0], w[w > 0] / w.sum()
    q = {1.0: "inf", np.inf: 1}.get(case.p) or case.p / (case.p - 1.0)
    D = np.ones(m) if case.feature_scale is None else case.feature_scale
    beta, b, size = cp.Variable(m), cp.Variable(), cp.Variable(nonneg=True)
    f = X @ beta + (b if case.fit_intercept else 0.0)
    worst: dict[str, Any] = {
        "linear": lambda: cp.square(cp.abs(f - y) + size),
        "logistic": lambda: cp.logistic(size - cp.multiply(y, f)),
        "poisson": lambda: cp.maximum(
            cp.exp(f + size) - cp.multiply(y, f + size), cp.exp(f - size) - cp.multiply(y, f - size)
        ),
        "huber": lambda: delta**2 * (_root_of_square((cp.abs(f - y) + size) / delta) - 1.0),
    }
    goal = w @ worst[case.kind]() + case.alpha * cp.sum_squares(beta)
    problem = cp.Problem(cp.Minimize(goal), [rho * cp.norm(cp.multiply(D, beta), q) <= size])
    problem.solve(solver=cp.CLARABEL, **{f"tol_{k}": 1e-11 for k in ("gap_abs", "gap_rel", "feas")})
    return np.append(beta.value, b.value) if case.fit_intercept else np.asarray(beta.value)


def _root_of_square(x: Any) -> Any:
    """√(1 + x²), elementwise."""
    import cvxpy as cp

    return cp.norm(cp.vstack([x, np.ones(x.shape)]), 2, axis=0)
