"""`RobustPath`: the robust optima at every ε, as users see them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.checked_rows import evaluation_rows, locating
from ..data.rows import RowSource
from ..families.path import Path
from ..families.problem import InfluenceProblem
from ..families.registry import adversary_of
from ..families.solution import RobustSolution
from ..plotting import path as pictures
from ..reports import path as text
from ..reports.text import notebook
from ..threat.ascent_settings import PgdSettings
from ..utils import validation
from ..utils.arrays import unwritable
from ..utils.caching import cached_property
from ..utils.inputs import MatrixLike, TargetsLike
from .html_pages import path_page

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]

_BISECTIONS = 40
_CLOSE = 1e-6  # of the range: as near a chosen ε is found


@dataclass(frozen=True, eq=False)
class RobustPath:
    """What robust training at any ε up to the last node makes of a model: see `robust_path`.

    Losses, costs and gains are those of the loss, without the penalty; changes are from the natural
    optimum, the path's first node. s is that of the training data everywhere.

    Attributes
    ----------
    eps : array (k,)
        The nodes, from 0.
    problem : InfluenceProblem
        The model as it was given, with its data.
    solver : Path
        What solves at any ε.
    tol : float
    is_local : bool
        Whether its optima are local ones, each near the one before: for models that are not convex
        in their parameters.
    """

    eps: Array
    problem: InfluenceProblem = field(repr=False)
    solver: Path = field(repr=False)
    tol: float
    is_local: bool
    _known: dict[float, RobustSolution] = field(repr=False)

    # --- parameters -----------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of θ."""
        return self.problem.names

    @cached_property
    def params(self) -> Array:
        """θ_ε at the nodes, (k, d)."""
        return unwritable(self.params_at(self.eps))

    @cached_property
    def influence(self) -> Array:
        """Right derivatives dθ_ε/dε at the nodes, (k, d).

        They are computed when first asked for, where the loss is not a square with a pass a node.
        """
        return unwritable(self.influence_at(self.eps))

    def params_at(self, eps: ArrayLike) -> Array:
        """θ_ε at any ε of the range, (d,), or (j, d) for an array (j,).

        What is not a node is solved, all together: few products with the rows.

        Raises
        ------
        ValueError
            ε is beyond the last node, and that before the zero radius.
        """
        radii = self._in_range(eps)
        self._solve(radii)
        found = np.array([self._known[e].theta for e in radii])
        return found[0] if np.ndim(eps) == 0 else found

    def influence_at(self, eps: ArrayLike) -> Array:
        """dθ_ε/dε to the right at any ε, (d,) or (j, d).

        Raises
        ------
        ValueError
            ε is beyond the range, or the derivative not known of this kind of model.
        """
        radii = self._in_range(eps)
        with self.problem.executor.watching("influence"):
            found = self.solver.slopes(radii)
        return found[0] if np.ndim(eps) == 0 else found

    def estimator(self, eps: float) -> Any:
        """A fitted copy of the estimator with the robust parameters of ε."""
        return self.problem.model.rebuild(self.params_at(self._one(eps)))

    def objective(self, eps: ArrayLike) -> Any:
        """E max ℓ + penalty at θ_ε: what robust training minimises."""
        radii = self._in_range(eps)
        self._solve(radii)
        return _like(eps, [self._known[e].objective for e in radii])

    def gap(self, eps: ArrayLike) -> Any:
        """About how far the objective is above its minimum, relative to it: at most `tol`.

        Of linear predictors the decrease that a quadratic model of the objective still sees, with
        kinks as they are; else what `RobustFit.gap` is.
        """
        radii = self._in_range(eps)
        self._solve(radii)
        return _like(eps, [self._known[e].gap for e in radii])

    # --- losses -----------------------------------------------------------------------------

    def clean_loss(
        self, eps: ArrayLike, X: MatrixLike | None = None, y: TargetsLike | None = None
    ) -> Any:
        """E ℓ(θ_ε) without attack, on the training data or others (unweighted)."""
        return self._each(eps, X, y, lambda problem, theta, rows: problem.mean_loss(theta, rows))

    def cost(
        self, eps: ArrayLike, X: MatrixLike | None = None, y: TargetsLike | None = None
    ) -> Any:
        """What robust training costs: E ℓ(θ_ε) − E ℓ(θ_0), summed as changes of each sample's."""
        return self._each(eps, X, y, lambda problem, theta, rows: problem.loss_change(theta, rows))

    def gain(self, eps: ArrayLike) -> Any:
        """What it wins: by how much the loss under attack at ε falls from θ_0 to θ_ε."""
        adversary, problem = adversary_of(self._natural), self._natural
        radii = self._in_range(eps)
        thetas = np.atleast_2d(self.params_at(radii))
        found = [
            adversary.gain(theta, e) + problem.penalty_change(theta)
            for theta, e in zip(thetas, radii, strict=True)
        ]
        return _like(eps, found)

    def adversarial_loss(
        self,
        eps: ArrayLike,
        attack_eps: float | None = None,
        X: MatrixLike | None = None,
        y: TargetsLike | None = None,
    ) -> Any:
        """E max ℓ(θ_ε) under attacks of size `attack_eps`, by default the ε trained at.

        Exact where the inner maximum is known, else by gradient ascent.
        """
        rows = self._rows(X, y)
        problem = self._natural
        if rows is not None:
            problem = problem.on(rows)
        adversary = adversary_of(problem)
        settings = None if adversary.has_exact else PgdSettings(n_restarts=2)
        radii = self._in_range(eps)
        sizes = radii if attack_eps is None else [self._size(attack_eps)] * len(radii)
        thetas = np.atleast_2d(self.params_at(radii))
        with locating(problem.source):
            found = [
                adversary.loss(theta, size, settings)
                for theta, size in zip(thetas, sizes, strict=True)
            ]
        return _like(eps, found)

    def choose_eps(
        self, max_cost: float | None = None, max_relative_cost: float | None = None,
        X: MatrixLike | None = None, y: TargetsLike | None = None,
    ) -> float:  # fmt: skip
        """The largest ε of the range that costs no more than is given.

        Parameters
        ----------
        max_cost : float, optional
            In units of the loss.
        max_relative_cost : float, optional
            Relative to the clean loss at ε = 0. One of the two is given.
        X, y : arrays, optional
            Where the cost is measured; the training data by default.

        Returns
        -------
        float
            To a millionth of the range; 0 where every node costs more.
        """
        if (max_cost is None) == (max_relative_cost is None):
            raise ValueError("give one of max_cost and max_relative_cost")
        limit = self._limit(max_cost, max_relative_cost, X, y)
        costs = self.cost(self.eps, X, y)
        allowed = np.flatnonzero(costs <= limit)
        last = int(allowed[-1]) if allowed.size else 0
        if last == len(self.eps) - 1:
            return float(self.eps[-1])
        low, high = float(self.eps[last]), float(self.eps[last + 1])
        while high - low > _CLOSE * float(self.eps[-1]):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.cost(middle, X, y) <= limit else (low, middle)
        return low

    def _limit(self, max_cost: float | None, relative: float | None, X: Any, y: Any) -> float:
        if relative is None:
            return validation.number(max_cost, "max_cost", low=0.0)
        share = validation.number(relative, "max_relative_cost", low=0.0)
        return share * abs(float(self.clean_loss(0.0, X, y)))

    # --- how it went ------------------------------------------------------------------------

    @cached_property
    def zero_radius(self) -> float:
        """The ε from which nothing is left to attack; inf where that is not known."""
        try:
            return adversary_of(self.problem).zero_radius()
        except ValueError:
            return np.inf

    @cached_property
    def interpolation_radius(self) -> float:
        """The ε up to which the robust optimum fits every target exactly; nan where not known.

        0 where there are more rows than parameters, and with a penalty.
        """
        if self.problem.n_rows > len(self.problem.params):
            return 0.0
        try:
            return adversary_of(self.problem).interpolation_radius()
        except ValueError:
            return np.nan

    @property
    def n_passes(self) -> int:
        """Readings of all rows by robust fits so far; of linear predictors a product Xθ counts."""
        return self.solver.n_passes

    @property
    def converged(self) -> bool:
        """Whether every robust optimum so far is within the tolerance."""
        return self.solver.converged

    # --- reports ----------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame with a row a node: eps, the losses, cost and gain, and θ by name."""
        return text.frame(self)

    def summary(self, eps: ArrayLike | None = None) -> str:
        """A text report: the losses at some ε, and the coefficients there that change most."""
        chosen = self._shown() if eps is None else self._in_range(np.atleast_1d(eps))
        return text.summary(self, chosen)

    def _shown(self) -> list[float]:
        """A tenth, a third and nine tenths of the way."""
        end = min(float(self.eps[-1]), self.zero_radius)
        return [0.1 * end, end / 3.0, 0.9 * end]

    def plot(self, kind: str = "frontier", ax: Any = None, *, label: str | None = None) -> Any:
        """Draw the path; returns the matplotlib axes.

        Parameters
        ----------
        kind : {"frontier", "coefficients", "loss"}
            The clean loss against the loss under attack at the last node, ε along it; the
            coefficients against ε, with their tangents at 0; clean and adversarial loss against ε,
            with eq. 4's parabola, their tangent at 0.
        ax : matplotlib.axes.Axes, optional
        label : str, optional
            The frontier's name in a key, for several of them on the same axes; compare paths that
            end at the same ε.
        """
        validation.option(kind, "kind", list(pictures.KINDS))
        if label is None:
            return pictures.KINDS[kind](self, ax)
        if kind != "frontier":
            raise ValueError(f"label is for frontiers: the lines of kind={kind!r} have names")
        return pictures.plot_frontier(self, ax, label)

    def _repr_html_(self) -> str:
        """The summary and the nodes' table, for notebooks."""
        return notebook(self.summary(), self.to_frame())

    def to_html(self) -> str:
        """The path as a page complete in itself: pictures, losses at the nodes, how to read them.

        Returns
        -------
        str
            HTML that loads nothing from anywhere. Needs matplotlib.
        """
        return path_page(self)

    def __str__(self) -> str:
        return self.summary()

    # --- inside -----------------------------------------------------------------------------

    @cached_property
    def _natural(self) -> InfluenceProblem:
        """The problem at the path's first node."""
        problem = self.problem
        ball = problem.ball.with_radius(problem.radius)
        (theta,) = self.params_at([0.0])
        return dataclasses.replace(problem, model=problem.model.at(theta), ball=ball)

    @cached_property
    def tangent_cost(self) -> float:
        """S/ε² of eq. 4, ½ IᵀHI without the penalty, at the natural optimum."""
        _, curvature = self._natural.along(self.influence_at(0.0), self._natural.evaluation)
        return 0.5 * curvature

    def _each(
        self, eps: Any, X: Any, y: Any,
        measure: Callable[[InfluenceProblem, Array, RowSource | None], float],
    ) -> Any:  # fmt: skip
        rows, radii = self._rows(X, y), self._in_range(eps)
        thetas = np.atleast_2d(self.params_at(radii))
        problem = self._natural
        source = problem.evaluation if rows is None else rows
        with locating(source):
            return _like(eps, [measure(problem, theta, source) for theta in thetas])

    def _rows(self, X: Any, y: Any) -> RowSource | None:
        if X is None and y is None:
            return None
        return evaluation_rows(self.problem.model, X, y)

    def _in_range(self, eps: Any) -> list[float]:
        radii = validation.sizes(eps, some=True)
        end = float(self.eps[-1])
        for e in radii:
            if e > end and e < self.zero_radius:
                raise ValueError(
                    f"eps={e:g} is beyond the path's last node, {end:g}: call robust_path with a "
                    "larger eps"
                )
        return radii

    def _one(self, eps: Any) -> float:
        return validation.number(eps, "eps", low=0.0)

    def _size(self, eps: Any) -> float:
        return validation.number(eps, "attack_eps", low=0.0)

    def _solve(self, radii: list[float]) -> None:
        new = [e for e in dict.fromkeys(radii) if e not in self._known]
        if new:
            with self.problem.executor.watching("robust path"):
                self._known.update(zip(new, self.solver.solve(new), strict=True))


def _like(eps: Any, values: list[float]) -> Any:
    return float(values[0]) if np.ndim(eps) == 0 else np.array(values)
