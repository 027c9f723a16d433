"""BLAS routines for compiled code, by address.

scipy exports the addresses of its BLAS routines for Cython. They are registered
with LLVM under names of our own: unlike a ctypes pointer, a named external
function leaves the compiled caller cacheable on disk.
"""

from __future__ import annotations

import numpy as np
from llvmlite import binding
from numba import types
from numba.core.typing import signature
from numba.extending import get_cython_function_address

from .jit import STRICT, operation

_CHAR = types.CPointer(types.uint8)
_INT = types.CPointer(types.int32)
_DOUBLE = types.CPointer(types.float64)

binding.add_symbol(
    "fastaif_dsyrk", get_cython_function_address("scipy.linalg.cython_blas", "dsyrk")
)
_dsyrk = types.ExternalFunction(
    "fastaif_dsyrk",
    signature(
        types.void, _CHAR, _CHAR, _INT, _INT, _DOUBLE, _DOUBLE, _INT, _DOUBLE, _DOUBLE, _INT
    ),
)
binding.add_symbol(
    "fastaif_dgemm", get_cython_function_address("scipy.linalg.cython_blas", "dgemm")
)
_dgemm = types.ExternalFunction(
    "fastaif_dgemm",
    signature(
        types.void, _CHAR, _CHAR, _INT, _INT, _INT, _DOUBLE, _DOUBLE, _INT, _DOUBLE, _INT,
        _DOUBLE, _DOUBLE, _INT,
    ),
)  # fmt: skip


@operation(fastmath=STRICT)
def add_product(a, turn_a, b, turn_b, share, out):
    """``out = share * out + a' @ b'`` for C-ordered arrays; a' is a, or aᵀ if `turn_a`.

    BLAS sees the transposes of row-major arrays: it is asked for outᵀ = b'ᵀ a'ᵀ.
    """
    inner = a.shape[0] if turn_a else a.shape[1]
    flags = np.array([84 if turn_b else 78, 84 if turn_a else 78], np.uint8)  # 'T', 'N'
    ints = np.array([out.shape[1], out.shape[0], inner, b.shape[1], a.shape[1]], np.int32)
    factors = np.array([1.0, share])
    _dgemm(
        flags.ctypes, flags[1:].ctypes, ints.ctypes, ints[1:].ctypes, ints[2:].ctypes,
        factors.ctypes, b.ctypes, ints[3:].ctypes, a.ctypes, ints[4:].ctypes,
        factors[1:].ctypes, out.ctypes, ints.ctypes,
    )  # fmt: skip


@operation(fastmath=STRICT)
def add_gram(z, rows, hess):
    """``hess += z[:rows].T @ z[:rows]``, lower triangle of the C-ordered ``hess`` only.

    BLAS sees a row-major (rows, m) block as a column-major (m, rows) one, and the
    lower triangle of ``hess`` as the upper one.
    """
    m = z.shape[1]
    uplo = np.array([85], np.uint8)  # 'U'
    trans = np.array([78], np.uint8)  # 'N'
    ints = np.array([m, rows], np.int32)
    one = np.ones(1)
    _dsyrk(
        uplo.ctypes, trans.ctypes, ints.ctypes, ints[1:].ctypes, one.ctypes, z.ctypes,
        ints.ctypes, one.ctypes, hess.ctypes, ints.ctypes,
    )  # fmt: skip


@operation(fastmath=STRICT)
def add_gram_of_columns(v, hess):
    """``hess += v @ v.T`` for a C-ordered (d, k) block, lower triangle of ``hess`` only."""
    d, k = v.shape
    uplo = np.array([85], np.uint8)  # 'U'
    trans = np.array([84], np.uint8)  # 'T'
    ints = np.array([d, k], np.int32)
    one = np.ones(1)
    _dsyrk(
        uplo.ctypes, trans.ctypes, ints.ctypes, ints[1:].ctypes, one.ctypes, v.ctypes,
        ints[1:].ctypes, one.ctypes, hess.ctypes, ints.ctypes,
    )  # fmt: skip


@operation(fastmath=STRICT)
def multiply_block(v, U, T):
    """``T[:] = v @ U[:m]`` for C-ordered v (rows, m), U (at least m, k) and T (rows, k)."""
    rows, m = v.shape
    k = U.shape[1]
    plain = np.array([78], np.uint8)  # 'N'
    ints = np.array([k, rows, m], np.int32)
    factors = np.array([1.0, 0.0])
    _dgemm(
        plain.ctypes, plain.ctypes, ints.ctypes, ints[1:].ctypes, ints[2:].ctypes,
        factors.ctypes, U.ctypes, ints.ctypes, v.ctypes, ints[2:].ctypes, factors[1:].ctypes,
        T.ctypes, ints.ctypes,
    )  # fmt: skip


@operation(fastmath=STRICT)
def add_block_transposed(v, T, out):
    """``out[:m] += v.T @ T`` for C-ordered v (rows, m), T (rows, k) and out (at least m, k)."""
    rows, m = v.shape
    k = T.shape[1]
    plain, turned = np.array([78], np.uint8), np.array([84], np.uint8)  # 'N', 'T'
    ints = np.array([k, m, rows], np.int32)
    one = np.ones(1)
    _dgemm(
        plain.ctypes, turned.ctypes, ints.ctypes, ints[1:].ctypes, ints[2:].ctypes,
        one.ctypes, T.ctypes, ints.ctypes, v.ctypes, ints[1:].ctypes, one.ctypes,
        out.ctypes, ints.ctypes,
    )  # fmt: skip


@operation(fastmath=STRICT)
def add_leading_product(a, b, k, out):
    """``out += a[:, :k] @ b[:k]``, all C-ordered."""
    letters = np.array([78, 78], np.uint8)  # 'N', 'N'
    ints = np.array([b.shape[1], a.shape[0], k, b.shape[1], a.shape[1]], np.int32)
    one = np.ones(1)
    _dgemm(
        letters.ctypes, letters[1:].ctypes, ints.ctypes, ints[1:].ctypes, ints[2:].ctypes,
        one.ctypes, b.ctypes, ints[3:].ctypes, a.ctypes, ints[4:].ctypes,
        one.ctypes, out.ctypes, ints[3:].ctypes,
    )  # fmt: skip


@operation(fastmath=STRICT)
def product_of_rows(a, b, k, out):
    """``out[:, :k] = a @ b[:k].T``, all C-ordered."""
    letters = np.array([84, 78], np.uint8)  # 'T', 'N'
    ints = np.array([k, a.shape[0], a.shape[1], out.shape[1]], np.int32)
    factors = np.array([1.0, 0.0])
    _dgemm(
        letters.ctypes, letters[1:].ctypes, ints.ctypes, ints[1:].ctypes, ints[2:].ctypes,
        factors.ctypes, b.ctypes, ints[2:].ctypes, a.ctypes, ints[2:].ctypes,
        factors[1:].ctypes, out.ctypes, ints[3:].ctypes,
    )  # fmt: skip


@operation(fastmath=STRICT)
def write(values, out):
    """``out[:] = values`` for matrices of one shape.

    Of that assignment Numba takes three seconds to compile the error that names two shapes.
    """
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = values[i, k]
