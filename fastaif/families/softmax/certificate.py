"""A bound of the losses of softmax models that no attack exceeds.

An attack's loss is a convex function's maximum, and ascents may miss the highest one. What bounds
it from above is in closed form, by attacks' gains alone.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...losses.vector import VectorLoss
from ...threat.own_units import OwnUnits
from ..vector.rows import VectorRows

Array = NDArray[Any]

_ENTRIES = 1 << 20  # of moves of logits that are bounded together
_LEAST = math.log(sys.float_info.min)  # of log π: what is less is no number
_FLAT = 1e-9  # of a lead's moves: a chord as short is a tangent, but for rounding
_MANY = 32  # classes: with more there are too many pairs to tell attacks apart by
_PARTS = (-1.0, 0.0, 0.4, 0.6, 0.75, 0.85, 0.95, 1.0)  # of the most that a rival's lead moves by
_PULLS = (0.25, 0.5, 1.0, 2.0)  # multipliers of what a rival's lead does
_SHARES = (0.0, 0.5, 1.0)  # of the rival's slope


class Reach(NamedTuple):
    """How far attacks on k rows take logits apart.

    Attributes
    ----------
    leads : array (k, K)
        The most that each gains on the row's own.
    either : callable
        From gradients (k or 1, K, m) to what they gain, or lose, at most (k or 1, K).
    pulled : callable
        From factors of the logits (k, K) to what their sum gains at most (k,).
    """

    leads: Array
    either: Callable[[Array], Array]
    pulled: Callable[[Array], Array]


def certificate(problem: VectorRows, theta: Array, eps: float) -> float:
    """A bound on E max ℓ at θ: no attack does worse."""
    layout, own = problem.model.layout, problem.ball.own
    matrix, rho = layout.matrix(theta), eps * problem.radius
    slopes = own.slopes(matrix[:, : layout.n_features])
    z, y = problem.sweep.predictions(matrix), problem.source.targets()
    found, size = np.empty(len(z)), max(1, _ENTRIES // max(1, slopes.size))
    for start in range(0, len(z), size):
        part = slice(start, start + size)
        found[part] = _bounds(problem.model.loss, own, slopes, rho, z[part], y[part])
    return problem.source.mean(found)


def _bounds(
    loss: VectorLoss, own: OwnUnits, slopes: Array, rho: float, z: Array, targets: Array
) -> Array:
    """Bounds of the worst losses within a ball (k,)."""
    y = targets.astype(int)
    leads = rho * own.gains(slopes[:, None, :] - slopes[None, :, :])

    def gains(gradients: Array) -> Array:
        return np.asarray(rho * own.gains(gradients))

    reach = Reach(leads[y], gains, lambda pulls: gains(pulls @ slopes))
    found = bounds(loss, slopes, z, targets, reach)
    return np.asarray(np.fmin(found, _straightened(own, slopes, rho, z, y)))


def bounds(loss: VectorLoss, slopes: Array, z: Array, targets: Array, reach: Reach) -> Array:
    """The least of three bounds of the worst loss of each row (k,), for gradients (K, m).

    log Σ_j exp(z_j − z_y + ρ‖D(w_j − w_y)‖_q) gives each logit the most that any attack could give
    it alone, and so more than one attack can by a share of ρ. The others are off by ρ² alone: the
    slope, and a bound of what the loss, or the lead of the other classes, bends by.
    """
    y = targets.astype(int)
    apart = loss.value(z + reach.leads, targets)  # a class has no lead on itself
    residuals, losses = loss.terms(z, targets).residuals, loss.value(z, targets)
    shares = residuals.copy()
    shares[np.arange(len(z)), y] += 1.0
    near = losses + _rise(slopes, shares, residuals, reach)
    ahead, pulls = loss.leads(z, targets)
    behind = np.logaddexp(0.0, ahead + _rise(slopes, np.maximum(pulls, 0.0), pulls, reach))
    return np.asarray(np.fmin(apart, np.fmin(near, behind)))


def _straightened(own: OwnUnits, slopes: Array, rho: float, z: Array, y: Array) -> Array:
    """log Σ_j e^{z_j − z_y} under attack where each term is its chord, (k,).

    Attacks move a lead z_j − z_y by v_j = ⟨w_j − w_y, δ⟩, and where that is between two ends e^v is
    at most its chord. Of chords together one attack makes the most, which is a gain; to give each
    lead the attack that suits it, log Σ_j exp(z_j − z_y + ρ‖D(w_j − w_y)‖_q), is more.

    Chords of all attacks are long. Attacks are therefore told apart by how far they move the lead
    of the class that can come out on top, and the worst of these parts counts: far up its chord is
    short, and what takes it there leaves less for the others.
    """
    rows, out = np.arange(len(z)), np.empty(len(z))
    leads = z - z[rows, y][:, None]
    parts = _PARTS if len(slopes) <= _MANY else (-1.0, 1.0)
    for k in np.unique(y):
        apart, mine = slopes - slopes[k], np.flatnonzero(y == k)
        gains = rho * own.gains(apart)
        tops = leads[mine] + gains
        tops[:, k] = -np.inf
        rivals = tops.argmax(axis=1)
        for rival in np.unique(rivals):
            at, pair = mine[rivals == rival], _Pair(own, rho, apart, gains, k, rival)
            pieces = [pair.bound(leads[at], *ends) for ends in itertools.pairwise(parts)]
            out[at] = np.max(pieces, axis=0)
    return out


class _Pair:
    """What attacks do to the leads on one class, told apart by that of a rival.

    Parameters
    ----------
    own : OwnUnits
    rho : float
    apart : array (K, h)
        w_j − w_y in the attack's units.
    gains : array (K,)
        The most that an attack moves each lead by.
    y, rival : int
    """

    def __init__(
        self, own: OwnUnits, rho: float, apart: Array, gains: Array, y: int, rival: int
    ) -> None:
        self.own, self.rho, self.apart, self.gains = own, rho, apart, gains
        self.y, self.rival = y, rival
        moves = [pull * apart[rival] for pull in _PULLS]
        self.along = [rho * own.gains(apart + move) for move in moves]
        self.against = [rho * own.gains(apart - move) for move in moves]

    def bound(self, leads: Array, low: float, high: float) -> Array:
        """The bound of rows of these leads (k, K) where the rival's moves by low to high of its
        gain, (k,)."""
        most = self.gains[self.rival]
        down, up = self._ends(low * most, high * most)
        top = np.maximum((leads + up).max(axis=1), 0.0)[:, None]
        ends = np.exp(leads + up - top)
        width = up - down
        wide = width > _FLAT
        fall = ends - np.exp(leads + down - top)
        steep = np.where(wide, fall / np.where(wide, width, 1.0), ends)
        terms = ends - steep * up
        terms[:, self.y] = np.expm1(-top[:, 0])  # less one: small losses keep their digits
        steep[:, self.y] = 0.0
        worst = self._worst(steep, high * most)
        return np.asarray(top[:, 0] + np.log1p(terms.sum(axis=1) + worst))

    def _ends(self, low: float, high: float) -> tuple[Array, Array]:
        """How far leads move, down and up, by attacks that move the rival's by low to high.

        By weak duality: where ⟨r, δ⟩ ≥ low, ⟨w, δ⟩ ≤ ρ‖D(w + μr)‖_q − μ low for any μ ≥ 0.
        """
        up, down = self.gains.copy(), -self.gains
        for pull, along, against in zip(_PULLS, self.along, self.against, strict=True):
            up = np.minimum(up, np.minimum(along - pull * low, against + pull * high))
            down = np.maximum(down, -np.minimum(against - pull * low, along + pull * high))
        up[self.rival], down[self.rival] = high, low
        up[self.y] = down[self.y] = 0.0
        return np.minimum(down, up), up

    def _worst(self, steep: Array, high: float) -> Array:
        """The most that attacks make of Σ_j steep_j v_j where the rival's is `high` at most, (k,);
        by weak duality too."""
        own = steep[:, self.rival].copy()
        found = np.full(len(steep), np.inf)
        for share in _SHARES:
            steep[:, self.rival] = (1.0 - share) * own
            gain = self.rho * self.own.gains(steep @ self.apart)
            found = np.minimum(found, gain + share * own * high)
        return found


def _rise(slopes: Array, shares: Array, pulls: Array, reach: Reach) -> Array:
    """By how much log Σ shares_j e^{z_j} less a logit may rise, (k,), of derivative `pulls`.

    With v the logits' moves less their mean, v ≤ M: log E e^v ≤ log(1 + E v² (e^M − 1 − M)/M²).
    Shares that underflow have no M; attacks that reach far enough bring them back.
    """
    mean = shares @ slopes
    moves = reach.either(slopes - mean[:, None, :])
    most = np.where(shares > 0.0, moves, 0.0).max(axis=1)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        bend = np.where(most > 1e-4, (np.expm1(most) - most) / most**2, 0.5 + most)
        lost = np.where(shares > 0.0, 0.0, np.exp(_LEAST + moves))
        spread = np.log1p(bend * np.sum(shares * moves * moves, axis=1) + lost.sum(axis=1))
    return np.asarray(reach.pulled(pulls) + spread)
