"""The influence at a robust optimum: how the path of robust optima goes on from an ε > 0."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.checked_rows import evaluation_rows, locating
from ..families.path import PathTangent
from ..families.problem import InfluenceProblem
from ..families.registry import adversary_of
from ..utils import validation
from ..utils.arrays import unwritable
from ..utils.caching import cached_property
from ..utils.inputs import MatrixLike, RandomState, TargetsLike
from ..utils.warnings import SolverWarning, warn
from .bootstrap import N_DRAWS
from .result import InfluenceResult

Array = NDArray[Any]

_GAP = 1e-10  # of the objective, from which a robust optimum counts as solved


@dataclass(frozen=True, eq=False)
class InfluenceAlongPath(InfluenceResult):
    """The influence at an ε > 0: dθ_ε/dε there, to the right.

    Rows that are as bad at either end, coefficients at zero (p = ∞) and ties (p = 1) stay so to
    first order, or leave that to one side. Predictions are from `at` on; costs are from θ̂.

    Attributes
    ----------
    influence : array (d,)
    problem : InfluenceProblem
        The model at θ_at with its data; s is that of the training data.
    natural : InfluenceProblem
        The model at θ̂.
    tangent : PathTangent
    """

    natural: InfluenceProblem = field(repr=False)
    tangent: PathTangent = field(repr=False)

    @property
    def at(self) -> float:
        """The ε it is at."""
        return self.tangent.eps

    @cached_property
    def mixed(self) -> Array:
        """Φ of the robust objective at θ_at, (d,)."""
        return unwritable(self.tangent.mixed)

    @property
    def hessian(self) -> Array:
        """Of the robust objective at θ_at, along what stays at its kinks, (d, d)."""
        return unwritable(self.tangent.hessian)

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at `at`."""
        return self.tangent.value_derivative

    @property
    def validity_radius(self) -> float:
        """The ε of the path's next kink, along its tangent."""
        return self.tangent.first.eps

    @property
    def validity_reason(self) -> str:
        """What happens there."""
        return self.tangent.first.what

    def predict_params(self, eps: float, *, expansion: str = "auto") -> Array:
        """θ_at + (ε − at) I, (d,)."""
        validation.option(expansion, "expansion", ["auto", "linear"])
        size = validation.number(eps, "eps", low=0.0)
        return self.params + (size - self.at) * self.influence

    def sensitivity(
        self,
        eps: ArrayLike,
        X: MatrixLike | None = None,
        y: TargetsLike | None = None,
        *,
        expansion: str = "auto",
    ) -> Any:
        """The clean loss at ε less that of θ̂: exact at `at`, to second order along I from there.

        Parameters
        ----------
        eps : float or array
        X, y : arrays, optional
            Evaluation data (unweighted); the training data by default.
        expansion : {"auto", "taylor"}

        Returns
        -------
        float or array
            In units of the loss, shaped like `eps`.
        """
        validation.option(expansion, "expansion", ["auto", "taylor"])
        radii = validation.radii(eps)
        rows = None if X is None and y is None else evaluation_rows(self.problem.model, X, y)
        rows = self.problem.evaluation if rows is None else rows
        with locating(rows):
            there = self.natural.loss_change(self.params, rows)
            slope, curvature = self.problem.along(self.influence, rows)
        step = radii - self.at
        found = there + step * slope + 0.5 * step**2 * curvature
        return float(found) if np.ndim(eps) == 0 else np.asarray(found)

    @cached_property
    def diagnostics(self) -> dict[str, Any]:
        """The gap of the robust optimum, relative to its objective, and how much is at kinks."""
        names = ("gap", "pinned_samples", "pinned_coefficients")
        return {name: getattr(self.tangent, name) for name in names}

    def summary(self, eps: ArrayLike | None = None) -> str:
        """The tangent in four lines; `eps` is not used."""
        found = self.diagnostics
        largest = int(np.argmax(np.abs(self.influence)))
        return "\n".join([
            f"Adversarial influence at eps = {self.at:g}, {self.problem.model.kind} model",
            f"cost there {self.sensitivity(self.at):.6g}, value derivative "
            f"{self.value_derivative:.6g}",
            f"{found['pinned_samples']} samples and {found['pinned_coefficients']} coefficients "
            f"at kinks; the next kink at eps = {self.validity_radius:.6g}: {self.validity_reason}",
            f"{self.names[largest]} moves fastest, by {self.influence[largest]:.6g} a unit of eps",
        ])  # fmt: skip

    # --- what is about the natural optimum alone ----------------------------------------------

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(
            f"{what} is of the natural optimum alone: call aif without at (this result is at "
            f"eps={self.at:g}); robust_path has exact optima at every ε"
        )

    def per_sample(self) -> Array:
        """Refused."""
        self._refuse("per_sample")

    def bootstrap(self, n_draws: int = N_DRAWS, random_state: RandomState = 0) -> Any:
        """Refused."""
        self._refuse("bootstrap")

    def std_error(self, *arguments: Any, **options: Any) -> Any:
        """Refused."""
        self._refuse("std_error")

    def conf_int(self, *arguments: Any, **options: Any) -> Any:
        """Refused."""
        self._refuse("conf_int")

    def interval_columns(self, *arguments: Any, **options: Any) -> Any:
        """Refused."""
        self._refuse("conf_int")

    def verify(self, eps: ArrayLike) -> Any:
        """Refused."""
        self._refuse("verify")

    def flip_fraction(self, eps: ArrayLike) -> Any:
        """Refused."""
        self._refuse("flip_fraction")

    def rough_at(self, eps: float, *, expansion: str = "auto") -> str:
        """Refused."""
        self._refuse("rough_at")


def along_path(problem: InfluenceProblem, eps: float) -> InfluenceAlongPath:
    """The influence at an ε > 0.

    Raises
    ------
    ValueError
        The derivative is not known of this model and attack.

    Warns
    -----
    SolverWarning
        The robust optimum is not solved to a relative gap of 1e-10.
    """
    if problem.sharing.is_shared:
        raise ValueError(
            f"at={eps:g} is for order=inf, where every sample has a budget of its own: where "
            "samples share one (finite order) the derivative is known at ε = 0 alone"
        )
    with problem.executor.watching("influence"):
        found = adversary_of(problem).tangent_at(eps)
    if found.gap > _GAP:
        warn(
            f"the robust optimum at eps={eps:g} is solved to a relative gap of {found.gap:.1e} "
            "alone: its derivative may be wrong in digits that matter",
            SolverWarning,
        )
    ball = problem.ball.with_radius(problem.radius)
    there = dataclasses.replace(problem, model=problem.model.at(found.theta), ball=ball)
    return InfluenceAlongPath(
        influence=found.slope, problem=there, p=problem.ball.describe()["p"],
        order=problem.sharing.order, natural=problem, tangent=found,
    )  # fmt: skip
