"""Directions of first-order attacks, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from ..utils.arrays import columns_of, read_only
from .ball import Ball

Array = NDArray[Any]

_ROWS = 128


def directions(ball: Ball, gradient: Array) -> tuple[Array, Array, Array]:
    """Unit steps Dφ(D∇) of gradients (n, m), gains ‖D∇‖_q (n,) and ties (n,).

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
