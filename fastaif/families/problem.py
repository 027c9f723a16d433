"""What an influence needs of a model: the protocol, and what all kinds of it share.

An `InfluenceProblem` is a model at θ̂ with its data. Influences, sensitivities and
intervals are written once, against it. `sum_problem` has the kind whose parts are sums
over samples, `gram_problem` kernel regression with the training inputs as
centres, `autodiff_problem` losses that a framework differentiates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..data.rows import RowSource
from ..passes.executor import Executor
from ..solvers.newton import NewtonResult
from ..threat.attack_set import AttackSet
from ..threat.budget import OWN_BUDGETS, Sharing
from ..utils.caching import cached_property
from .autodiff.model import AutodiffModel
from .kernel.model import KernelModel
from .kinks import Kinks
from .linear.model import LinearModel

Array = NDArray[Any]


class Evaluation(NamedTuple):
    """The natural loss on some data at θ: no penalty, no damping."""

    loss: float
    gradient: Array
    hessian: Array


class SolverReport(NamedTuple):
    """How H⁻¹Φ was found: the method's name, its iterations and the residual it saw."""

    name: str
    iterations: int = 0
    residual: float | None = None


class Replicates(NamedTuple):
    """Draws of the bootstrap: θ̂ (k, d), I (k, d) and S/ε² (k,)."""

    params: Array
    influence: Array
    coefficient: Array


def number(value: float) -> float:
    """A mean over rows; NaN says that some row is not finite."""
    if np.isnan(value):
        raise FloatingPointError("a mean over the rows is not a number")
    return value


@dataclass(frozen=True)
class InfluenceProblem(ABC):
    """A model at θ̂ with its data.

    Attributes
    ----------
    model, source, ball
        The model at θ̂, the rows of its fit, the attack.
    damping : float or "auto"
        Added to the diagonal of H before it is inverted.
    executor : Executor
        What runs the passes over the rows.
    clean : RowSource or None
        Where sensitivities are evaluated by default, if not on `source`.
    sharing : Sharing
        Whether each sample has its own budget, or all share one.
    clean_ball : AttackSet or None
        The attack as asked for, whose radius is measured on `clean`.
    """

    model: LinearModel | KernelModel | AutodiffModel
    source: RowSource
    ball: AttackSet
    damping: float | str = 0.0
    executor: Executor = field(default_factory=Executor)
    clean: RowSource | None = None
    sharing: Sharing = OWN_BUDGETS
    clean_ball: AttackSet | None = None
    keeps_rows: ClassVar[bool] = True  # False: only sums over them are left

    @property
    def n_threads(self) -> int | None:
        """Of this process; None for as many as it may use cores."""
        return self.executor.n_threads

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of θ."""
        return self.model.names

    @property
    def params(self) -> Array:
        """θ̂ (d,)."""
        return self.model.theta

    @property
    def evaluation(self) -> RowSource:
        """The rows on which sensitivities are evaluated by default."""
        return self.source if self.clean is None else self.clean

    @property
    def n_rows(self) -> int:
        """n."""
        return self.source.n_rows

    def target_size(self) -> float:
        """How large targets are, from the first of them."""
        return float(np.abs(self.source.targets(0, 4096)).max())

    # --- at θ̂ -----------------------------------------------------------------------------

    @abstractmethod
    def begin(self) -> None:
        """Read the data: everything that one pass gives.

        Raises
        ------
        FloatingPointError
            Some sum is not finite; the caller looks for the culprit in the data.
        """

    @property
    @abstractmethod
    def radius(self) -> float:
        """s: given, or E ‖x/c‖_p."""

    @property
    @abstractmethod
    def alpha(self) -> float:
        """α for the total weight of these data."""

    @property
    @abstractmethod
    def gradient(self) -> Array:
        """∇L(θ̂), penalty included: zero where θ̂ is stationary."""

    @property
    @abstractmethod
    def hessian(self) -> Array | None:
        """∇²L(θ̂), penalty included, damping not; None where it is not formed."""

    @cached_property
    def added_damping(self) -> float:
        """What is added to the diagonal of H: given, or what "auto" finds to be missing."""
        return self.missing_damping() if isinstance(self.damping, str) else self.damping

    @abstractmethod
    def missing_damping(self) -> float:
        """What makes H positive definite, to working precision: 0 where it is."""

    def with_hessian(self) -> Self:
        """The same with H formed, as robust fits ask for it.

        Raises
        ------
        ValueError
            There are too many parameters for that.
        """
        return self

    @property
    def stopped_at(self) -> float | None:
        """The relative residual of a solver that stopped before its tolerance; else None."""
        return None

    @property
    @abstractmethod
    def loss_slope(self) -> float:
        """E |ℓ'|."""

    @property
    @abstractmethod
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E t‖∇_x ℓ‖_q."""

    @property
    @abstractmethod
    def ties(self) -> int:
        """How many entries of the directions of attack sit on a kink of the dual norm."""

    @property
    def kinked_pairs(self) -> int:
        """Pairs of samples at which the model itself has a kink."""
        return 0

    @property
    def idle_units(self) -> int:
        """Units of a network that its penalty has switched off."""
        return 0

    @property
    @abstractmethod
    def zero_gradients(self) -> int:
        """Samples of positive weight whose ∇_x ℓ is zero."""

    @abstractmethod
    def mixed(self, weights: Array | None = None) -> Array:
        """Φ (Theorem 4.1), shape (d,), for given per-sample budgets (n,).

        None: one each, or what `sharing` makes of the gains.
        """

    @abstractmethod
    def solve(self, b: Array) -> Array:
        """(H + damping)⁻¹ b."""

    @abstractmethod
    def hess_vec(self, v: Array) -> Array:
        """H v."""

    def influence(self) -> Array:
        """I = −H⁻¹Φ, shape (d,)."""
        return -self.solve(self.mixed())

    @abstractmethod
    def newton_step(self, below: float = 0.0) -> float:
        """The Newton step left at θ̂ in standard errors of θ̂; roughly, if it is `below`."""

    @abstractmethod
    def spectrum(self) -> tuple[float, float]:
        """The least and the largest eigenvalue of H + damping."""

    @abstractmethod
    def solver_report(self, influence: Array) -> SolverReport:
        """How the influence was found, and how well."""

    @abstractmethod
    def per_sample(self) -> Array:
        """ζ_i = −s t_i H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""

    @abstractmethod
    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI the expansion stops being smooth."""

    @abstractmethod
    def influence_raw(self, influence: Array) -> Array:
        """The influence on slopes in raw units, (d,)."""

    # --- elsewhere ------------------------------------------------------------------------

    @abstractmethod
    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """f(θ̂), its change along a step, and targets, each (n,), on these or other rows."""

    @abstractmethod
    def shrinkage(self, step: Array) -> Array:
        """αP step, where α θᵀPθ is the penalty."""

    @abstractmethod
    def evaluate(self, theta: Array, source: RowSource | None = None) -> Evaluation:
        """The natural loss, its gradient and Hessian at θ, on these or other rows."""

    @abstractmethod
    def fit_result(self, weights: Array | None = None, max_iter: int = 100) -> NewtonResult:
        """A fit to these data from θ̂, the sample weights multiplied by `weights`."""

    def refit(self, weights: Array | None = None) -> Array:
        """θ̂ with the sample weights multiplied by `weights` (n,)."""
        return self.fit_result(weights).x

    def loss_change(self, theta: Array, source: RowSource | None = None) -> float:
        """E ℓ(θ) − E ℓ(θ̂), as the mean of per-sample changes."""
        step, loss = theta - self.params, self.model.loss

        def change(rows: RowSource) -> tuple[Array]:
            return (loss.change(*self.moves(step, rows)),)

        (mean,) = (source or self.source).means(change)
        return number(mean)

    def penalty_change(self, theta: Array) -> float:
        """The penalty at θ less that at θ̂."""
        return float((theta - self.params) @ self.shrinkage(theta + self.params))

    def along(self, step: Array, source: RowSource | None = None) -> tuple[float, float]:
        """g_eᵀΔ and ΔᵀH_eΔ for a step Δ in θ: E ℓ' t and E ℓ'' t² with t = ⟨(v, 1), Δ⟩.

        Natural loss, no penalty, at θ̂ on these or other rows.
        """
        loss = self.model.loss

        def terms(rows: RowSource) -> tuple[Array, Array]:
            f, t, y = self.moves(step, rows)
            return loss.slope(f, y) * t, loss.curvature(f, y) * t * t

        slope, curvature = (source or self.source).means(terms)
        return number(slope), number(curvature)

    def mean_loss(self, theta: Array, source: RowSource | None = None) -> float:
        """E ℓ(θ) on these or other rows."""
        return self.evaluate(theta, source).loss


_FLOOR = 2.0**-26  # of the largest eigenvalue: the square root of the rounding unit


def lift(least: float, largest: float) -> float:
    """What brings the least eigenvalue up to a floor."""
    return max(_FLOOR * largest - least, 0.0)


def singular_hessian(least: float) -> np.linalg.LinAlgError:
    """The error of an H that cannot be inverted."""
    return np.linalg.LinAlgError(
        f"the Hessian is singular or indefinite (least eigenvalue {least:.3g}): the "
        "influence is not defined; pass damping > 0 or 'auto', or fit with a larger alpha"
    )


def too_many_parameters(d: int) -> ValueError:
    """The error of a robust fit whose Hessian has no room."""
    return ValueError(
        f"a robust fit forms the Hessian, for which {d} parameters are too many: the influence and "
        "its sensitivity are what can be had here"
    )


def failed_draw(draw: int, least: float) -> np.linalg.LinAlgError:
    """The error of a draw of the bootstrap that has no optimum, or no influence there."""
    return np.linalg.LinAlgError(
        f"the Hessian of bootstrap draw {draw} is singular or indefinite (least eigenvalue "
        f"{least:.3g}): the data hardly determine the model; fit with a larger alpha, or pass "
        "damping > 0 to aif"
    )
