"""The worst attacks on rows, and others that are as bad, or nearly so.

Where a convex loss is largest over a ball there may be other maxima. Rows at which two of them are
equal are what the robust path has kinks at: it keeps them equal for a while, or leaves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...threat.ascent_settings import PgdSettings
from .attack import Search

Array = NDArray[Any]

_APART = 1e-6  # of ρ: attacks that differ by less are the same
_NEAR = 0.2  # of a lead and its floor: rivals that are looked at
_CLIMB = PgdSettings(n_steps=2000, n_restarts=4)


class Rivals(NamedTuple):
    """Other maxima of rows.

    Attributes
    ----------
    rows : array (k,)
        In order.
    attacks : array (k, free)
    gaps : array (k,)
        By how much less their lead is than that of the row's worst attack.
    """

    rows: Array
    attacks: Array
    gaps: Array

    def within(self, gap: Array) -> Rivals:
        """Those whose gap is at most that of their row (n,)."""
        kept = self.gaps <= gap[self.rows]
        return Rivals(self.rows[kept], self.attacks[kept], self.gaps[kept])


def floors(search: Search, leads: Array) -> Array:
    """What leads (n,) and their differences are small or large against."""
    return np.abs(leads) + search.floor


def worst(search: Search, is_exact: bool) -> tuple[Array, Rivals]:
    """The worst attacks (n, free), and their rivals."""
    main = search.exact() if is_exact else search.ascend(_CLIMB)
    main[:, ~np.any(search.slopes != 0.0, axis=0)] = 0.0
    own = search.own
    points = search.extremes()
    if points is not None:
        points = np.where(np.any(search.slopes != 0.0, axis=0), points, 0.0)
        size = main.shape
        return main, _rivals(search, main, (np.broadcast_to(search.rho * e, size) for e in points))
    ends = [_settled(search, start) for start in _others(search, main)]
    leads = np.stack([search.leads(t) for t in (main, *ends)])
    best = np.argmax(leads, axis=0)
    main = np.stack([main, *ends])[best, np.arange(len(main))]
    if own.is_box:
        ends += [*_turns(search, main)]
    return main, _rivals(search, main, ends)


def _others(search: Search, main: Array) -> Iterator[Array]:
    yield -main
    yield from search.starts()


def _settled(search: Search, start: Array) -> Array:
    end = search.climb(start.copy(), 1.0, _CLIMB.n_steps)
    return search.turned(end) if search.own.is_box else end


def _rivals(search: Search, main: Array, others: Iterable[Array]) -> Rivals:
    """The others that are not far less bad, each once."""
    leads, rho = search.leads(main), search.rho
    limit = _NEAR * floors(search, leads)
    rows, attacks, gaps = [], [], []
    seen: list[Array] = [main]
    for t in others:
        gap = leads - search.leads(t)
        new = gap <= limit
        for before in seen:
            new &= np.abs(t - before).max(axis=1) > _APART * rho
        seen.append(t)
        rows.append(np.flatnonzero(new))
        attacks.append(t[new])
        gaps.append(gap[new])
    order = np.argsort(np.concatenate(rows), kind="stable")
    joined = (np.concatenate(part)[order] for part in (rows, attacks, gaps))
    return Rivals(*joined)


def _turns(search: Search, main: Array) -> Iterator[Array]:
    """Corners with one entry turned, and with two that each make little difference."""
    gaps, rows = search.gaps_of_turns(main), np.arange(len(main))
    first, second = np.argsort(gaps, axis=1)[:, :2].T if main.shape[1] > 1 else (None, None)
    for j in range(main.shape[1]):
        t = main.copy()
        t[:, j] *= -1.0
        yield t
    if first is not None:
        t = main.copy()
        t[rows, first] *= -1.0
        t[rows, second] *= -1.0
        yield t
