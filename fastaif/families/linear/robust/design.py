"""Products with the rows z_i = (v_i, 1) of a linear predictor, block by block.

What a robust fit by interior points asks of the rows: predictions Zθ, Zᵀg for a number a row, and
ZᵀAZ for a weight a row. Rows need not be in memory, numbers of a row are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...._compute import types as c
from ....bases.builtin import Linear
from ....data.rows import RowSource
from ....data.sources.sparse import SparseRows
from ....losses import SquaredError
from ....passes.linear import Sweep
from ....passes.sums import InfluenceSums
from ....utils.caching import cached_property

Array = NDArray[Any]
_KEPT = 1 << 25  # entries of transformed rows that are kept: 256 MB
_BLOCK = 1 << 15
_SEEN = 1 << 10  # rows whose numbers stay in cache
_FEW = 1 << 20  # entries of all rows, up to which calls cost more than the work in them
_COPIED = 1 << 21  # entries up to which some of the rows are copied: 16 MB


@dataclass(frozen=True)
class Design:
    """The rows of positive weight.

    Attributes
    ----------
    sweep : Sweep
    """

    sweep: Sweep

    @cached_property
    def weights(self) -> Array:
        """w̄ (n,), of sum one, of the rows of positive weight."""
        if self.sweep.source.weight is None:
            alike = np.empty(self.sweep.source.n_rows)
            alike.fill(1.0 / alike.size)  # np.full's own code is much for small problems
            return alike
        w = self.sweep.source.weights()[self._kept]
        return np.asarray(w / w.sum())

    @cached_property
    def targets(self) -> Array:
        """y (n,) of the rows of positive weight."""
        return np.asarray(self.sweep.source.targets()[self._kept], dtype=np.float64)

    @cached_property
    def _kept(self) -> Any:
        if self.sweep.source.weight is None:
            return slice(None)
        positive = self.sweep.source.weights() > 0
        return slice(None) if positive.all() else np.flatnonzero(positive)

    def among(self, numbers: Array) -> Array:
        """Those of these rows, of numbers of all."""
        return np.asarray(numbers[self._kept])

    def places(self, numbers: Array) -> Array:
        """Where among these rows those of some numbers are, if they are."""
        if isinstance(self._kept, slice):
            return numbers
        return np.minimum(np.searchsorted(self._kept, numbers), self._kept.size - 1)

    def numbers(self, which: Array) -> Array:
        """The numbers among all rows that some of these have."""
        return which if isinstance(self._kept, slice) else np.asarray(self._kept[which])

    @cached_property
    def n_columns(self) -> int:
        """d, the intercept's column included."""
        return self.sweep.n_coefs + self.sweep.fit_intercept

    @cached_property
    def sizes(self) -> Array:
        """√(E z_j²) of every column (d,)."""
        w = self.spread(self.weights)
        if self._by_sums:
            squares = np.diagonal(self._sums(w, np.zeros(w.size), c.NEED_HESSIAN)[0])
            return np.asarray(np.sqrt(squares))

        def work(start: int, stop: int) -> Array:
            block = self._block(start, stop)
            return w[start:stop] @ np.square(block)

        squares = self._reduce(work)
        return np.sqrt(np.append(squares, 1.0) if self.sweep.fit_intercept else squares)

    @cached_property
    def matrix(self) -> Array | None:
        """Z (n, d) itself, where it is small."""
        n = self.sweep.source.n_rows
        if n * self.n_columns > _FEW or self._by_sums:
            return None
        V = self.inputs()
        return np.column_stack([V, np.ones(len(V))]) if self.sweep.fit_intercept else V

    def inputs(self) -> Array:
        """V (n, m), Z without the intercept's column, of few rows; not to be written into."""
        return np.asarray(self._block(0, self.sweep.source.n_rows)[self._kept])

    @cached_property
    def _lengths(self) -> Array:
        """‖z_i‖₂ (n,) of a small matrix."""
        assert self.matrix is not None
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", self.matrix, self.matrix)))

    def yardstick(self, numbers: Array) -> float:
        """Σ |g_i| ‖z_i‖₂ of numbers g (n,): what Zᵀg is small or large against."""
        if self.matrix is not None:
            return float(np.abs(numbers) @ self._lengths)
        g = self.spread(numbers)

        def work(start: int, stop: int) -> Array:
            block = self._block(start, stop)
            squares = np.einsum("ij,ij->i", block, block) + self.sweep.fit_intercept
            return np.array([np.abs(g[start:stop]) @ np.sqrt(squares)])

        return float(self._reduce(work)[0])

    def columns(self, which: Array) -> Array:
        """Some columns of Z, (n, k)."""
        m = self.sweep.n_coefs
        out = np.ones((self.sweep.source.n_rows, which.size))
        inner = which < m

        def work(start: int, stop: int) -> None:
            out[start:stop, inner] = self._block(start, stop)[:, which[inner]]

        if inner.any():
            self.sweep.executor.map_rows(self.sweep.source, work)
        return np.asarray(out[self._kept])

    def outer(self, diagonal: Array) -> Array:
        """Z diag(·) Zᵀ (n, n), for few rows."""
        m = self.sweep.n_coefs
        V = self.inputs()
        found = (V * diagonal[:m]) @ V.T
        return found + diagonal[m] if self.sweep.fit_intercept else found

    def predict(self, theta: Array) -> Array:
        """Zθ (n,) or (n, k), for θ (d,) or (d, k)."""
        if theta.ndim == 1 and not theta[: self.sweep.n_coefs].any():
            return np.full(self.weights.size, theta[-1] if self.sweep.fit_intercept else 0.0)
        if self.matrix is not None:
            return np.asarray(self.matrix @ theta)
        if self._by_sums:
            parts = [self.sweep.predictions(one)[self._kept] for one in np.atleast_2d(theta.T)]
            return np.asarray(parts[0] if theta.ndim == 1 else np.column_stack(parts))
        m = self.sweep.n_coefs
        b = theta[m] if self.sweep.fit_intercept else 0.0
        out = np.empty((self.sweep.source.n_rows, *theta.shape[1:]))

        def work(start: int, stop: int) -> None:
            out[start:stop] = self._block(start, stop) @ theta[:m] + b

        self.sweep.executor.map_rows(self.sweep.source, work)
        return np.asarray(out[self._kept])

    def pull(self, numbers: Array) -> Array:
        """Zᵀg (d, k) of numbers g (n, k)."""
        if self.matrix is not None:
            return np.asarray(self.matrix.T @ numbers)
        g = self.spread(numbers)
        if self._by_sums:
            return np.column_stack([self._sums(np.ones(len(g)), one, 0)[1] for one in g.T])

        def work(start: int, stop: int) -> Array:
            return self._with_intercept(self._block(start, stop).T @ g[start:stop], g[start:stop])

        return self._reduce(work)

    def through(
        self, theta: Array, see: Callable[[slice, Array], tuple[Array, Array]], width: int
    ) -> tuple[Array, Array, Array]:
        """(Zθ)ᵀ (k, n) of θ (d, k), and sums of what is made of that, in one reading.

        Parameters
        ----------
        theta : array (d, k)
        see : callable
            From rows, as a slice, and their predictions (k, b), to numbers g (c, b) and totals.
        width : int
            c.

        Returns
        -------
        f : array (k, n)
        pulled : array (c, d)
            gZ.
        totals : array
        """
        n, m, d = self.weights.size, self.sweep.n_coefs, self.n_columns
        if self._by_sums:
            f = np.ascontiguousarray(self.predict(theta).T)
            g, totals = see(slice(0, n), f)
            return f, self.pull(g.T).T, totals
        self.sweep.executor.tick()
        f = np.empty((theta.shape[1], n))
        b = theta[m][:, None] if d > m else 0.0

        @np.errstate(over="ignore", invalid="ignore")  # numbers may have overflowed
        def work(start: int, stop: int) -> Array:
            V, (first, last) = self._kept_block(start, stop)
            parts = []
            for at in range(first, max(last, first + 1), _SEEN):
                rows = slice(at, min(at + _SEEN, last))
                block = V[at - first : rows.stop - first]
                near = theta[:m].T @ block.T
                near += b
                f[:, rows] = near
                g, totals = see(rows, near)
                pulled = np.empty((width, d))
                pulled[:, :m] = g @ block
                if d > m:
                    pulled[:, m] = g.sum(axis=1)
                parts.append(np.concatenate([pulled.ravel(), totals]))
            return np.sum(parts, axis=0)

        found = self._reduce(work)
        return f, found[: width * d].reshape(width, d), found[width * d :]

    def _kept_block(self, start: int, stop: int) -> tuple[Array, tuple[int, int]]:
        """v of the rows of positive weight in a range, and which of these they are."""
        block = self._block(start, stop)
        if isinstance(self._kept, slice):
            return block, (start, stop)
        first, last = np.searchsorted(self._kept, [start, stop])
        return block[self._kept[first:last] - start], (int(first), int(last))

    def gram(self, weights: Array, numbers: Array) -> tuple[Array, Array]:
        """ZᵀAZ (d, d) of weights A ≥ 0 (n,), and Zᵀg (d, k) of numbers g (n, k): one pass."""
        if self._by_sums:
            A = self.spread(np.maximum(weights, 0.0))
            return self._sums(A, np.zeros(A.size), c.NEED_HESSIAN)[0], self.pull(numbers)
        sums = self.sweep.executor.kept(
            self.sweep.source,
            lambda: ("gram", weights, numbers, self.sweep.fit_intercept),
            lambda: self._gram(weights, numbers),
        )
        return sums.raw.hessian, sums.raw.vectors.T

    def _gram(self, weights: Array, numbers: Array) -> InfluenceSums:
        m, d = self.sweep.n_coefs, self.n_columns
        root = self.spread(np.sqrt(np.maximum(weights, 0.0)))
        g = self.spread(np.column_stack([numbers, weights]))

        def work(start: int, stop: int) -> Array:
            block = self._block(start, stop)
            scaled = block * root[start:stop, None]
            out = np.empty((d, d + g.shape[1]))
            out[:m, :m] = scaled.T @ scaled
            out[:, d:] = self._with_intercept(block.T @ g[start:stop], g[start:stop])
            return out

        found = self._reduce(work)
        hessian, pulled = found[:, :d], found[:, d:]
        if d > m:  # the column of ones meets the others in ZᵀA1
            hessian[m], hessian[:, m] = pulled[:, -1], pulled[:, -1]
        raw = c.Sums(hessian, pulled[:, :-1].T, np.zeros(0))
        return InfluenceSums(("gram",), raw, self.sweep.fit_intercept)

    def square(self, weights: Array) -> Array:
        """ZᵀAZ (d, d) alone, in less time."""
        if self.matrix is not None:
            return _squared(self.matrix, np.maximum(weights, 0.0))
        A = self.spread(np.maximum(weights, 0.0))
        if not A.any():
            return np.zeros((self.n_columns, self.n_columns))
        return self._sums(A, np.zeros(A.size), c.NEED_HESSIAN)[0]

    def part(self, numbers: Array) -> Design:
        """Some of the rows, copied where they are few, else with weights of zero for the others."""
        source, sweep = self.sweep.source, self.sweep
        if self.matrix is not None:
            V = self.matrix[numbers, : sweep.n_coefs]
            return self._of(V, numbers)
        places = self.numbers(numbers)
        if numbers.size * self.n_columns > _COPIED or self._by_sums:
            weight = np.zeros(source.n_rows)
            weight[places] = self.weights[numbers]
            return Design(dataclasses.replace(sweep, source=source._replace(weight=weight)))
        V = np.empty((numbers.size, sweep.n_coefs))

        def work(start: int, stop: int) -> None:
            first, last = np.searchsorted(places, [start, stop])
            if first < last:
                V[first:last] = self._block(start, stop)[places[first:last] - start]

        sweep.executor.map_rows(source, work)
        return self._of(V, numbers)

    def _of(self, V: Array, numbers: Array) -> Design:
        rows = RowSource(V, self.targets[numbers], None, unchanged)
        return Design(dataclasses.replace(self.sweep, source=rows, basis=Linear()))

    def pull_of(self, numbers: Array, g: Array) -> Array:
        """Zᵀg (d,) of numbers g (k,) of some rows."""
        if self.matrix is not None:
            return np.asarray(g @ self.matrix[numbers])
        return np.asarray(self.part(numbers).pull(g[:, None])[:, 0])

    def square_of(self, numbers: Array, weights: Array) -> Array:
        """ZᵀAZ (d, d) of weights A ≥ 0 (k,) of some rows."""
        if self.matrix is not None:
            return _squared(self.matrix[numbers], weights)
        return self.part(numbers).square(weights)

    @cached_property
    def _by_sums(self) -> bool:
        """Whether rows are best seen through the sums of a least-squares fit to them: workers
        have them, or entries that are zero are passed over."""
        source = self.sweep.source
        if type(source.x) is np.ndarray:
            return False
        return self.sweep.executor.is_remote(source) or isinstance(source.x, SparseRows)

    def _sums(self, weights: Array, numbers: Array, need: int) -> tuple[Array, Array]:
        """ZᵀAZ and Zᵀg: half the derivatives of Σ A r² + g f, at θ = 0."""
        source = self.sweep.source._replace(y=-0.5 * numbers, weight=weights, encode=unchanged)
        sweep = dataclasses.replace(self.sweep, source=source, loss=SquaredError())
        sums = sweep.run(np.zeros(self.n_columns), c.NEED_GRADIENT | need)
        total = sums.weight
        hessian = 0.5 * total * sums.hessian if need else np.empty((0, 0))
        return hessian, total * sums.gradient

    def _with_intercept(self, pulled: Array, numbers: Array) -> Array:
        if not self.sweep.fit_intercept:
            return pulled
        return np.vstack([pulled, numbers.sum(axis=0)[None]])

    def spread(self, numbers: Array) -> Array:
        """Zeros for rows of no weight."""
        if isinstance(self._kept, slice):
            return numbers
        out = np.zeros((self.sweep.source.n_rows, *numbers.shape[1:]))
        out[self._kept] = numbers
        return out

    def _reduce(self, work: Any) -> Array:
        source = self.sweep.source
        entries = source.n_rows * source.n_columns
        return np.asarray(self.sweep.executor.reduce(source, source.chunks(), work, _add, entries))

    def _block(self, start: int, stop: int) -> Array:
        """v of a range of rows; of no weight they may be anything but not a number."""
        if self._transformed is not None:
            return self._transformed[start:stop]
        return self._read(start, stop)

    def _read(self, start: int, stop: int) -> Array:
        block = self.sweep.source.inputs(start, stop).astype(np.float64, copy=False)
        return np.asarray(self.sweep.basis.transform(block))

    @cached_property
    def _transformed(self) -> Array | None:
        source = self.sweep.source
        plain = isinstance(source.x, np.ndarray) and source.x.dtype == np.float64
        if plain and source.x.flags.c_contiguous and self.sweep.basis.is_identity:
            return None
        if source.n_rows * self.sweep.n_coefs > _KEPT:
            return None
        return self._read(0, source.n_rows)


def _squared(Z: Array, weights: Array) -> Array:
    """ZᵀAZ as the product of one matrix with itself, which costs half of another product."""
    scaled = Z * np.sqrt(weights)[:, None]
    return np.asarray(scaled.T @ scaled)


def blocks(n: int) -> Iterator[slice]:
    """n rows, so many at a time that what is made of each needs no room to speak of."""
    for start in range(0, n, _BLOCK):
        yield slice(start, min(start + _BLOCK, n))


def unchanged(y: Array) -> Array:
    """Targets that are numbers already."""
    return y


def _add(a: Array, b: Array) -> Array:
    a += b
    return a
