"""Kernel regressions whose centres are their training inputs: what both kinds share.

With D_ij = ⟨∂₁K(x_i, x_j), β_i⟩, β_i the step of x_i, the derivative of the Gram matrix K is
E = D + Dᵀ where the centres move with the inputs and E = D where they stay, and

    I = −(KΩK + αP)⁻¹ (KΩ Eθ̂ + EᵀΩr),   r = Kθ̂ − y,  Σω = 1,  P = 1 or K

(Corollary 6.1, corrected: with P = K and moving centres the last term goes, because the
penalty moves as well). K and its derivatives are formed once, in tiles, and no more than K
is kept afterwards.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.blas import blas_for_solves, single_threaded_blas
from ...data.rows import RowSource
from ...kernels.pairs import Gram, Pairs, make_gram
from ...solvers.gram_solver import GramSystem, Solved, make_system
from ...solvers.lanczos import extreme_eigenvalues
from ...solvers.newton import NewtonResult
from ...utils.caching import cached_property
from ..damping import lift, singular_hessian
from ..objective import Evaluation, number
from ..problem import Counts, InfluenceProblem, SolverReport
from ..radius import mean_norm
from .first_order import Contraction
from .fit import fit_at
from .model import KernelModel

Array = NDArray[Any]

_DENSE = 1500  # up to here the spectrum is computed whole
_ROUGH = 1e-2


class _Pass(NamedTuple):
    """What one pass over the pairs leaves: f(θ̂), the contraction, and K ready to be solved.

    `damping` is what the system was made with. It takes over K's memory; it is None, and K kept
    instead, where that is singular.
    """

    f: Array
    found: Contraction
    system: GramSystem | None
    damping: float
    K: Array | None = None


@dataclass(frozen=True)
class GramProblem(InfluenceProblem):
    """The InfluenceProblem of a KernelModel whose centres are its training inputs.

    Attributes
    ----------
    inputs : array (n, m)
        u, what the kernel sees.
    """

    model: KernelModel
    inputs: Array = field(kw_only=True)

    # --- the data -------------------------------------------------------------------------

    @cached_property
    def weights(self) -> Array:
        """Ω (n,), which sums to 1."""
        return self.source.shares()

    @cached_property
    def targets(self) -> Array:
        """y (n,)."""
        return self.source.targets()

    @property
    def alpha(self) -> float:
        """α for the total weight of these data."""
        w = self.source.weights()
        return self.alpha_at(float(w.sum()) if w.size else float(self.source.n_rows))

    @cached_property
    def radius(self) -> float:
        """s: given, or E ‖x/c‖_p."""
        return mean_norm(self.source, self.model.basis, self.ball, self.executor)

    @property
    def is_rkhs(self) -> bool:
        """Whether there is a penalty α θᵀKθ."""
        return self.penalty == "rkhs"

    @property
    def penalty(self) -> str:
        """Which penalty there is; without any the two are the same."""
        return self.model.penalty if self.alpha > 0.0 else "l2"

    def gram(self, derivatives: bool) -> Gram:
        """K and, if wanted, its derivatives at the inputs of the fit."""
        return make_gram(self.model.kernel.compiled(), self.inputs, derivatives, self.n_threads)

    # --- what the centres decide ----------------------------------------------------------

    @abstractmethod
    def slope(self, f: Array) -> Array:
        """Ωr; where the penalty moves with the inputs, what stationarity makes of it: −αθ̂."""

    @abstractmethod
    def contract(self, gram: Gram, f: Array, budgets: Array | None = None) -> Contraction:
        """Contract the derivatives of K with the steps β, times per-sample budgets (n,)."""

    @abstractmethod
    def turning(self, influence: Array) -> tuple[Array, Array, str] | None:
        """Numbers (n,) whose signs say which way samples are attacked, their speeds, and a name."""

    @abstractmethod
    def gradient_path(self, gram: Gram, influence: Array) -> tuple[Array, Array]:
        """Gradients that give the directions of attack, and their derivatives in ε, (n, m) each."""

    @abstractmethod
    def bend(self) -> float | None:
        """A Lipschitz constant of D∇_u f, where every sample has an f of its own."""

    @property
    @abstractmethod
    def share_of_meeting(self) -> float:
        """What part of the way between two samples an attack on one of them goes at most."""

    @property
    @abstractmethod
    def zero_gradients(self) -> int:
        """Samples whose ∇_{x_k} L is zero."""

    def shared_budgets(self, gains: Array) -> Array:
        """t (n,), from ‖∇_{x_k} L‖_q."""
        free = self.weights == 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(free, 0.0, gains / self.weights)
        return self.sharing.budgets(own, self.weights)

    # --- one pass over the pairs ----------------------------------------------------------

    @cached_property
    def _pass(self) -> _Pass:
        # BLAS's threads would go on spinning for some 25 ms, in the way of ours.
        with single_threaded_blas():
            gram = self.gram(derivatives=True)
            f = gram.K @ self.params
            found = self.contract(gram, f)
        if not all(np.isfinite(part).all() for part in (f, self.targets, found.gains)):
            raise FloatingPointError("kernel values are not finite")
        K = gram.K
        del gram
        with blas_for_solves(len(K)):
            return self._prepared(f, found, K)

    def _prepared(self, f: Array, found: Contraction, K: Array) -> _Pass:
        """The system in K's memory, with the damping that is asked for, or is missing."""
        automatic = isinstance(self.damping, str)
        damping = 0.0 if isinstance(self.damping, str) else self.damping
        system = make_system(K, self.weights, self.alpha, self.penalty, damping)
        if system is None and automatic:
            values = np.linalg.eigvalsh(self.hessian)
            damping = lift(float(values[0]), float(values[-1]))
            K = self.gram(derivatives=False).K
            system = make_system(K, self.weights, self.alpha, self.penalty, damping)
        if system is not None:
            return _Pass(f, found, system, damping)
        return _Pass(f, found, None, damping, self.gram(derivatives=False).K)

    def begin(self) -> None:
        """Form K, contract its derivatives, and factor it."""
        _ = self._pass

    def missing_damping(self) -> float:
        """What makes H positive definite, to working precision: 0 where it is."""
        return self._pass.damping

    @property
    def system(self) -> GramSystem:
        """KΩK + αP + damping/2, ready to be solved.

        Raises
        ------
        numpy.linalg.LinAlgError
            It is singular.
        """
        if self._pass.system is None:
            H = self.hessian + self.added_damping * np.eye(len(self.params))
            raise singular_hessian(float(np.linalg.eigvalsh(H)[0]))
        return self._pass.system

    def multiply(self, b: Array) -> Array:
        """K b."""
        kept = self._pass
        return np.asarray(kept.K @ b) if kept.system is None else kept.system.multiply(b)

    # --- at θ̂ -----------------------------------------------------------------------------

    @property
    def gradient(self) -> Array:
        """∇L(θ̂), penalty included: zero where θ̂ is stationary."""
        slope = self.weights * (self._pass.f - self.targets)
        if self.is_rkhs:
            return 2.0 * self.multiply(slope + self.alpha * self.params)
        return 2.0 * (self.multiply(slope) + self.alpha * self.params)

    @property
    def hessian(self) -> Array:
        """∇²L(θ̂) = 2 (KΩK + αP), penalty included, damping not: made when asked for."""
        K = self.gram(derivatives=False).K
        H = K @ (self.weights[:, None] * K)
        if self.is_rkhs:
            H += self.alpha * K
        else:
            H[np.diag_indices(len(H))] += self.alpha
        return 2.0 * H

    @property
    def loss_slope(self) -> float:
        """E |ℓ'| = 2 E |r|."""
        return 2.0 * float(self.weights @ np.abs(self._pass.f - self.targets))

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s Σ_k t_k ‖∇_{x_k} L‖_q."""
        found = self._pass.found
        return self.radius * float(found.budgets @ found.gains)

    @property
    def budgets(self) -> Array:
        """t (n,): each sample's share of the budget."""
        return self._pass.found.budgets

    @property
    def counts(self) -> Counts:
        """What is irregular at θ̂; kinked pairs are distinct parallel or antiparallel samples."""
        found = self._pass.found
        return Counts(self.zero_gradients, found.ties, found.kinks)

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ = 2 (KΩ Eθ̂ + EᵀΩr), for given per-sample budgets (n,); None: one each."""
        found = self._pass.found
        if weights is not None:
            found = self.contract(self.gram(derivatives=True), self._pass.f, weights)
        mixed = self.multiply(self.weights * found.turned)
        return 2.0 * (mixed if found.pulled is None else mixed + found.pulled)

    @cached_property
    def _solved(self) -> Solved:
        found = self._pass.found
        return self.system.solve(-found.turned, None if found.pulled is None else -found.pulled)

    def influence(self) -> Array:
        """I, without forming Φ where that would cost digits."""
        return self._solved.x

    def solve(self, b: Array) -> Array:
        """(H + damping)⁻¹ b."""
        return 0.5 * self.system.solve(np.zeros(b.shape), b).x

    def hess_vec(self, v: Array) -> Array:
        """H v."""
        return 2.0 * (self.multiply(self.weights * self.multiply(v)) + self.shrinkage(v))

    def shrinkage(self, step: Array) -> Array:
        """αP step, where α θᵀPθ is the penalty."""
        return self.alpha * (self.multiply(step) if self.is_rkhs else step)

    def newton_step(self, below: float = 0.0) -> float:
        """The root mean square Newton step in units of that of θ̂'s standard errors.

        Standard errors are those of θ̂ as a linear function of targets with the residuals'
        variance, found with one random vector. First a bound that costs no solve: by
        H ⪰ 2αP the step is at most g/2α, and noise moves θ̂ by no less than targets do.
        """
        theta, f = self.params, self._pass.f
        r = f - self.targets
        slope = self.weights * r
        rest = (slope if self.is_rkhs else self.multiply(slope)) + self.alpha * theta
        size, noise = np.linalg.norm(theta), np.linalg.norm(r) / np.linalg.norm(self.targets)
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = float(np.linalg.norm(rest) / self.alpha / (noise * size))
        if bound < below:
            return bound
        if self.added_damping > 0.0:
            step = self.solve(self.gradient)
        else:
            step = theta - self.system.solve(self.targets, None).x
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=len(theta))
        spread = np.linalg.norm(self.system.solve(signs, None, _ROUGH).x)
        error = float(np.sqrt(self.weights @ r**2) * spread)
        return float(np.linalg.norm(step)) / max(error, np.finfo(float).tiny)

    def spectrum(self) -> tuple[float, float]:
        """The least and the largest eigenvalue of H + damping; of large ones to a few digits."""
        n = len(self.params)
        if n <= _DENSE:
            values = np.linalg.eigvalsh(self.hessian + self.added_damping * np.eye(n))
            return float(values[0]), float(values[-1])
        return extreme_eigenvalues(
            n, lambda v: self.hess_vec(v) + self.added_damping * v, lambda v: self.solve(v)
        )

    def solver_report(self, influence: Array) -> SolverReport:
        """The solver's own account; for Cholesky the relative residual of H I = −Φ."""
        method, steps, residual = self._solved[1:]
        if steps:
            return SolverReport(method, steps, residual)
        mixed = self.mixed()
        left = self.hess_vec(influence) + self.added_damping * influence + mixed
        return SolverReport(method, 0, float(np.linalg.norm(left) / (np.linalg.norm(mixed) or 1.0)))

    def influence_raw(self, influence: Array) -> Array:
        """The influence itself: dual coefficients have no unit of the inputs."""
        return np.array(influence)

    # --- elsewhere ------------------------------------------------------------------------

    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """f(θ̂), its change along a step, and targets, each (n,), at centres where they are."""
        if source is None or source is self.source:
            return self._pass.f, self.multiply(step), self.targets
        U = self.model.inner(source.x)
        self.model.kernel.check_inputs(U, "X")
        pairs = Pairs(self.model.kernel.compiled(), U, self.inputs, False, self.n_threads)
        f, t = pairs.product(np.column_stack([self.params, step])).T
        return f, t, source.targets()

    def evaluate(self, theta: Array, source: RowSource | None = None) -> Evaluation:
        """The natural loss, its gradient and Hessian at θ, on these or other rows."""
        source = source or self.source
        pairs = Pairs(
            self.model.kernel.compiled(), self.model.inner(source.x), self.inputs,
            source is self.source, self.n_threads,
        )  # fmt: skip
        K, omega = pairs.values(), source.shares()
        r = K @ theta - source.targets()
        hessian = 2.0 * K.T @ (omega[:, None] * K)
        return Evaluation(source.mean(r**2), 2.0 * K.T @ (omega * r), hessian)

    def mean_loss(self, theta: Array, source: RowSource | None = None) -> float:
        """E (f − y)² on these or other rows."""
        f, t, y = self.moves(theta - self.params, source)
        return number((source or self.source).mean((f + t - y) ** 2))

    def fit_result(self, weights: Array | None = None, max_iter: int = 100) -> NewtonResult:
        """The fit to these data, in closed form, the weights multiplied by `weights`."""
        omega = self.weights if weights is None else self.weights * weights
        K = self.gram(derivatives=False).K
        return fit_at(K, self.targets, omega / omega.sum(), self.alpha, self.penalty)
