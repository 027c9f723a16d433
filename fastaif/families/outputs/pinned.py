"""Samples that are fitted exactly, and stay so: the right derivative of the robust path.

Where r_k = 0 the gain 2‖DWᵀr_k‖_q has a kink. To the right of it the path moves by the V that
minimises

    ½⟨V, HV⟩ + ⟨Φ, V⟩ + 2s Σ_k w̄_k ‖DWᵀVz_k‖_q,

Φ without these samples. In its dual each of them has an attack φ_k of the unit ball, whose part of
Φ is 2s w̄_k Wφ_k z_kᵀ. Where there are attacks under which V z_k = 0 that is the minimum. Samples
for which no such attack is found are left unattacked, and warned of.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...threat.attack_set import AttackSet
from ..vector.layout import Layout

Array = NDArray[Any]

_MOST = 1000  # samples that are solved for
_OFF = 1e-9  # of what attacks have to move outputs by, and of their size


class Pinned(NamedTuple):
    """Samples (k,) in order, their unit attacks on u (k, m), and their part of Φ, (d,)."""

    rows: Array
    attacks: Array
    mixed: Array


class Setting(Protocol):
    """What is asked of a problem."""

    @property
    def ball(self) -> AttackSet:
        """The attack of a sample."""

    @property
    def radius(self) -> float:
        """s."""

    def solve(self, b: Array) -> Array:
        """H⁻¹ b."""


def find(
    problem: Setting, layout: Layout, W: Array, rows: Array, Z: Array, shares: Array, mixed: Array
) -> Pinned | None:
    """The attacks under which samples stay fitted; None where there are none.

    Parameters
    ----------
    problem : Setting
    layout : Layout
    W : array (K, m)
    rows : array (k,)
        Samples that are fitted exactly.
    Z, shares : arrays (k, c), (k,)
        Their inputs (u, 1), and w̄.
    mixed : array (d,)
        Φ without them.
    """
    if not 0 < rows.size <= _MOST:
        return None
    own, size = problem.ball.own, 2.0 * problem.radius * shares
    slopes = own.slopes(W)
    moves = _along(problem, layout, Z)
    outputs = Z @ layout.matrix(-problem.solve(mixed)).T  # by how much V would move these samples
    kept = np.arange(rows.size)
    while kept.size:
        matrix = (Z[kept] @ moves[kept].T) * size[kept]
        wanted = np.linalg.lstsq(matrix, outputs[kept], rcond=None)[0]
        t = wanted @ np.linalg.pinv(slopes).T
        scale = max(float(np.abs(wanted).max()), _OFF)
        reached = np.abs(t @ slopes.T - wanted).max(axis=1) <= _OFF * scale
        stays = reached & (own.lengths(t) <= 1.0 + _OFF)
        if stays.all():
            attacks = np.zeros((kept.size, W.shape[1]))
            own.move_inner(attacks, t)
            part = (size[kept, None] * (attacks @ W.T)).T @ Z[kept]
            return Pinned(rows[kept], attacks, layout.vector(part))
        kept = kept[stays]
    return None


def _along(problem: Setting, layout: Layout, Z: Array) -> Array:
    """H⁻¹ z of an output, (k, c), for inputs z (k, c)."""
    b = np.zeros((len(Z), layout.n_outputs, Z.shape[1]))
    b[:, 0] = Z
    found = problem.solve(np.stack([layout.vector(part) for part in b], axis=1))
    return np.stack([layout.matrix(part)[0] for part in found.T])
