"""Huber's loss with its scale: of a prediction f and of σ, which the fit finds as well.

It is no `Loss` of one prediction, and none that is found by its name: a family of models has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_AT_CORNER = 1e-9  # of σ


class ScaleTerms(NamedTuple):
    """ℓ and its derivatives in f and σ, each (n,)."""

    value: Array
    f: Array
    sigma: Array
    ff: Array
    f_sigma: Array
    sigma_sigma: Array


@dataclass(frozen=True)
class HuberWithScale:
    """σ + r²/σ where |r| < δσ, else σ + 2δ|r| − δ²σ, with r = f − y: convex in (f, σ), σ > 0.

    Parameters
    ----------
    delta : float
        δ ≥ 1, in units of σ.
    """

    delta: float

    name: ClassVar[str] = "huber"
    is_of_residuals: ClassVar[bool] = True
    is_quadratic: ClassVar[bool] = False
    is_symmetric: ClassVar[bool] = True
    has_labels: ClassVar[bool] = False
    has_positive_targets: ClassVar[bool] = False

    def terms(self, f: Array, sigma: float, y: Array) -> ScaleTerms:
        """All of them; infinite for σ ≤ 0."""
        r = f - y
        if not sigma > 0.0:
            return ScaleTerms(np.full(r.shape, np.inf), *np.zeros((5, len(r))))
        z = r / sigma
        inside, d = np.abs(z) < self.delta, self.delta
        return ScaleTerms(
            sigma + np.where(inside, r * z, 2.0 * d * np.abs(r) - d * d * sigma),
            2.0 * np.clip(z, -d, d), 1.0 - np.where(inside, z * z, d * d),
            np.where(inside, 2.0 / sigma, 0.0), np.where(inside, -2.0 * z / sigma, 0.0),
            np.where(inside, 2.0 * z * z / sigma, 0.0),
        )  # fmt: skip

    def at_corner(self, f: Array, sigma: float, y: Array) -> Array:
        """Which rows sit where ℓ'' jumps, |r| = δσ, booleans (n,)."""
        gap = np.abs(np.abs(f - y) - self.delta * sigma)
        return np.asarray(gap <= _AT_CORNER * sigma)
