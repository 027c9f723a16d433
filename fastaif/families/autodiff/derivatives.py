"""The derivatives of ℓ_i(θ) = ℓ(θ, x_i, y_i) that an influence is made of.

Each takes and returns NumPy arrays, for one batch of rows. First derivatives are taken
backwards, and second ones backwards through these: both frameworks do that for every
operation which has a derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frameworks import Framework, Function, load, to_numpy
from .parameters import Layout

Array = NDArray[Any]


class Derivatives:
    """A loss and a penalty of the user's with their derivatives.

    Parameters
    ----------
    framework : Framework
    loss : callable
        (params, X, y) to losses (n,).
    penalty : callable or None
        params to a number.
    layout : Layout
    """

    def __init__(
        self, framework: Framework, loss: Function, penalty: Function | None, layout: Layout
    ) -> None:
        self._framework, self._loss, self._layout = framework, loss, layout
        self._penalty = penalty
        self._functions = self._of_loss() | ({} if penalty is None else self._of_penalty(penalty))

    def __reduce__(self) -> tuple[Any, ...]:
        # What is compiled cannot be pickled, but made again.
        return _load, (self._framework.name, self._loss, self._penalty, self._layout)

    def _of_loss(self) -> dict[str, Function]:
        grad, vjp, vmap = self._framework.grad, self._framework.vjp, self._framework.vmap
        losses = self._checked_losses

        def total(theta: Any, X: Any, y: Any, w: Any) -> Any:
            return (w * losses(theta, X, y)).sum()

        def of_row(theta: Any, x: Any, y: Any) -> Any:
            return losses(theta, x[None], y[None])[0]

        def pull(theta: Any, X: Any, y: Any, B: Any) -> Any:
            return (B * input_gradients(theta, X, y)).sum()

        def pull_of_row(theta: Any, x: Any, y: Any, b: Any) -> Any:
            return (b * grad(of_row, 1)(theta, x, y)).sum()

        def hess_vecs(theta: Any, X: Any, y: Any, w: Any, V: Any) -> Any:
            _, pulled = vjp(lambda t: grad(total)(t, X, y, w), theta)
            return vmap(lambda v: pulled(v)[0])(V)

        def push(X: Any, theta: Any, y: Any, step: Any) -> Any:
            slope = grad(lambda t: losses(t, X, y).sum())(theta)
            return (slope * step).sum()

        input_gradients = grad(lambda theta, X, y: losses(theta, X, y).sum(), 1)
        return {
            "losses": losses,
            "input_gradients": input_gradients,
            "gradient": grad(total),
            "hess_vecs": hess_vecs,
            "mixed": grad(pull),
            "row_gradients": vmap(grad(of_row), (None, 0, 0)),
            "row_mixed": vmap(grad(pull_of_row), (None, 0, 0, 0)),
            "input_moves": grad(push),
        } | self._along_path(of_row, pull_of_row)

    def _along_path(self, of_row: Function, pull_of_row: Function) -> dict[str, Function]:
        """What becomes of a row on the way θ + ε step, every row at an ε of its own."""
        grad, vmap = self._framework.grad, self._framework.vmap

        def along(eps: Any, theta: Any, step: Any, x: Any, y: Any, b: Any) -> Any:
            return pull_of_row(theta + eps * step, x, y, b)

        def on_path(eps: Any, theta: Any, step: Any, x: Any, y: Any) -> Any:
            return of_row(theta + eps * step, x, y)

        def row_slope(eps: Any, theta: Any, step: Any, x: Any, y: Any) -> Any:
            return grad(of_row, 1)(theta + eps * step, x, y)

        return {
            "row_slopes": vmap(row_slope, (0, None, None, 0, 0)),
            "overlaps": vmap(along, (0, None, None, 0, 0, 0)),
            "overlaps_in_eps": vmap(grad(along), (0, None, None, 0, 0, 0)),
            "path_slopes": vmap(grad(on_path), (0, None, None, 0, 0)),
            "path_slopes_in_eps": vmap(grad(grad(on_path)), (0, None, None, 0, 0)),
        }

    def _of_penalty(self, penalty: Function) -> dict[str, Function]:
        grad, vjp, vmap = self._framework.grad, self._framework.vjp, self._framework.vmap

        def value(theta: Any) -> Any:
            found = penalty(self._layout.unflatten(theta))
            if tuple(getattr(found, "shape", (0,))) != ():
                raise ValueError("penalty must return a single number (an array of shape ())")
            return found

        def hess_vecs(theta: Any, V: Any) -> Any:
            _, pulled = vjp(grad(value), theta)
            return vmap(lambda v: pulled(v)[0])(V)

        return {
            "penalty": value, "penalty_gradient": grad(value), "penalty_hess_vecs": hess_vecs,
        }  # fmt: skip

    def _checked_losses(self, theta: Any, X: Any, y: Any) -> Any:
        """The losses of a batch, refused where they are not (n,) in float64."""
        found = self._loss(self._layout.unflatten(theta), X, y)
        n, shape = X.shape[0], tuple(getattr(found, "shape", ()))
        if shape != (n,):
            raise ValueError(
                f"per_sample_loss must return a loss for each row, of shape ({n},), but returns "
                f"shape {shape}; do not average (reduction='none'), and flatten outputs (n, 1)"
            )
        if not str(found.dtype).endswith("float64"):
            raise TypeError(
                f"per_sample_loss must compute in float64, as its arguments are, but returns "
                f"{found.dtype}: it converts them, or has no derivative"
            )
        return found

    def __call__(self, name: str, *arrays: Array) -> Array:
        """The function of that name at NumPy arrays; always a new, writable array."""
        call = self._compiled("losses" if name == "heights" else name)
        with self._framework.session():
            return np.array(to_numpy(call(*map(self._framework.array, arrays))))

    def _compiled(self, name: str) -> Callable[..., Any]:
        key = f"compiled {name}"
        if key not in self._functions:
            self._functions[key] = self._framework.compiled(self._functions[name])
        return self._functions[key]

    def hess_vecs(self, theta: Array, X: Array, y: Array, w: Array, V: Array) -> Array:
        """Σ w_i ∇²ℓ_i(θ) v for each row v of V (k, d)."""
        k = len(V)
        if self._framework.knows_shapes:  # compiled anew for every k: let there be few
            rest = (1 << (k - 1).bit_length()) - k
            V = np.concatenate([V, np.zeros((rest, V.shape[1]))])
        return self("hess_vecs", theta, X, y, w, V)[:k]

    # --- the penalty: the user's, or ‖θ‖² ---------------------------------------------------

    @property
    def has_own_penalty(self) -> bool:
        """Whether the penalty is the user's."""
        return self._penalty is not None

    def penalty(self, theta: Array) -> float:
        """P(θ)."""
        return float(theta @ theta) if self._penalty is None else float(self("penalty", theta))

    def penalty_gradient(self, theta: Array) -> Array:
        """∇P(θ)."""
        return 2.0 * theta if self._penalty is None else self("penalty_gradient", theta)

    def penalty_hess_vecs(self, theta: Array, V: Array) -> Array:
        """∇²P(θ) v for each row v of V."""
        return 2.0 * V if self._penalty is None else self("penalty_hess_vecs", theta, V)


def _load(name: str, loss: Function, penalty: Function | None, layout: Layout) -> Derivatives:
    return Derivatives(load(name), loss, penalty, layout)
