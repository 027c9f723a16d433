"""The same rows in other layouts of memory."""

from __future__ import annotations

import numpy as np


def fortran(X, folder):
    return np.asfortranarray(X)


def strided_columns(X, folder):
    return np.repeat(X, 3, axis=1)[:, ::3]


def backwards(X, folder):
    return np.ascontiguousarray(X[::-1])[::-1]


def read_only(X, folder):
    X = X.copy()
    X.setflags(write=False)
    return X


def big_endian(X, folder):
    return X.astype(X.dtype.newbyteorder(">"))


def mapped(X, folder):
    path = folder / "X.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")
