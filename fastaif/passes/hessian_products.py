"""Products with a Hessian E ℓ'' (v, 1)(v, 1)ᵀ that is never formed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from .._compute import get
from .._compute import types as c
from ..bases.expansion import Expansion
from ..data.sources.sparse import SparseRows
from ..utils.arrays import read_only
from ..utils.caching import cached_property
from .linear import Array, Sweep

_BLOCK_DOUBLES = 1 << 17  # of features that Python code holds at a time
_ROOT_DOUBLES = 1 << 23  # the same where every block meets every other


@dataclass(frozen=True, eq=False)
class HessianProducts:
    """H = E ℓ'' (v, 1)(v, 1)ᵀ at one θ as an operator: a pass over the rows for each product.

    Attributes
    ----------
    sweep : Sweep
        The rows and the basis.
    curvatures : array (n,)
        w ℓ'' / Σ w of each row.
    keeps_rows : bool
        Whether `forward` and its like compute the features once, and keep them.
    """

    sweep: Sweep
    curvatures: Array
    keeps_rows: bool = False

    @property
    def d(self) -> int:
        """The number of parameters."""
        return self.sweep.n_coefs + int(self.sweep.fit_intercept)

    def __call__(self, u: Array) -> Array:
        """H u for u (d,) or (d, k)."""
        m, tail = self.sweep.n_coefs, int(self.sweep.fit_intercept)
        U = np.zeros((m + 1, 1 if u.ndim == 1 else u.shape[1]))
        U[: m + tail] = u.reshape(m + tail, -1)
        U.setflags(write=False)
        add = self._adder()
        self.sweep.executor.tick()

        def work(start: int, stop: int) -> Array:
            out = np.zeros(U.shape)
            add(start, stop, U, out)
            return out

        out = self._reduce(work, U.size)
        return out[: m + tail].reshape(u.shape)

    def diagonal(self) -> Array:
        """diag(H), shape (d,)."""
        d, tail = self.sweep.n_coefs, int(self.sweep.fit_intercept)
        size = max(16, _BLOCK_DOUBLES // max(d, 1))

        def work(start: int, stop: int) -> Array:
            out = np.zeros(d + tail)
            for k in range(start, stop, size):
                end = min(k + size, stop)
                V = self.features(np.asarray(self.sweep.source.inputs(k, end)))
                out[:d] += self.curvatures[k:end] @ np.square(V)
            out[d:] = self.curvatures[start:stop].sum()
            return out

        return self._reduce(work, d)

    # --- W = diag(√c) (V, 1), with H = WᵀW, without the rows of c = 0 ---------------------------

    @cached_property
    def curved(self) -> Array:
        """Which rows have curvature."""
        return np.flatnonzero(self.curvatures)

    @cached_property
    def _stored_blocks(self) -> list[tuple[slice, Array]] | None:
        """W, where it is to be kept."""
        return list(self._made_blocks()) if self.keeps_rows else None

    def _root_blocks(self) -> Iterable[tuple[slice, Array]]:
        """Blocks of rows of W: where they are, and (k, d)."""
        return self._stored_blocks or self._made_blocks()

    def _made_blocks(self) -> Iterator[tuple[slice, Array]]:
        size = max(16, _ROOT_DOUBLES // max(self.d, 1))
        for start in range(0, self.curved.size, size):
            rows = self.curved[start : start + size]
            W = self.features(np.asarray(self.sweep.source.x[rows]))
            if self.sweep.fit_intercept:
                W = np.column_stack([W, np.ones(len(W))])
            yield slice(start, start + len(rows)), np.sqrt(self.curvatures[rows])[:, None] * W

    def forward(self, U: Array) -> Array:
        """W U for U (d, k)."""
        return np.concatenate([W @ U for _, W in self._root_blocks()])

    def backward(self, Z: Array) -> Array:
        """Wᵀ Z for Z (n, k)."""
        out = np.zeros((self.d, Z.shape[1]))
        for rows, W in self._root_blocks():
            out += W.T @ Z[rows]
        return out

    def gram(self, inverse: Array) -> Array:
        """W diag(inverse) Wᵀ, (n, n)."""
        out = np.empty((self.curved.size, self.curved.size))
        for rows, W in self._root_blocks():
            scaled = W * inverse
            for others, other in self._root_blocks():
                if others.start > rows.start:
                    break
                out[rows, others] = scaled @ other.T
                out[others, rows] = out[rows, others].T
        return out

    def features(self, x: Array) -> Array:
        """v of some rows, (k, m)."""
        return np.asarray(self.sweep.basis.transform(x.astype(np.float64, copy=False)))

    def _reduce(self, work: Callable[[int, int], Array], entries: int) -> Array:
        source, d = self.sweep.source, max(self.sweep.n_coefs, 1)
        # Partial results have d entries a vector, not d²: chunks of wide rows may be small. Of
        # sparse rows they should not: a slice of them is a copy.
        sparse = isinstance(source.x, SparseRows)
        chunks = source.chunks(cost=4 if sparse else max(d // 4, 1), columns=1)
        return self.sweep.executor.reduce(source, chunks, work, _add, source.n_rows * entries)

    def _adder(self) -> Callable[[int, int, Array, Array], None]:
        """What adds the product of a range of rows to an array."""
        basis, source = self.sweep.basis, self.sweep.source
        if not isinstance(basis, Expansion):
            sparse = self.sweep.sparse_rows(c.NEED_GRADIENT)
            if sparse is not None:
                return partial(self._add_sparse, sparse)
            operation = get("linear_products")
            shift, inverse = c.EMPTY, c.EMPTY
            if not basis.is_identity:
                shift, scale = map(read_only, basis.arrays(source.n_columns))
                inverse = read_only(1.0 / scale)
            return lambda start, stop, U, out: operation(
                source.inputs(start, stop), self.curvatures[start:stop], shift, inverse, U, out
            )
        if basis.is_compiled:
            run, description = get("basis_products"), basis.compiled()
            return lambda start, stop, U, out: run(
                source.inputs(start, stop), self.curvatures[start:stop], description, U, out
            )
        return self._add_given

    def _add_sparse(
        self, rows: SparseRows, start: int, stop: int, U: Array, out: Array
    ) -> None:
        """Xᵀ(c ∘ (X U)) of sparse rows, by the entries that are there."""
        X, d = rows.matrix[start:stop], self.sweep.n_coefs
        T = self.curvatures[start:stop, None] * (X @ U[:d] + U[d])
        out[:d] += X.T @ T
        out[d] += T.sum(axis=0)

    def _add_given(self, start: int, stop: int, U: Array, out: Array) -> None:
        """A Custom or kernel basis hands over its features, a block at a time."""
        d = self.sweep.n_coefs
        size = max(64, _BLOCK_DOUBLES // max(d, 1))
        for k in range(start, stop, size):
            end = min(k + size, stop)
            V = self.features(np.asarray(self.sweep.source.inputs(k, end)))
            T = self.curvatures[k:end, None] * (V @ U[:d] + U[d])
            out[:d] += V.T @ T
            out[d] += T.sum(axis=0)


def hessian_products(sweep: Sweep, theta: Array) -> HessianProducts:
    """The Hessian of the mean loss of a sweep's rows at θ, penalty not included."""
    source, loss = sweep.source, sweep.loss
    curvatures = np.array(loss.curvature(sweep.predictions(theta), source.targets()), dtype=float)
    w = source.weights()
    if w.size:
        curvatures = np.where(w > 0, w * np.where(w > 0, curvatures, 0.0), 0.0) / w.sum()
    else:
        curvatures /= source.n_rows
    return HessianProducts(sweep, read_only(curvatures))


def _add(a: Array, b: Array) -> Array:
    a += b
    return a
