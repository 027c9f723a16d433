"""The influence problem of networks with one hidden layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ..._compute import types as c
from ...data.rows import RowSource
from ...passes.network import LARGEST_BEND, NetworkSweep
from ...solvers.newton import Local, NewtonResult
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property
from ..finite_sum.totals import Accumulated
from ..finite_sum.varying import VaryingSums
from ..finite_sum.working import WorkingCoordinates
from ..objective import number
from ..problem import Counts, refuse_solver
from .dead_units import idle_biases, pin
from .fit import DENSE, fit_network
from .model import NetworkModel

Array = NDArray[Any]


@dataclass(frozen=True)
class NetworkProblem(VaryingSums):
    """A SumProblem whose v is ∇_θ f of a network, and so depends on θ.

    Attributes
    ----------
    gauss_newton : bool
        H without E ℓ' ∇²f: positive semi-definite, but not the curvature of L where
        residuals are large.
    """

    model: NetworkModel
    gauss_newton: bool = field(default=False, kw_only=True)

    has_coordinates: ClassVar[bool] = False

    def begin(self) -> None:
        """Make the one pass."""
        self.refuse_size()
        super().begin()

    def refuse_size(self) -> None:
        """Refuse a network whose Hessian has no room."""
        d = len(self.params)
        if d > DENSE:
            raise ValueError(
                f"the network has {d} parameters, and the influence of a network needs their "
                f"Hessian, which is formed for up to {DENSE}; use fewer hidden units or features"
            )

    @property
    def sweep(self) -> NetworkSweep:
        """The pass over the training rows."""
        return self.model.sweep(self.source, self.ball, self.executor)

    @property
    def coordinates(self) -> WorkingCoordinates | None:
        """None: working coordinates are those of linear predictors."""
        return None

    @property
    def _needs(self) -> int:
        needs = super()._needs
        return needs | c.NEED_GAUSS_NEWTON if self.gauss_newton else needs

    @cached_property
    def _idle(self) -> Array:
        """Places of biases of units that are switched off: their influence is zero."""
        if self.alpha == 0.0:
            return np.empty(0, dtype=np.int64)
        return idle_biases(self.params, self.model.n_features, self.model.hidden)

    @property
    def counts(self) -> Counts:
        """What is irregular at θ̂; idle units are those that the penalty has switched off."""
        return super().counts._replace(idle_units=self._idle.size)

    @cached_property
    def local(self) -> Local:
        """Penalised gradient and Hessian at θ̂, biases of idle units held as if penalised."""
        local = super().local
        return local._replace(hessian=pin(local.hessian, self._idle, 2.0 * self.alpha))

    def solve(self, b: Array) -> Array:
        """(H + damping)⁻¹ b, zero for the biases of idle units."""
        b = b.copy()
        b[self._idle] = 0.0
        return super().solve(b)

    def _refuse_separable(self) -> None:
        """Whether there is a finite optimum is not read off a network's predictions."""

    def input_gains(self) -> Array:
        """‖∇_x ℓ‖_q of each sample in the attack's units, (n,)."""
        f, still = self.sweep.predictions(self.params), np.zeros(len(self.params))
        out = np.abs(self.model.loss.slope(f, self.source.targets()))

        def work(start: int, stop: int) -> None:
            slopes, _ = self.sweep.input_slopes(self.params, still, start, stop)
            out[start:stop] *= self.ball.gains(slopes)

        self.map_rows(work)
        return out

    def per_sample(self) -> Array:
        """ζ_i = −s t_i H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""
        sweep, out = self.sweep, np.empty((self.source.n_rows, len(self.params)))
        network, attack, operation = (
            sweep.network(self.params), self.ball.compiled(), get("network_shares")
        )  # fmt: skip
        budgets = self.budgets

        def work(start: int, stop: int) -> None:
            rows = self.source.rows(start, stop)
            operation(rows, network, attack, sweep.inner(), out[start:stop])
            out[start:stop] *= budgets[start:stop, None]

        self.map_rows(work)
        return np.asarray(-self.radius * self.solve(out.T).T)

    def map_rows(self, work: Callable[[int, int], None]) -> None:
        """Run `work(start, stop)` on ranges of rows, which threads share."""
        self.executor.map_rows(self.source, work, cost=self.model.hidden)

    def predictions_along(self, step: Array) -> tuple[Array, Array]:
        """f(θ̂) and its derivative along a step, each (n,)."""
        speed, _ = self.sweep.moves(self.params, step)
        return self.sweep.predictions(self.params), speed

    def slopes_along(self, step: Array, start: int, stop: int) -> tuple[Array, Array]:
        """∇_u f(θ̂) and its derivative along a step in a range of rows, each (k, m)."""
        slopes, speeds = self.sweep.input_slopes(self.params, step, start, stop)
        return slopes, speeds

    def lipschitz(self) -> float:
        """A bound of how fast D∇_u f changes: max|σ''| Σ_h |w2_h| ‖D W1_h‖_q²."""
        network = self.sweep.network(self.params)
        columns = self.ball.gains(network.w1.T)
        return LARGEST_BEND[self.model.activation] * float(np.abs(network.w2) @ columns**2)

    def influence_raw(self, influence: Array) -> Array:
        """The influence on W1 and b1 as they act on raw inputs, (d,)."""
        m, h = self.model.n_features, self.model.hidden
        shift, scale = self.model.basis.arrays(m)
        raw = influence.copy()
        weights = influence[: m * h].reshape(m, h) / scale[:, None]
        raw[: m * h] = weights.ravel()
        raw[m * h : m * h + h] -= shift @ weights
        return raw

    # --- elsewhere ------------------------------------------------------------------------

    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """f(θ̂), f(θ̂ + step) − f(θ̂), and targets, each (n,), on these or other rows."""
        sweep = self.model.sweep(source or self.source, None, self.executor)
        f = sweep.predictions(self.params)
        return f, sweep.predictions(self.params + step) - f, sweep.source.targets()

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """g_eᵀΔ and ΔᵀH_eΔ for a step Δ in θ: E ℓ' ḟ and E ℓ'' ḟ² + ℓ' f̈.

        Natural loss, no penalty, at θ̂ on these or other rows. ḟ and f̈ are the derivatives
        of f along Δ; H_e is the exact Hessian, whatever H is.
        """
        loss = self.model.loss

        def terms(rows: RowSource) -> tuple[Array, Array]:
            sweep = self.model.sweep(rows, None, self.executor)
            f, (speed, bend) = sweep.predictions(self.params), sweep.moves(self.params, step)
            y = rows.targets()
            slope, curvature = loss.slope(f, y), loss.curvature(f, y)
            return slope * speed, curvature * speed * speed + slope * bend

        first, second = (source or self.source).means(terms)
        return number(first), number(second)

    def fit_result(self, weights: Array | None = None, max_iter: int = 100) -> NewtonResult:
        """Newton's method from θ̂ on these data, to the local minimum nearby."""
        source = self.source
        if weights is not None:
            source = source._replace(weight=self._base_weights() * weights)
        sweep = self.model.sweep(source, None, self.executor)
        return fit_network(
            sweep, self.alpha, self.params, self.penalized, max_iter=max_iter, warm=True
        )


@dataclass(frozen=True)
class AccumulatedNetwork(Accumulated, NetworkProblem):
    """A NetworkProblem whose rows are gone."""


def network_problem(
    model: NetworkModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", **common: Any,
) -> NetworkProblem:  # fmt: skip
    """The problem, whose H is always formed: as it is, or its Gauss-Newton part."""
    refuse_solver(model, solver)
    gauss_newton = hessian == "gauss_newton"
    return NetworkProblem(model, source, ball, gauss_newton=gauss_newton, **common)
