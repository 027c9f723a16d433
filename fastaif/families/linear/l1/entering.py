"""Which coefficients leave zero at once, of those whose pull is at the l1 term's bound.

With σ_j = −sgn g_j the way in which coefficient j may leave, the right derivative is

    argmin ½vᵀHv + Φ(v),  σ_j v_j ≥ 0 for those, v_j = 0 for all zeros within their bounds,

where Φ(v) has a term s E|ℓ'| D_j |v_j| of the attack's norm if that has a kink there. A set of them
is moved, the others stay; the set grows by what is pulled hardest, and shrinks by what would move
the wrong way (Lawson & Hanson's method).
"""

from __future__ import annotations

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_ROUNDING = 1e-9  # of a drift's size: as small, a coefficient stays


class OnSupport(Protocol):
    """What is asked of an `L1Problem`."""

    @property
    def pulls(self) -> Array: ...
    def at_bounds(self) -> Array: ...
    def with_entered(self, places: tuple[int, ...]) -> Self: ...
    def influence(self) -> Array: ...
    def drift(self, influence: Array) -> tuple[Array, Array]: ...
    def mixed(self) -> Array: ...


def entering(problem: OnSupport) -> tuple[int, ...]:
    """The places of the coefficients that leave zero.

    Raises
    ------
    numpy.linalg.LinAlgError
        They and the support depend on each other, or no set of them will do.
    """
    alone = problem.with_entered(())
    places = alone.at_bounds()
    if not places.size:
        return ()
    sides = -np.sign(alone.pulls)
    inside: list[int] = []
    influence = alone.influence()
    for _ in range(4 * places.size + 4):
        here = problem.with_entered(tuple(inside))
        drift, heights = here.drift(influence)
        # At a kink of the attack's norm Φ has no part of it in these entries.
        ways = sides * drift + heights
        ways[inside] = np.inf
        scale = float(np.abs(drift).max()) + float(np.abs(here.mixed()).max())
        hardest = int(places[np.argmin(ways[places])])
        if not ways[hardest] < -_ROUNDING * scale:
            return tuple(inside)
        inside.append(hardest)
        influence = _feasible(problem, inside, sides, influence)
    raise np.linalg.LinAlgError(
        "the coefficients at the l1 penalty's bound depend on each other: which of them robust "
        "training moves is not determined; change alpha a little"
    )


def _feasible(problem: OnSupport, inside: list[int], sides: Array, before: Array) -> Array:
    """The influence with these moved, less those of them that it would move the wrong way."""
    while True:
        found = problem.with_entered(tuple(inside)).influence()
        wrong = [j for j in inside if sides[j] * found[j] < 0.0]
        if not wrong:
            return found
        shares = [before[j] / (before[j] - found[j]) for j in wrong]
        first = int(np.argmin(shares))
        before = before + shares[first] * (found - before)
        inside.remove(wrong[first])
