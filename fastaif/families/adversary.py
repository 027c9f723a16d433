"""What an attacker can do to a model, and what training against it comes to: the protocol.

Each family has an `Adversary` of its own, which `registry` makes; `attack`, `robust_fit`, `verify`
and `adversarial_loss` are written once, against it.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..data.checked_rows import locating
from ..data.sources import LazyRows
from ..threat.ascent_settings import PgdSettings
from ..threat.rounding import INWARDS, keep_inside, keep_within_budget, round_towards
from .model import told
from .path import Path, PathTangent, WarmPath
from .problem import InfluenceProblem
from .solution import RobustSolution

Array = NDArray[Any]
P = TypeVar("P", bound=InfluenceProblem)

_STARTS = 3  # of seeded ascents: the sample, the antipode of where that led, a random point


class Optimum(NamedTuple):
    """Where a family's outer iteration stopped.

    Attributes
    ----------
    theta : array (d,)
    objective : float
        R(θ), penalty included.
    residual : float
        The norm of the gradient, or of the least subgradient that is known, relative to
        ``E |ℓ'| ‖(v, 1)‖``.
    gap : float
        How far R(θ) is above its minimum, relative to it: proven or estimated.
    n_iter : int
        Passes over the data.
    converged : bool
    why : str
        Not, where that is known.
    """

    theta: Array
    objective: float
    residual: float
    gap: float
    n_iter: int
    converged: bool
    why: str = ""

    def at(self, eps: float, exact: bool) -> RobustSolution:
        """The solution, with the ε it was for and how the inner maximum was known."""
        return RobustSolution(eps=eps, method="exact" if exact else "pgd", **self._asdict())


class Place(NamedTuple):
    """The mean loss under an attack, and ∇_{t_i} ℓ_i (n, k): of a sample's own loss."""

    value: float
    slopes: Array


class Distribution(NamedTuple):
    """Attacked inputs (k, m), their weights (k,) of sum 1, the samples that they were (k,), and the
    mean loss."""

    inputs: Array
    weights: Array
    rows: Array
    loss: float


class Ground(NamedTuple):
    """What an ascent on all samples at once, with a budget that they share, climbs on.

    Attributes
    ----------
    at : callable
        From an attack t (n, k), δ/c over the attackable features, to a Place.
    shape : (n, k)
    shares : array (n,)
        ω, which sums to 1.
    attacked : callable
        From t to x + δ (n, m), float64.
    loss : callable or None
        From t to the mean loss without penalty; None: that of the attacked inputs.
    """

    at: Callable[[Array], Place]
    shape: tuple[int, int]
    shares: Array
    attacked: Callable[[Array], Array]
    loss: Callable[[Array], float] | None = None


@dataclass(frozen=True)
class Adversary(ABC, Generic[P]):
    """The attacks on one family's models.

    Attributes
    ----------
    problem : InfluenceProblem
        The model at θ̂, its data and the attack.
    """

    problem: P

    supports_checkpoint: ClassVar[bool] = False  # whether fits see the rows through sums alone
    is_convex: ClassVar[bool] = True  # whether the robust objective is, in θ
    training: ClassVar[PgdSettings] = PgdSettings()  # of ascents within a fit by "pgd"

    @property
    @abstractmethod
    def has_exact(self) -> bool:
        """Whether the inner maximum is known exactly."""

    # --- attacks ----------------------------------------------------------------------------

    @abstractmethod
    def attack(
        self, theta: Array, eps: float, settings: PgdSettings | None, out: Array
    ) -> None:
        """Write x_i + δ_i, the worst inputs at θ and ε: exactly, or by ascent where so set."""

    def attacked(self, theta: Array, eps: float, settings: PgdSettings | None) -> Array:
        """The worst inputs (n, m), in the type of the inputs (float64 for integers)."""
        x, ball, source = self.problem.source.x, self.problem.ball, self.problem.source
        # Ascents that differ in a digit may end at other maxima, and `loss` is of these.
        is_closed = settings is None and self.has_exact
        out = self._attacked(theta, INWARDS * eps if is_closed else eps, settings)
        samples = x if x.dtype.kind == "f" else x.astype(np.float64)
        if samples.dtype != out.dtype:
            out = round_towards(samples, out)
        size, sharing = eps * self.problem.radius, self.problem.sharing
        if sharing.is_shared:
            keep_within_budget(samples, out, ball.own, size, sharing, source.shares())
        else:
            keep_inside(samples, out, ball, size if source.budget is None else size * source.budget)
        return out

    def _attacked(self, theta: Array, eps: float, settings: PgdSettings | None) -> Array:
        """The same in float64."""
        out = np.empty(self.problem.source.x.shape)
        with locating(self.problem.source):
            self.attack(theta, eps, settings, out)
            if not np.isfinite(out).all():
                raise FloatingPointError("attacked inputs are not finite")
        return out

    def loss(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """E max ℓ at θ under such attacks, without the penalty.

        Rows that are read block by block are attacked block by block.
        """
        problem = self.problem
        if settings is None or not isinstance(problem.source.x, LazyRows):
            return self.loss_of_rows(theta, eps, settings)
        ball = problem.ball.with_radius(problem.radius)
        source, total, weight = problem.source, 0.0, 0.0
        for start, stop in source.chunks():
            w = source.weights(start, stop)
            heavy = float(w.sum()) if w.size else float(stop - start)
            if heavy > 0.0:
                part = source._replace(
                    x=source.inputs(start, stop), y=source.y[start:stop],
                    weight=w if w.size else None,
                )  # fmt: skip
                block = dataclasses.replace(
                    self, problem=dataclasses.replace(problem, source=part, ball=ball)
                )
                total += heavy * block.loss_of_rows(theta, eps, settings)
                weight += heavy
        return total / weight

    def loss_of_rows(self, theta: Array, eps: float, settings: PgdSettings | None) -> float:
        """The same of rows that are all there: the mean loss of the attacked inputs."""
        attacked = self.problem.source._replace(x=self._attacked(theta, eps, settings))
        return self.problem.mean_loss(theta, attacked)

    def ground(self, theta: Array, eps: float) -> Ground:
        """What an ascent with a budget that samples share climbs on, at θ and ε."""
        raise NotImplementedError

    def distribution(self, theta: Array, eps: float) -> Distribution:
        """The worst distribution within a budget that samples share.

        Raises
        ------
        ValueError
            It is not known of this family.
        """
        raise ValueError(
            "worst_distribution is for linear predictors, and finite orders: of a "
            f"{self.problem.model.kind} model the worst of them is not known; attack(...) ascends "
            "towards it"
        )

    # --- what predictions withstand ---------------------------------------------------------

    def radii_of_labels(self) -> Array | None:
        """The least ε that turns each sample's label (n,), 0 where it is wrong; None: not known."""
        return None

    def radii_of_change(self, change: float) -> Array | None:
        """The least ε that moves each expected target by so much (n,); None: not known."""
        return None

    # --- training against them --------------------------------------------------------------

    def robust_fit(
        self,
        eps: float,
        tol: float = 1e-12,
        max_iter: int | None = None,
        settings: PgdSettings | None = None,
    ) -> RobustSolution:
        """The robust optimum at ε: with the best attacks known, or those of ascent where so set."""
        if eps == 0.0 and settings is None:
            return self.natural(max_iter)
        return self.train(eps, tol, max_iter, settings)

    def robust_fits(
        self,
        radii: Sequence[float],
        tol: float = 1e-12,
        max_iter: int | None = None,
        settings: PgdSettings | None = None,
    ) -> list[RobustSolution]:
        """The robust optima at several ε, in their order; found from the least ε up.

        Each is where the fit at the next larger ε starts, in families that can.
        """
        found: dict[int, RobustSolution] = {}
        adversary = self
        for k in sorted(range(len(radii)), key=radii.__getitem__):
            found[k] = adversary.robust_fit(radii[k], tol, max_iter, settings)
            if found[k].converged and len(found) < len(radii):
                adversary = adversary.starting_at(found[k].theta)
        return [found[k] for k in range(len(radii))]

    def path(self, eps: float, tol: float, asked: Sequence[float] = ()) -> Path:
        """The robust optima at every ε up to this one; some are known to be asked for."""
        return WarmPath(self, tol)

    def starting_at(self, theta: Array) -> Self:
        """The same adversary, whose exact fits start at θ where that may save passes."""
        return self

    @abstractmethod
    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """The same at a positive ε, or by ascent."""

    def natural(self, max_iter: int | None) -> RobustSolution:
        """At ε = 0 the robust optimum is the natural one."""
        found = self.problem.fit_result(max_iter=100 if max_iter is None else max_iter)
        local = found.local
        return RobustSolution(
            found.x, 0.0, local.value, local.residual, 0.0, found.n_iter, found.converged
        )

    def training_settings(self, seed: int | None) -> PgdSettings:
        """How ascents run within a fit by "pgd"; a seed adds a random start."""
        if seed is None:
            return self.training
        starts = max(_STARTS, self.training.n_restarts)
        return dataclasses.replace(self.training, n_restarts=starts, seed=seed)

    @abstractmethod
    def gain(self, theta: Array, eps: float) -> float:
        """How much lower the adversarial objective is at θ than at θ̂, penalty included.

        Summed as per-sample changes of the loss from the worst end at θ̂ to the worst end at θ:
        at small ε the difference of the two objectives would keep few digits.
        """

    # --- how far a prediction goes ------------------------------------------------------------

    def tangent_at(self, eps: float) -> PathTangent:
        """The robust path about an ε > 0.

        Raises
        ------
        ValueError
            Its derivative is not known of this family.
        """
        raise ValueError(
            f"at={eps:g} is for linear predictors at order inf, softmax models and several "
            "outputs, with attacks by p, feature_scale and attackable, and H formed: of this "
            f"{told(self.problem.model)} and attack the derivative of the robust optimum is known "
            "at ε = 0 alone"
        )

    def zero_radius(self) -> float:
        """The ε from which the robust optimum has no attackable coefficient left.

        Raises
        ------
        ValueError
            It is not known of this family.
        """
        raise ValueError(
            "the zero radius is known of linear predictors alone, at order inf and for attacks by "
            f"p, feature_scale and attackable: not of this {told(self.problem.model)} and "
            "attack"
        )

    def interpolation_radius(self) -> float:
        """The ε up to which the robust optimum fits every target exactly.

        Raises
        ------
        ValueError
            It is not known of this family and loss.
        """
        raise ValueError(
            "the interpolation radius is known of linear predictors whose loss is of the residual "
            f"(squared error, Huber), at order inf: not of this {told(self.problem.model)}"
        )

    def prediction_error(self, step: Array, eps: float) -> float | None:
        """About the relative error of a predicted step to θ_ε; None where that costs much."""
        return None

    # --- refusals -----------------------------------------------------------------------------

    def refuse(self, method: str) -> None:
        """Refuse method="exact" where the inner maximum is not known."""
        if method != "exact" or self.has_exact:
            return
        problem = self.problem
        if problem.sharing.is_shared:
            raise ValueError(
                f"method='exact' at order={problem.sharing.order:g} is not known for a "
                f"{problem.model.kind} model (only at order 1, and for the squared error at order "
                "2); use 'pgd'"
            )
        raise ValueError(
            f"method='exact' at {problem.ball} is not known for a {problem.model.kind} "
            "model (only for linear ones, and for the quadratic basis at p=2); use 'pgd'"
        )
