"""The influence problems of kernel regressions at their own centres, moving and fixed.

With moving centres an attack on x_k moves row k and column k of the Gram matrix K at once
(section 6.1 of the paper); with fixed ones the row alone, as for attacks at prediction time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bases.kernel_functions import curvature_bound
from ...data.rows import RowSource
from ...data.sources import LazyRows
from ...kernels.pairs import Gram
from ...threat.attack_set import AttackSet
from ...utils.validation import locate_nonfinite
from ..basis.problem import BasisProblem, basis_problem
from ..basis.restricted import RestrictedBasis
from ..kinks import Kinks
from ..problem import refuse_solver
from . import kinks, per_sample
from .core import GramProblem
from .first_order import Contraction, pair_weights
from .model import FixedCentersModel, MovingCentersModel

Array = NDArray[Any]


@dataclass(frozen=True)
class MovingCentersProblem(GramProblem):
    """A GramProblem whose centres move with the inputs: all samples are in every f."""

    model: MovingCentersModel

    def slope(self, f: Array) -> Array:
        """Ωr; with the penalty αθᵀKθ, which moves as well, what stationarity makes of it."""
        if self.is_rkhs:
            return -self.alpha * self.params
        return self.weights * (f - self.targets)

    def pull(self, f: Array) -> Array:
        """What `pair_weights` makes ∇_{x_k} L of: Ωr, plus ½αθ where αθᵀKθ moves as well."""
        return self.slope(f) + (0.5 * self.alpha * self.params if self.is_rkhs else 0.0)

    def shared_budgets(self, gains: Array) -> Array:
        """t (n,), from ‖∇_{x_k} L‖_q; a centre without weight must not be for nothing."""
        shared = self.sharing.is_shared and not self.is_rkhs
        if shared and np.any((self.weights == 0.0) & (gains > 0.0)):
            raise free_center()
        return super().shared_budgets(gains)

    def contract(self, gram: Gram, f: Array, budgets: Array | None = None) -> Contraction:
        """Contract the derivatives of K with the steps β, times per-sample budgets (n,)."""
        theta, slope = self.params, self.slope(f)
        weights = pair_weights(theta, self.pull(f), True)
        steps, gains, ties = self.ball.directions(gram.gradient(*weights), self.source.x)
        budgets = self.shared_budgets(gains) if budgets is None else budgets
        steps *= self.radius * budgets[:, None]
        rows, columns = gram.directional(
            steps, np.stack([theta, slope]), np.column_stack([theta, slope])
        )
        turned = rows[:, 0] + columns[0]
        pulled = None if self.is_rkhs else rows[:, 1] + columns[1]
        return Contraction(turned, pulled, budgets, gains, int(ties[gains > 0].sum()), gram.kinks)

    @property
    def zero_gradients(self) -> int:
        """Samples whose ∇_{x_k} L is zero; with P = K of positive weight (θ_k = 0 there)."""
        counted = self._pass.found.gains == 0.0
        return int(np.count_nonzero(counted & (self.weights > 0) if self.is_rkhs else counted))

    def refuse_without_population(self) -> None:
        """With the penalty α‖θ‖² every sample is a centre with a coefficient of its own."""
        if not self.is_rkhs:
            raise ValueError(
                "a kernel regression with centers='moving' and penalty='l2' has no intervals: "
                "every sample is a centre with a coefficient of its own in the penalty, so that a "
                "weight of 2 is not the sample twice; use centers='fixed' or penalty='rkhs'"
            )
        super().refuse_without_population()

    def per_sample(self) -> Array:
        """ζ (n, n): row k is what the attack on x_k alone does, over its weight.

        Raises
        ------
        ValueError
            A sample of weight zero is attacked all the same: it has no share of a mean.
        """
        if not self.is_rkhs and not np.all(self.weights > 0):
            raise ValueError(
                "per_sample() needs positive weights here: as a moving centre a sample of weight "
                "zero is attacked as well, and has no share in a weighted mean"
            )
        return per_sample.moving(self, self.pull(self._pass.f))

    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI the expansion stops being smooth."""
        return kinks.find(self, influence)

    def turning(self, influence: Array) -> tuple[Array, Array, str] | None:
        """With P = K the dual coefficients; with P = 1 attacks do not turn round."""
        if not self.is_rkhs:
            return None
        return self.params, influence, "a dual coefficient changes sign"

    def gradient_path(self, gram: Gram, influence: Array) -> tuple[Array, Array]:
        """∇_{x_k} L and its derivative in ε; with P = K a multiple of ∇f at each sample."""
        theta = self.params
        if self.is_rkhs:
            return slopes_of_f(gram, theta), slopes_of_f(gram, influence)
        slope = self.slope(gram.K @ theta)
        turned = self.weights * (gram.K @ influence)
        speeds = gram.gradient(*pair_weights(theta, turned, True))
        speeds += gram.gradient(*pair_weights(influence, slope, True))
        return gram.gradient(*pair_weights(theta, slope, True)), speeds

    def bend(self) -> float | None:
        """None: the f of a sample is that of all."""
        return None

    @property
    def share_of_meeting(self) -> float:
        """Both samples are attacked."""
        return 0.5


@dataclass(frozen=True)
class FixedCentersProblem(GramProblem):
    """A GramProblem whose centres stay: the rows of K move alone, each with its sample."""

    model: FixedCentersModel

    def slope(self, f: Array) -> Array:
        """Ωr."""
        return self.weights * (f - self.targets)

    def contract(self, gram: Gram, f: Array, budgets: Array | None = None) -> Contraction:
        """Contract the derivatives of K with the steps β, times per-sample budgets (n,).

        Every sample has an attack of its own, whatever its weight: from r, not Ωr.
        """
        theta, slope = self.params, self.slope(f)
        weights = pair_weights(theta, f - self.targets, False)
        steps, gains, ties = self.ball.directions(gram.gradient(*weights), self.source.x)
        gains = self.weights * gains
        budgets = self.shared_budgets(gains) if budgets is None else budgets
        steps *= self.radius * budgets[:, None]
        rows, columns = gram.directional(
            steps, np.stack([theta, slope]), np.column_stack([theta, slope])
        )
        counted = int(ties[gains > 0].sum())
        return Contraction(rows[:, 0], columns[1], budgets, gains, counted, gram.kinks)

    @property
    def zero_gradients(self) -> int:
        """Samples of positive weight whose ∇_{x_k} L is zero."""
        return int(np.count_nonzero((self._pass.found.gains == 0.0) & (self.weights > 0)))

    def per_sample(self) -> Array:
        """ζ (n, n): row k is what the attack on x_k alone does, over its weight."""
        return per_sample.fixed(self)

    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI the expansion stops being smooth."""
        return kinks.find(self, influence)

    def turning(self, influence: Array) -> tuple[Array, Array, str] | None:
        """The residuals."""
        value = self.moves(influence)[0] - self.targets
        return value, self.multiply(influence), "a sample's loss slope changes sign"

    def gradient_path(self, gram: Gram, influence: Array) -> tuple[Array, Array]:
        """∇f at each sample, and its derivative in ε."""
        return slopes_of_f(gram, self.params), slopes_of_f(gram, influence)

    def bend(self) -> float | None:
        """A Lipschitz constant of D∇_u f."""
        return curvature_bound(self.model.kernel, self.params, self.ball)

    @property
    def share_of_meeting(self) -> float:
        """The other sample's centre stays where it is."""
        return 1.0


def free_center() -> ValueError:
    """The error of a shared budget of which a centre without weight would use nothing."""
    return ValueError(
        "a finite order needs positive weights here: a moving centre of weight zero would cost an "
        "attack nothing"
    )


def slopes_of_f(gram: Gram, theta: Array) -> Array:
    """Σ_j θ_j ∂₁K(x_k, x_j), (n, m)."""
    first = np.zeros((len(theta), 2))
    first[:, 0] = 1.0
    return gram.gradient(first, np.stack([theta, np.zeros(len(theta))]))


def by_rows(problem: FixedCentersProblem) -> BasisProblem:
    """Fixed centres as a model on a basis, whose samples are attacked one by one."""
    ball = problem.ball.with_radius(problem.radius)
    return BasisProblem(
        problem.model.on_basis(), problem.source, ball, damping=problem.damping,
        sharing=problem.sharing, weight_unit=problem.weight_unit, executor=problem.executor,
    )  # fmt: skip


def moving_problem(
    model: MovingCentersModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", seed: int = 0, **common: Any,
) -> MovingCentersProblem:  # fmt: skip
    """The problem at the inputs of the fit, which the given ones must be.

    Raises
    ------
    TypeError, ValueError
        They are read block by block, or are others.
    """
    refuse_solver(model, solver)
    if isinstance(source.x, LazyRows):
        raise TypeError(
            "X is read block by block, but a kernel regression with centers='moving' needs all "
            "of its rows at once: give an array"
        )
    U = model.inner(source.x)
    if not model.is_at(U):
        if not np.isfinite(U).all():
            locate_nonfinite(source.x, source.y)
        raise ValueError(
            "X is not the X of the fit: with centers='moving' the inputs of the fit are the "
            "centres, and an attack moves both; give the data of the fit, in its order, or fit "
            "a KernelRegression with centers='fixed'"
        )
    model.kernel.check_inputs(U, "X")
    return MovingCentersProblem(model, source, ball, inputs=U, **common)


def restricted_fixed(
    model: FixedCentersModel, source: RowSource, ball: AttackSet, **options: Any
) -> BasisProblem:
    """That of the model on its basis, for attacks that are more than a ball."""
    return basis_problem(model.on_basis(), source, ball, kind=RestrictedBasis, **options)


def fixed_problem(
    model: FixedCentersModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", seed: int = 0, **common: Any,
) -> FixedCentersProblem | BasisProblem:  # fmt: skip
    """The problem at the centres, or that of the model on its basis elsewhere.

    Raises
    ------
    ValueError
        The kernel has kinks at its centres, and these are the inputs.
    """
    options: dict[str, Any] = {"solver": solver, "hessian": hessian, "seed": seed, **common}
    if isinstance(source.x, LazyRows):
        return basis_problem(model.on_basis(), source, ball, **options)
    U = model.inner(source.x)
    if not model.is_at(U):
        if not np.isfinite(U).all():
            locate_nonfinite(source.x, source.y)
        return basis_problem(model.on_basis(), source, ball, **options)
    refuse_solver(model, solver)
    if not model.kernel.is_smooth:
        raise ValueError(
            f"{model.kernel!r} with centers='fixed' at the attacked inputs themselves has a kink "
            "at every sample: the influence is not defined; use centers='moving', or other centres "
            "(n_centers, or the data of another fit)"
        )
    model.kernel.check_inputs(U, "X")
    return FixedCentersProblem(model, source, ball, inputs=U, **common)
