"""The influence problem of a model that is known by its losses ℓ_i(θ) = ℓ(θ, x_i, y_i) alone.

    I = −H⁻¹Φ,   H = E ∇²ℓ_i + α∇²P,   Φ = s E t_i ∇_θ⟨∇_x ℓ_i, φ_i⟩,   φ_i = φ_c(∇_x ℓ_i)

(Theorem 4.1; t_i = 1 unless samples share a budget), all derivatives by automatic
differentiation, in batches of rows. `autodiff_solving` has H and its inverse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...solvers.limits import LARGEST_AUTODIFF, cholesky_fits
from ...solvers.newton import NewtonResult
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property
from ..kinks import Event, Kinks
from ..objective import Evaluation, number
from ..problem import Counts
from . import fit, kinks
from .model import AutodiffModel
from .rows import Batch
from .solving import AutodiffSolving

Array = NDArray[Any]

_TOGETHER = 4096  # rows whose shares are solved for at once


class _Pass(NamedTuple):
    """What one pass gives: E ∇ℓ, Φ/s, gains ‖c ∘ ∇_x ℓ_i‖_q (those of no weight 0), ties, and the
    largest size of attack that every sample has room for."""

    gradient: Array
    mixed: Array
    gains: Array
    ties: int
    room: float


@dataclass(frozen=True)
class AutodiffProblem(AutodiffSolving):
    """The InfluenceProblem of an AutodiffModel."""

    way_out_without_gradients: ClassVar[str] = "; refine=True fits it first"

    # --- at θ̂ -----------------------------------------------------------------------------

    def begin(self) -> None:
        """Make one pass for everything but H; two where samples share a budget."""
        self.refuse_mixing()
        _ = self._mixed

    @cached_property
    def _first(self) -> _Pass:
        return self._run(self._own_budgets)

    @cached_property
    def _own_budgets(self) -> Array:
        """What multiplies each sample's own size (n,)."""
        return self.source.budgets(0, self.source.n_rows)

    @cached_property
    def _mixed(self) -> Array:
        """Φ/s."""
        return self._run(self.budgets).mixed if self.sharing.is_shared else self._first.mixed

    @cached_property
    def budgets(self) -> Array:
        """t (n,): each sample's own, or its share of a budget."""
        if not self.sharing.is_shared:
            return self._own_budgets
        return self.sharing.budgets(self._first.gains, self.shares)

    def _run(self, budgets: Array) -> _Pass:
        """The pass, with per-sample budgets (n,)."""
        theta, room = self.params, np.inf
        gradient, mixed = np.zeros(len(theta)), np.zeros(len(theta))
        gains, n_ties = np.zeros(self.source.n_rows), 0
        for batch in self.batches():
            steps, gains[batch.rows], ties = self.attack(theta, batch)
            n_ties += int(ties[gains[batch.rows] > 0].sum())
            scale = batch.shares * budgets[batch.rows]
            if self.ball.varies:
                with np.errstate(divide="ignore"):
                    rooms = self.ball.room(steps, batch.X) / budgets[batch.rows]
                room = min(room, float(rooms.min()))
            gradient += self.derivatives("gradient", theta, batch.X, batch.y, batch.shares)
            mixed += self.derivatives(
                "mixed", theta, batch.X, batch.y, scale[:, None] * steps
            )
        if not all(np.isfinite(part).all() for part in (gradient, mixed, gains)):
            raise FloatingPointError("the losses' derivatives are not finite")
        return _Pass(gradient, mixed, gains, n_ties, room)

    @property
    def first_bound(self) -> Event:
        """The ε at which a sample first meets its bounds."""
        return Event(self._first.room / self.radius, "a sample meets its bounds")

    def attack(self, theta: Array, batch: Batch) -> tuple[Array, Array, Array]:
        """Unit attacks φ_i (k, m), gains ‖c ∘ ∇_x ℓ_i‖_q (k,) and ties (k,) of a batch."""
        slopes = self.derivatives("input_gradients", theta, batch.X, batch.y)
        return self.ball.directions(np.ascontiguousarray(slopes), batch.X)

    @property
    def gradient(self) -> Array:
        """∇L(θ̂), penalty included: zero where θ̂ is stationary."""
        return self._first.gradient + self.penalty_gradient(self.params)

    @property
    def loss_slope(self) -> float:
        """E‖c ∘ ∇_x ℓ‖_q: there is no prediction f whose ℓ' could be named."""
        return float(self.shares @ self._first.gains)

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E t‖c ∘ ∇_x ℓ‖_q."""
        return self.radius * float(self.shares @ (self.budgets * self._first.gains))

    @property
    def counts(self) -> Counts:
        """Ties of the directions of attack; samples of positive weight whose ∇_x ℓ is zero."""
        first = self._first
        return Counts(int(np.count_nonzero((first.gains == 0.0) & (self.shares > 0))), first.ties)

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ (Theorem 4.1), shape (d,), for given per-sample budgets (n,).

        None: one each, or what `sharing` makes of the gains.
        """
        if weights is None:
            return self.radius * self._mixed
        return self.radius * self._run(self._own_budgets * weights).mixed

    def per_sample(self) -> Array:
        """ζ_i = −s t_i H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""
        out = np.empty((self.source.n_rows, len(self.params)))
        for batch in self.batches(every=True):
            steps, _, _ = self.attack(self.params, batch)
            steps *= self.budgets[batch.rows, None]
            out[batch.rows] = self.derivatives(
                "row_mixed", self.params, batch.X, batch.y, steps
            )
        for start in range(0, len(out), _TOGETHER):
            part = out[start : start + _TOGETHER]
            part[:] = -self.radius * self.solve(part.T).T
        return out

    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI directions of attack change."""
        return kinks.find(self, influence).up_to(self.first_bound)

    def influence_raw(self, influence: Array) -> Array:
        """The influence itself: the model takes inputs in raw units."""
        return np.array(influence)

    # --- elsewhere ------------------------------------------------------------------------

    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """Refused: there is no prediction apart from the loss."""
        raise TypeError("a DifferentiableModel has losses, and no predictions apart from them")

    def shrinkage(self, step: Array) -> Array:
        """½ α∇²P(θ̂) step, P the penalty."""
        return 0.5 * self.penalty_products(self.params, step[:, None])[:, 0]

    def loss_change(self, theta: Array, source: RowSource | None = None) -> float:
        """E ℓ(θ) − E ℓ(θ̂), as the mean of per-sample changes."""
        change = self.losses(theta, source) - self.losses(self.params, source)
        return number((source or self.source).mean(change))

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """g_eᵀΔ and ΔᵀH_eΔ of the natural loss at θ̂, on these or other rows."""
        slope, curvature = 0.0, 0.0
        for batch in self.batches(source):
            data = (self.params, batch.X, batch.y, batch.shares)
            slope += float(self.derivatives("gradient", *data) @ step)
            curvature += float(self.derivatives("hess_vecs", *data, step[None])[0] @ step)
        return number(slope), number(curvature)

    def mean_loss(self, theta: Array, source: RowSource | None = None) -> float:
        """E ℓ(θ) on these or other rows."""
        return number((source or self.source).mean(self.losses(theta, source)))

    def evaluate(self, theta: Array, source: RowSource | None = None) -> Evaluation:
        """The natural loss, its gradient and Hessian at θ, on these or other rows."""
        gradient = self.sum_gradient(theta, source)
        return Evaluation(self.mean_loss(theta, source), gradient, self.sum_hessian(theta, source))

    def fit_result(self, weights: Array | None = None, max_iter: int = 500) -> NewtonResult:
        """Newton's method from θ̂ to a stationary point nearby, in float64."""
        shares = self.shares if weights is None else self.shares * weights
        return fit.fit_at(self, shares / shares.sum(), max_iter)


def autodiff_problem(
    model: AutodiffModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", **common: Any,
) -> AutodiffProblem:  # fmt: skip
    """The problem, with its way to H⁻¹: "auto" forms H where there is room for it.

    Raises
    ------
    ValueError
        Another Hessian than the exact one.
    """
    if hessian != "exact":
        raise ValueError(
            f"hessian={hessian!r} is not known of a DifferentiableModel, whose loss hides its "
            "predictions: use hessian='exact', with damping > 0 where it is indefinite"
        )
    if solver == "auto":
        solver = "cholesky" if cholesky_fits(len(model.theta), LARGEST_AUTODIFF) else "cg"
    return AutodiffProblem(model, source, ball, solver=solver, **common)
