"""The least of a quadratic in v and a norm of θ + v: by Newton's method on the norm's faces.

    m(v) = gᵀv + ½vᵀHv + (k + hᵀv)(κ − κ₀) + ½c(κ − κ₀)²,    κ = ρ N(β + v_β)

[[H, h], [hᵀ, c]] is positive semi-definite, so that m is convex wherever its derivative in κ is
not negative. H comes as a factor, and is factored no more where N is piecewise linear; else once
a step, with the norm's own curvature on its diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..utils.caching import cached_property
from .cholesky import Factor

Array = NDArray[Any]

_STEPS = 1000
_SMALL = 1e-13  # a step over what has been gone
_DECREASE, _FALL = 1e-3, 1e-4
_ROUNDING = 1e-14
_SHRINK = 0.5  # of the norm is left by a step: near its kink at zero directions have to settle
_SHORTEST = 1e-8


class Piece(Protocol):
    """What a face says of the norm about a point (see `threat.faces`)."""

    value: float
    gradient: Array
    bend: Array | None
    curl: float


class NormFace(Protocol):
    """A part of space on which the norm is smooth (see `threat.faces`)."""

    weights: Array

    @property
    def conditions(self) -> tuple[Array, Array]: ...
    def local(self, beta: Array) -> Any: ...
    def reach(self, beta: Array, step: Array) -> float: ...
    def advance(self, beta: Array) -> Array: ...
    def project(self, beta: Array) -> Array | None: ...
    def release(self, multipliers: Array, weight: float) -> bool: ...
    def copy(self) -> Any: ...


class Norm(Protocol):
    """N itself (see `threat.attack_set.DualNorm`)."""

    def face(self, beta: Array) -> Any: ...
    def steepest(self, gradient: Array) -> Array: ...


class Minimum(NamedTuple):
    """The minimiser v, the derivative of m in κ there, and the face; None where β + v_β = 0."""

    v: Array
    slope: float
    face: NormFace | None
    n_steps: int


@dataclass(frozen=True)
class UnitHessian:
    """H scaled to a unit diagonal, L Lᵀ, and what is made of it once."""

    factor: Factor

    @cached_property
    def lower(self) -> Array:
        """L (d, d)."""
        return np.tril(self.factor.lower)

    @cached_property
    def matrix(self) -> Array:
        """L Lᵀ (d, d), by columns as LAPACK has it."""
        return np.asfortranarray(self.lower @ self.lower.T)

    @cached_property
    def inverse(self) -> Array:
        """(L Lᵀ)⁻¹ (d, d)."""
        from scipy.linalg.lapack import dpotri

        inverse, _ = dpotri(self.lower, lower=1)
        return np.asarray(np.tril(inverse) + np.tril(inverse, -1).T)

    def times(self, u: Array) -> Array:
        """L Lᵀ u."""
        return np.asarray(self.lower @ (self.lower.T @ u))

    def solve(self, b: Array) -> Array:
        """(L Lᵀ)⁻¹ b, for (d,) or (d, k)."""
        from scipy.linalg import cho_solve

        return np.asarray(cho_solve((self.factor.lower, True), b, check_finite=False))

    def bent(self, bend: Array) -> Callable[[Array], Array]:
        """Solves with L Lᵀ + diag(bend) on the first entries."""
        from scipy.linalg import cho_solve
        from scipy.linalg.lapack import dpotrf

        matrix = self.matrix.copy(order="F")
        matrix[np.arange(bend.size), np.arange(bend.size)] += bend
        lower, _ = dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
        return lambda b: np.asarray(cho_solve((lower, True), b, check_finite=False))

    def length(self, u: Array) -> float:
        """√(uᵀ L Lᵀ u)."""
        return float(np.linalg.norm(self.lower.T @ u))

    def dual_length(self, b: Array) -> float:
        """√(bᵀ (L Lᵀ)⁻¹ b)."""
        from scipy.linalg import solve_triangular

        half = solve_triangular(self.factor.lower, b, lower=True, check_finite=False)
        return float(np.linalg.norm(half))


@dataclass(frozen=True)
class NormQuadratic:
    """m, in any coordinates in which `unit` is made of the factor of H.

    Attributes
    ----------
    unit : UnitHessian
        Of H, (d, d).
    gradient, cross : arrays (d,)
        g and h.
    slope, curvature, kappa : float
        k, c and κ₀.
    beta : array (m,)
        The first m ≤ d entries of θ.
    counted : boolean array (m,)
        Which of them N depends on.
    """

    unit: UnitHessian
    gradient: Array
    cross: Array
    slope: float
    curvature: float
    kappa: float
    beta: Array
    counted: Array

    # v is scaled so that H has a unit diagonal: H = S L Lᵀ S, u = S v.

    @cached_property
    def _g(self) -> Array:
        return self.gradient / self.unit.factor.scale

    @cached_property
    def _h(self) -> Array:
        return self.cross / self.unit.factor.scale

    # --- where nothing of β is left ---------------------------------------------------------

    @cached_property
    def zero(self) -> tuple[Array, Array, float]:
        """The best v with β + v_β = 0, ∇ of the rest of m on those entries, ∂m/∂κ there.

        N = 0 is the minimum from that ρ on at which the gradient is in ρ ∂m/∂κ ∂N(0).
        """
        d, m, scale = self._h.size, self.beta.size, self.unit.factor.scale
        held = np.zeros(d, dtype=bool)
        held[:m] = self.counted
        rest = ~held
        u, start = np.zeros(d), self._g - self.kappa * self._h
        u[held] = -(self.beta[self.counted] * scale[held])
        if rest.any():
            rows = self.unit.lower[rest]
            right = start[rest] + rows @ (self.unit.lower.T @ u)
            u[rest] = -np.linalg.lstsq(rows @ rows.T, right, rcond=None)[0]
        inner = scale * (self.unit.times(u) + start)
        slope = self.slope + float(self._h @ u) - self.curvature * self.kappa
        return u / scale, inner[:m], slope

    # --- elsewhere --------------------------------------------------------------------------

    def newton_step(self, rho: float, face: NormFace) -> Array:
        """One Newton step for v from zero, on a face."""
        search = _Search(self, rho, face, None)
        piece, n, slope, gradient = search._at(search.u, search.beta)
        return search._newton(piece, n, slope, gradient)[0] / search.scale

    def minimise(self, rho: float, norm: Norm, start: Minimum | None = None) -> Minimum:
        """The minimum at ρ, from v = 0 on, or from another minimum on.

        The caller has made sure that β + v_β = 0 is not the minimum. There m has a kink at which
        steps may end nevertheless, unless they start below it.
        """
        search = _Search(self, rho, norm.face(self.beta) if start is None else None, start)
        v, _, slope = self.zero
        above = self._change(search.u, rho * search.size) >= self._change(v * search.scale)
        if above and slope > 0.0:
            search = self._from_zero(rho, norm)
        for _ in range(_STEPS):
            if search.step():
                break
        return search.found()

    def _from_zero(self, rho: float, norm: Norm) -> _Search:
        """A search from the least m along the steepest way down from β + v_β = 0."""
        v, gradient, slope = self.zero
        along = np.zeros(v.size)
        along[: self.beta.size] = norm.steepest(gradient)
        u = along * self.unit.factor.scale
        fall = float(gradient @ along[: self.beta.size]) + rho * slope
        bend = self.unit.length(u) ** 2 + rho * (2.0 * float(self._h @ u) + rho * self.curvature)
        step = -fall / bend * along
        beta = step[: self.beta.size]
        return _Search(self, rho, None, Minimum(v + step, slope, norm.face(beta), 0), beta)

    def _change(self, u: Array, kappa: float = 0.0) -> float:
        """m at u = Sv and κ, up to a constant."""
        more = kappa - self.kappa
        quadratic = float(u @ (0.5 * self.unit.times(u) + self._g))
        return quadratic + more * (self.slope + float(self._h @ u) + 0.5 * self.curvature * more)


class _Search:
    """Newton's method on faces from a point on."""

    def __init__(
        self, model: NormQuadratic, rho: float, face: NormFace | None, start: Minimum | None,
        beta: Array | None = None,
    ) -> None:  # fmt: skip
        self.model, self.rho, self.n_steps = model, rho, 0
        self.scale = model.unit.factor.scale
        m = model.beta.size
        self.units = self.scale[:m]
        if start is not None and start.face is not None:
            self.face: NormFace = start.face.copy()
            self.u = start.v * self.scale
            self.beta = model.beta + start.v[:m] if beta is None else beta
        else:
            assert face is not None
            self.face, self.u, self.beta = face, np.zeros(self.scale.size), model.beta.copy()

    @property
    def size(self) -> float:
        """N."""
        return float(self.face.local(self.beta).value)

    def found(self) -> Minimum:
        """What the search has led to."""
        kappa = self.rho * self.size - self.model.kappa
        return Minimum(self.u / self.scale, self._slope(self.u, kappa), self.face, self.n_steps)

    def _slope(self, u: Array, kappa: float) -> float:
        """∂m/∂κ, for κ less κ₀."""
        model = self.model
        return model.slope + float(model._h @ u) + model.curvature * kappa

    def _at(self, u: Array, beta: Array) -> tuple[Any, Array, float, Array]:
        """The face's piece, n = ∇N in u, ∂m/∂κ and ∇m."""
        piece, model = self.face.local(beta), self.model
        n = np.zeros(u.size)
        n[: self.units.size] = piece.gradient / self.units
        kappa = self.rho * piece.value - model.kappa
        slope = self._slope(u, kappa)
        gradient = model.unit.times(u) + model._g + kappa * model._h + slope * self.rho * n
        return piece, n, slope, gradient

    def step(self) -> bool:
        """One Newton step; True at the minimum."""
        self.n_steps += 1
        piece, n, slope, gradient = self._at(self.u, self.beta)
        move, multipliers = self._newton(piece, n, slope, gradient)
        if piece.bend is not None:
            return self._damped(move, gradient)
        shift = move[: self.units.size] / self.units
        reach = self.face.reach(self.beta, shift)
        if reach < 1.0:
            self._stop(move, shift, reach)
            return False
        self.u, self.beta = self.u + move, self.beta + shift
        kappa = self.rho * self.size - self.model.kappa
        weight = self.rho * self._slope(self.u, kappa)
        return not (weight > 0.0 and self.face.release(multipliers, weight))

    def _stop(self, move: Array, shift: Array, reach: float) -> None:
        """Go to the end of the face, or past it where that is lower at once."""
        keep, beta = self.face.copy(), self.face.project(self.beta + shift)
        if beta is not None:
            u = self.u + move
            u[: self.units.size] = (beta - self.model.beta) * self.units
            if self._change(u, beta) < self._change(self.u, self.beta):
                self.u, self.beta = u, beta
                return
            self.face = keep
        beta = self.face.advance(self.beta + reach * shift)
        self.u = self.u + reach * move
        self.u[: self.units.size] = (beta - self.model.beta) * self.units
        self.beta = beta

    def _change(self, u: Array, beta: Array) -> float:
        """m, up to a constant."""
        return self.model._change(u, self.rho * self.face.local(beta).value)

    def _newton(
        self, piece: Any, n: Array, slope: float, gradient: Array
    ) -> tuple[Array, Array]:
        """The Newton step on the face and the multipliers of its conditions.

        ∇²m = B + ρ(h nᵀ + n hᵀ) + e n nᵀ with B = H + ρ ∂m/∂κ diag(bend) and
        e = cρ² − ρ ∂m/∂κ curl: a solve with B, and a small system for the rest.
        """
        model, rho = self.model, self.rho
        weight = rho * max(slope, 0.0)
        pins = self._pins()
        columns = np.column_stack([model._h, n])
        bent = piece.bend is not None
        solve = model.unit.bent(weight * piece.bend / self.units**2) if bent else model.unit.solve
        inner = solve(np.column_stack([gradient, columns]))
        e = model.curvature * rho**2 - weight * piece.curl
        small = columns.T @ inner[:, 1:]
        small += np.array([[-e / rho**2, 1.0 / rho], [1.0 / rho, 0.0]])
        if not len(pins[0]):
            y = _solve_small(small, columns.T @ inner[:, 0])
            return inner[:, 1:] @ y - inner[:, 0], np.empty(0)
        solved, gram, rows = self._solved_pins(pins)
        cross = rows(inner)
        full = np.block([[small, cross[:, 1:].T], [cross[:, 1:], gram]])
        right = np.concatenate([columns.T @ inner[:, 0], cross[:, 0]])
        y = _solve_small(full, right)
        move = inner[:, 1:] @ y[:2] + solved @ y[2:] - inner[:, 0]
        return move, -y[2:]

    def _pins(self) -> tuple[Array, Array]:
        """The face's conditions in u."""
        places, factors = self.face.conditions
        return places, factors / self.units[places]

    def _solved_pins(
        self, pins: tuple[Array, Array]
    ) -> tuple[Array, Array, Callable[[Array], Array]]:
        """H⁻¹G, GᵀH⁻¹G and Gᵀ· of the conditions' columns G, from H⁻¹ itself."""
        inverse = self.model.unit.inverse
        places, factors = pins

        def rows(matrix: Array) -> Array:
            return np.asarray(np.einsum("ij,ijk->ik", factors, matrix[places]))

        solved = rows(inverse).T
        return solved, rows(solved), rows

    def _damped(self, move: Array, gradient: Array) -> bool:
        """Go along a Newton step so far that m falls, or does not rise and its gradient shrinks.

        Along it gradients shrink in any fixed norm, which says more than values where these have
        lost their digits; far from the minimum the gradient alone would lead to β + v_β = 0.
        """
        model, m, t = self.model, self.units.size, 1.0
        length, gone = model.unit.length(move), model.unit.length(self.u)
        if not length > _SMALL * gone:
            return True
        size, before = model.unit.dual_length(gradient), self._change(self.u, self.beta)
        least = _SHRINK * self.size
        while t > _SHORTEST:
            u = self.u + t * move
            beta = model.beta + u[:m] / self.units
            if (self.face.weights * beta).any() and self.face.local(beta).value >= least:
                _, _, slope, new = self._at(u, beta)
                after = self._change(u, beta)
                if slope > 0.0 and (
                    after < before - _FALL * t * size**2
                    or (after <= before + _ROUNDING * self._scale(u, beta)
                    and model.unit.dual_length(new) <= (1.0 - _DECREASE * t) * size)
                ):
                    self.u, self.beta = u, beta
                    return False
            t *= 0.5
        return True

    def _scale(self, u: Array, beta: Array) -> float:
        """How large the parts of m are whose sum `_change` is."""
        kappa = self.rho * self.face.local(beta).value
        length = self.model.unit.length(u)
        return float(length**2 + kappa * (abs(self.model.slope) + self.model.curvature * kappa))


def _solve_small(matrix: Array, right: Array) -> Array:
    """A symmetric system, consistent where it is singular."""
    try:
        found = np.linalg.solve(matrix, right)
        if np.isfinite(found).all():
            return found
    except np.linalg.LinAlgError:
        pass
    return np.asarray(np.linalg.lstsq(matrix, right, rcond=None)[0])
