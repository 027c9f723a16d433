"""Attacks on groups of features: ‖(‖t_G‖₂)_G‖_p ≤ 1 for t = δ/c.

A unit attack gains ‖(‖u_G‖₂)_G‖_q along u = Dβ: it is shared between groups as a ball's is between
features, and goes along u within each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..norms import dual_direction, lp_norm, smooth_norm
from ..utils.caching import cached_property
from .attack_set import AttackSet, Turn, register
from .ball import Ball, example_balls
from .faces import PINNED
from .on_ball import OnBall
from .softened import Soft, soft_norm

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Groups(OnBall):
    """The unit ball of a norm of groups' norms.

    Parameters
    ----------
    ball : Ball
        p, between groups, and c.
    group : array (m,) of int
        The number of each feature's group.
    """

    group: Array

    def __str__(self) -> str:
        return f"p={self.ball.p:g} between groups"

    def describe(self) -> dict[str, Any]:
        """What makes a set the same, by the names that users know it by."""
        return {**self.ball.describe(), "the groups": self.group}

    # --- groups ---------------------------------------------------------------------------

    @cached_property
    def _members(self) -> Array:
        """Which of the attackable features are in each group that has any, (g, k)."""
        mine = self.group[self.free]
        return (mine == np.unique(mine)[:, None]).astype(float)

    def _sizes(self, t: Array) -> Array:
        """‖t_G‖₂ (..., g) of t (..., k)."""
        largest = np.max(np.abs(t), axis=-1, keepdims=True, initial=0.0)
        unit = np.where(largest > 0.0, largest, 1.0)
        return np.asarray(unit * np.sqrt((t / unit) ** 2 @ self._members.T))

    def _units(self, slopes: Array) -> tuple[Array, Array]:
        """The unit attacks t (..., k) along slopes, and ‖slopes_G‖₂ (..., g)."""
        sizes = self._sizes(slopes)
        shares = dual_direction(sizes, self.ball.p)
        lengths = sizes @ self._members
        within = slopes / np.where(lengths > 0.0, lengths, 1.0)
        return within * (shares @ self._members), sizes

    # --- the data's mean norm -------------------------------------------------------------

    def norms(self, rows: Array) -> Array:
        """The norm of raw inputs (k, m), in units of c from where they are measured."""
        return lp_norm(self._sizes(self._enter(rows - self.norm_shift)), self.ball.p)

    @property
    def has_compiled_norm(self) -> bool:
        """It is one of norms."""
        return False

    def compiled_norm(self) -> c.NormOf:
        """Refused."""
        self._refuse("a norm within a compiled pass")

    @property
    def reach(self) -> Array:
        """c: all of the budget on one feature."""
        return self.ball.scale

    # --- first order ----------------------------------------------------------------------

    def directions(self, gradients: Array, rows: Array | None = None) -> tuple[Array, Array, Array]:
        """Unit attacks on u (n, m), gains (n,) and ties (n,), for a gradient a row."""
        t, sizes = self._units(self._slopes(gradients))
        gains = lp_norm(sizes, self.ball.q)
        ties = np.where(gains > 0.0, self.kinks(gradients).sum(axis=-1), 0.0)
        gradients[...] = self._inner(t)
        return gradients, gains, ties

    def gain(self, beta: Array) -> float:
        """‖(‖u_G‖₂)_G‖_q, u = Dβ."""
        return float(self.gains(beta))

    def gains(self, gradients: Array) -> Array:
        """The same of every gradient (..., m)."""
        return lp_norm(self._sizes(self._slopes(gradients)), self.ball.q)

    def gain_gradient(self, beta: Array) -> Array:
        """∇_β gain (..., m), one subgradient where it has a kink."""
        return self._inner(self._units(self._slopes(beta))[0])

    def gain_hessian(self, beta: Array) -> Array:
        """∇²_β gain (m, m): the norm's between groups, and that of each group's length."""
        u, members, own = self._slopes(beta), self._members, self.ball.own
        sizes = self._sizes(u)
        _, slope, bend = smooth_norm(sizes, self.ball.q, 0.0)
        lengths = sizes @ members
        with np.errstate(divide="ignore", invalid="ignore"):
            along = np.where(lengths > 0.0, u / lengths, 0.0)
            across = np.where(lengths > 0.0, (slope @ members) / lengths, 0.0)
        same = members.T @ members
        inner = (members.T @ (bend @ members)) * np.outer(along, along)
        inner += np.diag(across) - same * np.outer(across * along, along)
        found = own.weights[:, None] * inner * own.weights
        hessian = np.zeros((self.ball.scale.size, self.ball.scale.size))
        hessian[np.ix_(self.free, self.free)] = 0.5 * (found + found.T)
        return hessian

    def direction(self, beta: Array) -> Array:
        """The unit attack on raw inputs (..., m) that raises the prediction most."""
        return self._raw(self._units(self._slopes(beta))[0])

    def kinks(self, beta: Array) -> Array:
        """p = 1: entries of groups that tie with the first of the largest; p = ∞: of groups of
        zeros; but for rounding."""
        out = np.zeros(np.shape(beta), dtype=bool)
        sizes = self._sizes(self._slopes(np.asarray(beta)))
        largest = np.max(sizes, axis=-1, keepdims=True)
        if np.isinf(self.ball.p):
            kinked = sizes <= PINNED * largest
        elif self.ball.p == 1:
            first = np.arange(sizes.shape[-1]) == np.argmax(sizes, axis=-1)[..., None]
            kinked = (sizes >= (1.0 - PINNED) * largest) & ~first
        else:
            return out
        out[..., self.free] = kinked @ self._members > 0.0
        return out

    @property
    def has_soft(self) -> bool:
        """Whether there is a `soft`."""
        return True

    def soft(self, beta: Array, width: float) -> Soft:
        """The gain without its kinks: softened between groups, which are lengths."""
        u, members = self._slopes(beta), self._members
        sizes = self._sizes(u)
        value, shares, bend = soft_norm(sizes, self.ball.p, width)
        lengths, there = sizes @ members, sizes @ members > 0.0
        along = np.where(there, u / np.where(there, lengths, 1.0), 0.0)
        across = np.where(there, shares @ members / np.where(there, lengths, 1.0), 0.0)
        across = np.where(there, across, bend.diagonal() @ members)
        same = members.T @ members
        inner = (members.T @ (bend @ members)) * np.outer(along, along)
        inner += np.diag(across) - same * np.outer(across * along, along)
        return self._soft(Soft(value, (shares @ members) * along, 0.5 * (inner + inner.T)))

    # --- where directions change ----------------------------------------------------------

    @cached_property
    def _alone(self) -> Array:
        """Which attackable features are the only ones of their group, (k,)."""
        return (self._members.sum(axis=1) == 1.0) @ self._members > 0.0

    @property
    def _turns_with_signs(self) -> bool:
        """Single features turn with their sign; of larger groups it takes all entries at once."""
        return bool(np.isinf(self.ball.p) or len(self._members) == 1) and bool(self._alone.any())

    @property
    def has_turns(self) -> bool:
        """For p = 1 between groups, and for p = ∞ where a group is a single feature."""
        return self._turns_with_signs or (self.ball.p == 1 and len(self._members) > 1)

    @property
    def turning(self) -> str:
        """What an entry of a gradient does where the direction jumps."""
        if self._turns_with_signs:
            return "changes sign"
        return "makes its group the largest in the attack's norm"

    def first_turn(self, gradients: Array, speeds: Array) -> Turn:
        """The first ε > 0 at which the direction for a row of gradients + ε speeds jumps."""
        if not self.has_turns or gradients.size == 0:
            return Turn(np.inf, 0)
        slopes, rates = (np.atleast_2d(self._slopes(part)) for part in (gradients, speeds))
        found = self._sign_turns if self._turns_with_signs else self._overtakings
        when = found(slopes, rates)
        when[~(when > 0.0)] = np.inf
        place = int(np.argmin(when))
        eps = float(when.ravel()[place])
        return Turn(eps, int(self.free[place % when.shape[1]]) if np.isfinite(eps) else 0)

    def _sign_turns(self, slopes: Array, rates: Array) -> Array:
        """Where single features of rows change sign, (n, k)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((slopes != 0.0) & self._alone, -slopes / rates, np.nan)

    def _overtakings(self, slopes: Array, rates: Array) -> Array:
        """Where groups of rows become as large as the largest, (n, k): ‖u + εv‖² of both are
        equal. A largest feature alone becomes smaller than others before it changes sign."""
        squares = [product @ self._members.T for product in (slopes**2, slopes * rates, rates**2)]
        top = np.argmax(squares[0], axis=1)
        a, b, e = (part - part[np.arange(len(top)), top][:, None] for part in squares)
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(b * b - a * e)
            # Of e ε² + 2b ε + a = 0, without cancellation.
            q = -(b + np.where(b < 0.0, -1.0, 1.0) * root)
            both = np.stack([q / e, a / q])
        both[~(both > 0.0)] = np.inf
        when = both.min(axis=0)
        when[np.arange(len(top)), top] = np.inf
        return _spread(when, self._members)

    def has_turned(self, before: Array, after: Array) -> bool:
        """Whether the direction of some row has jumped."""
        before, after = (np.atleast_2d(self._slopes(part)) for part in (before, after))
        if self._turns_with_signs:
            return bool(np.any((before * np.sign(after) < 0.0) & self._alone))
        tops = [np.argmax(self._sizes(part), axis=1) for part in (before, after)]
        return self.has_turns and bool(np.any(tops[0] != tops[1]))

    # --- attacks of finite size -----------------------------------------------------------

    def operator_norm(self, matrix: Array) -> float:
        """A bound on the gain of M t over unit attacks t, block by block of groups."""
        form, parts = self.ball.own.form(matrix), self._members.astype(bool)
        lengths = np.array(
            [[np.linalg.norm(form[np.ix_(one, other)], 2) for other in parts] for one in parts]
        )
        units = np.ones(len(parts))
        between = Ball(self.ball.p, units, units, np.zeros(len(parts)), False)
        return between.operator_norm(lengths)

    def curvature_bound(self, spectral: float) -> float:
        """‖M‖₂ max D², times the number of groups to 1 − 2/p for p > 2."""
        power = max(0.0, 1.0 - 2.0 / self.ball.p)
        return spectral * float(self.ball.weights.max()) ** 2 * len(self._members) ** power

    def drawn(self, seed: int, draw: int, keys: Array, sizes: Array) -> Array:
        """Random attacks on u (n, m): the ball's, as long in this norm as sizes at most."""
        found = self.ball.drawn(seed, draw, keys, sizes)
        t = found[:, self.free] / self.ball.own.weights
        lengths = lp_norm(self._sizes(t), self.ball.p)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(lengths > sizes, sizes / lengths, 1.0)
        return np.asarray(found * shares[:, None])

    def contains(self, delta: Array, size: Any, rows: Array | None = None) -> Array:
        """Whether the norm of δ is at most size, and nothing moves that cannot be attacked."""
        lengths = lp_norm(self._sizes(self._enter(delta)), self.ball.p)
        return np.asarray(self._is_still(delta) & (lengths <= size))


def _spread(when: Array, members: Array) -> Array:
    """Numbers of groups (n, g) at the first feature of each, (n, k)."""
    out = np.full((len(when), members.shape[1]), np.inf)
    out[:, np.argmax(members, axis=1)] = when
    return out


def _examples() -> list[AttackSet]:
    """Of every kind of exponent, over scaled inputs some of which are out of reach."""
    group = np.array([0, 1, 0, 2, 1])
    return [Groups(ball, group) for p in (1.0, 1.5, 2.0, np.inf) for ball in example_balls(p)]


register(Groups, _examples)
