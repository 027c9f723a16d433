"""What a pointwise loss ℓ(f, y) is: values, derivatives, and what solvers ask of it.

None carries a factor ½ (the squared error is (f − y)²): sensitivities scale with the
loss, the influence does not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..utils.arrays import read_only
from ..utils.inputs import TargetsLike, WeightsLike
from .targets import as_float

Array = NDArray[Any]


class Loss(ABC):
    """A loss ℓ(f, y) of a prediction f and an encoded target y, convex in f.

    A subclass is a frozen dataclass in a file of its own in this folder; its fields are the
    loss's parameters. Beside it only the compiled operations know the loss, by its `code`.

    Attributes
    ----------
    name : str
        What users call it.
    code : int
        Its number in compiled operations.
    is_quadratic : bool
        ℓ'' is the same everywhere.
    is_of_residuals : bool
        ℓ depends on f − y alone: f is in units of y, and a fit may leave no slope at all.
    is_symmetric : bool
        ℓ depends on ``|f − y|`` alone.
    is_monotone : bool
        ℓ falls to zero in y f: the worse end of an interval is always −y's, and data may be
        such that E ℓ tends to zero along a ray of θ.
    has_kinks : bool
        max ℓ(f ± κ) has kinks in f: which end is the worse one depends on f.
    attains_minimum : bool
        ℓ(·, y) has a minimiser whatever y.
    needs_start : bool
        Newton's method should not start from zero.
    has_labels : bool
        Targets are two labels, encoded as ±1, and the models are classifiers.
    has_positive_targets : bool
        Targets are not negative.
    has_probabilities : bool
        ℓ is −log of a probability of labels.
    boundary : float
        The f at which a classifier's two labels are as likely.
    """

    name: ClassVar[str]
    code: ClassVar[int]
    is_quadratic: ClassVar[bool] = False
    is_of_residuals: ClassVar[bool] = False
    is_symmetric: ClassVar[bool] = False
    is_monotone: ClassVar[bool] = False
    has_kinks: ClassVar[bool] = True
    attains_minimum: ClassVar[bool] = True
    needs_start: ClassVar[bool] = False
    has_labels: ClassVar[bool] = False
    has_positive_targets: ClassVar[bool] = False
    has_probabilities: ClassVar[bool] = False
    boundary: ClassVar[float] = 0.0

    # --- the function -------------------------------------------------------------------------

    @abstractmethod
    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""

    @abstractmethod
    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""

    @abstractmethod
    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""

    @abstractmethod
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""

    @abstractmethod
    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0."""

    @abstractmethod
    def zero_slope_prediction(self, y: Array) -> Array:
        """The f at which ℓ' changes sign; NaN where it never does."""

    def target_reach(self, y: Array) -> Array:
        """How far f goes with a target that changes by all of itself, elementwise.

        Where ``|ℓ'|`` is a small part of ``ℓ'' (|f| + this)`` it may be rounding.
        """
        return np.abs(y)

    def worse_end(self, f: Array, y: Array, kappa: float) -> Array:
        """±1: at which end of [f − κ, f + κ] the loss is larger; +1 where they tie."""
        return np.where(self.end_gap(f, y, kappa) < 0, -1.0, 1.0)

    def rise(self, f: Array, step: Array, y: Array) -> Array:
        """What ascents on the loss of each sample by itself climb on, from f to f + step.

        That is ℓ's change; for a monotone ℓ −y · step, which orders predictions as ℓ does and is
        not lost where ℓ underflows: a sample that the model is sure of is attacked like the others.
        """
        return -y * step if self.is_monotone else self.change(f, step, y)

    def ascent(self, y: Array) -> c.Inner:
        """The same for compiled ascents."""
        sides = self.worse_end(y, y, 0.0) if self.is_monotone else c.EMPTY
        return self.inner(multiplier=read_only(sides))

    def worst(self, f: Array, y: Array, kappa: float) -> Array:
        """max ℓ(f ± κ), elementwise."""
        return np.maximum(self.value(f + kappa, y), self.value(f - kappa, y))

    @abstractmethod
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""

    @property
    def lipschitz(self) -> float:
        """``sup |ℓ'|``, the same for every target; inf where ℓ grows faster than linearly."""
        return float("inf")

    # --- fits ---------------------------------------------------------------------------------

    @abstractmethod
    def null_prediction(self, mean: float) -> float:
        """The constant f that fits (or nearly fits) targets of this mean."""

    def starting_intercept(self, mean: float) -> float | None:
        """b from which Newton's method starts, for targets of this mean; None where any will do."""
        return None

    def easier(self, y: Array) -> Sequence[Loss]:
        """Losses whose fits, one after the other, lead near this one's."""
        return ()

    # --- targets and predictions --------------------------------------------------------------

    def encode(self, y: Array) -> Array:
        """Raw targets as the numbers that ℓ takes, float64.

        Raises
        ------
        TypeError, ValueError
            For targets that are not this loss's.
        """
        return as_float(y)

    def response(self, f: Array) -> Array:
        """The expected target at a prediction f, elementwise."""
        return f

    def reach(self, f: Array, change: float) -> Array:
        """The least move of f, up or down, that moves `response` by so much, elementwise."""
        return np.full(np.shape(f), change)

    def is_right(self, f: Array, y: Array) -> Array:
        """Whether a prediction is on its label's side of the boundary, elementwise."""
        return np.asarray(y * (f - self.boundary) > 0.0)

    def score(
        self, y: TargetsLike, predicted: Array, sample_weight: WeightsLike = None
    ) -> float:
        """How good predictions of raw targets are, 1 for perfect ones: R²."""
        from sklearn.metrics import r2_score

        return float(r2_score(y, predicted, sample_weight=sample_weight))

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # it never changes

    # --- compiled operations ------------------------------------------------------------------

    @property
    def parameter(self) -> float:
        """The number that compiled operations are handed beside `code`; 1 where ℓ has none."""
        return 1.0

    def inner(
        self,
        kappa: float = 0.0,
        smoothing: float = 0.0,
        multiplier: Array = c.EMPTY,
        exponent: float = 0.0,
    ) -> c.Inner:
        """The inner maximum over f ± κ as compiled operations take it; by default the plain loss.

        Parameters
        ----------
        kappa, smoothing, multiplier, exponent
            See `_compute.types.Inner`.
        """
        return c.Inner(self.code, self.parameter, kappa, smoothing, multiplier, exponent)
