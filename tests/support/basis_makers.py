"""Basis models of every kind, and what the slow twin needs to know of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from oracles import basis as twin

import fastaif as fa
from support.makers import DELTA, Array, Data, about, targets, theta_of

M = 3


class Waves:
    """v(x) = (x_1, sin(x_1 + x_2), x_2 x_3, exp(-x_3^2 / 2)), for `Custom` and for the twin."""

    def features(self, x: Any) -> Any:
        a, b, c = x[..., 0], x[..., 1], x[..., 2]
        return np.stack([a, np.sin(a + b), b * c, np.exp(-c * c / 2)], axis=-1)

    def jacobian(self, x: Any) -> Any:
        a, b, c = x[..., 0], x[..., 1], x[..., 2]
        J = np.zeros((*x.shape[:-1], 4, 3), dtype=x.dtype)
        J[..., 0, 0] = 1.0
        J[..., 1, 0] = J[..., 1, 1] = np.cos(a + b)
        J[..., 2, 1], J[..., 2, 2] = c, b
        J[..., 3, 2] = -c * np.exp(-c * c / 2)
        return J

    def penalised(self, d: int) -> Array:
        return np.ones(d)

    def jac_vec(self, X: Array, P: Array) -> Array:
        return np.einsum("idk,ik->id", self.jacobian(X), P)

    def jac_t_vec(self, X: Array, theta: Array) -> Array:
        return np.einsum("idk,d->ik", self.jacobian(X), theta)


WAVES = Waves()
BASES = {
    "linear": lambda: fa.bases.Linear(),
    "quadratic": lambda: fa.bases.Quadratic(),
    "powers 1": lambda: fa.bases.Powers(1),
    "powers 2": lambda: fa.bases.Powers(2),
    "powers 3": lambda: fa.bases.Powers(3),
    "fourier": lambda: fa.bases.Fourier(7, 0.3, 4),
    "custom": lambda: fa.bases.Custom(WAVES.features, WAVES.jac_vec, WAVES.jac_t_vec),
}
LOSSES = {
    "linear": "squared_error",
    "logistic": "logistic",
    "poisson": "poisson",
    "huber": "huber",
}


def twin_of(name: str, model: Any = None) -> Any:
    """The twin's basis; for Fourier features the fitted model is needed."""
    if name == "fourier":
        return twin.Fourier(model.basis_.frequencies, model.basis_.phases)
    plain = {
        "linear": twin.Powers(1),
        "quadratic": twin.Quadratic(),
        "powers 1": twin.Powers(1),
        "powers 2": twin.Powers(2),
        "powers 3": twin.Powers(3),
        "custom": WAVES,
    }
    return plain[name]


def loss_of(kind: str) -> Any:
    """The loss as an argument of `BasisRegression`."""
    return fa.losses.Huber(DELTA) if kind == "huber" else LOSSES[kind]


def estimator(name: str, kind: str, alpha: float = 0.02, fit_intercept: bool = True) -> Any:
    """`BasisRegression` with that basis and loss, not fitted."""
    return fa.BasisRegression(
        BASES[name](), loss=loss_of(kind), alpha=alpha, fit_intercept=fit_intercept
    )


def quadratic_theta(model: Any) -> Array:
    """The parameters of a `QuadraticRegression` in the order of the influence."""
    m = len(model.coef_)
    squares = [
        model.quadratic_[j, k] * (1.0 if j == k else 2.0) for j in range(m) for k in range(j, m)
    ]
    theta = np.concatenate([model.coef_, squares])
    return np.append(theta, model.intercept_) if model.fit_intercept else theta


def params_of(model: Any) -> Array:
    """The parameters of any fitted basis model: coefficients, then the intercept."""
    return quadratic_theta(model) if hasattr(model, "quadratic_") else theta_of(model)


def inputs(n: int, m: int, rng: np.random.Generator) -> Array:
    """Correlated inputs of unlike scales, of size about one."""
    X = rng.normal(size=(n, m)) @ (np.eye(m) + 0.2 * rng.normal(size=(m, m)))
    return np.asarray((X + 0.2) * rng.uniform(0.4, 0.9, size=m))


def surface(X: Array) -> Array:
    """A curved function for the targets to scatter around."""
    slopes = np.linspace(0.9, -0.6, X.shape[1])
    return np.asarray(X @ slopes + 0.3 * (X @ slopes[::-1]) ** 2 - 0.2)


def make(kind: str, n: int = 50, m: int = M, seed: int = 0, weighted: bool = False) -> Data:
    """Inputs and targets for a basis model; some weights are zero."""
    rng = np.random.default_rng(seed)
    X = inputs(n, m, rng)
    y = targets(kind, surface(X), rng)
    return Data(X, y, rng.integers(0, 4, size=n).astype(float) if weighted else None)


def make_clear(kind: str, n: int = 40, m: int = M, seed: int = 5) -> Data:
    """As `make`, but no residual is near zero: the robust path is smooth for a while."""
    rng = np.random.default_rng(seed)
    X = inputs(n, m, rng)
    f = surface(X)
    jump = rng.choice([-1.0, 1.0], size=n) * rng.uniform(0.8, 1.5, size=n)
    if kind == "logistic":
        y = targets(kind, f, rng)
    else:
        y = np.exp(f + jump) if kind == "poisson" else f + jump
    return Data(X, y, rng.uniform(0.5, 2.0, size=n))


def known_to_twin(kind: str, alpha: float = 0.02, fit_intercept: bool = True) -> dict[str, Any]:
    """The twin's keywords for a model of that kind."""
    return {
        "loss": LOSSES[kind],
        "alpha": alpha,
        "fit_intercept": fit_intercept,
        "delta": DELTA,
    }


def without_alpha(known: dict[str, Any], *more: str) -> dict[str, Any]:
    """The keywords of functions of the clean loss."""
    return {name: value for name, value in known.items() if name not in ("alpha", *more)}


def assert_agrees(result: Any, wanted: dict[str, Any], tol: float = 1e-9) -> None:
    """Everything that the one pass gives."""
    pairs: list[tuple[str, npt.ArrayLike]] = [
        ("influence", result.influence),
        ("mixed", result.mixed),
        ("hessian", result.hessian),
        ("per_sample", result.per_sample()),
    ]
    for name, found in pairs:
        error = np.linalg.norm(found - wanted[name]) / np.linalg.norm(wanted[name])
        assert np.shape(found) == np.shape(wanted[name]), name
        assert error <= tol, f"{name}: relative error {error:.3g}"
    for name in ("radius", "value_derivative"):
        error = abs(getattr(result, name) / wanted[name] - 1.0)
        assert error <= 1e-12, f"{name}: relative error {error:.3g}"


EVENTS = {
    "residual": "slope changes sign",
    "sign": "changes sign",
    "argmax": "largest",
    "vanishing": "gradient may vanish",
}


def assert_is_first(result: Any, events: dict[str, Any], tight: bool) -> None:
    """The validity radius is the twin's first event, and the reason says which.

    Where the gradients' Lipschitz constant is not known exactly (`tight`), any bound between the
    twin's will do.
    """
    low, high = events["vanishing"]
    crossings = {name: value for name, value in events.items() if name != "vanishing"}
    first = min(crossings, key=lambda name: crossings[name])
    found, wanted = result.validity_radius, min(crossings[first], high)
    name = first if crossings[first] <= high else "vanishing"
    if not tight and found < wanted * (1 - 1e-8):
        assert found >= low * (1 - 1e-9), f"{found} is below the least sensible bound {low}"
        name = "vanishing"
    else:
        assert found == about(wanted, 1e-8), f"{found}, but {name} at {wanted}"
    text = "none" if np.isinf(found) else EVENTS[name]
    assert text in result.validity_reason, f"{result.validity_reason!r} lacks {text!r}"
