"""Attacks of first order on the inputs of a kernel regression."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def pair_weights(theta: Array, slope: Array, moving: bool) -> tuple[Array, Array]:
    """left (n, 2) and right (2, n): ∇_{x_k} L = Σ_j (left @ right)_kj ∂₁K(x_k, x_j).

    `slope` is Ωr, plus ½αθ where a penalty αθᵀKθ moves as well. (With fixed centres and r in
    its place: ∇_{x_k} of the sample's own loss.)
    """
    if moving:
        return 2.0 * np.column_stack([slope, theta]), np.stack([theta, slope])
    none = np.zeros(len(theta))
    return 2.0 * np.column_stack([slope, none]), np.stack([theta, none])


class Contraction(NamedTuple):
    """What is left of the derivatives of K once they are contracted.

    Attributes
    ----------
    turned : array (n,)
        Eθ̂.
    pulled : array (n,) or None
        EᵀΩr; None where the penalty's own move cancels it.
    budgets : array (n,)
        t.
    gains : array (n,)
        ‖c ∘ ∇_{x_k} L‖_q.
    ties, kinks : int
    """

    turned: Array
    pulled: Array | None
    budgets: Array
    gains: Array
    ties: int
    kinks: int
