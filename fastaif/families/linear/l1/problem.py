"""The influence problem of a linear predictor with an l1 term in its penalty.

    L(θ) = E ℓ + α θᵀPθ + Σ_j λ_j |θ_j|

About θ̂ the term is linear on the support, and holds any other coefficient at zero as long as its
pull g_j = ∂_j(E ℓ + αθᵀPθ) is strictly less than λ_j. The influence is that of the support: H and
Φ restricted to it, zeros elsewhere. Where |g_j| = λ_j the coefficient may leave zero to one side,
and the right derivative minimises ½vᵀHv + Φᵀv over v_j ≤ 0 or v_j ≥ 0 (`entering`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from ....data.rows import RowSource
from ....solvers.cholesky import Inverse, factorize
from ....solvers.l1_quadratic import least_subgradient
from ....solvers.newton import NewtonResult
from ....threat.attack_set import AttackSet, DualNorm
from ....utils.caching import cached_property
from ... import kinks as path_kinks
from ...damping import lift
from ...finite_sum.l1_fit import l1_fit, refuse_many
from ...finite_sum.totals import Accumulated
from ...finite_sum.working import WorkingCoordinates, WorkingFactor
from ...model import penalty_at
from ...problem import SolverReport
from ..problem import LinearProblem
from .entering import entering
from .model import L1Model

Array = NDArray[Any]

_AT_BOUND = 1e-9  # of λ: pulls as near are at it


@dataclass(frozen=True)
class SupportFactor:
    """H⁻¹ on some entries, zero on all others.

    Attributes
    ----------
    inner : Inverse
        Of the matrix of these entries.
    places : array (k,)
    size : int
        d.
    """

    inner: Inverse
    places: Array
    size: int

    @property
    def rcond(self) -> float:
        """That of the inner factor."""
        return self.inner.rcond

    def solve(self, b: Array) -> Array:
        """For b (d,) or (d, k)."""
        out = np.zeros(b.shape)
        out[self.places] = self.inner.solve(b[self.places])
        return out

    def inverse_diagonal(self) -> Array:
        """Its diagonal, shape (d,)."""
        out = np.zeros(self.size)
        out[self.places] = self.inner.inverse_diagonal()
        return out


@dataclass(frozen=True)
class L1Problem(LinearProblem):
    """A LinearProblem whose θ moves on a support.

    Attributes
    ----------
    entered : tuple of int or None
        The zeros at their bounds that leave it; None: to be found out.
    """

    model: L1Model
    entered: tuple[int, ...] | None = field(default=None, kw_only=True)

    # --- the support ------------------------------------------------------------------------

    @cached_property
    def l1_weights(self) -> Array:
        """λ_j (d,)."""
        level = penalty_at(self.model.l1, self.sums.weight * self.weight_unit, self.n_rows)
        return np.asarray(level * self.model.l1_entries)

    @property
    def nonzero(self) -> Array:
        """The entries of θ̂ that no kink of the l1 norm holds, booleans (d,)."""
        return (self.params != 0.0) | (self.l1_weights == 0.0)

    @cached_property
    def support(self) -> Array:
        """These, and the zeros that the attack moves at once, booleans (d,)."""
        found = self.nonzero
        joins = self.entered if self.entered is not None else entering(self)
        found[list(joins)] = True
        return found

    @cached_property
    def pulls(self) -> Array:
        """g (d,): the smooth part's gradient, after what is left of a Newton step."""
        step = self.step_to_optimum
        return np.asarray(self.local.gradient - self.local.hessian @ step)

    def at_bounds(self) -> Array:
        """The zeros with |g_j| = λ_j: places."""
        spare = np.abs(np.abs(self.pulls) - self.l1_weights)
        return np.flatnonzero(~self.nonzero & (spare <= _AT_BOUND * self.l1_weights))

    def with_entered(self, places: tuple[int, ...]) -> Self:
        """The same where just these of the zeros at their bounds move; no pass is repeated."""
        twin = dataclasses.replace(self, entered=places)
        twin.__dict__["sums"] = self.sums
        twin.__dict__["radius"] = self.radius
        return twin

    def drift(self, influence: Array) -> tuple[Array, Array]:
        """d/dε of g along θ̂ + εI (d,), and of what the attack's norm alone holds zeros by."""
        heights = np.zeros(len(self.params))
        norm = self.ball.dual_norm() if self.ball.has_dual_norm else None
        if norm is not None:
            m = self.model.n_features
            heights[:m] = self.radius * self.shared_slope * norm.heights(self.beta)
        return self.local.hessian @ influence + self.mixed(), heights

    # --- what the l1 term changes -------------------------------------------------------------

    @property
    def gradient(self) -> Array:
        """The least subgradient of L at θ̂: zero where θ̂ is optimal."""
        return least_subgradient(self.local.gradient, self.params, self.l1_weights)

    def with_penalty(self, gradient: Array, theta: Array) -> Array:
        """A gradient of the loss at θ with the penalty's, or its least subgradient."""
        return least_subgradient(super().with_penalty(gradient, theta), theta, self.l1_weights)

    @property
    def is_penalized(self) -> bool:
        """There is one."""
        return True

    @property
    def penalty_is(self) -> str:
        """The sizes of both terms, for reports."""
        level = float(self.l1_weights.max(initial=0.0))
        return f"penalty {self.alpha:g} |beta|^2 + {level:g} |beta|_1"

    @property
    def penalty_key(self) -> tuple[Any, ...]:
        """What makes a penalty on these rows the same one."""
        return (*super().penalty_key, self.l1_weights.tobytes())

    def l1_inside(self, work: WorkingCoordinates | None) -> Array:
        """λ (d,), in working coordinates."""
        weights = self.l1_weights.copy()
        if work is not None:
            weights[: work.m] /= work.units
        return weights

    def penalty_change(self, theta: Array) -> float:
        """The penalty at θ less that at θ̂."""
        moved = float(self.l1_weights @ (np.abs(theta) - np.abs(self.params)))
        return super().penalty_change(theta) + moved

    def fit_result(self, weights: Array | None = None, max_iter: int = 100) -> NewtonResult:
        """Newton's method from θ̂ on these data."""
        source = self.source
        if weights is not None:
            source = source._replace(weight=self._base_weights() * weights)
        sweep = self.model.sweep(source, None, self.executor)
        return l1_fit(
            sweep, self.alpha, self.penalized, self.l1_weights, self.params, max_iter
        )

    @property
    def norm_at_kinks(self) -> DualNorm:
        """The attack's norm of the support."""
        norm = self.ball.dual_norm()
        kept = self.support[: self.model.n_features]
        return norm._replace(weights=np.where(kept, norm.weights, 0.0))

    def influence(self) -> Array:
        """I = −H⁻¹Φ on the support, (d,)."""
        return super().influence() + 0.0  # no zero has a sign

    @property
    def norm_expansion(self) -> None:
        """None: the expansion that keeps the attack's norm knows no other."""
        return None

    def moved(self, step: Array) -> Array:
        """θ̂ + step, where coefficients that it would carry through zero stay there."""
        theta = self.params + step
        crosses = (self.l1_weights > 0.0) & (self.params * theta < 0.0)
        return np.where(crosses, 0.0, theta)

    def kinks(self, influence: Array) -> path_kinks.Kinks:
        """Where along θ̂ + εI the expansion stops being smooth."""
        found = super().kinks(influence)
        events = (self._vanishing(influence), self._joining(influence))
        for event in events:
            if event.eps < found.first:
                found = dataclasses.replace(found, first=event.eps, reason=event.what)
        return found

    def _vanishing(self, influence: Array) -> path_kinks.Event:
        """The first coefficient to reach zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            when = np.where(self.l1_weights > 0.0, -self.params / influence, np.inf)
        when = np.where((when > 0.0) & (self.params != 0.0), when, np.inf)
        place = int(np.argmin(when))
        return path_kinks.Event(
            float(when[place]), f"the coefficient of {self.names[place]} reaches zero"
        )

    def _joining(self, influence: Array) -> path_kinks.Event:
        """The first zero to leave it: where |g_j| overtakes λ_j and what the norm adds to it."""
        pull, (drift, heights) = self.pulls, self.drift(influence)
        away = ~self.support
        away[self.at_bounds()] = False
        best = np.full(pull.size, np.inf)
        for side in (1.0, -1.0):
            speed = side * drift - heights
            with np.errstate(divide="ignore", invalid="ignore"):
                when = (self.l1_weights - side * pull) / speed
            best = np.where(away & (speed > 0.0) & (when > 0.0), np.minimum(best, when), best)
        place = int(np.argmin(best))
        return path_kinks.Event(
            float(best[place]), f"the coefficient of {self.names[place]} leaves zero"
        )

    # --- solving on the support ---------------------------------------------------------------

    def _factorized(self, damping: float) -> WorkingFactor | SupportFactor | None:  # type: ignore[override]
        """The factor of the support's part of H + damping, or None where it has none."""
        work, H = self.coordinates, self.working_hessian()
        if damping:
            d = len(self.params)
            H = H + damping * (np.eye(d) if work is None else work.damping(d))
        places = np.flatnonzero(self.support)
        inner = factorize(H[np.ix_(places, places)])
        if inner is None:
            return None
        factor = SupportFactor(inner, places, len(H))
        return factor if work is None else WorkingFactor(factor, work)

    def _refuse_separable(self) -> None:
        """With an l1 term there is a finite optimum."""

    def _why_singular(self) -> str:
        return (
            " (columns of coefficients that are not zero depend on each other, and the l1 term "
            "does not tell them apart: a squared one does, as of an elastic net)"
        )

    def _part(self) -> Array:
        """The support's part of H."""
        places = np.flatnonzero(self.support)
        return self.local.hessian[np.ix_(places, places)]

    def missing_damping(self) -> float:
        """What makes the support's part of H positive definite."""
        if self._undamped is not None:
            return 0.0
        values = np.linalg.eigvalsh(self._part())
        return lift(float(values[0]), float(values[-1]))

    def spectrum(self) -> tuple[float, float]:
        """The least and the largest eigenvalue of the support's part of H + damping."""
        values = np.linalg.eigvalsh(self._part()) + self.added_damping
        return float(values[0]), float(values[-1])

    def newton_step(self, below: float = 0.0) -> float:
        """The largest step left at θ̂ in standard errors: on the support, or of a zero alone."""
        diagonal = np.maximum(self.local.hessian.diagonal(), np.finfo(float).tiny)
        excess = np.where(self.support, 0.0, np.abs(self.pulls) - self.l1_weights)
        spread = np.sqrt(self._dispersion * diagonal / self.sums.effective_size)
        tiny = np.finfo(float).tiny
        joins = float(np.max(np.maximum(excess, 0.0) / np.maximum(spread, tiny), initial=0.0))
        return max(super().newton_step(below), joins)

    def solver_report(self, influence: Array) -> SolverReport:
        """The solver's name, and the relative residual of (H + damping) I = −Φ on the support."""
        mixed = self.mixed()[self.support]
        left = (self.hess_vec(influence) + self.added_damping * influence)[self.support] + mixed
        scale = float(np.linalg.norm(mixed)) or 1.0
        return SolverReport(self.solver, 0, float(np.linalg.norm(left)) / scale)


@dataclass(frozen=True)
class AccumulatedL1(Accumulated, L1Problem):
    """An L1Problem whose rows are gone."""


def l1_problem(
    model: L1Model, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", kind: type[L1Problem] | None = None, **common: Any,
) -> L1Problem:  # fmt: skip
    """The problem, of a given kind; H is formed.

    Raises
    ------
    ValueError
        An iterative solver was asked for, or H has no room.
    """
    if solver in ("cg", "lissa"):
        raise ValueError(
            f"solver={solver!r} is not for a model with an l1 penalty, whose influence takes the "
            "Hessian of its support: use solver='auto'"
        )
    refuse_many(len(model.theta))
    return (kind or L1Problem)(model, source, ball, solver="cholesky", **common)


def refuse_splitting(*arguments: Any, **options: Any) -> NoReturn:
    """The ball's influence is not known of an l1 penalty."""
    raise ValueError(
        "formula='ball' is not for a model with an l1 penalty: use formula='exact', or l1_ratio=0"
    )
