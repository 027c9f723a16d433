"""What an influence needs of a model on its data: the protocol.

An `InfluenceProblem` is a model at θ̂ with its data and the attack on them. Influences,
sensitivities and intervals are written once, against it; `registry` makes it.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..bases.basis import KERNEL_KINKS
from ..data.rows import RowSource
from ..threat.attack_set import AttackSet
from ..threat.budget import OWN_BUDGETS, Sharing
from ..utils.caching import cached_property
from .kinks import Kinks
from .model import Model
from .objective import Objective

Array = NDArray[Any]


class Counts(NamedTuple):
    """What is irregular at θ̂.

    Attributes
    ----------
    zero_gradients : int
        Samples of positive weight whose ∇_x ℓ is zero.
    ties : int
        Entries of the directions of attack that sit on a kink of the dual norm.
    kinked_pairs : int
        Pairs of samples (or of a sample and a centre) at which the model itself has a kink.
    idle_units : int
        Units of a network that its penalty has switched off.
    pinned_samples, pinned_coefficients : int
        Samples with ℓ' = 0, and coefficients at a kink of the dual norm, for which the right
        derivative is solved.
    """

    zero_gradients: int
    ties: int
    kinked_pairs: int = 0
    idle_units: int = 0
    pinned_samples: int = 0
    pinned_coefficients: int = 0


class SolverReport(NamedTuple):
    """How H⁻¹Φ was found: the method's name, its iterations and the residual it saw."""

    name: str
    iterations: int = 0
    residual: float | None = None


class RadiusModel(Protocol):
    """What is predicted of the robust optimum at any ε, beyond the tangent at ε = 0."""

    def step(self, eps: float) -> Array:
        """The predicted θ_ε − θ̂ (d,)."""

    def ceiling(self, eps: float) -> float:
        """What θ_ε costs at most, in mean loss on the data of the fit; inf where unknown."""

    def bend(self, eps: float, influence: Array) -> float:
        """How far θ̂ + εI is from the prediction, relative to how far that is from θ̂."""

    def why_bent(self, eps: float, influence: Array) -> str:
        """What the tangent leaves out that takes it there, for a person."""

    @property
    def measures(self) -> bool:
        """Whether `departure` and `turned` can be had: rows are there."""

    def departure(self, eps: float) -> float:
        """About the relative error of the predicted step."""

    def turned(self, eps: float) -> float:
        """The share of the weight whose attack turns round on the way to the prediction."""


class Replicates(NamedTuple):
    """Draws of the bootstrap: θ̂ (k, d), I (k, d) and S/ε² (k,)."""

    params: Array
    influence: Array
    coefficient: Array


@dataclass(frozen=True)
class InfluenceProblem(Objective):
    """The natural objective of a model at θ̂, and an attack on its inputs.

    Attributes
    ----------
    ball : AttackSet
        The attack of a sample.
    damping : float or "auto"
        Added to the diagonal of H before it is inverted.
    sharing : Sharing
        Whether each sample has its own budget, or all share one.
    clean : RowSource or None
        Where s is measured and sensitivities are evaluated by default, if not on `source`.
    """

    ball: AttackSet
    damping: float | str = field(default=0.0, kw_only=True)
    sharing: Sharing = field(default=OWN_BUDGETS, kw_only=True)
    clean: RowSource | None = field(default=None, kw_only=True)

    @property
    def draws_together(self) -> bool:
        """Whether draws of the bootstrap are best made together, where the family can."""
        return True

    keeps_rows: ClassVar[bool] = True  # False: only sums over them are left
    way_out_without_gradients: ClassVar[str] = ""  # what else may help where all are zero

    @property
    def kinked_are(self) -> str:
        """What `Counts.kinked_pairs` counts, as a sentence behind the number."""
        return KERNEL_KINKS

    @property
    def evaluation(self) -> RowSource:
        """The rows on which sensitivities are evaluated by default."""
        return self.source if self.clean is None else self.clean

    @cached_property
    def target_size(self) -> float:
        """How large targets are, from the first of them."""
        return float(np.maximum.reduce(np.abs(self.source.targets(0, 4096)), axis=None))

    @abstractmethod
    def begin(self) -> None:
        """Read the data: everything that one pass gives.

        Raises
        ------
        FloatingPointError
            Some sum is not finite; the caller looks for the culprit in the data.
        """

    # --- what the pass tells ----------------------------------------------------------------

    @property
    @abstractmethod
    def radius(self) -> float:
        """s: given, or E ‖x/c‖_p."""

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
    def counts(self) -> Counts:
        """What is irregular at θ̂."""

    # --- the influence ----------------------------------------------------------------------

    @abstractmethod
    def mixed(self, weights: Array | None = None) -> Array:
        """Φ (Theorem 4.1), shape (d,), for given per-sample budgets (n,).

        None: one each, or what `sharing` makes of the gains.
        """

    @abstractmethod
    def influence(self) -> Array:
        """I = −H⁻¹Φ, shape (d,)."""

    @property
    def stopped_at(self) -> float | None:
        """The relative residual of a solver that stopped before its tolerance; else None."""
        return None

    @abstractmethod
    def solver_report(self, influence: Array) -> SolverReport:
        """How the influence was found, and how well."""

    @abstractmethod
    def newton_step(self, below: float = 0.0) -> float:
        """The Newton step left at θ̂ in standard errors of θ̂; roughly, if it is `below`."""

    @abstractmethod
    def spectrum(self) -> tuple[float, float]:
        """The least and the largest eigenvalue of H + damping."""

    @abstractmethod
    def per_sample(self) -> Array:
        """ζ_i = −s t_i H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""

    @abstractmethod
    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI the expansion stops being smooth."""

    @abstractmethod
    def influence_raw(self, influence: Array) -> Array:
        """The influence on slopes in raw units, (d,)."""

    @property
    def norm_expansion(self) -> RadiusModel | None:
        """What is known of the robust optimum at every ε, where there is such an expansion."""
        return None

    @property
    def is_restricted(self) -> bool:
        """Whether the attack is more than a ball that is the same for every sample."""
        return self.source.budget is not None or not self.ball.has_dual_norm

    # --- refusals ---------------------------------------------------------------------------

    @property
    def pass_refuses_outside(self) -> bool:
        """Whether `begin` refuses rows that are outside of the attack's bounds."""
        return False

    def refuse_outside(self, source: RowSource) -> None:
        """Refuse rows that are outside of the attack's bounds as they are."""
        if self.ball.varies:
            for start, stop in source.chunks():
                rows = source.inputs(start, stop)
                self.ball.refuse_outside(rows, start, self.model.feature_names)

    def on(self, source: RowSource) -> Self:
        """The same model and attack on other rows.

        Raises
        ------
        ValueError
            They cannot be attacked: they are outside of bounds, or have no budgets.
        """
        if self.source.budget is not None:
            raise ValueError(
                "budgets are of the rows of the fit, and other rows have none: give these theirs, "
                "in adversarial_loss(path.estimator(eps), X, y, attack_eps, budgets=...)"
            )
        self.refuse_outside(source)
        return dataclasses.replace(self, source=source)

    def refuse_kinks(self) -> None:
        """Refuse data on which the model's own kinks make the influence wrong."""

    def rounding(self) -> float:
        """About by what share of itself the influence is off, for predictions' rounding."""
        return 0.0

    def refuse_without_population(self) -> None:
        """Refuse intervals of an influence that is not about a population."""
        if self.sharing.exponent == np.inf:
            raise ValueError(
                "an attack that spends its whole budget on one sample (order=1, or formula='paper' "
                "at a finite order) has no intervals: its influence is that sample's, and tends to "
                "no limit as samples are added; use an order above 1"
            )


def refuse_solver(model: Model, solver: str) -> None:
    """Refuse a way to H⁻¹ other than the model's own."""
    if solver in ("cg", "lissa"):
        raise ValueError(
            f"solver={solver!r} is not for a {model.kind} model, which has a solver of its own; "
            "use solver='auto'"
        )


def too_many_parameters(d: int) -> ValueError:
    """The error of a robust fit whose Hessian has no room."""
    return ValueError(
        f"a robust fit forms the Hessian, for which {d} parameters are too many: the influence and "
        "its sensitivity are what can be had here"
    )
