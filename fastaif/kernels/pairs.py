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

from .._compute import get
from .._compute import types as c
from ..data.blas import single_threaded_blas
from ..data.parallel import for_each, resolve_threads
from ..utils.arrays import read_only

Array = NDArray[Any]

_ROWS, _COLUMNS = 256, 4096  # of a tile
_APART = -(1 << 60)  # the offset of two sets of different samples
_NONE = np.empty((0, 0))


class Tile(NamedTuple):
    """K and slopes a of a tile of pairs, from column `first` of rows (k, l or more) on."""

    values: Array
    slopes: Array
    first: int
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
        # One compiled version for all: others might round their sums in another order.
        object.__setattr__(self, "x", read_only(x))
        object.__setattr__(self, "z", read_only(z))
        squares = np.einsum("ij,ij->i", x, x)
        object.__setattr__(self, "x_squares", squares)
        again = squares if self.same else np.einsum("ij,ij->i", z, z)
        object.__setattr__(self, "z_squares", again)

    @property
    def is_stationary(self) -> bool:
        """Whether K depends on x − z alone."""
        return self.kernel.kind not in (c.POLYNOMIAL, c.NTK)

    def tile(self, rows: slice, columns: slice, derivatives: bool) -> Tile:
        """K, and its derivatives if wanted, of a tile of pairs."""
        shape = rows.stop - rows.start, columns.stop - columns.start
        values = np.empty(shape)
        slopes = np.empty(shape) if derivatives else _NONE
        return Tile(values, slopes, 0, self.fill(rows, columns, values, slopes))

    def fill(self, rows: slice, columns: slice, values: Array, slopes: Array) -> int:
        """Write a tile into rows that may be longer, and return its kinks."""
        x, z = self.x[rows], self.z[columns]
        np.matmul(x, z.T, out=values[:, : len(z)])
        offset = rows.start - columns.start if self.same else _APART
        kinks = get("kernel_tile")(
            self.kernel, x, z, self.x_squares[rows], self.z_squares[columns], offset, values, slopes
        )
        return int(kinks)

    def finished(self, rows: slice, products: Array, sums: Array) -> Array:
        """Σ_j S_ij ∂₁K(x_i, z_j) from Σ_j S_ij a_ij z_j, which it overwrites, and its sums.

        The NTK's is K along x: what the products have there is taken off first, twice, as
        much larger numbers may cancel.
        """
        if self.kernel.kind == c.POLYNOMIAL:
            return products
        x = self.x[rows]
        if self.kernel.kind != c.NTK:
            products -= sums[:, :1] * x
            return products
        products, _ = self._across(rows, products)
        products += (sums[:, 1] / self.x_squares[rows])[:, None] * x
        return products

    def shifts(self, rows: slice, B: Array) -> tuple[Array, Array]:
        """B' (k, m) and u, h (k, 2), for which D_ij = a_ij (⟨z_j, B'_i⟩ − u_i) + h_i K_ij."""
        shifts = np.zeros((len(B), 2))
        if self.kernel.kind == c.NTK:
            B, shifts[:, 1] = self._across(rows, B.copy())
        elif self.is_stationary:
            shifts[:, 0] = np.einsum("ij,ij->i", B, self.x[rows])
        return B, shifts

    def _across(self, rows: slice, B: Array) -> tuple[Array, Array]:
        """The parts of B (k, m), overwritten, across x, and those along it in units of x."""
        x, along = self.x[rows], np.zeros(len(B))
        for _ in range(2):
            part = np.einsum("ij,ij->i", B, x) / self.x_squares[rows]
            B -= part[:, None] * x
            along += part
        return B, along

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
        out = np.empty(self.x.shape)

        def work(rows: slice) -> None:
            products, sums = np.zeros_like(self.x[rows]), np.zeros((rows.stop - rows.start, 2))
            for columns in self.columns():
                found = self.tile(rows, columns, True)
                scaled, here = self.weighted(found, left[rows], right[:, columns])
                products += scaled @ self.z[columns]
                sums += here
            out[rows] = self.finished(rows, products, sums)

        self.by_rows(work)
        return out

    def weighted(self, tile: Tile, left: Array, right: Array) -> tuple[Array, Array]:
        """S ∘ a of a tile, S = left @ right, and the sums over its rows that `finished` wants."""
        scaled, sums = np.empty((len(left), right.shape[1])), np.empty((len(left), 2))
        get("weighted_slopes")(
            tile.slopes, tile.values, tile.first, left, np.ascontiguousarray(right), scaled, sums
        )
        return scaled, sums

    def jacobian(self, B: Array) -> Array:
        """D_ij = ⟨∂₁K(x_i, z_j), B_i⟩ (n, k) for B (n, m)."""
        out = np.empty((len(self.x), len(self.z)))

        def work(rows: slice) -> None:
            directed, shifts = self.shifts(rows, B[rows])
            for columns in self.columns():
                found = self.tile(rows, columns, True)
                out[rows, columns] = self.directed(found, columns, directed, shifts)

        self.by_rows(work)
        return out

    def directional(self, B: Array, right: Array, left: Array | None = None) -> tuple[Array, Array]:
        """D rightᵀ (n, 2) and leftᵀ D (2, k), for D of `jacobian`, right (2, k), left (n, 2)."""
        left = np.zeros((len(self.x), 2)) if left is None else left
        rows_out, parts = np.zeros((len(self.x), 2)), []

        def work(rows: slice) -> None:
            total = np.zeros((2, len(self.z)))
            directed, shifts = self.shifts(rows, B[rows])
            for columns in self.columns():
                D = self.directed(self.tile(rows, columns, True), columns, directed, shifts)
                wanted, below = np.ascontiguousarray(right[:, columns]), np.zeros((2, D.shape[1]))
                get("directional_sums")(D, wanted, left[rows], rows_out[rows], below)
                total[:, columns] = below
            parts.append((rows.start, total))

        self.by_rows(work)
        ordered = [part for _, part in sorted(parts, key=lambda pair: pair[0])]
        return rows_out, np.sum(ordered, axis=0)

    def directed(self, tile: Tile, columns: slice, B: Array, shifts: Array) -> Array:
        """D of a tile, from what `shifts` gives."""
        D = np.matmul(B, self.z[columns].T)
        get("directional_tile")(tile.slopes, tile.values, tile.first, shifts, D)
        return D


@dataclass(frozen=True, kw_only=True)
class Gram(Pairs):
    """The pairs of one set of rows, kept: made once, and but half of them computed.

    Attributes
    ----------
    K, slopes : array (n, n)
    kinks : int
        Pairs of distinct parallel or antiparallel samples, where the NTK has kinks; counted
        with the derivatives.
    """

    K: Array
    slopes: Array
    kinks: int

    def tile(self, rows: slice, columns: slice, derivatives: bool) -> Tile:
        """The stored rows."""
        return Tile(self.K[rows], self.slopes[rows], columns.start, self.kinks)


def make_gram(
    kernel: c.Kernel, X: Array, derivatives: bool, n_threads: int | None = None
) -> Gram:
    """All pairs of the rows of X (n, m), with their derivatives if wanted."""
    pairs, n = Pairs(kernel, X, X, True, n_threads), len(X)
    K = np.empty((n, n))
    slopes = np.empty((n, n)) if derivatives else _NONE
    kinks: list[int] = []

    def work(rows: slice) -> None:
        turned = slopes[rows] if derivatives else _NONE
        found = pairs.fill(rows, slice(0, rows.stop), K[rows], turned)
        if derivatives and found:  # within the block each of its pairs is met twice
            inside = turned[:, rows] == 0.0
            found -= (int(np.count_nonzero(inside)) - len(inside)) // 2
            kinks.append(found)
        for half in (K, slopes) if derivatives else (K,):
            get("mirror")(half[rows], rows.start, half)

    pairs.by_rows(work, last_first=True)
    return Gram(kernel, X, X, True, n_threads, K=K, slopes=slopes, kinks=sum(kinks))


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
