"""Units of a network that do nothing, whose biases therefore move nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layers import Layers

Array = NDArray[Any]

_IDLE = 1e-6  # of the largest unit of a layer


def idle_biases(layers: Layers, theta: Array) -> Array:
    """Places in θ of the biases of hidden units that a penalty has switched off, sorted.

    What goes into such a unit and what comes out of it are zero: f is constant along its bias.
    """
    parts, places = layers.unpack(theta), []
    for number in range(len(parts) - 1):
        into, out = parts[number].W, parts[number + 1].W
        sizes = np.stack([np.linalg.norm(into, axis=0), np.linalg.norm(out, axis=1)])
        largest = sizes.max(axis=1, keepdims=True)
        idle = np.all(sizes <= _IDLE * largest, axis=0) & bool(np.all(largest > 0.0))
        places.append(layers.biases(number).start + np.flatnonzero(idle))
    return np.concatenate(places) if places else np.empty(0, dtype=np.int64)


def flat_moves(layers: Layers, theta: Array, alpha: float, gauge: bool) -> Array:
    """Orthonormal columns (d, r): moves of θ along which the objective does not change.

    Biases of idle units, and, of classes, one number added to the outputs of all of them: by the
    last biases, and without a penalty by the weights of every unit before them.
    """
    d = layers.n_parameters
    columns = []
    idle = idle_biases(layers, theta) if alpha > 0.0 else np.empty(0, dtype=np.int64)
    if idle.size:
        columns.append(np.eye(d)[:, idle])
    if gauge:
        K, width = layers.sizes[-1], layers.sizes[-2]
        last = layers.biases(len(layers.sizes) - 2)
        moves = np.zeros((d, 1 + width))
        moves[last, 0] = 1.0
        for unit in range(width):
            start = last.start - (width - unit) * K
            moves[start : start + K, 1 + unit] = 1.0
        columns.append((moves if alpha == 0.0 else moves[:, :1]) / np.sqrt(K))
    return np.hstack(columns) if columns else np.empty((d, 0))
