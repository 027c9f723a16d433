"""Influence of kernel regression with moving centres as an expert would write it in NumPy.

The loss is ``mean((K t - y)^2)`` plus ``alpha |t|^2`` (penalty "l2") or ``alpha t^T K t`` ("rkhs"),
attacked in l2 with radius ``mean |x|``. With ``dK = D + D^T``, ``D_ij = <grad_1 K(x_i, x_j), b_i>``
and b_i the direction of the loss's gradient in x_i, the influence is
``-(K^2 + n alpha)^-1 (K dK t + dK r)``, or ``-(K + n alpha)^-1 dK t``.

No array has an entry for each pair and feature, and besides K only one array for each pair is kept:

- RBF: ``grad_1 K = 2 gamma K (z - x)``.
- NTK of depth 1: K is homogeneous in x, so that ``<grad_1 K, x> = K``; across x it is ``a z`` with
  ``a = (pi - u + cos u / sin u) / 2 pi``, u the angle between x and z. The part of b_i along x_i
  then only scales a row of K, and the rest meets the same matrix product as the RBF's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dsyrk
from threadpoolctl import ThreadpoolController

from bench.machine import threads as processors
from bench.timing import seconds

Array = NDArray[np.float64]

BLOCKS = (128, 256, 512, 1024)
TRIAL_ROWS = 2000
TILE = 32_768  # pairs whose square roots and arc cosines are taken at a time: they stay in L2


class Kernel(NamedTuple):
    """``"ntk"``, of depth 1 with a frozen output layer, or ``"rbf"``, exp(-gamma |x - z|^2)."""

    kind: str
    gamma: float = 1.0

    @property
    def scale(self) -> float:
        """What the stored slopes lack: gradients are multiples ``scale * slope`` of z, and of x."""
        return 2.0 * self.gamma if self.kind == "rbf" else 0.5 / np.pi


class Regression(NamedTuple):
    kernel: Kernel
    alpha: float
    penalty: str = "l2"  # or "rkhs"


class Plan(NamedTuple):
    """Rows of a block of matrix products, rows of a tile of functions, and threads for both."""

    block: int
    tile: int
    threads: int


class Problem(NamedTuple):
    X: Array  # (n, m)
    squares: Array  # (n,): |x|^2
    K: Array  # (n, n)
    slopes: Array  # (n, n); the RBF's are K itself
    left: Array  # (n, c) and
    right: Array  # (n, c): dLoss/dK_ij + dLoss/dK_ji is a multiple of <left_i, right_j>
    K_right: Array  # (n, c)


def influence_whole(model: Regression, X: Array, y: Array, theta: Array) -> Array:
    """Influence, shape (n,), with every step on the whole array."""
    plan = Plan(len(X), len(X), 1)
    K, moves = _moves(model, X, y, theta, plan)
    # NumPy sees A A^T and calls syrk, half of gemm's work.
    return _solve(K, moves, len(X) * model.alpha, plan, square=lambda: K @ K.T)


def influence_blocked(
    model: Regression, X: Array, y: Array, theta: Array, plan: Plan | None = None
) -> Array:
    """Influence, shape (n,), by blocks of rows on threads, in place where that is possible."""
    plan = plan or tuned_plan(*X.shape)
    K, moves = _moves(model, X, y, theta, plan)
    # The lower triangle alone: NumPy would copy it to the upper one.
    return _solve(K, moves, len(X) * model.alpha, plan, square=lambda: dsyrk(1.0, K.T).T)


def _solve(K: Array, moves: Array, shift: float, plan: Plan, square: Callable[[], Array]) -> Array:
    """Overwrites K, or its square. Transposed, they have the order that LAPACK wants."""
    n, count = moves.shape
    right = moves[:, 0] if count == 1 else _times(K, moves[:, 0], plan) + moves[:, 1]
    system = K if count == 1 else square()
    system[np.diag_indices(n)] += shift
    factor = cho_factor(system.T, lower=False, overwrite_a=True, check_finite=False)
    return -cho_solve(factor, right, check_finite=False)


def _moves(model: Regression, X: Array, y: Array, theta: Array, plan: Plan) -> tuple[Array, Array]:
    """K, and dK times theta (rkhs), or times theta and r (l2), shape (n, 1 or 2)."""
    squares = np.vecdot(X, X)
    K, slopes = _gram(model.kernel, X, squares, plan)
    K_theta = _times(K, theta, plan)
    if model.penalty == "rkhs":
        left, right, K_right = -theta[:, None], theta[:, None], K_theta[:, None]
    else:
        r = K_theta - y
        left, right = np.stack((r, theta), axis=1), np.stack((theta, r), axis=1)
        K_right = np.stack((K_theta, _times(K, r, plan)), axis=1)
    q = Problem(X, squares, K, slopes, left, right, K_right)
    rows, columns, along = _contract(model.kernel, q, np.sqrt(squares).mean(), plan)
    moved = rows + columns + along[:, None] * K_right
    return K, moved + _times(K, along[:, None] * right, plan)


def _gram(kernel: Kernel, X: Array, squares: Array, plan: Plan) -> tuple[Array, Array]:
    """K and the slopes. On the diagonal, gradients are half of K(x, x)'s."""
    n, is_ntk = len(X), kernel.kind == "ntk"
    Y, sizes = _prepared(kernel, X, squares)
    K = np.empty((n, n))
    slopes = np.empty((n, n)) if is_ntk else K

    def work(blocks: Iterator[slice]) -> None:
        for rows in blocks:
            block, turned = K[rows, : rows.stop], slopes[rows, : rows.stop]
            np.matmul(Y[rows], Y[: rows.stop].T, out=block)  # of all rows, syrk
            for tile in _slices(len(block), plan.tile):
                _fill(kernel, block[tile], turned[tile], sizes[rows][tile], sizes[: rows.stop])
            for half in (K, slopes) if is_ntk else (K,):
                half[: rows.start, rows] = half[rows, : rows.start].T

    _by_rows(work, n, plan)
    np.fill_diagonal(slopes, np.pi)  # the RBF's slopes are K: the next line is theirs
    np.fill_diagonal(K, 0.5 * squares if is_ntk else 1.0)
    return K, slopes


def _times(K: Array, V: Array, plan: Plan) -> Array:
    out = np.empty(V.shape)
    _by_rows(lambda blocks: [np.matmul(K[b], V, out=out[b]) for b in blocks], len(K), plan)
    return out


def _prepared(kernel: Kernel, X: Array, squares: Array) -> tuple[Array, Array]:
    """Rows to be multiplied, and what `_fill` wants of them: X and |x|^2, or unit rows and |x|."""
    if kernel.kind == "rbf":
        return X, squares
    sizes = np.sqrt(squares)
    return X / sizes[:, None], sizes


def _fill(kernel: Kernel, K: Array, slopes: Array, left: Array, right: Array) -> None:
    """K in place, from products of `_prepared` rows; and the slopes (the RBF's are in K)."""
    if kernel.kind == "rbf":
        K *= 2.0 * kernel.gamma
        K -= kernel.gamma * right
        K -= (kernel.gamma * left)[:, None]
        np.exp(K, out=K)
        return
    np.clip(K, -1.0, 1.0, out=K)
    np.multiply(K, K, out=slopes)
    np.subtract(1.0, slopes, out=slopes)
    np.sqrt(slopes, out=slopes)
    with np.errstate(divide="ignore"):  # of x and itself, which the caller puts right
        np.divide(K, slopes, out=slopes)
    rest = np.arccos(K)
    np.subtract(np.pi, rest, out=rest)
    slopes += rest
    K *= rest
    K *= right * kernel.scale
    K *= left[:, None]


def _contract(kernel: Kernel, q: Problem, radius: float, plan: Plan) -> tuple[Array, Array, Array]:
    """``F right``, ``F^T right`` and h (n,), where ``D = F + diag(h) K``."""
    n, count = q.right.shape
    rows_out, along = np.empty((n, count)), np.empty(n)
    scaled = q.right * q.X if count == 1 else None

    def work(blocks: Iterator[slice]) -> Array:
        columns, space = np.zeros((n, count)), np.empty((min(plan.block, n), n))
        for rows in blocks:
            W = space[: rows.stop - rows.start]
            attack = _attack(kernel, q, rows, _weighted(q, rows, W, scaled), radius)
            across, along[rows] = _split(kernel, q.X[rows], q.squares[rows], attack)
            np.matmul(across, q.X.T, out=W)
            W *= q.slopes[rows]
            np.matmul(W, q.right, out=rows_out[rows])
            columns += W.T @ q.right[rows]
        return columns

    return rows_out, sum(_by_rows(work, n, plan)), along


def _weighted(q: Problem, rows: slice, W: Array, scaled: Array | None) -> Array:
    """``sum_j <left_i, right_j> slope_ij x_j``. A single term can scale X instead of the slopes."""
    if scaled is not None:
        return (q.slopes[rows] @ scaled) * q.left[rows]
    np.matmul(q.left[rows], q.right.T, out=W)
    W *= q.slopes[rows]
    return W @ q.X


def _attack(kernel: Kernel, q: Problem, rows: slice, pull: Array, radius: float) -> Array:
    """b_i: the gradient of the loss in x_i, scaled to length `radius`. Overwrites `pull`."""
    x, own = q.X[rows], np.vecdot(q.left[rows], q.K_right[rows])
    if kernel.kind == "rbf":
        np.negative(own, out=own)
    else:
        pull *= kernel.scale
        own -= np.vecdot(x, pull)
        own /= q.squares[rows]
    pull += own[:, None] * x
    pull *= (radius / np.sqrt(np.vecdot(pull, pull)))[:, None]
    return pull


def _split(kernel: Kernel, x: Array, squares: Array, B: Array) -> tuple[Array, Array]:
    """b' and h, with which ``<grad_1 K(x, z), b> = slope <z, b'> + h K``."""
    along = np.vecdot(x, B)
    if kernel.kind == "rbf":
        return kernel.scale * B, -kernel.scale * along
    along /= squares
    return (B - along[:, None] * x) * kernel.scale, along


def directional_whole(kernel: Kernel, X: Array, Z: Array, B: Array, V: Array) -> Array:
    """``sum_j <grad_1 K(x_i, z_j), B_i> V_j``, shape (n,), with every step on the whole array."""
    return directional_blocked(kernel, X, Z, B, V, Plan(len(X), len(X), 1))


def directional_blocked(
    kernel: Kernel, X: Array, Z: Array, B: Array, V: Array, plan: Plan | None = None
) -> Array:
    """The same by blocks of rows on threads; what belongs to pairs is not kept."""
    plan = plan or tuned_plan(*Z.shape)
    n, out, scaled = len(X), np.empty(len(X)), V[:, None] * Z
    Y, z_sizes = _prepared(kernel, Z, np.vecdot(Z, Z))

    def work(blocks: Iterator[slice]) -> None:
        space = np.empty((1 if kernel.kind == "rbf" else 2, min(plan.block, n), len(Z)))
        for rows in blocks:
            squares = np.vecdot(X[rows], X[rows])
            x, sizes = _prepared(kernel, X[rows], squares)
            K, slopes = space[0, : len(x)], space[-1, : len(x)]
            np.matmul(x, Y.T, out=K)
            for tile in _slices(len(x), plan.tile):
                _fill(kernel, K[tile], slopes[tile], sizes[tile], z_sizes)
            across, along = _split(kernel, X[rows], squares, B[rows])
            out[rows] = np.vecdot(slopes @ scaled, across) + along * (K @ V)

    _by_rows(work, n, plan)
    return out


def tuned_plan(n: int, m: int) -> Plan:
    """The fastest block of BLOCKS on this machine; tiles that stay in the cache; all threads."""
    return Plan(_tuned_block(min(n, TRIAL_ROWS), m), max(1, TILE // n), processors())


@functools.cache
def _tuned_block(n: int, m: int) -> int:
    rng = np.random.default_rng(0)
    X, y = rng.random((n, m)), rng.standard_normal(n)
    model = Regression(Kernel("ntk"), 1.0)

    def least(block: int) -> float:
        plan = Plan(block, max(1, TILE // n), processors())
        return min(seconds(lambda: _moves(model, X, y, y, plan)) for _ in range(3))

    return min(BLOCKS, key=least)


def _by_rows(work: Callable[[Iterator[slice]], Any], n: int, plan: Plan) -> list[Any]:
    """`work` on each thread: it takes blocks of rows, the last first, until none is left.

    BLAS keeps to one thread meanwhile. NumPy's and SciPy's are two libraries: had NumPy's used all
    threads, they would still spin, waiting for work, while SciPy's factorises.
    """
    blocks = iter(_slices(n, plan.block)[::-1])  # of a list: next is atomic
    if plan.threads == 1:
        return [work(blocks)]
    limit = _blas().limit(limits=1, user_api="blas")
    with ThreadPoolExecutor(plan.threads) as pool, limit:
        return list(pool.map(work, [blocks] * plan.threads))


def _slices(n: int, rows: int) -> list[slice]:
    return [slice(start, min(start + rows, n)) for start in range(0, n, rows)]


@functools.cache
def _blas() -> ThreadpoolController:
    """Looking for the libraries takes milliseconds."""
    return ThreadpoolController()
