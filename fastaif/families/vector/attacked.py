"""Rows under attack: in memory where there is room for them, else made anew whenever they are read.

Fits see such rows through sums alone, so that there may be more of them than memory holds, and sums
that are on file need no attack at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...data.sources import LazyRows
from ...data.sources.files import mapped_file
from ...solvers.limits import fits
from ...threat.ascent_settings import PgdSettings
from ...utils.caching import cached_property
from .attack import Search
from .rows import VectorRows

Array = NDArray[Any]
T = TypeVar("T")

_DEAR = 64  # sweeps of the rows that an attack on them is worth
_HELD = 20  # attacks of a fit that are held at a time


class Attacked(NamedTuple):
    """Attacked inputs (k, m), float64, and predictions there (k, K)."""

    X: Array
    z: Array


@dataclass(frozen=True, eq=False)
class Attack:
    """The worst attacks on all samples at a θ: exact where there are no settings, else by ascent.

    Attributes
    ----------
    problem : VectorRows
    search : type
    theta : array (d,)
    eps : float
    settings : PgdSettings or None
    """

    problem: VectorRows
    search: type[Search]
    theta: Array
    eps: float
    settings: PgdSettings | None

    def on(self, start: int, stop: int) -> Attacked:
        """The attack on a range of rows."""
        problem, matrix = self.problem, self._matrix
        own, source, X = problem.ball.own, problem.source, problem.source.inputs(start, stop)
        z = problem.sweep.inputs(start, stop) @ matrix.T
        here = self.search(
            problem.model.loss, own, self._slopes, self.eps * problem.radius, z,
            source.targets(start, stop), start,
        )  # fmt: skip
        t = here.exact() if self.settings is None else here.ascend(self.settings)
        X = np.array(X, dtype=np.float64)
        own.move(X, t)
        return Attacked(X, z + t @ self._slopes.T)

    @cached_property
    def _matrix(self) -> Array:
        return self.problem.model.layout.matrix(self.theta)

    @cached_property
    def _slopes(self) -> Array:
        return self.problem.ball.own.slopes(self._matrix[:, : self.problem.model.n_features])

    @cached_property
    def inputs(self) -> Array:
        """The attacked inputs, (n, m)."""
        out = np.empty((self.problem.n_rows, self.problem.model.n_features))
        self._map(lambda start, stop: np.copyto(out[start:stop], self.on(start, stop).X))
        return out

    @cached_property
    def z(self) -> Array:
        """Predictions there, (n, K)."""
        out = np.empty((self.problem.n_rows, self.problem.model.n_outputs))
        self._map(lambda start, stop: np.copyto(out[start:stop], self.on(start, stop).z))
        return out

    def _map(self, work: Callable[[int, int], None]) -> None:
        self.problem.executor.map_rows(self.problem.source, work, cost=_DEAR)

    @cached_property
    def source(self) -> RowSource:
        """The rows under it."""
        source = self.problem.source
        held = type(source.x) is np.ndarray and mapped_file(source.x) is None
        if held and fits(_HELD * source.n_rows * source.n_columns):
            return source._replace(x=self.inputs)
        rows: Any = _AttackedRows(source.x, self)
        return source._replace(x=rows)

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from other attacks on the same rows."""
        return self.theta, self.eps, self.problem.radius, repr(self.settings)


class _AttackedRows(LazyRows):
    """Rows that are attacked whenever they are read."""

    def __init__(self, base: Any, attack: Attack) -> None:
        edges = getattr(base, "edges", None)
        super().__init__(base.shape, np.float64, getattr(base, "columns", None), edges)
        self.base, self._attack = base, attack
        self.in_order = getattr(base, "in_order", False)

    def read(self, start: int, stop: int) -> Array:
        """Attacked rows."""
        return self._attack.on(start, stop).X

    def hold(self, start: int, stop: int) -> None:
        """Read rows that come in an order, and keep them for the thread that attacks them."""
        self.base.hold(start, stop)

    def released_after(self, work: Callable[[int, int], T]) -> Callable[[int, int], T]:
        """The work on rows that are held, after which they are no longer."""
        released: Callable[[int, int], T] = self.base.released_after(work)
        return released

    def release_all(self) -> None:
        """Release what a pass that was stopped has left."""
        self.base.release_all()
