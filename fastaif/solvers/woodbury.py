"""The inverse of WᵀW + R for a wide W and a diagonal R, from the Gram matrix of W's rows.

    (WᵀW + R)⁻¹ = R⁻¹ − R⁻¹Wᵀ (1 + W R⁻¹ Wᵀ)⁻¹ W R⁻¹
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cholesky import Factor, factorize

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Woodbury:
    """(WᵀW + R)⁻¹ as an operator.

    Attributes
    ----------
    forward, backward : callable
        (d, k) to W (n, k), and (n, k) to Wᵀ (d, k).
    inverse : array (d, 1)
        R⁻¹.
    factor : Factor
        Of 1 + W R⁻¹ Wᵀ.
    """

    forward: Callable[[Array], Array]
    backward: Callable[[Array], Array]
    inverse: Array
    factor: Factor

    def __call__(self, b: Array) -> Array:
        """(WᵀW + R)⁻¹ b for b (d, k)."""
        first = self.inverse * b
        return np.asarray(
            first - self.inverse * self.backward(self.factor.solve(self.forward(first)))
        )


def woodbury(
    forward: Callable[[Array], Array], backward: Callable[[Array], Array], gram: Array, R: Array
) -> Woodbury | None:
    """The operator from `gram`, W R⁻¹ Wᵀ (n, n), and R (d,) > 0.

    None where rounding hides the 1 of 1 + W R⁻¹ Wᵀ.
    """
    found = gram.copy()
    found[np.diag_indices_from(found)] += 1.0
    factor = factorize(found)
    return None if factor is None else Woodbury(forward, backward, 1.0 / R[:, None], factor)
