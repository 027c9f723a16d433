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

from ....solvers import kink_qp
from ....solvers.root import about_root
from .local import Multipliers, Place, places, refreshed

Array = NDArray[Any]

_ROUNDING = 1e-11  # of J: decreases that values cannot show
_FLOOR = 1e-13  # of J: where rounding may keep a decrease from falling further
_SHRINK = 0.1  # of N is left by a step
_SHORT = 1e-5  # of J: a decrease that needs no second look where J falls as foreseen
_SHORTER = 1e-8  # the same where matrices are of elsewhere
_AS_FORESEEN = 1e-2  # of a decrease that may differ from what the local model says
_FAR = 1e-4  # of J: steps of which the first digits will do
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
        if not np.isfinite(value + self.decrease):
            return np.inf
        return self.decrease / value if value > 0.0 else self.decrease

    @property
    def landing(self) -> tuple[Array, float]:
        """θ and about J after a step so short that J need not be looked at; else before it."""
        at, norm, m = self.at, self.at.problem.norm, self.at.problem.m
        theta = at.theta + self.move
        if self.relative > _ROUNDING or not norm.value(theta[:m]) >= _least_norm(at):
            return at.theta, at.value
        return theta, at.value - self.decrease


def step_from(at: Place) -> Step:
    """The minimum of the local model."""
    return steps_from([at])[0]


def steps_from(places: list[Place], enough: float = 0.0) -> list[Step]:
    """The minima of the local models at several places.

    Where the present multipliers alone tell that `enough`, relative to J, is all that J can fall,
    they stay as they are.
    """
    places = [refreshed(at) if at.is_out_of_scale else at for at in places]
    found = [_Minimum(at, enough) for at in places]
    for at, one in zip(places, found, strict=True):
        if one.problem is not None:
            one.take(kink_qp.minimise(one.problem, _FAR * abs(at.value)))
    return [one.step for one in found]


class _Minimum:
    """Of the local model at one place: with the present multipliers, then with the best."""

    problem: kink_qp.Problem | None = None

    def __init__(self, at: Place, enough: float) -> None:
        factor, gradient, m = at.definite, at.gradient, at.problem.m
        if factor is None:  # no step is known to lead anywhere
            nothing = np.zeros(at.theta.size)
            self.step = Step(at, nothing, nothing, np.inf, at.known)
            return
        self._at, self._factor = at, factor
        self._plain = -factor.whitened(gradient)
        plain = factor.coloured(self._plain)
        left = _spare(at) + 0.5 * float(self._plain @ self._plain)
        known = at.known._replace(slope=at.norm.slope(at.norm.shares))
        if not (np.isfinite(at.value) and left <= enough * abs(at.value)):
            self._near, self._live = at.candidates(plain), at.norm.live(plain[:m])
            known = known._replace(rows=self._near, sides=at.sides(self._near))
            self._pose()
        elif (np.abs(at.known.sides) < 1.0).any() or at.norm.in_simplex:
            plain = np.zeros(at.theta.size)  # what is left holds here: a step would leave the kinks
        self.step = Step(at, _snapped(at, plain, at.norm.shares, m), plain, left, known)

    def _pose(self) -> None:
        """The problem of the multipliers that may change, where H⁻¹ is the identity."""
        shares, offsets, columns, n_box = _kinks(self._at, self._near, self._live)
        if len(columns) and (columns[0].any() or columns.any()):
            white = self._factor.whitened(columns.T).T
            self.problem = kink_qp.Problem(white, offsets, n_box, shares, self._plain)

    def take(self, best: kink_qp.Minimum) -> None:
        """The step with the best multipliers."""
        at, shares = self._at, best.shares
        assert self.problem is not None
        move, decrease = self._factor.coloured(best.move), kink_qp.decrease(self.problem, best)
        rows = self._near.size
        theirs = at.norm.shares.copy()
        theirs[self._live] = shares[rows:]
        known = Multipliers(self._near, shares[:rows], at.norm.slope(theirs))
        snapped = _snapped(at, move, theirs, at.problem.m)
        self.step = Step(at, snapped, move, decrease, known)


def _spare(at: Place) -> float:
    """What the present multipliers of kinks that are not met leave of J."""
    which, sides = at.known.rows, at.known.sides
    offsets = at.problem.readings.weights[which] * at.kappa * at.gaps(which)
    spare = float((np.abs(offsets) - sides * offsets).sum()) if which.size else 0.0
    near = at.norm
    if near.places.size:
        top = near.offsets.max() if near.in_simplex else np.abs(near.offsets)
        lost = float((near.shares * (top - near.offsets)).sum()) if near.in_simplex else float(
            (top - near.shares * near.offsets).sum())  # fmt: skip
        spare += at.rho * max(at.sums.along_kappa, 0.0) * max(lost, 0.0)
    return spare


def _kinks(at: Place, near: Array, live: Array) -> tuple[Array, Array, Array, int]:
    """Multipliers of the rows and of the norm's entries that a step may change, their offsets and
    columns, and how many are in a box."""
    weights = at.problem.readings.weights[near]
    steep = at.rho * max(at.sums.along_kappa, 0.0)
    columns = np.zeros((near.size + live.size, at.theta.size))
    if near.size:
        columns[: near.size] = at.kink_slopes(near)
    columns[np.arange(near.size, near.size + live.size), at.norm.places[live]] = (
        steep * at.norm.factors[live]
    )
    ends = at.norm.offsets[live]
    if at.norm.in_simplex and live.size:  # what all have in common does not matter
        ends = ends - ends.max()
    offsets = np.concatenate([weights * at.kappa * at.gaps(near), steep * ends])
    shares = np.concatenate([at.sides(near), at.norm.shares[live]])
    return shares, offsets, columns, near.size if at.norm.in_simplex else shares.size


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
    """Where a step ends, and the share of it that was taken."""

    at: Place
    share: float


def landings(steps: list[Step]) -> list[Landing]:
    """Where steps of one problem, each at its own ε, end: a reading of the rows for all, and two
    more where some are cut short."""
    found: dict[int, Landing] = {}
    whole = [j for j, step in enumerate(steps) if _keeps_norm(step)]
    ends = _places([steps[j] for j in whole], [steps[j].at.theta + steps[j].move for j in whole],
                   [_held(steps[j].known) for j in whole])  # fmt: skip
    for j, end in zip(whole, ends, strict=True):
        if steps[j].relative <= _ROUNDING or end.value < steps[j].at.value:
            found[j] = Landing(end, 1.0)
    short = [j for j in range(len(steps)) if j not in found]
    if short:
        found.update(zip(short, _cut([steps[j] for j in short]), strict=True))
    return [found[j] for j in range(len(steps))]


def _places(steps: list[Step], thetas: list[Array], known: list[Multipliers]) -> list[Place]:
    if not steps:
        return []
    rhos, matrices = np.array([step.at.rho for step in steps]), [step.at.matrix for step in steps]
    return places(steps[0].at.problem, np.column_stack(thetas), rhos, known, matrices)


def _held(known: Multipliers) -> Multipliers:
    """What is at its kinks after the whole of a step."""
    inside = np.abs(known.sides) < 1.0
    return Multipliers(known.rows[inside], known.sides[inside], known.slope)


def _cut(steps: list[Step]) -> list[Landing]:
    """As far along straight steps as J falls; after part of one nothing is at its kink yet."""
    moved = steps[0].at.problem.readings.predict(np.column_stack([s.straight for s in steps]))
    shares = [_best_share(step.at, step.straight, moved[:, j]) for j, step in enumerate(steps)]
    ends = _places(
        steps, [s.at.theta + t * s.straight for s, t in zip(steps, shares, strict=True)],
        [_held(s.known) if t == 1.0 else Multipliers.none()
         for s, t in zip(steps, shares, strict=True)],
    )  # fmt: skip
    return [Landing(end, t) for end, t in zip(ends, shares, strict=True)]


def _keeps_norm(step: Step) -> bool:
    """Whether the whole step leaves as much of N as one may."""
    at, problem = step.at, step.at.problem
    return problem.norm.value((at.theta + step.move)[: problem.m]) >= _least_norm(at)


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

    return about_root(slope, 1.0)


def correct(steps: list[Step], exact: float, slow: float) -> list[Step]:
    """Steps, each at its own ε, until J can fall no more; the last ones.

    A round takes one reading of the rows for all of them.

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
    open_ = {j: step for j, step in best.items() if exact < step.relative < np.inf}
    stale: set[int] = set()
    for _ in range(_STEPS):
        landed = dict(zip(open_, landings(list(open_.values())), strict=True))
        for j, end in landed.items():
            if _is_as_foreseen(open_[j], end, exact):
                best[j] = _arrived(open_.pop(j), end.at)
        if not open_:
            break
        ends = [refreshed(landed[j].at) if j in stale else landed[j].at for j in open_]
        stale.clear()
        for j, step in zip(list(open_), steps_from(ends, exact), strict=True):
            share, before = landed[j].share, open_[j].decrease
            if step.decrease < best[j].decrease or share < 1.0:
                best[j] = step
            is_slow = step.decrease > slow * before
            stuck = share == 0.0 or (is_slow and share == 1.0 and step.relative <= _FLOOR)
            if step.relative <= exact or stuck or not step.relative < np.inf:
                del open_[j]
                continue
            open_[j] = step
            if is_slow and not step.at.problem.loss.is_quadratic:
                stale.add(j)
    return [best[j] for j in range(len(steps))]


def _is_as_foreseen(step: Step, end: Landing, exact: float) -> bool:
    """Whether a short step led to its kinks, and J fell by what the local model said.

    Where the model is off by a share e of the decrease D, the slope that is left is e of the one
    before, and J may fall by about e² D more: less than the e D that it is off by, where it is rows
    that were not looked at too. What changes with λ alone does not show in J: of short steps it is
    little. What multipliers of kinks that were not quite met leave comes on top.
    """
    enough = exact * abs(step.at.value)
    short = _SHORT if step.at.problem.loss.is_quadratic else _SHORTER
    if end.share < 1.0 or step.relative > short:
        return False
    off = _off(step, end.at)
    return off <= _AS_FORESEEN * step.decrease and off + _spare(end.at) <= enough


def _arrived(step: Step, at: Place) -> Step:
    """A step of nothing, at the place where one led as foreseen."""
    nothing = np.zeros_like(step.move)
    return Step(at, nothing, nothing, _off(step, at) + _spare(at), step.known)


def _off(step: Step, at: Place) -> float:
    """By how much J is not what the local model said."""
    return abs(at.value - (step.at.value - step.decrease))
