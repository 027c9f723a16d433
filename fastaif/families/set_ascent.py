"""Attacks by ascent in any attack set: with bounds, budgets of samples, metrics and groups.

Families that attack a ball with operations of their own climb here where the set is another: each
sample by itself, by steps to the point of its set where the slope gains most. Convex sets keep
what lies between two of their points, so that nothing needs to be projected.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..threat.ascent_settings import PgdSettings
from .adversary import Adversary
from .autodiff.attack import attack_by_steps
from .autodiff.rows import Batch
from .layered.attack import LayeredAttacker
from .problem import InfluenceProblem
from .solution import RobustSolution

Array = NDArray[Any]

_ENTRIES = 1 << 20  # of the inputs of a batch


def unknown_fits(problem: InfluenceProblem) -> ValueError:
    """The error of robust fits that are not known."""
    budgets = " and budgets" * (problem.source.budget is not None)
    return ValueError(
        f"robust fits with {problem.ball}{budgets} are not known for a {problem.model.kind} "
        "model, only its influence (aif) and its attacks (attack, adversarial_loss, "
        "adversarial_accuracy, robustness_radius): describe the attack by p, feature_scale and "
        "attackable alone"
    )


@dataclass(frozen=True)
class ClimbedProblem(InfluenceProblem):
    """One whose attacks are found by ascent in its set."""

    @abstractmethod
    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """What orders attacks of a row as its loss does (k,), at raw inputs X (k, m), and what its
        gradient in u is a positive multiple of (k, m)."""

    def heights(self, theta: Array, X: Array, y: Array) -> Array:
        """Heights alone."""
        return self.rising(theta, X, y)[0]

    def slopes(self, theta: Array, X: Array, y: Array) -> Array:
        """Slopes alone."""
        return self.rising(theta, X, y)[1]

    def courses(self, theta: Array, X: Array, y: Array) -> Iterator[Array]:
        """Slopes (k, m) along which other ascents start, beside the sample."""
        return iter(())

    def compiled(self, theta: Array) -> tuple[c.Layers, c.Head] | None:
        """The model as a network that compiled ascents take; None: as `rising` alone knows it."""
        return None

    def displaced(self, X: Array, delta: Array) -> Array:
        """Raw inputs X (k, m) with the model's moved by δ."""
        return np.asarray(X + self.ball.raw(delta))

    def batches(self, *, every: bool = False) -> Iterator[Batch]:
        """All rows, whatever they weigh."""
        source = self.source
        size = max(1, _ENTRIES // source.n_columns)
        for start in range(0, source.n_rows, size):
            stop = min(start + size, source.n_rows)
            X = np.asarray(source.inputs(start, stop), dtype=np.float64)
            rows = np.arange(start, stop)
            yield Batch(rows, X, source.targets(start, stop), np.ones(len(rows)))


@dataclass(frozen=True)
class SetAscent(Adversary[ClimbedProblem]):
    """Each sample is attacked by itself, by ascent in its own set."""

    @property
    def has_exact(self) -> bool:
        """Whether the inner maximum is known exactly: it is not."""
        return False

    def attack(self, theta: Array, eps: float, settings: PgdSettings | None, out: Array) -> None:
        """Write x_i + δ_i, where ascent ends."""
        chosen = settings or self.training
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            attack_by_steps(self.problem, theta, eps, chosen, out, LayeredAttacker)

    def train(
        self, eps: float, tol: float, max_iter: int | None, settings: PgdSettings | None
    ) -> RobustSolution:
        """Refused.

        Raises
        ------
        ValueError
            Always.
        """
        raise unknown_fits(self.problem)

    def gain(self, theta: Array, eps: float) -> float:
        """Refused, as `train` is."""
        raise unknown_fits(self.problem)
