"""Certified radii of votes over noisy inputs (Cohen, Rosenfeld & Kolter, 2019, theorem 1).

g(x), the class that a classifier gives most often to x + σz with z ~ N(0, I), is the same for every
x + δ with ‖δ‖₂ < σ Φ⁻¹(P), where P ≥ ½ is how often it does. P is estimated by draws, and bounded
from below as Clopper and Pearson do (the paper's algorithm CERTIFY).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.noisy_copies import NoisyCopies

Array = NDArray[Any]
Predict = Callable[[Array], Array]

_ENTRIES = 1 << 21  # of noisy inputs at a time


@dataclass(frozen=True, eq=False)
class Certified:
    """What votes over noisy inputs are certain of.

    Attributes
    ----------
    labels : array (n,)
        The classes that the votes are for.
    radii : array (n,)
        The Euclidean length, in the inputs' units, below which no move of a sample changes its
        vote; 0 where the draws do not tell whether its class has more than half.
    least_shares : array (n,)
        The bounds from below on how often noise leads to these classes.
    level : float
        The probability, of each sample by itself, with which this holds.
    """

    labels: Array
    radii: Array
    least_shares: Array
    level: float

    @property
    def abstained(self) -> Array:
        """Where nothing is certified, booleans (n,)."""
        return np.asarray(self.radii == 0.0)

    def accuracy(self, y: Any, radius: float = 0.0) -> float:
        """The share of samples whose votes are certified to be their labels beyond a radius.

        Parameters
        ----------
        y : array (n,)
        radius : float, default 0
            In the inputs' units.
        """
        right = (self.labels == np.asarray(y).ravel()) & (self.radii > radius)
        return float(np.mean(right))


def certify(
    predict: Predict, classes: Array, X: Array, sigma: float, draws: tuple[int, int], level: float,
    seed: int,
) -> Certified:  # fmt: skip
    """Votes and radii of rows X (n, m).

    Parameters
    ----------
    predict : callable
        From inputs (k, m) to labels (k,), which are among `classes`.
    draws : two ints
        For what each vote is for, and for how often it wins: these do not know the first ones, so
        that the choice costs no confidence.
    """
    n, first = len(X), draws[0] * len(X)
    noisy = NoisyCopies(X, sigma, sum(draws), seed)

    def votes(start: int, stop: int) -> Array:
        out = np.zeros((n, len(classes)), dtype=np.int64)
        size = max(1, _ENTRIES // X.shape[1])
        for begin in range(start, stop, size):
            end = min(begin + size, stop)
            found = np.searchsorted(classes, predict(noisy[begin:end]))
            cells = np.arange(begin, end) % n * len(classes) + found
            out += np.bincount(cells, minlength=out.size).reshape(out.shape)
        return out

    chosen = np.argmax(votes(0, first), axis=1)
    won = votes(first, len(noisy))[np.arange(n), chosen]
    least = least_share(won, draws[1], level)
    return Certified(classes[chosen], _radii(least, sigma), least, level)


def least_share(won: Array, n: int, level: float) -> Array:
    """The least share (k,) that leads to at least so many of n draws with probability 1 − level."""
    from scipy.special import betaincinv

    least = betaincinv(np.maximum(won, 1), n - won + 1.0, 1.0 - level)
    return np.where(won > 0, least, 0.0)


def _radii(least: Array, sigma: float) -> Array:
    """σ Φ⁻¹ of shares above one half, else 0."""
    from scipy.special import ndtri

    return np.where(least > 0.5, sigma * ndtri(np.maximum(least, 0.5)), 0.0)
