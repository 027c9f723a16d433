"""How H of a differentiable model is inverted: by its factor, or by its products alone."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ...solvers.cholesky import Factor, factorize
from ...solvers.lanczos import lanczos, largest_eigenvalue
from ...solvers.limits import LARGEST_AUTODIFF, cholesky_fits
from ...solvers.nystrom import NegativeCurvatureError, Nystrom, nystrom
from ...utils.caching import cached_property
from ..damping import lift, singular_hessian
from ..iterative import (
    CG_TOL,
    ENOUGH,
    Solution,
    batch_rows,
    by_cg,
    by_lissa,
    negative_curvature,
    random_probe,
)
from ..problem import SolverReport, too_many_parameters
from .row_derivatives import RowDerivatives
from .rows import AutodiffRows

Array = NDArray[Any]

_RANK = 64  # of the preconditioner
_COLUMNS = 32  # right-hand sides that share products
_PROBES = 8  # random vectors with the covariance of the gradient
_ROUGH = 1e-2  # a relative residual for what is an estimate in any case
_LEAST_TOL = 1e-3  # of Lanczos' least eigenvalue, where it says how much damping is missing


@dataclass(frozen=True)
class AutodiffSolving(AutodiffRows):
    """The part of an AutodiffProblem that solves with H.

    Attributes
    ----------
    solver : {"cholesky", "cg", "lissa"}
    seed : int
        Of LiSSA's draws.
    """

    solver: str = field(default="cholesky", kw_only=True)
    seed: int = field(default=0, kw_only=True)

    least_error: ClassVar[float] = 0.0  # of the largest standard error: what is less is rounding

    @property
    def is_iterative(self) -> bool:
        """Whether H is known by its products alone."""
        return self.solver != "cholesky"

    def with_hessian(self) -> Self:
        """The same with H formed, as robust fits ask for it."""
        if not self.is_iterative:
            return self
        if not cholesky_fits(len(self.params), LARGEST_AUTODIFF):
            raise too_many_parameters(len(self.params))
        return dataclasses.replace(self, solver="cholesky")

    @property
    @abstractmethod
    def gradient(self) -> Array:
        """∇L(θ̂), penalty included: zero where θ̂ is stationary."""

    # --- H formed -------------------------------------------------------------------------

    @property
    def hessian(self) -> Array | None:
        """∇²L(θ̂), penalty included, damping not; None where it is not formed."""
        return None if self.is_iterative else self._hessian

    @cached_property
    def _hessian(self) -> Array:
        H = self.products_at_fit(np.eye(len(self.params)))
        return 0.5 * (H + H.T) + self.penalty_hessian(self.params)

    @property
    def curvature(self) -> RowDerivatives:
        """Whose second derivatives at θ̂ H is made of."""
        return self.derivatives

    def products_at_fit(self, U: Array) -> Array:
        """H U for U (d, k), without the penalty."""
        return self.sum_products(self.params, U, derivatives=self.curvature)

    @property
    def flat(self) -> Array:
        """Orthonormal columns (d, r) of moves that change nothing: H is solved beside them."""
        return np.empty((len(self.params), 0))

    def held(self, H: Array) -> Array:
        """H with a curvature like its own along what changes nothing."""
        if not self.flat.shape[1]:
            return H
        size = float(np.abs(np.diagonal(H)).mean())
        return np.asarray(H + size * self.flat @ self.flat.T)

    def beside(self, b: Array) -> Array:
        """What of b (d,) or (d, k) is not along what changes nothing."""
        flat = self.flat
        return np.asarray(b - flat @ (flat.T @ b)) if flat.shape[1] else b

    def _eigenvalues(self) -> Array:
        """Those of H but for what changes nothing, from the least on."""
        H, flat = self._hessian, self.flat
        if flat.shape[1]:
            rest = np.linalg.qr(flat, mode="complete")[0][:, flat.shape[1] :]
            H = rest.T @ H @ rest
        return np.asarray(np.linalg.eigvalsh(H))

    @cached_property
    def factor(self) -> Factor:
        """The Cholesky factor of H + damping · 1.

        Raises
        ------
        numpy.linalg.LinAlgError
            H is singular or indefinite.
        """
        H = self.held(self._hessian) + self.added_damping * np.eye(len(self.params))
        if not np.isfinite(H).all():
            raise FloatingPointError("the Hessian is not finite")
        factor = factorize(H)
        if factor is None:
            raise singular_hessian(self.spectrum()[0])
        return factor

    # --- H by its products ----------------------------------------------------------------

    def hess_vec(self, v: Array) -> Array:
        """H v: without H, where that is not formed."""
        if not self.is_iterative:
            return np.asarray(self._hessian @ v)
        return self._products(v[:, None])[:, 0]

    def _products(self, U: Array) -> Array:
        """H U for U (d, k)."""
        return self.products_at_fit(U) + self.penalty_products(self.params, U)

    def _lifted_vector(self, v: Array) -> Array:
        return self._lifted(v[:, None])[:, 0]

    def _damped(self, U: Array) -> Array:
        return self._lifted(U) + self.added_damping * U

    def _lifted(self, U: Array) -> Array:
        """H U, with a curvature like its own along what changes nothing."""
        found = self._products(U)
        return found + self._typical * (U - self.beside(U)) if self.flat.shape[1] else found

    @cached_property
    def _typical(self) -> float:
        """About the mean size of H's eigenvalues."""
        v = random_probe(len(self.params))
        return float(np.linalg.norm(self._products(v[:, None])) / np.linalg.norm(v))

    @cached_property
    def _precondition(self) -> Nystrom:
        """Where the penalty is α‖θ‖² it is a shift, and the sketch of what it is added to."""
        own = self.derivatives.has_own_penalty
        ridge = 0.0 if own else 2.0 * self.alpha

        def multiply(U: Array) -> Array:
            found = self.products_at_fit(U)
            return self._lifted(U) if own else found

        try:
            return nystrom(multiply, len(self.params), _RANK, ridge + self.added_damping)
        except NegativeCurvatureError as error:
            raise negative_curvature(error.curvature) from error

    def solve(self, b: Array) -> Array:
        """(H + damping)⁻¹ b."""
        b = self.beside(b)
        return self.beside(self._solution(b).x if self.is_iterative else self.factor.solve(b))

    def _solution(self, b: Array, tol: Any = None) -> Solution:
        columns, count, worst = b.reshape(len(b), -1), 0, 0.0
        out = np.empty(columns.shape)
        for start in range(0, columns.shape[1], _COLUMNS):
            part = columns[:, start : start + _COLUMNS]
            goals = tol if np.ndim(tol) == 0 else tol[start : start + _COLUMNS]
            run = self._by_lissa if self.solver == "lissa" else self._by_cg
            found = run(part, goals)
            out[:, start : start + _COLUMNS] = found.x
            count, worst = count + found.iterations, max(worst, found.residual)
        return Solution(out.reshape(b.shape), count, worst)

    def _by_cg(self, b: Array, tol: Any = None) -> Solution:
        return by_cg(self._damped, b, self._precondition, tol, random_probe(len(b)))

    def _by_lissa(self, b: Array, tol: Any = None) -> Solution:
        top, trace = self._sizes
        rows = np.empty(batch_rows(trace, top), dtype=np.int64)

        def sample(step: int, U: Array) -> Array:
            get("random_rows")(self.seed, step, self.source.n_rows, rows)
            batch = self.some_rows(rows)
            shares = batch.shares * (self.source.n_rows / rows.size)
            data = (self.params, batch.X, batch.y, shares)
            found = self.curvature.hess_vecs(*data, np.ascontiguousarray(U.T)).T
            rest = self.penalty_products(self.params, U) + self.added_damping * U
            if self.flat.shape[1]:
                rest = rest + self._typical * (U - self.beside(U))
            return np.asarray(found + rest)

        return by_lissa(self._damped, sample, b, top + trace / rows.size)

    @cached_property
    def _sizes(self) -> tuple[float, float]:
        """A bound on the largest eigenvalue of H + damping, and about its trace.

        The series would not tell that H is singular: conjugate gradients do.
        """
        d = len(self.params)
        self._by_cg(np.zeros((d, 1)))
        top = 1.1 * largest_eigenvalue(d, lambda u: self._damped(u[:, None])[:, 0], tol=1e-2)
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(d, _COLUMNS))
        return top, float(np.mean(np.sum(signs * self._damped(signs), axis=0)))

    @cached_property
    def _solved(self) -> Solution:
        """H⁻¹ of −Φ, of the gradient, and of random vectors with its covariance."""
        columns = [-self.mixed(), self.gradient, *self._gradient_noise()]
        b = self.beside(np.stack(columns, axis=1))
        goals = np.full(b.shape[1], _ROUGH)
        goals[0] = CG_TOL
        if self.solver == "lissa":
            first = self._by_lissa(b[:, :1])
            rest = self._by_cg(b[:, 1:], goals[1:])
            return Solution(np.hstack([first.x, rest.x]), first.iterations, first.residual)
        return self._by_cg(b, goals)

    def _gradient_noise(self) -> list[Array]:
        """Σ ω_i ε_i (∇ℓ_i − E∇ℓ) for random signs ε: a backward pass each."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_PROBES, self.source.n_rows))
        mean = self.sum_gradient(self.params)
        out = []
        for row in signs:
            shares = self.shares * row
            out.append(self._signed_gradient(shares) - shares.sum() * mean)
        return out

    def _signed_gradient(self, shares: Array) -> Array:
        total = np.zeros(len(self.params))
        for batch in self.batches():
            data = (self.params, batch.X, batch.y, shares[batch.rows])
            total += self.derivatives("gradient", *data)
        return total

    # --- what is made of it ---------------------------------------------------------------

    def influence(self) -> Array:
        """I = −H⁻¹Φ, shape (d,)."""
        return self._solved.x[:, 0].copy() if self.is_iterative else -self.solve(self.mixed())

    @property
    def stopped_at(self) -> float | None:
        """The relative residual of a solver that stopped before its tolerance; else None."""
        if not self.is_iterative:
            return None
        residual = self._solved.residual
        return residual if residual > ENOUGH[self.solver] else None

    def missing_damping(self) -> float:
        """What makes H positive definite, to working precision: 0 where it is."""
        if self.is_iterative:
            least, largest = lanczos(
                len(self.params), self._lifted_vector, least_tol=_LEAST_TOL, floor=1e-9
            )
            # Lanczos' least is too high by as much as this.
            return lift(least - _LEAST_TOL * max(-least, 0.0), largest)
        if factorize(self.held(self._hessian)) is not None:
            return 0.0
        values = self._eigenvalues()
        return lift(float(values[0]), float(values[-1]))

    def spectrum(self) -> tuple[float, float]:
        """The least and the largest eigenvalue of H + damping; by Lanczos' method without H."""
        damping = self.added_damping
        if self.is_iterative:
            least, largest = lanczos(len(self.params), self._lifted_vector)
            return least + damping, largest + damping
        values = self._eigenvalues()
        return float(values[0]) + damping, float(values[-1]) + damping

    def newton_step(self, below: float = 0.0) -> float:
        """The largest entry of H⁻¹∇L(θ̂) in standard errors of θ̂.

        Standard errors are the sandwich's, from H⁻¹ (Σ ω_i² ∇ℓ_i ∇ℓ_iᵀ) H⁻¹; without H
        estimates from some random vectors of that covariance.
        """
        if self.is_iterative:
            solved = self._solved.x
            step, errors = solved[:, 1], np.sqrt(np.mean(solved[:, 2:] ** 2, axis=1))
        else:
            left = self.solve(self._gradient_covariance())
            errors = np.sqrt(np.maximum(np.diagonal(self.solve(left.T)), 0.0))
            step = self.solve(self.gradient)
        least = max(self.least_error * float(errors.max()), np.finfo(float).tiny)
        return float(np.max(np.abs(step) / np.maximum(errors, least)))

    def _gradient_covariance(self) -> Array:
        """Σ ω_i² (∇ℓ_i − E∇ℓ)(∇ℓ_i − E∇ℓ)ᵀ, (d, d)."""
        d = len(self.params)
        inner, mean = np.zeros((d, d)), self.sum_gradient(self.params)
        for batch in self.batches():
            rows = self.derivatives("row_gradients", self.params, batch.X, batch.y)
            weighted = batch.shares[:, None] * (rows - mean)
            inner += weighted.T @ weighted
        return inner

    def solver_report(self, influence: Array) -> SolverReport:
        """The solver's name and steps, and the relative residual of (H + damping) I = −Φ."""
        mixed = self.mixed()
        residual = self.hess_vec(influence) + self.added_damping * influence + mixed
        scale = float(np.linalg.norm(mixed)) or 1.0
        steps = self._solved.iterations if self.is_iterative else 0
        return SolverReport(self.solver, steps, float(np.linalg.norm(residual)) / scale)
