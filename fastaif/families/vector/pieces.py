"""The robust objective of several predictions to second order, attack by attack.

Each attack t, a local maximum of ℓ(z + Gt) over ‖t‖_p ≤ ρ, makes a piece F(θ, ρ) = ℓ there, which
is smooth in θ as long as it stays one. With a = ∇ℓ and S = ∇²ℓ at z + Gt, g = Gᵀa, t = ρφ(g) and
Q = ρ∇²‖g‖_q,

    ∂F/∂Θ = a (u + Dt, 1)ᵀ,        ∂F/∂ρ = ‖g‖_q,
    d²F[V] = ⟨ζ + GQe, X (ζ + GQe)⟩ + ⟨e, Qe⟩,        ζ = V(u + Dt, 1),   e = D V_Wᵀa,
    ∂²F/∂Θ∂ρ [V] = ⟨ζ + GQe, X Gφ⟩ + ⟨e, φ⟩,        X = S(1 − GQGᵀS)⁻¹.

t is a strict maximum, and X is there, where 1 − S^½GQGᵀS^½ is positive definite. At vertices, which
stay where they are (p = 1 and ∞), Q is zero.

The pieces are those of every row's worst attack, with shares of the row's weight, and extra ones of
rows that have other attacks as bad.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...passes.vector import VectorSweep
from ...utils.caching import cached_property
from .layout import enter
from .norm_expansion import Solvable

Array = NDArray[Any]

_ENTRIES = 1 << 21  # of the derivatives of predictions that are held at a time
_STRICT = 1e-7  # the least eigenvalue of what makes a maximum a strict one


class NoStrictMaximum(Exception):  # noqa: N818  (told by whoever asks)
    """An attack is no strict maximum: others beside it are as bad to second order."""


@dataclass(frozen=True)
class Attacks:
    """Where rows are attacked, over the attackable features, in units of their own.

    Attributes
    ----------
    main : array (n, free)
        The worst attack on every row.
    rows : array (k,)
        Rows that have other attacks, in order.
    others : array (k, free)
    """

    main: Array
    rows: Array
    others: Array


@dataclass
class Sums:
    """Of all pieces, over Z = QᵀΘ in working coordinates, without penalty.

    Attributes
    ----------
    gradient, mixed : arrays (Jc,)
        E ∂F/∂Z, and E ∂²F/∂Z∂ρ.
    hessian : array (Jc, Jc)
    value, speed : float
        E F and E ∂F/∂ρ.
    yardstick : float
        E ‖a‖ ‖(u, 1)‖.
    columns, gaps, rates : arrays (Jc, k), (k,), (k,)
        Of the extra pieces, each less the row's first: gradients, values, ∂/∂ρ.
    """

    gradient: Array
    mixed: Array
    hessian: Array
    value: float
    speed: float
    yardstick: float
    columns: Array
    gaps: Array
    rates: Array


class _Local(NamedTuple):
    """Of k pieces.

    Attributes
    ----------
    u : array (k, c)
        Attacked inputs and 1, in working coordinates.
    losses, gains : arrays (k,)
        F and ‖g‖_q.
    pulls : array (k, J)
        Qᵀa of the frame Q.
    phi, squares : arrays (k, free)
        φ, and the diagonal of Q before φφᵀ is taken off; zero at vertices.
    bend : array (k,)
        By what φφᵀ is multiplied there.
    jacobian : array (k, K, J, c)
        ζ + GQe.
    root : array (k, K, K)
        Rᵀ with X = R Rᵀ.
    moved : array (k, K)
        Gφ.
    """

    u: Array
    losses: Array
    gains: Array
    pulls: Array
    phi: Array
    squares: Array
    bend: Array
    jacobian: Array
    root: Array
    moved: Array

    @property
    def gradients(self) -> Array:
        """∂F/∂Z (k, J, c)."""
        return np.asarray(self.pulls[:, :, None] * self.u[:, None, :])


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces of some attacks at Θ and ρ.

    Attributes
    ----------
    problem : Solvable
    matrix : array (K, c)
        Θ.
    rho : float
    attacks : Attacks
    held : boolean array (free,)
        Features whose coefficients are held where they are, and that no attack moves.
    """

    problem: Solvable
    matrix: Array
    rho: float
    attacks: Attacks
    held: Array

    @property
    def n_entries(self) -> int:
        """J c."""
        return int(self.problem.model.frame.shape[1] * self.matrix.shape[1])

    @cached_property
    def _slopes(self) -> Array:
        own = self.problem.ball.own
        found = own.slopes(self.matrix[:, : self.problem.model.n_features])
        return np.where(self.held, 0.0, found)

    @cached_property
    def _sweep(self) -> VectorSweep:
        """The rows in working coordinates."""
        sweep, work = self.problem.sweep, self.problem.coordinates
        return sweep if work is None else dataclasses.replace(sweep, basis=work.basis(sweep.basis))

    @cached_property
    def weights(self) -> Array:
        """D in working coordinates, (free,)."""
        own, work = self.problem.ball.own, self.problem.coordinates
        return own.moves_in(np.ones(self.problem.model.n_features) if work is None else work.units)

    @property
    def _is_smooth(self) -> bool:
        own = self.problem.ball.own
        return not (own.is_box or own.is_cross_polytope)

    def sums(self, shares: Array) -> Sums:
        """Their sums, for the extra pieces' shares of the total weight (k,).

        Raises
        ------
        NoStrictMaximum
        """
        d, k, n = self.n_entries, self.attacks.rows.size, self.problem.n_rows
        out = Sums(
            np.zeros(d), np.zeros(d), np.zeros((d, d)), 0.0, 0.0, 0.0,
            np.zeros((d, k)), np.zeros(k), np.zeros(k),
        )  # fmt: skip
        size = max(1, _ENTRIES // (len(self.matrix) * d))
        for start in range(0, n, size):
            self._add(out, shares, start, min(start + size, n))
        return out

    def pulls(self, shares: Array) -> Array:
        """Qᵀa of every row, (n, J), mixed where it has several pieces."""
        problem, at = self.problem, self.attacks
        z, y = problem.sweep.predictions(self.matrix), problem.source.targets()
        weight = np.maximum(problem.shares, np.finfo(float).tiny)

        def pulls(rows: Any, t: Array) -> Array:
            there = z[rows] + t @ self._slopes.T
            found = problem.model.loss.terms(there, y[rows]).residuals
            return np.asarray(found @ problem.model.frame)

        found = pulls(slice(None), at.main)
        more = pulls(at.rows, at.others) - found[at.rows]
        np.add.at(found, at.rows, (shares / weight[at.rows])[:, None] * more)
        return found

    def _add(self, out: Sums, shares: Array, start: int, stop: int) -> None:
        extra = slice(*np.searchsorted(self.attacks.rows, (start, stop)).tolist())
        first = self.attacks.rows[extra] - start
        weights = self.problem.shares[start:stop].copy()
        np.subtract.at(weights, first, shares[extra])
        weights = np.maximum(np.append(weights, shares[extra]), 0.0)
        at = self._local(start, stop, extra)
        k, gradients = stop - start, at.gradients.reshape(len(weights), -1)
        out.gradient += weights @ gradients
        out.value += float(weights @ at.losses)
        out.speed += float(weights @ at.gains)
        lengths = np.linalg.norm(at.pulls, axis=1) * np.linalg.norm(at.u, axis=1)
        out.yardstick += float(weights @ lengths)
        out.columns[:, extra] = (gradients[k:] - gradients[first]).T
        out.gaps[extra] = at.losses[k:] - at.losses[first]
        out.rates[extra] = at.gains[k:] - at.gains[first]
        self._add_second(out, at, weights)

    def _add_second(self, out: Sums, at: _Local, weights: Array) -> None:
        m, free = self.problem.model.n_features, self.problem.ball.own.free
        J, c = at.pulls.shape[1], self.matrix.shape[1]
        flat = at.jacobian.reshape(len(weights), len(self.matrix), -1)
        rooted = np.sqrt(weights)[:, None, None] * (at.root @ flat)
        steep = rooted.reshape(-1, flat.shape[2])
        out.hessian += steep.T @ steep
        ends = np.einsum("ikl,il->ik", at.root, at.moved)
        out.mixed += np.einsum("ik,ikd->d", ends, rooted * np.sqrt(weights)[:, None, None])
        phi = np.zeros((len(weights), m))
        phi[:, free] = self.weights * at.phi
        mixed = np.zeros((J, c))
        mixed[:, :m] = (weights[:, None] * at.pulls).T @ phi
        out.mixed += mixed.ravel()
        if self._is_smooth:
            self._add_turns(out, at, weights, phi)

    def _add_turns(self, out: Sums, at: _Local, weights: Array, phi: Array) -> None:
        """⟨e, Qe⟩: how attacks turn with the coefficients."""
        m, free = phi.shape[1], self.problem.ball.own.free
        J, c = at.pulls.shape[1], self.matrix.shape[1]
        both = (weights[:, None, None] * at.pulls[:, :, None] * at.pulls[:, None, :])
        squares = both.reshape(len(weights), -1).T @ (at.squares * self.weights**2)
        H = out.hessian.reshape(J, c, J, c)
        H[:, free, :, free] += np.moveaxis(squares.reshape(J, J, -1), 2, 0)
        along = np.zeros((len(weights), J, c))
        along[:, :, :m] = at.pulls[:, :, None] * phi[:, None, :]
        along *= np.sqrt(weights * at.bend)[:, None, None]
        flat = along.reshape(len(weights), -1)
        out.hessian -= flat.T @ flat

    def _local(self, start: int, stop: int, extra: slice) -> _Local:
        problem, loss, G = self.problem, self.problem.model.loss, self._slopes
        own, work = problem.ball.own, problem.coordinates
        rows = np.append(np.arange(stop - start), self.attacks.rows[extra] - start)
        t = np.concatenate([self.attacks.main[start:stop], self.attacks.others[extra]])
        inputs = self._sweep.inputs(start, stop)
        matrix = self.matrix if work is None else enter(work, self.matrix)
        u, z = inputs[rows], (inputs @ matrix.T)[rows] + t @ G.T
        u[:, own.free] += self.weights * t
        y = problem.source.targets(start, stop)[rows]
        terms, frame = loss.terms(z, y), problem.model.frame
        phi = t / self.rho
        gains = own.gains(terms.residuals @ G)
        pulls = terms.residuals @ frame
        curvature = np.stack([terms.bend(np.tile(e, (len(z), 1))) for e in np.eye(len(G))], axis=2)
        values, vectors = np.linalg.eigh(curvature)
        half = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        jacobian = frame[None, :, :, None] * u[:, None, None, :]
        moved, root = phi @ G.T, np.swapaxes(half, 1, 2)
        squares, bend = np.zeros(phi.shape), np.zeros(len(z))
        if self._is_smooth:
            squares, bend = (
                self.rho * part for part in own.bends(loss.leads(z, y)[1] @ G, gains)
            )
            turn = G * squares[:, None, :] - (bend[:, None] * moved)[:, :, None] * phi[:, None, :]
            root = _strict(half, turn @ G.T)
            jacobian[..., own.free] += (
                (turn * self.weights)[:, :, None, :] * pulls[:, None, :, None]
            )
        return _Local(
            u, terms.losses, gains, pulls, phi, squares, bend, jacobian, root, moved
        )


def _strict(half: Array, turn: Array) -> Array:
    """Rᵀ (k, K, K) of X = R Rᵀ, from R Rᵀ = S and GQGᵀ."""
    inner = np.swapaxes(half, 1, 2) @ turn @ half
    system = np.eye(half.shape[1]) - 0.5 * (inner + np.swapaxes(inner, 1, 2))
    if np.linalg.eigvalsh(system)[:, 0].min(initial=1.0) < _STRICT:
        raise NoStrictMaximum
    return np.asarray(np.linalg.solve(np.linalg.cholesky(system), np.swapaxes(half, 1, 2)))
