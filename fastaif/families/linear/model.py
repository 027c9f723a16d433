"""The description of a fitted model f = βᵀv(x) + b, whoever fitted it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ...bases.builtin import Linear
from ...bases.expansion import Expansion
from ...data.rows import Encoder, RowSource
from ...losses import Loss
from ...passes.basis import make_sweep
from ...passes.executor import Executor
from ...passes.linear import Sweep
from ...threat.attack_set import AttackSet
from ..finite_sum.whitening import Whitening

Array = NDArray[Any]


@dataclass(frozen=True)
class LinearModel:
    """A fitted model that is linear in its parameters, f = βᵀv(x) + b, whoever fitted it.

    Attributes
    ----------
    kind : str
        "linear", "logistic", "quadratic", …: for reports.
    loss : Loss
    basis : Linear or Expansion
        v.
    theta : array (d,)
        β, then b if there is an intercept.
    alpha : callable
        From the total sample weight W to α in L = E ℓ + α ‖β‖².
    names : tuple of str
        A name for each entry of θ.
    encode : callable
        Raw targets to float64 targets (±1 for labels); refuses what cannot be mapped.
    rebuild : callable
        From θ to a fitted copy of the estimator.
    n_features : int
        m, the number of inputs.
    penalized : array (d,) or (d, d)
        1 where ‖θ_pen‖² counts an entry of θ, else 0; or P of a penalty α θᵀPθ.
    columns : tuple of str or None
        The inputs' own names, where the fit or its data had any.
    whitening : Whitening or None
        Coordinates in which such a P is the identity.
    """

    kind: str
    loss: Loss
    basis: Linear | Expansion
    theta: Array
    fit_intercept: bool
    alpha: Callable[[float], float]
    names: tuple[str, ...]
    encode: Encoder
    rebuild: Callable[[Array], Any]
    n_features: int
    penalized: Array
    columns: tuple[str, ...] | None = None
    whitening: Whitening | None = None

    @property
    def n_coefs(self) -> int:
        """The number of coefficients, without the intercept."""
        return len(self.theta) - int(self.fit_intercept)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """A name for each input."""
        return self.columns or tuple(f"x{k}" for k in range(self.n_features))

    def sweep(self, source: RowSource, ball: AttackSet | None, executor: Executor) -> Sweep:
        """The pass over `source` that this model asks for."""
        return make_sweep(source, self.loss, self.basis, self.fit_intercept, ball, executor)
