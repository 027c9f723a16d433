"""Steps towards the robust optimum of one ε: quadratic programs that see kinks as they are.

A step minimises the local model (`local`), whose dual is a small quadratic over multipliers: those
of the rows near their kinks, and the norm's. It tells which rows stay at a kink, and on which side
the others leave it, all at once. J is convex: a step is taken as far as J falls along it, which
takes no further reading of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....solvers import box_qp
from ....solvers.root import rising_root
from .local import Multipliers, Place, place, places

Array = NDArray[Any]

_RIDGE = 1e-11  # of the dual's diagonal: more kinks than columns leave it singular
_ROUNDING = 1e-11  # of J: decreases that values cannot show
_FLOOR = 1e-13  # of J: where rounding may keep a decrease from falling further
_SHRINK = 0.3  # of N is left by a step
_STEPS = 60
_PINNED = 1.0 - 1e-9  # |λ| below which something is held at its kink


@dataclass(frozen=True)
class Step:
    """A step v and the multipliers that go with it.

    Attributes
    ----------
    at : Place
    move : array (d,)
        To where the model is least, bent as the norm is.
    straight : array (d,)
        The same along a line.
    decrease : float
        Of the local model: about how far J is above its minimum.
    known : Multipliers
    """

    at: Place
    move: Array
    straight: Array
    decrease: float
    known: Multipliers

    @property
    def relative(self) -> float:
        """The decrease, relative to J."""
        value = abs(self.at.value)
        return self.decrease / value if value > 0.0 else self.decrease


def step_from(at: Place) -> Step:
    """The minimum of the local model."""
    near, m = at.candidates(), at.problem.m
    weights = at.problem.readings.weights[near]
    lifted = np.zeros((at.theta.size, at.norm.places.size))
    steep = at.rho * max(at.rows.along_kappa, 0.0)
    lifted[at.norm.places, np.arange(at.norm.places.size)] = steep * at.norm.factors
    A = np.concatenate([(weights[:, None] * at.kink_slopes(near)).T, lifted], axis=1)
    ends = at.norm.offsets
    if at.norm.in_simplex:  # which adds up to one: what all have in common does not matter
        ends = ends - ends.max()
    offsets = np.concatenate([weights * at.kappa * at.rows.gap[near], steep * ends])
    now = np.concatenate([at.sides[near], at.norm.shares])
    gradient = at.gradient
    base = gradient - A @ now
    factor = at.factor()
    solved = factor.solve(np.column_stack([A, base]))
    G = A.T @ solved[:, :-1]
    G = 0.5 * (G + G.T)
    ridge = _RIDGE * G.diagonal()  # about the present multipliers: none is left at the end
    G[np.diag_indices_from(G)] += ridge
    n_box = near.size if at.norm.in_simplex else now.size
    shares = now
    if now.size and G.any():
        right = A.T @ solved[:, -1] - offsets - ridge * now
        shares = box_qp.minimise(G, right, n_box, start=now).x
    move = -(solved[:, -1] + solved[:, :-1] @ shares)
    length = -float(move @ (base + A @ shares))
    spare = np.abs(offsets[:n_box]) - shares[:n_box] * offsets[:n_box]
    decrease = 0.5 * length + float(np.maximum(spare, 0.0).sum())
    if now.size > n_box:
        decrease -= min(float(shares[n_box:] @ offsets[n_box:]), 0.0)
    slope = at.norm.slope(shares[near.size :])
    known = Multipliers(near, shares[: near.size], slope)
    return Step(at, _snapped(at, move, shares[near.size :], m), move, decrease, known)


def _snapped(at: Place, move: Array, shares: Array, m: int) -> Array:
    """The move as the norm wants it: what it holds at zero, or tied, is so to the last digit."""
    out, beta, near = move.copy(), at.theta[:m], at.norm
    if not near.places.size:
        out[:m] = at.problem.norm.stepped(beta, move[:m]) - beta
    elif not near.in_simplex:
        held = near.places[np.abs(shares) < _PINNED]
        out[held] = -at.theta[held]
    else:
        tied, factors = near.places[shares > 0.0], near.factors[shares > 0.0]
        level = float(np.mean(factors * (at.theta + move)[tied]))
        out[tied] = level / factors - at.theta[tied]
    return out


class Landing(NamedTuple):
    """Where a step ends: θ, predictions there, and the share of it that was taken."""

    theta: Array
    f: Array
    known: Multipliers
    share: float


def landings(steps: list[Step]) -> list[Landing]:
    """Where steps of one problem, each at its own ε, end: a reading of the rows for all, and one
    more where some are cut short."""
    readings = steps[0].at.problem.readings
    moved = readings.predict(np.column_stack([step.move for step in steps]))
    found: dict[int, Landing] = {}
    for j, step in enumerate(steps):
        if step.relative <= _ROUNDING or _falls(step.at, step.move, moved[:, j]):
            at = step.at
            found[j] = Landing(at.theta + step.move, at.f + moved[:, j], step.known, 1.0)
    short = [j for j in range(len(steps)) if j not in found]
    if short:
        moved = readings.predict(np.column_stack([steps[j].straight for j in short]))
        for column, j in enumerate(short):
            found[j] = _cut(steps[j], moved[:, column])
    return [found[j] for j in range(len(steps))]


def _cut(step: Step, moved: Array) -> Landing:
    """As far along a straight step as J falls; after part of one nothing is at its kink yet."""
    share = _best_share(step.at, step.straight, moved)
    known = step.known if share == 1.0 else Multipliers.none()
    at = step.at
    return Landing(at.theta + share * step.straight, at.f + share * moved, known, share)


def _falls(at: Place, move: Array, moved: Array) -> bool:
    theta, problem = at.theta + move, at.problem
    if not problem.norm.value(theta[: problem.m]) >= _least_norm(at):
        return False
    return problem.value(at.f + moved, theta, at.rho) < at.value


def _least_norm(at: Place) -> float:
    """What a step leaves of N: near its kink at zero directions have to settle."""
    return _SHRINK * at.problem.norm.value(at.theta[: at.problem.m])


def _best_share(at: Place, move: Array, moved: Array) -> float:
    """Where along a move J is least: its slope rises along it."""
    problem = at.problem
    loss, y, w = problem.loss, problem.readings.targets, problem.readings.weights
    least = _least_norm(at)

    def slope(t: float) -> float:
        theta, f = at.theta + t * move, at.f + t * moved
        beta = theta[: problem.m]
        size = problem.norm.value(beta)
        if not size >= least:
            return np.inf
        kappa, near = at.rho * size, problem.norm.near(beta)
        speed = at.rho * float(near.slope(near.shares) @ move[: problem.m])
        side = loss.worse_end(f, y, kappa)
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(w @ (loss.slope(f + side * kappa, y) * (moved + side * speed)))
        total += float(move @ (problem.ridge * theta))
        return total if np.isfinite(total) else np.inf

    return rising_root(slope, 1.0)


def correct(steps: list[Step], exact: float, slow: float) -> list[Step]:
    """Steps, each at its own ε, until J can fall no more; the last ones.

    A round takes two readings of the rows for all of them.

    Parameters
    ----------
    steps : list of Step
        The first ones.
    exact : float
        The decrease, relative to J, that ends a solve.
    slow : float
        A step that leaves more than this of the decrease before asks for a matrix of its own.
    """
    best = dict(enumerate(steps))
    open_ = {j: step for j, step in best.items() if step.relative > exact}
    stale: set[int] = set()
    for _ in range(_STEPS):
        if not open_:
            break
        landed = dict(zip(open_, landings(list(open_.values())), strict=True))
        again = _at(open_, landed, stale)
        stale = set()
        for j, at in again.items():
            step, share, before = step_from(at), landed[j].share, open_[j].decrease
            if step.decrease < best[j].decrease or share < 1.0:
                best[j] = step
            is_slow = step.decrease > slow * before
            stuck = share == 0.0 or (is_slow and share == 1.0 and step.relative <= _FLOOR)
            if step.relative <= exact or stuck:
                del open_[j]
                continue
            open_[j] = step
            if is_slow and not at.problem.loss.is_quadratic:
                stale.add(j)
    return [best[j] for j in range(len(steps))]


def _at(open_: dict[int, Step], landed: dict[int, Landing], stale: set[int]) -> dict[int, Place]:
    """The places where steps ended: by one reading, and one for each whose matrix is made anew."""
    found: dict[int, Place] = {}
    for j in stale:
        at, end = open_[j].at, landed[j]
        found[j] = place(at.problem, end.theta, end.f, at.rho, end.known, None)
    rest = [j for j in open_ if j not in stale]
    if rest:
        many = places(
            open_[rest[0]].at.problem, np.column_stack([landed[j].theta for j in rest]),
            np.array([open_[j].at.rho for j in rest]), [landed[j].known for j in rest],
            [open_[j].at.matrix for j in rest], np.column_stack([landed[j].f for j in rest]),
        )  # fmt: skip
        found.update(zip(rest, many, strict=True))
    return {j: found[j] for j in open_}
