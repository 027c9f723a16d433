"""The pass over rows of one-hidden-layer networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._compute import get
from .._compute import types as c
from ..utils.arrays import read_only
from . import attacked
from .linear import Array, Sweep
from .sums import InfluenceSums

ACTIVATIONS = {"tanh": c.TANH, "softplus": c.SOFTPLUS, "gelu": c.GELU}
# The largest |σ''|; of the GELU, φ(z)(2 − z²) at 0.
LARGEST_BEND = {"tanh": 4.0 / 27.0**0.5, "softplus": 0.25, "gelu": 2.0 / (2.0 * np.pi) ** 0.5}


@dataclass(frozen=True)
class NetworkSweep(Sweep):
    """`Sweep` of f = w2ᵀ σ(W1ᵀ u + b1) + b2, u = (x − shift) / scale the basis's.

    Sums are those of a basis model whose v is ∇_θ f without b2's entry, but for the part
    E ℓ' ∇²f of the Hessian, which c.NEED_GAUSS_NEWTON leaves out.
    """

    hidden: int = 0
    activation: str = "tanh"

    @property
    def n_coefs(self) -> int:
        """The number of parameters, without b2."""
        return (self.source.n_columns + 2) * self.hidden

    def network(self, theta: Array) -> c.Network:
        """θ as compiled operations take it."""
        m, h = self.source.n_columns, self.hidden
        theta = np.array(theta, dtype=float)
        shift, inverse = c.EMPTY, c.EMPTY
        if not self.basis.is_identity:
            shift, scale = self.basis.arrays(m)
            inverse = 1.0 / scale
        return c.Network(
            ACTIVATIONS[self.activation], read_only(theta[: m * h].reshape(m, h)),
            read_only(theta[m * h : m * h + h]), read_only(theta[m * h + h : -1]),
            float(theta[-1]), read_only(shift), read_only(inverse),
        )  # fmt: skip

    def run_here(
        self,
        theta: Array,
        need: int,
        *,
        kappa: float,
        smoothing: float,
        multiplier: Array,
        exponent: float,
    ) -> InfluenceSums:
        """The sums at θ over all rows, of the natural loss (κ must be 0)."""
        if kappa != 0.0:
            raise ValueError("the inner maximum is closed for linear predictors only")
        network, norm_of = self.network(theta), attacked.norm_of(self.ball, need)
        attack = attacked.attack_of(self.ball, self.source.n_columns, need)
        d = self.n_coefs
        arrays = (*network[1:4], network.shift, network.inverse_scale, attack.weights)
        fingerprint = (
            self.loss, self.activation, network.b2, need, attack.p, norm_of.p, exponent,
            *(array.tobytes() for array in (*arrays, norm_of.shift, norm_of.inverse_scale)),
        )  # fmt: skip
        operation = get("network_sums")

        def work(start: int, stop: int) -> InfluenceSums:
            hess = np.zeros((d, d) if need & c.NEED_HESSIAN else (0, 0))
            raw = c.Sums(hess, np.zeros((c.N_VECTORS, d)), np.zeros(c.N_SCALARS))
            rows = self.source.rows(start, stop)
            operation(rows, network, norm_of, attack, self.inner(exponent), need, raw)
            return InfluenceSums(fingerprint, raw, True, exponent)

        source = self.source
        return self.executor.reduce(
            source, source.chunks(columns=d), work, InfluenceSums.merge, source.n_rows * d
        )

    def predictions(self, theta: Array) -> Array:
        """f_i for all rows, shape (n,)."""
        network, out = self.network(theta), np.empty(self.source.n_rows)
        operation = get("network_predictions")

        def work(start: int, stop: int) -> None:
            operation(self.source.inputs(start, stop), network, out[start:stop])

        self.executor.map_rows(self.source, work, cost=self.hidden)
        return out

    def moves(self, theta: Array, step: Array) -> tuple[Array, Array]:
        """d/dε and d²/dε² of f along θ + ε step at ε = 0, (n,) each."""
        network, along = self.network(theta), self.network(step)
        speed, bend = np.empty((2, self.source.n_rows))
        operation, none = get("network_moves"), np.empty((2, self.source.n_columns, 0))

        def work(start: int, stop: int) -> None:
            x, rows = self.source.inputs(start, stop), slice(start, stop)
            operation(x, network, along, speed[rows], bend[rows], none)

        self.executor.map_rows(self.source, work, cost=self.hidden)
        return speed, bend

    def input_slopes(self, theta: Array, step: Array, start: int, stop: int) -> Array:
        """∇_u f and its derivative along a step in θ, of a range of rows: (2, k, m)."""
        k = stop - start
        slopes = np.empty((2, self.source.n_columns, k))
        get("network_moves")(
            self.source.inputs(start, stop), self.network(theta), self.network(step),
            np.empty(k), np.empty(k), slopes,
        )  # fmt: skip
        return slopes.transpose(0, 2, 1)
