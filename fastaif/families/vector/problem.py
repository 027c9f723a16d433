"""The influence problem of models with several predictions z = Wu + b.

    Φ = s E t [a (φ, 0)ᵀ + S W φ (u, 1)ᵀ],   H = E S ⊗ (u, 1)(u, 1)ᵀ + 2α on W,

with a and S the first and second derivative of the loss in z, and φ = φ_c(Wᵀa): one pass over the
rows. H is solved with over Z = QᵀΘ (J, c), Q the model's frame: combinations of predictions along
which it is not singular for good. Where it is the same for all of them one factor serves all.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...passes.vector import VectorSums
from ...solvers.cholesky import Factor, factorize
from ...utils.caching import cached_property
from ..damping import lift
from ..finite_sum.coordinates import Coordinates, are_needed, measure
from ..kinks import Kinks
from ..problem import Counts, SolverReport
from . import kinks
from .norm_expansion import NormExpansion, Solvable
from .rows import RowParts

Array = NDArray[Any]

_NOISE = 1e-13  # of the largest eigenvalue: what eigenvalues are computed to


@dataclass(frozen=True)
class VectorProblem(Solvable):
    """The InfluenceProblem of a VectorModel."""

    # --- the pass ---------------------------------------------------------------------------

    def begin(self) -> None:
        """Make the one pass."""
        _ = self.sums

    @property
    def loss_slope(self) -> float:
        """E ‖a‖: how fast losses change with their predictions."""
        return self.sums.gain

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s E t‖∇_x ℓ‖_q."""
        sums = self.sums
        return self.radius * self.sharing.value(sums.input_slope, sums)

    @property
    def counts(self) -> Counts:
        """What is irregular at θ̂; ties and zero gradients over all samples."""
        return Counts(self.sums.zero_gradients, self.sums.ties)

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ (Theorem 4.1), (d,); given budgets of samples multiply what is summed."""
        vector = self.model.layout.vector
        if weights is None:
            scale = self.radius * self.sharing.scale(self.sums.power)
            return vector(scale * self.sums.mixed)
        base = self.source.weights()
        base = base if base.size else np.ones(self.n_rows)
        weighted = self.source._replace(weight=base * weights)
        sums = self._finite(dataclasses.replace(self.sweep, source=weighted), c.NEED_MIXED)
        return vector(self.radius * (sums.weight / self.sums.weight) * sums.mixed)

    # --- solving on the contrasts ------------------------------------------------------------

    @cached_property
    def gradient(self) -> Array:
        """∇L(θ̂), penalty included, (d,)."""
        return self.model.layout.vector(self.sums.gradient) + 2.0 * self.shrinkage(self.params)

    def shrinkage(self, step: Array) -> Array:
        """αP step, P the identity on W."""
        return np.asarray(self.alpha * self.model.layout.penalized * step)

    @property
    def hessian(self) -> Array | None:
        """∇²L(θ̂), penalty included, damping not, (d, d): singular along what changes nothing."""
        return self._full_hessian

    @cached_property
    def _full_hessian(self) -> Array:
        places = self.model.layout.places
        H = self.sums.hessian[np.ix_(places, places)]
        H[np.diag_indices_from(H)] += 2.0 * self.alpha * self.model.layout.penalized
        return H

    def times_hessian(self, v: Array) -> Array:
        """H v."""
        return np.asarray(self._full_hessian @ v)

    @cached_property
    def coordinates(self) -> Coordinates | None:
        """Working coordinates, where columns far from zero or of extreme scale ask for them."""
        sums, m = self.sums, self.model.n_features
        if not are_needed(sums.curvature, m, sums.scalar(c.S_FF)):
            return None
        return measure(self.source, self.model.basis, self.model.fit_intercept, self.executor)

    @abstractmethod
    def form(self, sums: VectorSums) -> Array:
        """H of sums over Z, row by row, without penalty: (Jc, Jc), or (c, c) where it is that for
        every row of Z."""

    def spread(self, form: Array) -> Array:
        """The same, (Jc, Jc)."""
        copies = self.model.frame.shape[1] * self.sweep.n_entries // len(form)
        return form if copies == 1 else np.kron(np.eye(copies), form)

    @cached_property
    def inner_hessian(self) -> Array:
        """H as a form, penalty included, in θ's own coordinates."""
        return self.with_penalty(self.form(self.sums))

    def with_penalty(self, H: Array) -> Array:
        """A form over Z and the penalty's."""
        return self._with_ridge(H, None, 0.0)

    def _with_ridge(self, H: Array, work: Coordinates | None, damping: float) -> Array:
        """The penalty, and damping, added to a form over Z in working coordinates."""
        out = H.copy()
        out[np.diag_indices(len(H))] += self._ridge(H, work)
        if damping > 0.0:
            size = self.sweep.n_entries
            part = damping * (np.eye(size) if work is None else work.damping(size))
            for start in range(0, len(H), size):
                out[start : start + size, start : start + size] += part
        return out

    def _ridge(self, H: Array, work: Coordinates | None) -> Array:
        """The penalty's diagonal beside a form over Z in working coordinates."""
        m, size = self.model.n_features, self.sweep.n_entries
        entries = np.append(np.ones(m), np.zeros(size - m))
        own = 2.0 * self.alpha * (entries if work is None else work.penalized(entries))
        return np.tile(own, len(H) // size)

    @property
    def working_hessian(self) -> Array:
        """H as a form in working coordinates, penalty included."""
        return self.with_working_penalty(self._working_form)

    def with_working_penalty(self, H: Array) -> Array:
        """A form over Z in working coordinates and the penalty's."""
        return self._with_ridge(H, self.coordinates, 0.0)

    @cached_property
    def _working_form(self) -> Array:
        """H as a form in working coordinates, without penalty."""
        work = self.coordinates
        if work is None:
            return self.form(self.sums)
        return self.form(self.natural_sums(work))

    def _factorized(self, damping: float) -> Factor | None:
        """The factor, or None where H + damping is not numerically positive definite."""
        H, work = self._working_form, self.coordinates
        if damping > 0.0:
            return factorize(self._with_ridge(H, work, damping))
        return factorize(H, self._ridge(H, work))

    def missing_damping(self) -> float:
        """What makes H positive definite where it is not singular for good: 0 where it is."""
        if self._undamped is not None:
            return 0.0
        values = np.linalg.eigvalsh(self.inner_hessian)
        return lift(float(values[0]), float(values[-1]))

    def solve(self, b: Array) -> Array:
        """(H + damping)⁻¹ b for b (d,) or (d, k), on the complement of what changes nothing."""
        cells = self._cells(b)
        out = self._solved_within(cells) + self._solved_apart(cells)
        return self._entries(out, b)

    def _solve_mixed(self, b: Array) -> Array:
        """The same for derivatives of natural losses, which have no part but what the frame sees.

        Of what rounding leaves of another a small penalty, all of H there, would make much.
        """
        return self._entries(self._solved_within(self._cells(b)), b)

    def _cells(self, b: Array) -> Array:
        """b (d,) or (d, k) over Θ, (K, c, k)."""
        cells = np.zeros((self.model.n_outputs * self.sweep.n_entries, b[0].size))
        cells[self.model.layout.places] = b.reshape(len(b), -1)
        return cells.reshape(self.model.n_outputs, -1, cells.shape[1])

    def _entries(self, cells: Array, b: Array) -> Array:
        """The way back."""
        flat = cells.reshape(-1, cells.shape[2])
        return np.asarray(flat[self.model.layout.places].reshape(b.shape))

    def _solved_within(self, cells: Array) -> Array:
        """What the frame sees of the solution for b over Θ, (K, c, k)."""
        work, Q = self.coordinates, self.model.frame
        z = np.einsum("ka,kjr->ajr", Q, cells)
        inner = z if work is None else np.stack([work.gradient(part) for part in z])
        found = self._solved(inner)
        if work is not None:
            found = np.stack([work.leave(part) for part in found])
        return np.asarray(np.einsum("ka,ajr->kjr", Q, found))

    def _solved(self, inner: Array) -> Array:
        """The factor's solution for b over Z, (J, c, k)."""
        J, size, _ = inner.shape
        together = len(self.factor.lower) // size
        b = inner.reshape(J // together, together * size, -1).swapaxes(0, 1)
        found = self.factor.solve(b.reshape(together * size, -1))
        return np.asarray(found.reshape(b.shape).swapaxes(0, 1).reshape(inner.shape))

    def _solved_apart(self, cells: Array) -> Array:
        """What the frame leaves out of the solution for b over Θ, (K, c, k)."""
        return np.zeros(cells.shape)

    def influence(self) -> Array:
        """I = −H⁻¹Φ, (d,)."""
        return -self._solve_mixed(self.mixed())

    def solver_report(self, influence: Array) -> SolverReport:
        """The relative residual of (H + damping) I = −Φ."""
        mixed = self.mixed()
        residual = self.times_hessian(influence) + self.added_damping * influence + mixed
        return SolverReport(
            "cholesky", 0, float(np.linalg.norm(residual)) / (float(np.linalg.norm(mixed)) or 1.0)
        )

    def spectrum(self) -> tuple[float, float]:
        """The least and the largest eigenvalue of H + damping, but for what changes nothing."""
        values = np.linalg.eigvalsh(self.inner_hessian) + self.added_damping
        least, largest = float(values[0]), float(values[-1])
        if least < _NOISE * largest:
            factor = self._factorized(self.added_damping)
            if factor is not None:  # positive definite, as other coordinates show
                least = 1.0 / float(np.linalg.eigvalsh(self._inverse_of(factor))[-1])
        return least, largest

    def _inverse_of(self, factor: Factor) -> Array:
        """H⁻¹ as a form over Z, in θ's own coordinates."""
        work, size = self.coordinates, self.sweep.n_entries
        identity = np.eye(len(factor.lower))
        if work is None:
            return factor.solve(identity)
        leaving = np.kron(np.eye(len(identity) // size), work.leave(np.eye(size)))
        return np.asarray(leaving @ factor.solve(identity) @ leaving.T)

    def newton_step(self, below: float = 0.0) -> float:
        """The largest entry of H⁻¹∇L(θ̂) in standard errors.

        First a bound by the Newton decrement, which needs no standard errors.
        """
        step, size = self.solve(self.gradient), self.sums.effective_size
        dispersion = max(self.least_dispersion, sys.float_info.min)
        bound = math.sqrt(max(float(self.gradient @ step), 0.0) * size / dispersion)
        if bound < below:
            return bound
        variances = self.variances(self._inverse_of(self.factor)) / size
        errors = np.sqrt(np.maximum(self.model.layout.vector(variances), 0.0))
        return float(np.max(np.abs(step) / np.maximum(errors, np.finfo(float).tiny)))

    @property
    def least_dispersion(self) -> float:
        """The least of the outputs' dispersions; 1 of a likelihood."""
        return 1.0

    @abstractmethod
    def variances(self, inverse: Array) -> Array:
        """n times those of θ̂'s entries, (K, c), for H⁻¹ as a form."""

    def rounding(self) -> float:
        """What columns far from zero, whose terms cancel in z, leave of E ‖a‖ in rounding."""
        work = self.coordinates
        if work is None:
            return 0.0
        cancelled = max(work.cancelled(row) for row in self.model.matrix)
        return sys.float_info.epsilon * cancelled * self.sums.scalar(c.S_FF) / self.loss_slope

    # --- samples ------------------------------------------------------------------------------

    def per_sample(self) -> Array:
        """ζ_i = −s t_i H⁻¹ ∇_θ⟨∇_x ℓ_i, φ_i⟩ (n, d); its weighted mean is the influence."""
        out, m = np.empty((self.n_rows, len(self.params))), self.model.n_features
        W, places, budgets = self.model.matrix[:, :m], self.model.layout.places, self.budgets

        def work(start: int, stop: int) -> None:
            at = self.rows(start, stop)
            phi = self.directions(at, start, stop)
            moved = at.terms.bend(phi @ W.T)
            cells = moved[:, :, None] * at.inputs[:, None, :]
            cells[:, :, :m] += at.residuals[:, :, None] * phi[:, None, :]
            cells *= budgets[start:stop, None, None]
            out[start:stop] = cells.reshape(stop - start, -1)[:, places]

        self.map_rows(work)
        return np.asarray(-self.radius * self._solve_mixed(out.T).T)

    def directions(self, at: RowParts, start: int, stop: int) -> Array:
        """φ of a range of rows (k, m)."""
        slopes = at.residuals @ self.model.matrix[:, : self.model.n_features]
        phi, _, _ = self.ball.directions(
            np.ascontiguousarray(slopes), self.source.inputs(start, stop)
        )
        return phi

    @abstractmethod
    def certificate(self, theta: Array, eps: float) -> float:
        """A bound on E max ℓ at θ that no attack exceeds."""

    @cached_property
    def norm_expansion(self) -> NormExpansion | None:
        """Where every sample has the same ball of its own, and rows are here."""
        if self.sharing.is_shared or self.is_restricted:
            return None
        if not self.keeps_rows or self.executor.is_remote(self.source):
            return None
        return NormExpansion(self)

    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI directions of attack change."""
        return kinks.find(self, influence)

    def influence_raw(self, influence: Array) -> Array:
        """The influence on W and b as they act on raw inputs, (d,)."""
        m, raw = self.model.n_features, self.model.layout.matrix(influence)
        shift, scale = self.model.basis.arrays(m)
        raw[:, :m] /= scale
        if self.model.fit_intercept:
            raw[:, m] -= raw[:, :m] @ shift
        return self.model.layout.vector(raw)
