"""The derivatives of a network's losses ℓ_i(θ) that an influence is made of, batch by batch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...bases.builtin import Linear
from ...utils.arrays import read_only
from .heads import Head
from .layers import Layers, Run

Array = NDArray[Any]


class Pass(NamedTuple):
    """A batch forwards, ∇_F ℓ (n, K) as weighted, and backwards."""

    run: Run
    a: Array
    deltas: list[Array]


@dataclass(frozen=True)
class LayeredDerivatives:
    """The `RowDerivatives` of a network.

    Gradients in the inputs and moves of them are those of u = (x − shift) / scale, as the network
    sees them; X is raw.

    Attributes
    ----------
    layers : Layers
    head : Head
    basis : Linear
        The scaler before the network, or none.
    gauss_newton : bool
        Products with E Jᵀ ∇²_F ℓ J in place of the Hessian.
    """

    layers: Layers
    head: Head
    basis: Linear
    gauss_newton: bool = False

    has_own_penalty = True  # of the weights, not of biases

    def __call__(self, name: str, *arrays: Array) -> Array:
        """What has that name, of arrays (n, …)."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            found: Array = getattr(self, name)(*arrays)
        return found

    def as_gauss_newton(self) -> LayeredDerivatives:
        """The same, with products of the Gauss-Newton matrix."""
        return dataclasses.replace(self, gauss_newton=True)

    # --- the loss ---------------------------------------------------------------------------

    def outputs(self, theta: Array, X: Array) -> Array:
        """F (n, K)."""
        return self.layers.run(theta, self.basis.transform(X)).outputs

    def losses(self, theta: Array, X: Array, y: Array) -> Array:
        """ℓ (n,)."""
        return self.head.value(self.outputs(theta, X), y)

    def heights(self, theta: Array, X: Array, y: Array) -> Array:
        """What ascents climb on, (n,): it orders attacks of a row as its loss does."""
        return self.head.height(self.outputs(theta, X), y)

    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """Heights (n,), and their gradients in u (n, m)."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            run = self.layers.run(theta, self.basis.transform(X))
            deltas = self.layers.deltas(run, self.head.rising(run.outputs, y))
            return self.head.height(run.outputs, y), self.layers.input_slopes(run, deltas)

    def compiled(self, theta: Array) -> tuple[c.Layers, c.Head]:
        """What `rising` is made of, as compiled operations take it."""
        sizes, scaler = self.layers.sizes, (c.EMPTY, c.EMPTY)
        if not self.basis.is_identity:
            shift, scale = self.basis.arrays(sizes[0])
            scaler = read_only(shift), read_only(1.0 / scale)
        network = c.Layers(
            self.layers.sigma.code, np.array(sizes, dtype=np.int64), read_only(theta), *scaler
        )
        return network, self.head.compiled(sizes[-1])

    def at(self, theta: Array, X: Array, y: Array, w: Array | None = None) -> Pass:
        """A batch forwards and backwards, rows weighted by w (n,)."""
        run = self.layers.run(theta, self.basis.transform(X))
        a = self.head.slope(run.outputs, y)
        if w is not None:
            a = w[:, None] * a
        return Pass(run, a, self.layers.deltas(run, a))

    def gradient(self, theta: Array, X: Array, y: Array, w: Array) -> Array:
        """Σ w_i ∇ℓ_i, (d,)."""
        run, _, deltas = self.at(theta, X, y, w)
        return self.layers.gradient(run, deltas)

    def row_gradients(self, theta: Array, X: Array, y: Array) -> Array:
        """∇ℓ_i, (n, d)."""
        run, _, deltas = self.at(theta, X, y)
        return self.layers.row_gradients(run, deltas)

    def output_slopes(self, theta: Array, X: Array, y: Array) -> Array:
        """‖∇_F ℓ‖ (n,): |ℓ'| where there is one output."""
        return np.asarray(np.linalg.norm(self.head.slope(self.outputs(theta, X), y), axis=1))

    # --- the inputs -------------------------------------------------------------------------

    def input_gradients(self, theta: Array, X: Array, y: Array) -> Array:
        """∇_u ℓ (n, m)."""
        run, _, deltas = self.at(theta, X, y)
        return self.layers.input_slopes(run, deltas)

    def pulls_along(self, theta: Array, X: Array, y: Array, step: Array) -> Array:
        """What attacks have the direction of in u, and its derivative along a step, (2, n, m)."""
        run = self.layers.run(theta, self.basis.transform(X))
        deltas = self.layers.deltas(run, self.head.pull(run.outputs, y))
        dots = self.layers.dots(run, step[None])
        bent = self.head.pull_bent(run.outputs, y, dots.outputs[0])
        back = self.layers.delta_dots(run, deltas, dots, bent[None])[0]
        moved = self.layers.input_slope_dots(run, deltas, dots, back)[0]
        return np.stack([self.layers.input_slopes(run, deltas), moved])

    def mixed(self, theta: Array, X: Array, y: Array, B: Array) -> Array:
        """Σ ∇_θ⟨∇_u ℓ_i, B_i⟩ for moves B (n, m), (d,)."""
        run, _, deltas = self.at(theta, X, y)
        dots = self.layers.dots(run, None, B)
        bent = self.head.bent(run.outputs, y, dots.outputs)
        backs = self.layers.delta_dots(run, deltas, dots, bent)
        return self.layers.gradient_dots(run, deltas, dots, backs)

    def row_mixed(self, theta: Array, X: Array, y: Array, B: Array) -> Array:
        """∇_θ⟨∇_u ℓ_i, B_i⟩ of each row, (n, d)."""
        run, _, deltas = self.at(theta, X, y)
        dots = self.layers.dots(run, None, B)
        bent = self.head.bent(run.outputs, y, dots.outputs)
        backs = self.layers.delta_dots(run, deltas, dots, bent)
        return self.layers.row_gradient_dots(run, deltas, dots, backs)

    # --- the Hessian ------------------------------------------------------------------------

    def hess_vecs(self, theta: Array, X: Array, y: Array, w: Array, V: Array) -> Array:
        """Σ w_i ∇²ℓ_i v for each row v of V (k, d), or the Gauss-Newton part of it."""
        bending = not self.gauss_newton
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            run, _, deltas = self.at(theta, X, y, w)
            dots = self.layers.dots(run, V)
            bent = w[:, None] * self.head.bent(run.outputs, y, dots.outputs)
            backs = self.layers.delta_dots(run, deltas, dots, bent, bending)
            return self.layers.gradient_dots(run, deltas, dots, backs, bending)

    def along(self, theta: Array, X: Array, y: Array, step: Array) -> Array:
        """⟨∇ℓ_i, step⟩ and stepᵀ∇²ℓ_i step of each row, (2, n)."""
        run, a, deltas = self.at(theta, X, y)
        dots = self.layers.dots(run, step[None])
        speed = dots.outputs[0]
        second = (self.head.bent(run.outputs, y, speed) * speed).sum(axis=1)
        # ⟨a, F̈⟩ layer by layer: σ'' ż² and what W moves of ȧ, twice, pulled back.
        assert dots.layers is not None
        for place, delta in enumerate(deltas):
            moved = dots.inputs[place]
            if moved is not None:
                second += 2.0 * ((moved[0] @ dots.layers[place].W[0]) * delta).sum(axis=1)
            if place < len(run.slopes):
                back = deltas[place + 1] @ run.layers[place + 1].W.T
                second += (back * run.bends[place] * dots.sums[place][0] ** 2).sum(axis=1)
        return np.stack([(a * speed).sum(axis=1), second])

    def speeds(self, theta: Array, X: Array, step: Array) -> Array:
        """F and its derivative along a step, (2, n, K)."""
        run = self.layers.run(theta, self.basis.transform(X))
        return np.stack([run.outputs, self.layers.dots(run, step[None]).outputs[0]])

    # --- the penalty ------------------------------------------------------------------------

    def penalty(self, theta: Array) -> float:
        """Σ_l ‖W_l‖²."""
        return float(self.layers.penalized @ theta**2)

    def penalty_gradient(self, theta: Array) -> Array:
        """Twice the weights, (d,)."""
        return 2.0 * self.layers.penalized * theta

    def penalty_hess_vecs(self, theta: Array, V: Array) -> Array:
        """Twice the weights' part of each row of V (k, d)."""
        return 2.0 * self.layers.penalized * V
