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


def contrasted(blocks: Array, Q: Array | None = None) -> Array:
    """Blocks (K, K, c, c) of a quadratic form over Θ as a matrix over Z, row by row."""
    Q = contrasts(len(blocks)) if Q is None else Q
    inner = np.einsum("ka,klij->alij", Q, blocks, optimize=True)
    inner = np.einsum("lb,alij->aibj", Q, inner, optimize=True)
    size = inner.shape[0] * inner.shape[1]
    matrix = inner.reshape(size, size)
    return np.asarray(0.5 * (matrix + matrix.T))


def centred(matrix: Array) -> Array:
    """Θ without its mean over classes."""
    return np.asarray(matrix - matrix.mean(axis=0))
