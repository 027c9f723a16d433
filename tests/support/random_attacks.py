"""Random attacks: every kind of model, norm, restriction and number type, by a seed.

What an attack returns is measured in long double arithmetic, by definitions of its own.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import HuberRegressor

import fastaif as fa
from support.layer_makers import make_model, with_parameters
from support.random_problems import NORMS

Array = npt.NDArray[Any]

DTYPES = (np.float16, np.float32, np.float64)
N_FEATURES = 4
_ROUNDING = 3e-15  # of lengths in float64, by which sets are asked
_OF_A_METRIC = 1e-12
NAMES = (
    "linear", "logistic", "poisson", "l1", "softmax", "outputs", "quadratic", "quadratic labels",
    "powers", "moving", "fixed", "network", "network labels", "layers", "layers softmax",
    "scale", "user",
)  # fmt: skip


class Attack(NamedTuple):
    """A model, rows, and the arguments of `attack`."""

    name: str
    model: Any
    X: Array
    y: Array
    eps: float
    options: dict[str, Any]


@cache
def _data() -> tuple[Array, Array]:
    """Inputs of unlike scales, and targets."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(40, N_FEATURES)) * [1.0, 0.5, 2.0, 1.0] + [0.0, 1.0, 0.0, -2.0]
    return X, np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * X[:, 3] + 0.5 * rng.normal(size=40)


def _estimators() -> dict[str, tuple[Any, str]]:
    """An estimator of every kind, and what its targets are."""
    kernel = fa.kernels.RBF(gamma=0.2)
    return {
        "linear": (fa.LinearRegression(), "real"),
        "logistic": (fa.LogisticRegression(alpha=1e-3), "label"),
        "poisson": (fa.PoissonRegression(alpha=1e-2), "count"),
        "l1": (fa.LinearRegression(alpha=0.05, l1_ratio=0.5), "real"),
        "softmax": (fa.LogisticRegression(alpha=1e-3), "class"),
        "outputs": (fa.LinearRegression(alpha=1e-2), "pair"),
        "quadratic": (fa.QuadraticRegression(alpha=1e-2), "real"),
        "quadratic labels": (fa.BasisRegression(fa.bases.Quadratic(), "logistic", alpha=0.1),
                             "label"),
        "powers": (fa.BasisRegression(fa.bases.Powers(3), alpha=1e-2), "real"),
        "fixed": (fa.KernelRegression(kernel, centers="fixed", n_centers=6, alpha=0.1), "real"),
        "scale": (HuberRegressor(), "real"),
        "network": (fa.MLPRegression(hidden=4, alpha=0.05, random_state=0), "real"),
        "network labels": (fa.MLPClassification(hidden=4, alpha=0.05, random_state=0), "label"),
    }  # fmt: skip


def _targets(y: Array, kind: str) -> Array:
    """Targets of a kind, from real ones."""
    return {
        "real": y,
        "label": (y > 0.5).astype(int),
        "count": np.floor(np.exp(0.5 * np.clip(y, -3, 3))),
        "class": np.digitize(y, [-0.5, 1.0]),
        "pair": np.column_stack([y, np.cos(y)]),
    }[kind]


@cache
def _fitted(name: str) -> tuple[Any, Array]:
    """A model of that name and its targets."""
    X, y = _data()
    if name.startswith("layers"):
        kind = "softmax" if "softmax" in name else "squared_error"
        model = with_parameters(kind, N_FEATURES, (3, 3), "tanh")
        assert isinstance(model, make_model(kind))
        return model, _targets(y, "class" if kind == "softmax" else "real")
    if name == "user":
        return _user_model(), y
    estimator, kind = _estimators()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, _targets(y, kind)), _targets(y, kind)


def _user_model() -> Any:
    """A loss that is known by its derivatives alone."""
    import jax.numpy as jnp

    def loss(params: Any, X: Any, y: Any) -> Any:
        hidden = jnp.tanh(X @ params["W"] + params["b"])
        return (hidden @ params["w"] - y) ** 2

    rng = np.random.default_rng(3)
    params = {"W": rng.normal(size=(N_FEATURES, 3)), "b": rng.normal(size=3), "w": np.ones(3)}
    return fa.DifferentiableModel(loss, params, backend="jax")


@cache
def _moving(dtype: Any) -> tuple[Any, Array]:
    """A kernel regression at whose inputs its centres are, of that type."""
    X, y = _data()
    return fa.KernelRegression(fa.kernels.RBF(gamma=0.2), alpha=0.1).fit(X.astype(dtype), y), y


def random_attack(seed: int) -> Attack:
    """One of them."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(NAMES))
    dtype, p = rng.choice(DTYPES), float(rng.choice(NORMS))
    X = _data()[0]
    rows = np.sort(rng.choice(len(X), size=12, replace=False))
    if name == "moving":  # of all rows of its fit
        X, rows = X.astype(dtype), np.arange(len(X))
        model, targets = _moving(dtype)
    else:
        scale, offset = rng.choice([1.0, 1.0, 30.0]), rng.choice([0.0, 0.0, 1e3])
        if name == "poisson":  # else its loss overflows
            scale, offset = 1.0, 0.0
        X = (X[rows] * scale + offset).astype(dtype)
        model, targets = _fitted(name)
    options: dict[str, Any] = {"p": p}
    if rng.random() < 0.5:
        options["radius"] = float(10.0 ** rng.uniform(-4.0, 1.0))
    if rng.random() < 0.4:
        options["feature_scale"] = rng.uniform(0.1, 3.0, size=N_FEATURES).round(2)
    if rng.random() < 0.4:
        options["attackable"] = np.arange(N_FEATURES) != rng.integers(N_FEATURES)
    if rng.random() < 0.5:
        options.update(_restriction(rng, X, options))
    if rng.random() < 0.3:
        options["budgets"] = rng.choice([0.0, 0.5, 1.0, 3.0], size=len(X), p=[0.2, 0.3, 0.3, 0.2])
        options["budgets"][0] = 1.0
    if rng.random() < 0.2:
        options.update(method="pgd", n_steps=int(rng.integers(1, 8)))
        options.update(n_restarts=int(rng.integers(1, 4)), random_state=int(rng.integers(100)))
    eps = float(rng.choice([0.0, 1.0, 1.0, 10.0 ** rng.uniform(-3.0, 1.0)]))
    return Attack(name, model, X, targets[rows], eps, options)


def _restriction(rng: np.random.Generator, X: Array, options: dict[str, Any]) -> dict[str, Any]:
    """Bounds that some rows are at, a metric or groups."""
    kind = rng.choice(["bounds", "bounds", "metric", "groups"])
    if kind == "metric" and "feature_scale" not in options:
        half = rng.normal(size=(N_FEATURES, N_FEATURES))
        return {"metric": half @ half.T + 0.1 * np.eye(N_FEATURES), "p": 2.0}
    if kind == "groups":
        return {"groups": [[0, 2], [1, 3]] if rng.random() < 0.5 else [[0, 1, 2]]}
    spare = rng.choice([0.0, 0.0, 0.3], size=(2, N_FEATURES)) * X.std(axis=0, dtype=float)
    low, high = X.min(axis=0) - spare[0], X.max(axis=0) + spare[1]
    low[rng.random(N_FEATURES) < 0.2] = -np.inf
    high[rng.random(N_FEATURES) < 0.2] = np.inf
    return {"bounds": (low, high)}


def check(seed: int) -> bool:
    """Whether a random attack was made at all: it then has to be in its set.

    Raises
    ------
    AssertionError
        It is not, in the number type of the rows, or lowers the loss.
    """
    case = random_attack(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = fa.attack(case.model, case.X, case.y, case.eps, **case.options)
    except (ValueError, FloatingPointError) as error:
        if not _is_refusal(str(error)):
            raise
        return False
    assert found.dtype == case.X.dtype
    assert found.shape == case.X.shape
    assert np.isfinite(found).all()
    delta = found.astype(np.longdouble) - case.X.astype(np.longdouble)
    sizes, rounding = _lengths(case, delta)
    assert np.all(sizes <= _allowed(case) * (1.0 + rounding)), "outside of the ball"
    still = case.options.get("attackable")
    assert still is None or not delta[:, ~still].any(), "what is not attackable moved"
    low, high = (end.astype(case.X.dtype) for end in case.options.get("bounds", _FREE))
    assert np.all(((found >= low) & (found <= high)) | (delta == 0.0)), "outside of the bounds"
    if case.X.dtype == np.float64 and case.name != "moving":
        _check_loss(case, found)
    return True


def _check_loss(case: Attack, found: Array) -> None:
    """The loss that is said of an attack is that of its inputs, and no lower than without."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = fa.adversarial_loss(case.model, case.X, case.y, case.eps, **case.options)
        there, before = (
            fa.adversarial_loss(case.model, X, case.y, 0.0, radius=1.0) for X in (found, case.X)
        )
    assert said >= before * (1.0 - 1e-9), "the attack lowers the loss"
    # Attacked inputs were rounded, a digit of X at a time.
    assert np.isclose(said, there, rtol=1e-6, atol=1e-9 * (1.0 + abs(before))), "another loss"


_FREE = (np.array(-np.inf), np.array(np.inf))


def _is_refusal(message: str) -> bool:
    """Whether arguments were refused by name, with a way out."""
    said = ("not known", "are for", "is for", "loss overflows")
    return any(part in message for part in said)


def _lengths(case: Attack, moves: Array) -> tuple[Array, float]:
    """‖δ/c‖ (n,) as the set measures it, and what rounding may add to it."""
    options = case.options
    t = moves / options.get("feature_scale", np.ones(N_FEATURES)).astype(np.longdouble)
    if "metric" in options:
        free = options.get("attackable", np.ones(N_FEATURES, dtype=bool))
        inverse = np.linalg.inv(options["metric"])[np.ix_(free, free)]
        return np.sqrt(np.einsum("ij,jk,ik->i", t[:, free], inverse, t[:, free])), _OF_A_METRIC
    t = np.abs(t)
    if "groups" in options:
        listed = [np.array(group) for group in options["groups"]]
        alone = [np.array([k]) for k in range(N_FEATURES) if not any(k in g for g in listed)]
        t = np.stack([np.sqrt(np.sum(t[:, g] ** 2, axis=1)) for g in listed + alone], axis=1)
    p = options["p"]
    if np.isinf(p):
        return t.max(axis=1), _ROUNDING
    top = np.maximum(t.max(axis=1), np.longdouble(1e-300))
    return top * np.sum((t / top[:, None]) ** p, axis=1) ** (1.0 / np.longdouble(p)), _ROUNDING


def _allowed(case: Attack) -> Array:
    """ε s, times the budgets of the rows where there are such, (n,)."""
    options, X = case.options, case.X.astype(np.longdouble)
    radius = options.get("radius")
    if radius is None:
        free = options.get("attackable", np.ones(N_FEATURES, dtype=bool))
        radius = _lengths(case, np.where(free, X, 0.0))[0].mean() * (1.0 + 1e-14)
    return case.eps * radius * options.get("budgets", np.ones(len(X)))
