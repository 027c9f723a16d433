"""What robust training does, exactly: losses before and after it, with and without an attack."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.rows import RowSource
from ..families.adversary import Adversary
from ..families.registry import adversary_of
from ..threat.ascent_settings import PgdSettings
from .path import is_off
from .protocols import Reported, Verified

Array = NDArray[Any]


@dataclass(frozen=True)
class Pair:
    """A number of the model as it was, and of the robust one."""

    before: float
    after: float

    @property
    def change(self) -> float:
        """From one to the other."""
        return self.after - self.before


@dataclass(frozen=True)
class Answer:
    """What training against attacks of one ε does.

    Attributes
    ----------
    eps : float
    clean, attacked : Pair
        Mean losses, without the penalty.
    tangent : float
        The cost by eq. 4.
    accuracy, attacked_accuracy : Pair or None
        Of classifiers.
    reach : array (m,) or None
        How far an attack can move each feature alone, in its own units; 0 where not at all.
    """

    eps: float
    clean: Pair
    attacked: Pair
    tangent: float
    accuracy: Pair | None
    attacked_accuracy: Pair | None
    reach: Array | None

    @property
    def cost(self) -> float:
        """By how much the clean loss rises."""
        return self.clean.change

    @property
    def is_off(self) -> bool:
        """Whether eq. 4 is off by more than a factor of two."""
        return is_off(self.tangent, self.cost)


def answers(result: Reported, verified: Sequence[Verified]) -> list[Answer]:
    """One for each verification of a result, in their order."""
    problem = result.problem
    adversary = adversary_of(problem)
    settings = None if adversary.has_exact else PgdSettings(n_restarts=2)
    clean = problem.mean_loss(problem.params)
    right = _accuracy(problem, problem.params, problem.source)
    found = []
    for v in verified:
        thetas = problem.params, v.robust.params
        after = problem.mean_loss(thetas[1])
        attacked = Pair(*(adversary.loss(theta, v.eps, settings) for theta in thetas))
        accuracy = under_attack = None
        if problem.model.loss.has_labels:
            accuracy = Pair(right, _accuracy(problem, thetas[1], problem.source))
            under_attack = Pair(*(_attacked(adversary, t, v.eps, settings) for t in thetas))
        tangent = v.eps**2 * result.sensitivity_coefficient
        found.append(
            Answer(
                v.eps, Pair(clean, after), attacked, tangent, accuracy, under_attack,
                reach_of(result, v.eps),
            )
        )  # fmt: skip
    return found


def reach_of(result: Reported, eps: float) -> Array | None:
    """How far an attack can move each of X's columns if it moves no other, in their own units."""
    problem = result.problem
    lengths = problem.ball.reach
    if lengths is None:
        return None
    intake = problem.model.intake
    return np.asarray(
        eps * problem.radius * (lengths if intake is None else intake.longest(lengths))
    )


def _accuracy(problem: Any, theta: Array, rows: RowSource) -> float:
    """The share of the rows that are on the right side; 0 of a regression."""
    if not problem.model.loss.has_labels:
        return 0.0
    f, step, y = problem.moves(theta - problem.params, rows)
    return float(rows.mean(problem.model.loss.is_right(f + step, y).astype(float)))


def _attacked(
    adversary: Adversary[Any], theta: Array, eps: float, settings: PgdSettings | None
) -> float:
    """The share of the rows that stay on the right side: exactly, where labels' radii are known."""
    problem = adversary.problem
    there = dataclasses.replace(
        problem, model=problem.model.at(theta), ball=problem.ball.with_radius(problem.radius)
    )
    radii = dataclasses.replace(adversary, problem=there).radii_of_labels()
    if radii is not None:
        return problem.source.mean((radii > eps).astype(float))
    rows = problem.source._replace(x=adversary.attacked(theta, eps, settings))
    return _accuracy(problem, theta, rows)


def answer_lines(found: Sequence[Answer], loss: str, how: str) -> list[str]:
    """Tables of at most 80 columns, and what is to be said of them.

    `how`: "exact" where robust optima are, else how they were found.
    """
    found_by = "exactly" if how == "exact" else f"as found by {how}"
    lines = [
        f"What robust training does to the mean {loss} loss, {found_by}",
        f"{'':>8}{'without attack (the cost)':>35}{'under attack of size eps (the gain)':>36}",
        f"{'eps':>8}{'before':>11}{'after':>11}{'change':>13}"
        f"{'before':>12}{'after':>11}{'change':>13}",
    ]
    in_parts = all(min(a.clean.before, a.clean.after, a.attacked.after) > 0.0 for a in found)
    for a in found:
        parts = (_change(pair, in_parts) for pair in (a.clean, a.attacked))
        clean, attacked = parts
        lines.append(
            f"{a.eps:>8.4g}{a.clean.before:>11.5g}{a.clean.after:>11.5g}{clean:>13}"
            f"{a.attacked.before:>12.5g}{a.attacked.after:>11.5g}{attacked:>13}"
        )
    if not in_parts:
        lines.append("A likelihood without its constant: only differences say something.")
    return [*lines, *_accuracy_lines(found)]


def _change(pair: Pair, in_parts: bool) -> str:
    """As a share of what it was, or where that says nothing as it is."""
    if in_parts:
        return f"{pair.change / pair.before:+.2%}"
    return f"{pair.change:+.4g}"


def _accuracy_lines(found: Sequence[Answer]) -> list[str]:
    """The same of a classifier's accuracy."""
    lines = []
    for a in found:
        if a.accuracy is not None and a.attacked_accuracy is not None:
            points = (f"{100.0 * p.change:+.1f} pts" for p in (a.accuracy, a.attacked_accuracy))
            clean, attacked = points
            lines.append(
                f"{a.eps:>8.4g}{a.accuracy.before:>11.1%}{a.accuracy.after:>11.1%}{clean:>13}"
                f"{a.attacked_accuracy.before:>12.1%}{a.attacked_accuracy.after:>11.1%}"
                f"{attacked:>13}"
            )
    return ["To the share of samples that are classified rightly", *lines] if lines else []


def answer_json(a: Answer) -> dict[str, Any]:
    """The same for a pipeline."""
    pairs = {
        "clean_loss": a.clean, "adversarial_loss": a.attacked, "accuracy": a.accuracy,
        "adversarial_accuracy": a.attacked_accuracy,
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, pair in pairs.items():
        found[f"{name}_before"] = None if pair is None else pair.before
        found[name] = None if pair is None else pair.after
        found[f"{name}_change"] = None if pair is None else pair.change
    return {**found, "reach": a.reach, "tangent_is_off": a.is_off}
