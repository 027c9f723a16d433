"""The influence problem of linear models whose loss has a scale: of β, b and σ together.

With ℓ(f, σ, y): ∇_x ℓ = ℓ_f β, and Φ = s E[∇_θ(ℓ_f ⟨β, φ⟩)] has, beside what linear predictors
have, the entry s E[ℓ_fσ sgn(ℓ_f)] ‖β‖_q of σ; H is that of (f, σ) (Theorem 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...data.rows import RowSource
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property
from ..autodiff.problem import AutodiffProblem
from ..kinks import Kinks
from ..objective import number
from ..problem import Counts, refuse_solver
from .derivatives import ScaleDerivatives
from .model import ScaleModel

Array = NDArray[Any]

_NO_SCALE = 1e-8  # of the targets


@dataclass(frozen=True)
class ScaleProblem(AutodiffProblem):
    """The InfluenceProblem of a ScaleModel."""

    model: ScaleModel

    way_out_without_gradients: ClassVar[str] = ""

    @property
    def derivatives(self) -> ScaleDerivatives:
        """The losses' derivatives, batch by batch."""
        return self.model.derivatives

    def begin(self) -> None:
        """Make one pass for everything but H; two where samples share a budget."""
        self.refuse_no_scale()
        _ = self._mixed

    def refuse_no_scale(self) -> None:
        """Refuse a fit whose residuals, and with them σ, are rounding."""
        sigma = float(self.params[-1])
        if sigma <= _NO_SCALE * self.target_size:
            raise ValueError(
                f"the fitted scale is {sigma:.1g}: the model fits every target exactly, and no "
                "first-order attack exists; fit a LinearRegression, which has a robust optimum"
            )

    @cached_property
    def loss_slope(self) -> float:
        """E |∂ℓ/∂f|."""
        total = 0.0
        for batch in self.batches():
            slopes = self.derivatives("output_slopes", self.params, batch.X, batch.y)
            total += float(batch.shares @ slopes)
        return number(total)

    @property
    def counts(self) -> Counts:
        """What is irregular at θ̂: kinked pairs are rows at the corner of the loss."""
        at = 0
        for batch in self.batches():
            f = self.model.derivatives.features(batch.X) @ self.params[:-1]
            sigma = float(self.params[-1])
            at += int(np.count_nonzero(self.model.scaled_loss.at_corner(f, sigma, batch.y)))
        return super().counts._replace(kinked_pairs=at)

    @property
    def kinked_are(self) -> str:
        """What `Counts.kinked_pairs` counts."""
        return (
            "samples sit at the corner of the loss, |r| = epsilon · scale, where the influence is "
            "one of its one-sided candidates"
        )

    def influence_raw(self, influence: Array) -> Array:
        """The influence on β and b as they act on raw inputs, and on σ, (d,)."""
        m, out = self.model.n_features, np.array(influence)
        shift, scale = self.model.basis.arrays(m)
        out[:m] /= scale
        if self.model.derivatives.fit_intercept:
            out[m] -= shift @ out[:m]
        return out

    def kinks(self, influence: Array) -> Kinks:
        """Where along θ̂ + εI a residual changes sign, a row passes the corner, or φ(β) turns."""
        m, sigma, delta = self.model.n_features, self.params[-1], self.model.scaled_loss.delta
        f, speed, y = self.moves(influence)
        sigma_speed = influence[-1]
        shares, rows = self.shares, self.some_rows(np.arange(self.source.n_rows))
        along = np.sign(f - y)[:, None] * self.params[:m]
        _, gains, _ = self.ball.directions(along.copy(), rows.X)
        rho = self.radius * self.budgets * gains
        with np.errstate(divide="ignore", invalid="ignore"):
            flips = (y - f) / speed
            r, side = f - y, np.sign(f - y)
            # Of the attacked residual |r| + ερ.
            corners = (delta * sigma - np.abs(r)) / (side * speed + rho - delta * sigma_speed)
        kept = np.isfinite(flips) & (flips > 0) & (shares > 0)
        order = np.argsort(flips[kept], kind="stable")
        own = np.full(len(f), not self.sharing.is_shared)
        speeds = np.sign(f - y)[:, None] * influence[:m]
        place = self.ball.first_turn(*self.felt(rows, along, speeds))
        events = [
            (
                float(np.min(flips[kept & own], initial=np.inf)),
                "a sample's loss slope changes sign",
            ),
            (
                float(np.min(corners[(corners > 0) & (shares > 0)], initial=np.inf)),
                "a sample passes the corner of the loss",
            ),
            (
                place.eps,
                f"the coefficient of {self.model.feature_names[place.feature]} "
                f"{self.ball.turning}" if np.isfinite(place.eps) else "",
            ),
        ]  # fmt: skip
        first, reason = min([*events, self.first_bound])
        reason = reason if np.isfinite(first) else "none is foreseen"
        return Kinks(flips[kept][order], shares[kept][order], first, reason)

    def moves(
        self, step: Array, source: RowSource | None = None
    ) -> tuple[Array, Array, Array]:
        """f(θ̂), its change along a step, and targets, each (n,), on these or other rows."""
        parts = [
            (Z @ self.params[:-1], Z @ step[:-1], batch.y)
            for batch in self.batches(source, every=True)
            for Z in [self.model.derivatives.features(batch.X)]
        ]
        f, speed, y = (np.concatenate(part) for part in zip(*parts, strict=True))
        return f, speed, y


def scale_problem(
    model: ScaleModel, source: RowSource, ball: AttackSet, *, solver: str = "auto",
    hessian: str = "exact", seed: int = 0, **common: Any,
) -> ScaleProblem:  # fmt: skip
    """The problem, whose H is always formed, and the same by either name."""
    refuse_solver(model, solver)
    return ScaleProblem(model, source, ball, **common)
