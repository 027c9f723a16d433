"""Attacks by ascent in any attack set: with bounds, budgets of samples, metrics and groups.

Families that attack a ball with operations of their own climb here where the set is another: each
sample by itself, by steps to the point of its set where the slope gains most. Convex sets keep
what lies between two of their points, so that nothing needs to be projected.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..bases.builtin import Linear
from ..threat.ascent_settings import PgdSettings
from ..utils.caching import cached_property
from .adversary import Adversary
from .autodiff.rows import Batch
from .layered.attack import LayeredAttacker
from .problem import InfluenceProblem
from .radius import mean_norm
from .solution import RobustSolution

Array = NDArray[Any]

_ENTRIES = 1 << 20  # of the inputs of a batch


@dataclass(frozen=True)
class UnknownInfluence(InfluenceProblem):
    """A problem of which the attacks alone are known."""

    def begin(self) -> NoReturn:
        """Refused: the pass of the family knows balls alone.

        Raises
        ------
        ValueError
            Always.
        """
        raise self.unknown()

    def unknown(self) -> ValueError:
        """The error of what is not known beside the attacks."""
        budgets = " and budgets" * (self.source.budget is not None)
        return ValueError(
            f"influences and robust fits with {self.ball}{budgets} are not known for a "
            f"{self.model.kind} model, only its attacks (attack, adversarial_loss, "
            "adversarial_accuracy, robustness_radius): describe the attack by p, feature_scale and "
            "attackable alone"
        )

    @cached_property
    def radius(self) -> float:
        """s: given, or E ‖x/c‖_p."""
        scaler = Linear(*self.model.basis.arrays(self.model.n_features))
        return mean_norm(self.source, scaler, self.ball, self.executor)


@dataclass(frozen=True)
class ClimbedProblem(UnknownInfluence):
    """One whose attacks are found by ascent in its set."""

    @abstractmethod
    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """What orders attacks of a row as its loss does (k,), at raw inputs X (k, m), and what its
        gradient in u is a positive multiple of (k, m)."""

    def courses(self, theta: Array, X: Array, y: Array) -> Iterator[Array]:
        """Slopes (k, m) along which other ascents start, beside the sample."""
        return iter(())


@dataclass(frozen=True)
class _View:
    """What an Attacker asks of a problem and its model."""

    problem: ClimbedProblem

    @property
    def source(self) -> Any:
        """The rows."""
        return self.problem.source

    @property
    def ball(self) -> Any:
        """The attack set."""
        return self.problem.ball

    @property
    def model(self) -> _View:
        """The same: it has `moved` and `derivatives`."""
        return self

    derivatives = model

    def __call__(self, name: str, theta: Array, X: Array, y: Array) -> Array:
        """Heights alone."""
        assert name == "heights"
        return self.rising(theta, X, y)[0]

    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """Heights (k,) and slopes (k, m)."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return self.problem.rising(theta, X, y)

    def moved(self, X: Array, delta: Array) -> Array:
        """X (k, m) with the model's inputs moved by δ."""
        return np.asarray(X + self.ball.raw(delta))

    def batches(self, every: bool = True) -> Iterator[Batch]:
        """All rows."""
        source = self.source
        size = max(1, _ENTRIES // source.n_columns)
        for start in range(0, source.n_rows, size):
            stop = min(start + size, source.n_rows)
            X = np.asarray(source.inputs(start, stop), dtype=np.float64)
            rows = np.arange(start, stop)
            yield Batch(rows, X, source.targets(start, stop), np.ones(len(rows)))


@dataclass
class _Climber(LayeredAttacker):
    """An Attacker with starts of the family's own."""

    problem: Any

    def _starts(self, theta: Array, batch: Batch, t: Array) -> Iterator[Array]:
        for slopes in self.problem.problem.courses(theta, batch.X, batch.y):
            yield self._targets(slopes, batch)
        yield from super()._starts(theta, batch, t)


@dataclass(frozen=True)
class SetAscent(Adversary[ClimbedProblem]):
    """Each sample is attacked by itself, by ascent in its own set."""

    @property
    def has_exact(self) -> bool:
        """Whether the inner maximum is known exactly: it is not."""
        return False

    def attack(self, theta: Array, eps: float, settings: PgdSettings | None, out: Array) -> None:
        """Write x_i + δ_i, where ascent ends."""
        view = _View(self.problem)
        climber = _Climber(view, eps * self.problem.radius, settings or self.training)
        climber.search(theta, every=True)
        for batch in view.batches():
            out[batch.rows] = climber.attacked(batch).X

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """Refused.

        Raises
        ------
        ValueError
            Always.
        """
        raise self.problem.unknown()

    def gain(self, theta: Array, eps: float) -> float:
        """Refused, as `train` is."""
        raise self.problem.unknown()
