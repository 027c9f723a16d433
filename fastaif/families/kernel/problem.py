"""The influence problem of kernel regressions whose centres are the inputs of the fit.

With moving centres an attack on x_k moves row k and column k of the Gram matrix K at once
(section 6.1 of the paper); with fixed ones the row alone, as for attacks at prediction
time. With D_ij = ⟨∂₁K(x_i, x_j), β_i⟩, β_i the step of x_i, the derivative of K is
E = D + Dᵀ or E = D, and

    I = −(KΩK + αP)⁻¹ (KΩ Eθ̂ + EᵀΩr),   r = Kθ̂ − y,  Σω = 1,  P = 1 or K

(Corollary 6.1, corrected: with P = K and moving centres the last term goes, because the
penalty moves as well). K and its derivatives are formed once, in tiles, and no more than K
is kept afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.parallel import single_threaded_blas
from ...data.rows import RowSource
from ...kernels.pairs import Gram, Pairs
from ...solvers.gram_solver import GramSystem, Solved, make_system
from ...solvers.lanczos import extreme_eigenvalues
from ...solvers.newton import NewtonResult
from ...utils.caching import cached_property
from ..kinks import Kinks
from ..problem import Evaluation, SolverReport, lift, number, singular_hessian
from . import kinks, per_sample
from .core import GramData
from .first_order import Contraction, pair_weights
from .fit import fit_at

Array = NDArray[Any]

_DENSE = 1500  # up to here the spectrum is computed whole
_ROUGH = 1e-2


@dataclass(frozen=True)
class GramProblem(GramData):
    """The InfluenceProblem of a KernelModel whose centres are its training inputs."""

    # --- one pass over the pairs ----------------------------------------------------------

    @cached_property
    def _state(self) -> tuple[list[Array], Array, Contraction]:
        """K, in a list that the solver empties; f(θ̂); and the contraction."""
        # BLAS's threads would go on spinning for some 25 ms, in the way of ours.
        with single_threaded_blas():
            gram = self.gram(derivatives=True)
            f = gram.K @ self.params
            found = self.contract(gram, f)
        if not all(np.isfinite(part).all() for part in (f, self.targets, found.gains)):
            raise FloatingPointError("kernel values are not finite")
        return [gram.K], f, found

    def begin(self) -> None:
        """Form K and contract its derivatives."""
        _ = self._state

    def contract(self, gram: Gram, f: Array, budgets: Array | None = None) -> Contraction:
        """Contract the derivatives of K with the steps β, times per-sample budgets (n,)."""
        theta, slope, moving = self.params, self.slope(f), self.model.moving
        weights = pair_weights(theta, self.pull(f), moving)
        steps, gains, ties = self.ball.directions(gram.gradient(*weights))
        gains = gains if moving else self.weights * gains
        budgets = self.shared_budgets(gains) if budgets is None else budgets
        steps *= self.radius * budgets[:, None]
        rows, columns = gram.directional(
            steps, np.stack([theta, slope]), np.column_stack([theta, slope])
        )
        counted = int(ties[gains > 0].sum())
        if not moving:
            return Contraction(rows[:, 0], columns[1], budgets, gains, counted, gram.kinks)
        turned = rows[:, 0] + columns[0]
        pulled = None if self.is_rkhs else rows[:, 1] + columns[1]
        return Contraction(turned, pulled, budgets, gains, counted, gram.kinks)

    @cached_property
    def system(self) -> GramSystem:
        """KΩK + αP + damping/2, ready to be solved; it takes over K's memory.

        Raises
        ------
        numpy.linalg.LinAlgError
            It is singular.
        """
        held = self._state[0]
        K = held.pop() if held else self.gram(derivatives=False).K
        found = make_system(K, self.weights, self.alpha, self.penalty, self.added_damping)
        if found is None:
            H = self.hessian + self.added_damping * np.eye(len(self.params))
            raise singular_hessian(float(np.linalg.eigvalsh(H)[0]))
        return found

    def missing_damping(self) -> float:
        """What makes H positive definite, to working precision: 0 where it is."""
        K = self.gram(derivatives=False).K
        if make_system(K, self.weights, self.alpha, self.penalty, 0.0) is not None:
            return 0.0
        values = np.linalg.eigvalsh(self.hessian)
        return lift(float(values[0]), float(values[-1]))

    def multiply(self, b: Array) -> Array:
        """K b."""
        held = self._state[0]
        return np.asarray(held[0] @ b) if held else self.system.multiply(b)

    # --- at θ̂ -----------------------------------------------------------------------------

    @property
    def gradient(self) -> Array:
        """∇L(θ̂), penalty included: zero where θ̂ is stationary."""
        slope = self.weights * (self._state[1] - self.targets)
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
        return 2.0 * float(self.weights @ np.abs(self._state[1] - self.targets))

    @property
    def value_derivative(self) -> float:
        """d/dε of the robust optimal objective at 0: s Σ_k t_k ‖∇_{x_k} L‖_q."""
        found = self._state[2]
        return self.radius * float(found.budgets @ found.gains)

    @property
    def budgets(self) -> Array:
        """t (n,): each sample's share of the budget."""
        return self._state[2].budgets

    @property
    def ties(self) -> int:
        """Ties of the directions of attack, over all samples."""
        return self._state[2].ties

    @property
    def kinked_pairs(self) -> int:
        """Pairs of distinct parallel or antiparallel samples, where the NTK has kinks."""
        return self._state[2].kinks

    @property
    def zero_gradients(self) -> int:
        """Samples whose ∇_{x_k} L is zero; of positive weight, unless the centres move."""
        counted = self._state[2].gains == 0.0
        if not self.model.moving or self.is_rkhs:
            counted = counted & (self.weights > 0)
        return int(np.count_nonzero(counted))

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ = 2 (KΩ Eθ̂ + EᵀΩr), for given per-sample budgets (n,); None: one each."""
        found = self._state[2]
        if weights is not None:
            found = self.contract(self.gram(derivatives=True), self._state[1], weights)
        mixed = self.multiply(self.weights * found.turned)
        return 2.0 * (mixed if found.pulled is None else mixed + found.pulled)

    @cached_property
    def _solved(self) -> Solved:
        found = self._state[2]
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
        theta, f = self.params, self._state[1]
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

    def per_sample(self) -> Array:
        """ζ (n, n): row k is what the attack on x_k alone does, over its weight.

        Raises
        ------
        ValueError
            A sample of weight zero is attacked all the same: it has no share of a mean.
        """
        if self.model.moving and not self.is_rkhs and not np.all(self.weights > 0):
            raise ValueError(
                "per_sample() needs positive weights here: as a moving centre a sample of weight "
                "zero is attacked as well, and has no share in a weighted mean"
            )
        return per_sample.per_sample(self)

    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI the expansion stops being smooth."""
        return kinks.find(self, influence)

    def influence_raw(self, influence: Array) -> Array:
        """The influence itself: dual coefficients have no unit of the inputs."""
        return np.array(influence)

    # --- elsewhere ------------------------------------------------------------------------

    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """f(θ̂), its change along a step, and targets, each (n,), at centres where they are."""
        if source is None or source is self.source:
            return self._state[1], self.multiply(step), self.targets
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
        K, w = pairs.values(), source.weights()
        omega = w / w.sum() if w.size else np.full(len(K), 1.0 / len(K))
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
