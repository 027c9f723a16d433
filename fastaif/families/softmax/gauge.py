"""What changes nothing: one vector added to the parameters of all classes.

Logits then move together, and π stays. H is singular along that: of intercepts always, of
coefficients where there is no penalty, which alone tells such W apart. Solvers therefore see Θ
(K, c) by its contrasts Z = QᵀΘ (K − 1, c), where the columns of Q are an orthonormal basis of
Σ_k = 0. The part without contrasts, the mean over classes, solves for itself: the penalty's 2α is
all of its H.

Models that leave out the parameters of their first class are in a gauge of their own, in which
nothing is singular: there Z are the other classes' parameters.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ..._compute.rooms import empty_matrix
from ...passes.softmax import pairs_of
from ...utils.arrays import read_only

Array = NDArray[Any]


@functools.lru_cache(maxsize=16)
def contrasts(n_classes: int) -> Array:
    """Q (K, K − 1): orthonormal columns, each of sum zero (Helmert's)."""
    Q = np.zeros((n_classes, n_classes - 1))
    for k in range(1, n_classes):
        Q[:k, k - 1], Q[k, k - 1] = -1.0, k
        Q[:, k - 1] /= np.sqrt(k * (k + 1.0))
    Q.setflags(write=False)
    return Q


@functools.lru_cache(maxsize=16)
def others(n_classes: int) -> Array:
    """Q (K, K − 1) of models whose first class has no parameters: Z are those of the others."""
    Q = np.eye(n_classes)[:, 1:]
    Q.setflags(write=False)
    return Q


def contrasted_pairs(lower: Array, share: float, n_classes: int, Q: Array) -> Array:
    """H over Z, row by row, of P_kj / share for pairs of classes; lower triangles are read.

    S is Σ π_k π_j (e_k − e_j)(e_k − e_j)ᵀ over pairs, and so H a product with these by their
    contrasts.
    """
    k, j = np.array(pairs_of(n_classes)).T
    size = Q.shape[1] * lower.shape[-1]
    out = empty_matrix(size, size)
    get("contrasted_pairs")(read_only(lower), read_only(Q[k] - Q[j]), 1.0 / share, out)
    return out


def centred(matrix: Array) -> Array:
    """Θ without its mean over classes."""
    return np.asarray(matrix - matrix.mean(axis=0))
