"""The minimum of (√(E r²) + κ)² + α θᵀPθ from E r² alone, where the norm is a sum or a maximum.

On a face of the norm κ is linear, of slope k, and the minimum is closed: with E r² least at θ₀,
where it is A₀², and G = E zzᵀ,

    θ = θ₀ − A G⁻¹k,   A² = A₀²/(1 − kᵀG⁻¹k),

all of the face. A penalty adds tαP to G, t = A/(A + κ), which is sought by secants. Faces follow
each other as in the active-set method (`active_set`), without a pass over the rows.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....norms import lp_norm
from .norm_kinks import NormPiece, norm_piece
from .objective import RobustProblem
from .squares_norms import solved

Array = NDArray[Any]
_FACES = 20  # more come back to where they were
_NEAR_ZERO = 1e-6  # of the radius from which on coefficients are zero: too near to tell
_NOTHING = 1e-26  # of E y²: what rounding leaves of E r²
_SETTLED = 1e-9  # of θ, a step so small: passes make one of 1e-16 of it


class Square(NamedTuple):
    """E r² and its derivatives, with the names that `InfluenceSums` has for them."""

    loss: float
    gradient: Array
    hessian: Array
    yardstick: float

    @property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.loss))

    def moved(self, step: Array) -> Square:
        """The same at the end of a step: a square has no more derivatives."""
        turned = self.hessian @ step
        return self._replace(
            loss=max(self.loss + float((self.gradient + 0.5 * turned) @ step), 0.0),
            gradient=self.gradient + turned,
        )


def vanishes(problem: RobustProblem, square: Square, theta: Array) -> bool:
    """Whether all attacked coefficients are zero at the minimum; yes where that is near, the others
    are not determined, or residuals are rounding without any.

    Parameters
    ----------
    problem : RobustProblem
    square : Square
        At θ.
    theta : array (d,)
    """
    attacked = np.zeros(theta.size, dtype=bool)
    attacked[: problem.m] = problem.weights > 0.0
    push = problem.alpha * problem.penalized
    step = np.where(attacked, -theta, 0.0)
    there, kept = square.moved(step), np.flatnonzero(~attacked)
    if kept.size:
        G = 0.5 * square.hessian[np.ix_(kept, kept)]
        G.flat[:: kept.size + 1] += push[kept]
        found = solved(G, -(0.5 * there.gradient + push * theta)[kept])
        if found is None:
            return True
        step[kept] = found
        there = square.moved(step)
    w, y = problem.design.weights, problem.design.targets
    if there.loss <= _NOTHING * float(w @ (y * y)):
        return True
    slope = there.gradient[attacked] / problem.weights[attacked[: problem.m]]
    most = 2.0 * problem.rho * math.sqrt(there.loss)
    return not float(lp_norm(slope, problem.p)) > (1.0 + _NEAR_ZERO) * most


def least_on_faces(problem: RobustProblem, square: Square, theta: Array) -> Array | None:
    """The minimum of J but for rounding; None where faces do not lead there.

    Parameters
    ----------
    problem : RobustProblem
        Of q = 1 or ∞, without an l1 penalty.
    square : Square
        At θ.
    theta : array (d,)
    """
    norm, x, here = norm_piece(problem, theta, None), theta, square
    shares: list[tuple[float, float]] = []  # t on this face, and what it leads to
    share = _share(problem, norm, here, x)
    for _ in range(_FACES):
        step = _to_least(problem, norm, here, x, share)
        if step is None:
            return None
        new = norm.move(x, step)
        there = here.moved(new - x)
        turned = _turns(problem, norm, there, new)
        if turned:
            new, shares = norm.snap(new), []
            there = here.moved(new - x)
        elif problem.alpha == 0.0 or np.linalg.norm(step) <= _SETTLED * np.linalg.norm(new):
            return new
        else:
            shares.append((share, _share(problem, norm, there, new)))
        x, here = new, there
        share = _fixed(shares) if shares else _share(problem, norm, here, x)
    return None


def _share(problem: RobustProblem, norm: NormPiece, here: Square, x: Array) -> float:
    """t."""
    root = math.sqrt(here.loss) or 1e-300
    return root / (root + problem.rho * norm.value(x))


def _fixed(shares: list[tuple[float, float]]) -> float:
    """Where a secant through the last two has t lead to t."""
    last, after = shares[-1]
    if len(shares) == 1 or last == shares[-2][0]:
        return after
    rise = (after - shares[-2][1]) / (last - shares[-2][0])
    found = (after - rise * last) / (1.0 - rise) if rise != 1.0 else after
    return found if 0.0 < found <= 1.0 else after


def _to_least(
    problem: RobustProblem, norm: NormPiece, here: Square, x: Array, share: float
) -> Array | None:
    """The step to the minimum on the face: a₀ − A v of its own coordinates."""
    if not here.loss > 0.0:
        return None
    basis = norm.tangent(x)
    k = basis.T @ (problem.rho * norm.derivatives(x)[0])
    half = 0.5 * (basis.T @ here.gradient)
    G = 0.5 * (basis.T @ here.hessian @ basis)
    matrix, right = G, half
    if problem.alpha > 0.0:
        push = share * problem.alpha * problem.penalized
        matrix = G + basis.T @ (push[:, None] * basis)
        right = half + basis.T @ (push * x)
    found = solved(matrix, np.stack([-right, k]))
    if found is None:
        return None
    start, along = found
    # E r² at a₀ − A v is A².
    turned = G @ start
    square = here.loss + float((2.0 * half + turned) @ start)
    cross, bend = float(along @ (half + turned)), 1.0 - float(along @ (G @ along))
    if not square > 0.0:
        return None
    if bend > 0.0:
        root = (math.sqrt(cross * cross + bend * square) - cross) / bend
    else:  # J falls until the face ends
        root = math.sqrt(here.loss)
    return np.asarray(basis @ (start - root * along))


def _turns(problem: RobustProblem, norm: NormPiece, there: Square, new: Array) -> bool:
    """Change the face to that on which J falls on from there; False where there is no such."""
    root = math.sqrt(there.loss) or 1e-300
    level = root + problem.rho * norm.value(new)
    gradient = (level / root) * there.gradient
    gradient += 2.0 * problem.alpha * problem.penalized * new
    gradient += 2.0 * level * problem.rho * norm.derivatives(new)[0]
    return norm.update(new, gradient, 2.0 * problem.rho * level)
