"""How large attacks have to be to raise linear predictions by so much."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .attack_set import AttackSet

Array = NDArray[Any]

_DOUBLINGS = 64  # of the size that would do if nothing were in the way
_HALVINGS = 60
_REACHED = 1.0 - 1e-15


def least_sizes(attacks: AttackSet, gradients: Array, rows: Array, moves: Array) -> Array:
    """The least sizes of attacks that gain so much, (k,); 0 for no move, inf where none does.

    What an attack gains is concave in its size, and no more than it does at first order.

    Parameters
    ----------
    attacks : AttackSet
    gradients : array (k, m)
        Of the predictions, in the model's inputs.
    rows : array (k, m)
        Where attacks start.
    moves : array (k,)
        What they are to gain.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        speeds = attacks.directions(gradients.copy(), rows)[1]
        low = np.where(moves > 0.0, moves / speeds, 0.0)
    if not attacks.varies:
        return low
    reached = np.isfinite(low)
    low = high = np.where(reached, low, 0.0)
    wanted = moves * _REACHED
    for _ in range(_DOUBLINGS):
        short = reached & (attacks.furthest(gradients, rows, high).gains < wanted)
        if not short.any():
            break
        high = np.where(short, 2.0 * high, high)
    reached &= ~short
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        enough = attacks.furthest(gradients, rows, middle).gains >= wanted
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return np.where(reached, high, np.inf)
