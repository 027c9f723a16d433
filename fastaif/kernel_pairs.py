"""Kernels and their derivatives over all pairs of two sets of rows, tile by tile.

Tiles of rows run on threads of our own; no more than a tile of pairs is held for each,
except by `Gram`, which keeps what a fit and its influence use again. Every gradient is
``∂₁K(x, z) = a z + b x`` (see `_compute.kernel_contractions`), so that no array with an
entry for each pair and feature is ever formed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._compute import _types as c
from ._compute import get
from .streaming import for_each, resolve_threads, single_threaded_blas

Array = NDArray[Any]

_ROWS, _COLUMNS = 256, 4096  # of a tile
_APART = -(1 << 60)  # the offset of two sets of different samples
_NONE = np.empty((0, 0))


class Tile(NamedTuple):
    """K (k, l) of a tile of pairs, its slopes a and radial parts e, and its kinks."""

    values: Array
    slopes: Array
    radial: Array
    kinks: int


@dataclass(frozen=True)
class Pairs:
    """All pairs of the rows of X (n, m) and Z (k, m); the same samples if Z is None.

    Kernels of the distance see both sets moved by a common vector, so that an offset of
    the data costs no digits.
    """

    kernel: c.Kernel
    x: Array
    z: Array
    same: bool
    n_threads: int | None = None
    x_squares: Array = field(init=False, repr=False)
    z_squares: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        x, z = self.x, self.z
        if self.is_stationary:
            centre = z.mean(axis=0)
            z = z - centre
            x = z if self.same else x - centre
            object.__setattr__(self, "x", x)
            object.__setattr__(self, "z", z)
        squares = np.einsum("ij,ij->i", x, x)
        object.__setattr__(self, "x_squares", squares)
        again = squares if self.same else np.einsum("ij,ij->i", z, z)
        object.__setattr__(self, "z_squares", again)

    @property
    def is_stationary(self) -> bool:
        """Whether K depends on x − z alone."""
        return self.kernel.kind in (c.RBF, c.MATERN_3_2, c.MATERN_5_2)

    def tile(self, rows: slice, columns: slice, derivatives: bool) -> Tile:
        """K, and its derivatives if wanted, of a tile of pairs."""
        x, z = self.x[rows], self.z[columns]
        values = np.matmul(x, z.T)
        slopes = radial = _NONE
        if derivatives:
            slopes = np.empty(values.shape)
            radial = np.empty(values.shape) if self.kernel.kind == c.NTK else _NONE
        offset = rows.start - columns.start if self.same else _APART
        kinks = get("kernel_tile")(
            self.kernel, x, z, self.x_squares[rows], self.z_squares[columns], offset, values,
            (slopes, radial),
        )  # fmt: skip
        return Tile(values, slopes, radial, int(kinks))

    def described(self, tile: Tile, rows: slice, columns: slice) -> tuple[Any, ...]:
        """A tile as the contractions take it."""
        if self.kernel.kind != c.NTK:
            return self.kernel.kind, tile.slopes, _NONE, c.EMPTY, c.EMPTY
        norms = np.sqrt(self.x_squares[rows]), np.sqrt(self.z_squares[columns])
        return self.kernel.kind, tile.slopes, tile.radial, *norms

    def by_rows(self, work: Callable[[slice], None], last_first: bool = False) -> None:
        """Run `work` on blocks of rows of X, on threads."""
        n, width = len(self.x), max(len(self.z), 1)
        size = max(1, min(_ROWS, -(-n // 4)))
        edges = [*range(0, n, size), n]
        blocks = [slice(*pair) for pair in itertools.pairwise(edges)]
        blocks = blocks[::-1] if last_first else blocks
        threads = resolve_threads(self.n_threads, n * width)
        with single_threaded_blas():
            for_each(len(blocks), lambda k: work(blocks[k]), threads)

    def columns(self) -> Iterator[slice]:
        """Blocks of the rows of Z."""
        for start in range(0, len(self.z), _COLUMNS):
            yield slice(start, min(start + _COLUMNS, len(self.z)))

    # --- what is made of the tiles --------------------------------------------------------

    def values(self) -> Array:
        """K (n, k)."""
        out = np.empty((len(self.x), len(self.z)))

        def work(rows: slice) -> None:
            for columns in self.columns():
                out[rows, columns] = self.tile(rows, columns, False).values

        self.by_rows(work)
        return out

    def product(self, V: Array) -> Array:
        """K V for V (k,) or (k, c), without forming K."""
        out = np.zeros((len(self.x), *V.shape[1:]))

        def work(rows: slice) -> None:
            for columns in self.columns():
                out[rows] += self.tile(rows, columns, False).values @ V[columns]

        self.by_rows(work)
        return out

    def gradient(self, left: Array, right: Array) -> Array:
        """Σ_j S_ij ∂₁K(x_i, z_j), (n, m), for S = left @ right, left (n, 2), right (2, k)."""
        out = np.zeros(self.x.shape)

        def work(rows: slice) -> None:
            for columns in self.columns():
                found = self.tile(rows, columns, True)
                own, scaled = np.empty(len(found.slopes)), np.empty(found.slopes.shape)
                get("weighted_slopes")(
                    self.described(found, rows, columns), left[rows],
                    np.ascontiguousarray(right[:, columns]), scaled, own,
                )  # fmt: skip
                out[rows] += scaled @ self.z[columns]
                out[rows] += own[:, None] * self.x[rows]

        self.by_rows(work)
        return out

    def jacobian(self, B: Array) -> Array:
        """D_ij = ⟨∂₁K(x_i, z_j), B_i⟩ (n, k) for B (n, m)."""
        out = np.empty((len(self.x), len(self.z)))

        def work(rows: slice) -> None:
            for columns in self.columns():
                out[rows, columns] = self._directional(rows, columns, B[rows])

        self.by_rows(work)
        return out

    def directional(self, B: Array, right: Array, left: Array | None = None) -> tuple[Array, Array]:
        """D rightᵀ (n, 2) and leftᵀ D (2, k), for D of `jacobian`, right (2, k), left (n, 2)."""
        left = np.zeros((len(self.x), 2)) if left is None else left
        rows_out, parts = np.zeros((len(self.x), 2)), []

        def work(rows: slice) -> None:
            total = np.zeros((2, len(self.z)))
            for columns in self.columns():
                D = self._directional(rows, columns, B[rows])
                here, below = np.empty((len(D), 2)), np.zeros((2, D.shape[1]))
                wanted = np.ascontiguousarray(right[:, columns])
                get("directional_sums")(D, wanted, left[rows], here, below)
                rows_out[rows] += here
                total[:, columns] = below
            parts.append((rows.start, total))

        self.by_rows(work)
        ordered = [part for _, part in sorted(parts, key=lambda pair: pair[0])]
        return rows_out, np.sum(ordered, axis=0)

    def _directional(self, rows: slice, columns: slice, B: Array) -> Array:
        found = self.tile(rows, columns, True)
        D = np.matmul(B, self.z[columns].T)
        along = np.einsum("ij,ij->i", B, self.x[rows])
        get("directional_tile")(self.described(found, rows, columns), along, D)
        return D


@dataclass(frozen=True, kw_only=True)
class Gram(Pairs):
    """The pairs of one set of rows, kept: made once, and but half of them computed.

    Attributes
    ----------
    K : array (n, n)
    slopes, radial : array (n, n)
        a and e; radial is empty for all kernels but the NTK.
    kinks : int
        Pairs of distinct parallel or antiparallel samples, where the NTK has kinks; counted
        with the derivatives.
    """

    K: Array
    slopes: Array
    radial: Array
    kinks: int

    def tile(self, rows: slice, columns: slice, derivatives: bool) -> Tile:
        """The stored rows; `columns` are all of them."""
        radial = self.radial[rows] if self.radial.size else _NONE
        return Tile(self.K[rows], self.slopes[rows], radial, self.kinks)

    def columns(self) -> Iterator[slice]:
        """All columns at once."""
        yield slice(0, len(self.z))


def make_gram(
    kernel: c.Kernel, X: Array, derivatives: bool, n_threads: int | None = None
) -> Gram:
    """All pairs of the rows of X (n, m), with their derivatives if wanted."""
    pairs, n = Pairs(kernel, X, X, True, n_threads), len(X)
    K = np.empty((n, n))
    slopes = np.empty((n, n)) if derivatives else _NONE
    radial = np.empty((n, n)) if derivatives and kernel.kind == c.NTK else _NONE
    kinks: list[int] = []

    def work(rows: slice) -> None:
        found = pairs.tile(rows, slice(0, rows.stop), derivatives)
        for tile, out in zip(found, (K, slopes, radial), strict=False):
            if out.size:
                get("scatter_symmetric")(tile, rows.start, out)
        if derivatives and found.kinks:  # within the block each of its pairs is met twice
            inside = found.slopes[:, rows] == 0.0
            kinks.append(found.kinks - (int(np.count_nonzero(inside)) - len(inside)) // 2)

    pairs.by_rows(work, last_first=True)
    return Gram(
        kernel, X, X, True, n_threads, K=K, slopes=slopes, radial=radial, kinks=sum(kinks)
    )


def values(kernel: c.Kernel, X: Array, Z: Array | None, n_threads: int | None = None) -> Array:
    """K (n, k)."""
    return _pairs(kernel, X, Z, n_threads).values()


def gradient(
    kernel: c.Kernel, X: Array, Z: Array | None, V: Array, n_threads: int | None = None
) -> Array:
    """Σ_j V_j ∂₁K(x_i, z_j), shape (n, m)."""
    left = np.zeros((len(X), 2))
    left[:, 0] = 1.0
    return _pairs(kernel, X, Z, n_threads).gradient(left, np.stack([V, np.zeros(len(V))]))


def directional(
    kernel: c.Kernel, X: Array, Z: Array | None, B: Array, V: Array, n_threads: int | None = None
) -> Array:
    """Σ_j ⟨∂₁K(x_i, z_j), B_i⟩ V_j, shape (n,)."""
    right = np.stack([V, np.zeros(len(V))])
    return _pairs(kernel, X, Z, n_threads).directional(B, right)[0][:, 0]


def _pairs(kernel: c.Kernel, X: Array, Z: Array | None, n_threads: int | None) -> Pairs:
    same = Z is None or Z is X
    return Pairs(kernel, X, X if Z is None else Z, same, n_threads)
