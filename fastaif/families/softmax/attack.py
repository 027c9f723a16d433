"""Attacks on the inputs of softmax models.

A loss −log softmax(z)_y grows with the lead of the other classes, log Σ_{k≠y} e^{z_k} − z_y.
Ascents start where each of the other classes gains most on the sample's own, too; of two classes
that is the maximum.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...losses.vector import VectorLoss
from ...threat.attack_set import AttackSet
from ...threat.own_units import OwnUnits
from ..vector.attack import Search
from ..vector.rows import VectorRows

Array = NDArray[Any]

_ENTRIES = 1 << 20  # of moves of logits that are bounded together
_LEAST = math.log(sys.float_info.min)  # of log π: what is less is no number


@dataclass(frozen=True)
class SoftmaxSearch(Search):
    """The search for maxima of the lead of other classes."""

    @staticmethod
    def is_exact(ball: AttackSet, n_outputs: int) -> bool:
        """Whether the extreme points where the maximum may be are few."""
        return ball.own.is_cross_polytope or n_outputs == 2

    def exact(self) -> Array:
        """The best of all extreme points at which a maximum can be."""
        return self._towards(1) if len(self.slopes) == 2 else super().exact()

    def starts(self) -> Iterator[Array]:
        """Towards each other class."""
        for ahead in range(1, len(self.slopes)):
            yield self._towards(ahead)

    def _towards(self, ahead: int) -> Array:
        """Where the class so many places after a row's own, in a circle, gains most on it."""
        own = self.y.astype(int)
        other = (own + ahead) % len(self.slopes)
        return self.rho * self.own.directions(self.slopes[other] - self.slopes[own])


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
    leads = rho * own.gains(slopes[:, None, :] - slopes[None, :, :])

    def gains(gradients: Array) -> Array:
        return np.asarray(rho * own.gains(gradients))

    reach = Reach(leads[targets.astype(int)], gains, lambda pulls: gains(pulls @ slopes))
    return bounds(loss, slopes, z, targets, reach)


def bounds(loss: VectorLoss, slopes: Array, z: Array, targets: Array, reach: Reach) -> Array:
    """The least of three bounds of the worst loss of each row (k,), for gradients (K, m).

    log Σ_j exp(z_j − z_y + ρ‖D(w_j − w_y)‖_q) (1-mathematics 1.17) gives each logit the most that
    any attack could give it alone, and so more than one attack can by a share of ρ. The others are
    off by ρ² alone: the slope, and a bound of what the loss, or the lead of the other classes,
    bends by.
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
