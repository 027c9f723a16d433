"""The data of a kernel regression whose centres are the inputs of its fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...kernels.pairs import Gram, make_gram
from ...passes.linear import Sweep
from ...utils.caching import cached_property
from ..problem import InfluenceProblem
from .model import KernelModel

Array = NDArray[Any]


@dataclass(frozen=True)
class GramData(InfluenceProblem):
    """The part of `GramProblem` that only reads its data."""

    model: KernelModel

    @cached_property
    def inputs(self) -> Array:
        """u (n, m), what the kernel sees."""
        U = self.model.inner(self.source.x)
        self.model.kernel.check_inputs(U, "X")
        return U

    @cached_property
    def weights(self) -> Array:
        """Ω (n,), which sums to 1."""
        w, n = self.source.weights(), self.source.n_rows
        return w / w.sum() if w.size else np.full(n, 1.0 / n)

    @cached_property
    def targets(self) -> Array:
        """y (n,)."""
        return self.source.targets()

    @property
    def alpha(self) -> float:
        """α for the total weight of these data."""
        w = self.source.weights()
        return self.model.alpha(float(w.sum()) if w.size else float(self.source.n_rows))

    @cached_property
    def radius(self) -> float:
        """s: given, or E ‖x/c‖_p."""
        if self.ball.radius is not None:
            return self.ball.radius
        m = self.source.n_columns
        sweep = Sweep(
            self.source, self.model.loss, self.model.basis, False, self.ball, self.executor
        )
        sums = sweep.run(np.zeros(m), c.NEED_NORM)
        if not sums.is_finite:
            raise FloatingPointError("sums are not finite")
        return sums.mean_norm

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

    def slope(self, f: Array) -> Array:
        """Ωr; where the penalty moves with the inputs, what stationarity makes of it: −αθ̂."""
        if self.is_rkhs and self.model.moving:
            return -self.alpha * self.params
        return self.weights * (f - self.targets)

    def pull(self, f: Array) -> Array:
        """What `pair_weights` makes the gradients of: Ωr, plus ½αθ where αθᵀKθ moves as well.

        With fixed centres r: every sample has an attack of its own, whatever its weight.
        """
        if not self.model.moving:
            return f - self.targets
        return self.slope(f) + (0.5 * self.alpha * self.params if self.is_rkhs else 0.0)

    def shared_budgets(self, gains: Array) -> Array:
        """t (n,), from ‖∇_{x_k} L‖_q."""
        if not self.sharing.is_shared:
            return np.ones(len(gains))
        free = self.weights == 0.0
        if self.model.moving and not self.is_rkhs and np.any(free & (gains > 0.0)):
            raise ValueError(
                "a finite order needs positive weights here: a moving centre of weight zero "
                "would cost an attack nothing"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(free, 0.0, gains / self.weights)
        return self.sharing.budgets(own, self.weights)
