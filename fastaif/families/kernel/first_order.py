"""Attacks of first order on the inputs of a kernel regression."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ..._compute import types as c
from ...threat.ball import Ball
from ...utils.arrays import columns_of, read_only

Array = NDArray[Any]

_ROWS = 128


def directions(ball: Ball, gradient: Array) -> tuple[Array, Array, Array]:
    """Unit steps Dφ(D∇) in the kernel's inputs (n, m), gains ‖D∇‖_q (n,) and ties (n,).

    The steps take the gradient's place; blocks of rows are turned in the cache.
    """
    n = len(gradient)
    gains, ties = np.empty(n), np.empty(n)
    attack = c.Attack(float(ball.p), read_only(ball.weights))
    for start in range(0, n, _ROWS):
        rows = slice(start, start + _ROWS)
        g = columns_of(gradient[rows])
        out = np.empty(g.shape)
        get("attack_directions")(g, attack, out, gains[rows], ties[rows])
        gradient[rows] = out.T
    return gradient, gains, ties


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
