"""Attacks on the inputs of networks, each sample by itself, for as long as it still moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ..._compute import types as c
from ...data.blas import single_threaded_blas
from ...data.parallel import for_each, resolve_threads
from ...utils.arrays import read_only
from ..autodiff.attack import Attacker, Climbable
from ..autodiff.rows import Batch

Array = NDArray[Any]

_ROUNDING = 4.0 * np.finfo(float).eps
_SETTLED = 1e-14  # of the radius
_SHORTER, _LONGER, _SHORTEST = 0.25, 2.0, 1e-9
_ENTRIES = 1 << 21  # of the inputs of rows that climb together, at least
_BLOCK = 1 << 17  # of those of a block, so that its arrays are in the cache
_CHUNK = 512  # rows of a call of the compiled ascent: the last ones leave lanes idle
_ALONE = 0.1  # of what is enough: in a block rows go on with the others for some steps more
_FEW = 4  # a share of a block's rows, one of so many, that go on with those of other blocks
_QUIET = 2  # steps that bring nothing to speak of
_WORTH_LEAVING = 0.8  # the share of rows below which the others are put aside


class Rising(Climbable, Protocol):
    """What has heights and slopes in one pass."""

    @property
    def n_threads(self) -> int | None: ...

    def rising(self, theta: Array, X: Array, y: Array) -> tuple[Array, Array]:
        """Heights (k,) and slopes (k, m)."""

    def compiled(self, theta: Array) -> tuple[c.Layers, c.Head] | None:
        """What compiled ascents take; None where they know no such model."""


@dataclass
class LayeredAttacker(Attacker):
    """An Attacker whose rows stop one by one, with a pass for value and slope together."""

    problem: Rising

    def search(self, theta: Array, every: bool = False) -> None:
        """Look for worse attacks at θ; matrices are so small that BLAS's own threads cost more."""
        with single_threaded_blas():
            for batch in _joined(self.problem.batches(every=every)):
                self._search_batch(theta, batch)

    def _climb(self, theta: Array, batch: Batch, delta: Array) -> tuple[Array, Array]:
        """Where the steps from δ (k, m) lead, and heights there; no sample is lower."""
        network, box = self.problem.compiled(theta), self.problem.ball.box
        if network is None or box is None:
            return self._climb_together(theta, batch, delta)
        return self._climb_apart(network, box, batch, delta)

    def _climb_apart(
        self, network: tuple[c.Layers, c.Head], box: c.Box, batch: Batch, delta: Array
    ) -> tuple[Array, Array]:
        """The same by a compiled operation, to which rows are strangers, on all threads."""
        settings, n = self.settings, len(delta)
        still = _SETTLED * self.radius * self.problem.ball.longest
        first, enough = min(1.0, settings.step or 1.0), _ALONE * settings.enough
        pace = c.Pace(first, settings.n_steps, enough, still)
        X, y, sizes = map(read_only, (batch.X, batch.y.reshape(n, -1), self.sizes[batch.rows]))
        delta, heights, climb = np.array(delta, order="C"), np.empty(n), get("bounded_ascent")

        def work(chunk: int) -> None:
            rows = slice(chunk * _CHUNK, (chunk + 1) * _CHUNK)
            climb(X[rows], y[rows], *network, box, sizes[rows], pace, delta[rows], heights[rows])

        threads = resolve_threads(self.problem.n_threads, n * network[0].theta.size)
        for_each(-(-n // _CHUNK), work, threads)
        return delta, heights

    def _climb_together(self, theta: Array, batch: Batch, delta: Array) -> tuple[Array, Array]:
        """The same by heights and slopes of many rows at once.

        Blocks that fit the cache climb one after the other, and what still moves when few of their
        rows do goes on together.
        """
        climb = _Climb(self, theta, np.array(delta), np.empty(len(delta)))
        size = max(1, _BLOCK // batch.X.shape[1])
        rest = []
        for start in range(0, len(delta), size):
            rows = climb.begin(batch, np.arange(start, min(start + size, len(delta))))
            rest.append(climb.run(rows, len(rows.places) // _FEW))
        climb.run(_Rows(*map(np.concatenate, zip(*rest, strict=True))), 0)
        return climb.delta, climb.heights


def _joined(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Batches of more rows: an ascent has few arrays of their shape, and many steps of few rows."""
    parts: list[Batch] = []
    for batch in batches:
        parts.append(batch)
        if sum(part.X.size for part in parts) >= _ENTRIES:
            yield _one(parts)
            parts = []
    if parts:
        yield _one(parts)


def _one(parts: list[Batch]) -> Batch:
    return parts[0] if len(parts) == 1 else Batch(*map(np.concatenate, zip(*parts, strict=True)))


class _Rows(NamedTuple):
    """Some samples on their way up.

    Attributes
    ----------
    places : array (k,)
        Which ones of their batch they are.
    X, y, sizes : arrays (k, m), (k,), (k,)
    here, value, slopes : arrays (k, m), (k,), (k, m)
        Their attacks, heights and slopes there.
    part : array (k,)
        The share of the way to where slopes point that the next step goes.
    quiet, left : arrays (k,)
        Steps that brought nothing to speak of, and steps that they still have.
    """

    places: Array
    X: Array
    y: Array
    sizes: Array
    here: Array
    value: Array
    slopes: Array
    part: Array
    quiet: Array
    left: Array

    def some(self, which: Array) -> _Rows:
        """Those of a mask."""
        return _Rows(*(part[which] for part in self))


@dataclass
class _Climb:
    """Ascents of a batch, which write where they end.

    Attributes
    ----------
    attacker : LayeredAttacker
    theta : array (d,)
    delta, heights : arrays (n, m), (n,)
        From where samples start, and where those that are done have ended.
    """

    attacker: LayeredAttacker
    theta: Array
    delta: Array
    heights: Array

    def begin(self, batch: Batch, places: Array) -> _Rows:
        """Some samples of a batch at their start."""
        block = slice(places[0], places[-1] + 1)
        X, y, here, k = batch.X[block], batch.y[block], self.delta[block].copy(), len(places)
        settings = self.attacker.settings
        value, slopes = self._rising(X, y, here)
        return _Rows(
            places, X, y, self.attacker.sizes[batch.rows[block]], here, value, slopes,
            np.full(k, min(1.0, settings.step or 1.0)), np.zeros(k, dtype=int),
            np.full(k, settings.n_steps),
        )  # fmt: skip

    def _rising(self, X: Array, y: Array, delta: Array) -> tuple[Array, Array]:
        problem = self.attacker.problem
        return problem.rising(self.theta, problem.displaced(X, delta), y)

    def run(self, rows: _Rows, few: int) -> _Rows:
        """Steps of samples, until no more than a few still move: these."""
        while len(rows.places) > few:
            targets, gains = self.attacker.problem.ball.furthest(rows.slopes, rows.X, rows.sizes)
            going = self._going(rows, targets, gains)
            if np.count_nonzero(going) <= _WORTH_LEAVING * len(going):
                self._end(rows.some(~going))
                rows, targets, gains = rows.some(going), targets[going], gains[going]
            if len(rows.places):
                rows = self._step(rows, targets, gains)
        return rows

    def _going(self, rows: _Rows, targets: Array, gains: Array) -> Array:
        """Which samples are worth a step, booleans."""
        going = (rows.part > _SHORTEST) & (rows.left > 0)
        enough = self.attacker.settings.enough
        if enough == 0.0:
            move = np.abs(targets - rows.here).max(axis=1, initial=0.0)
            tiny = _SETTLED * self.attacker.radius * self.attacker.problem.ball.longest
            return np.asarray(going & (rows.part * move > tiny))
        promise = gains - np.einsum("ij,ij->i", rows.slopes, rows.here)
        return np.asarray(going & (promise > enough * gains) & (rows.quiet < _QUIET))

    def _end(self, rows: _Rows) -> None:
        self.delta[rows.places], self.heights[rows.places] = rows.here, rows.value

    def _step(self, rows: _Rows, targets: Array, gains: Array) -> _Rows:
        """Go on to where heights do not fall; shorten the other samples' steps."""
        if np.any(rows.part < 1.0):
            targets -= rows.here
            targets *= rows.part[:, None]
            targets += rows.here
        reached, there = self._rising(rows.X, rows.y, targets)
        rise = reached - rows.value
        up = rise >= -_ROUNDING * np.abs(rows.value)
        quiet = np.where(rise > self.attacker.settings.enough * gains, 0, rows.quiet + up)
        part = np.where(up, np.minimum(1.0, _LONGER * rows.part), _SHORTER * rows.part)
        if up.all():
            here, slopes, value = targets, there, reached
        else:
            here, slopes, value = rows.here, rows.slopes, np.where(up, reached, rows.value)
            np.copyto(here, targets, where=up[:, None])
            np.copyto(slopes, there, where=up[:, None])
        return rows._replace(
            here=here, slopes=slopes, value=value, part=part, quiet=quiet, left=rows.left - 1
        )
