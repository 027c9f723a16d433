"""How far ε may go for a kernel regression: the kinks of its robust path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...kernels.pairs import make_gram
from ..kinks import Kinks
from .core import GramProblem

Array = NDArray[Any]

_SMALL = 1e-3  # an angle


def find(problem: GramProblem, influence: Array) -> Kinks:
    """The kinks of the robust path along θ̂ + εI, at the inputs as they are.

    A sample's attack turns round where its gradient vanishes: with fixed centres where r_i
    changes sign, with moving ones and P = K where θ_i does, with P = 1 never. For p = 1 and
    ∞ its direction changes before.
    """
    flips, shared, turn = _flips(problem, influence)
    own = flips.size > 0 and not problem.sharing.is_shared
    events = [(float(flips[0]) if own else np.inf, turn)]
    ball, bend = problem.ball, problem.bend()
    if ball.has_turns or bend:
        gram = problem.gram(derivatives=True)
        slopes, speeds = problem.gradient_path(gram, influence)
        when, place = ball.first_turn(slopes, speeds)
        name = problem.model.feature_names[place]
        events.append((when, f"the slope in {name} of a sample {ball.turning}"))
        if bend:
            least = float(np.min(ball.gains(slopes[problem.weights > 0]), initial=np.inf))
            reach = least / (problem.radius * bend)
            events.append((reach, "a sample's input gradient may vanish in its ball"))
    if not problem.model.kernel.is_smooth:
        event = "two nearly parallel samples may meet, where K has a kink"
        events.append((_meeting(problem), event))
    first, reason = min(events, key=lambda event: event[0])
    if np.isinf(first):
        reason = "none that is known: an input gradient may vanish somewhere in its ball"
    return Kinks(flips, shared, first, reason)


def _meeting(problem: GramProblem) -> float:
    """The ε at which attacks could bring the nearest two directions of an NTK together.

    Near 0 and π the slope is a = −k'(ϑ)/sin ϑ, so that a ϑ is nearly a constant of the
    kernel: angles are read off the slopes, which are large only where angles are small.
    """
    kernel, U = problem.model.kernel.compiled(), problem.inputs
    slopes = np.abs(problem.gram(derivatives=True).slopes)
    slopes[np.diag_indices(len(slopes))] = 0.0
    norms = np.linalg.norm(U, axis=1)
    pair = np.array([[1.0, 0.0], [np.cos(_SMALL), np.sin(_SMALL)]])
    constant = _SMALL * abs(make_gram(kernel, pair, True).slopes[0, 1])
    with np.errstate(divide="ignore"):
        angles = problem.share_of_meeting * (constant / slopes.max(axis=1))
    furthest = problem.radius * problem.ball.longest * problem.budgets.max()
    reach = angles * norms / furthest
    return float(np.min(reach, initial=np.inf))


def _flips(problem: GramProblem, influence: Array) -> tuple[Array, Array, str]:
    """The ε at which attacks turn round, sorted, their samples' shares of the weight, and what."""
    found = problem.turning(influence)
    if found is None:
        return np.empty(0), np.empty(0), ""
    value, speed, turn = found
    with np.errstate(divide="ignore", invalid="ignore"):
        when = -value / speed
    kept = np.isfinite(when) & (when > 0) & (problem.weights > 0)
    order = np.argsort(when[kept], kind="stable")
    return when[kept][order], problem.weights[kept][order], turn
