"""What an influence needs of a model: the protocol.

An `InfluenceProblem` is a model at θ̂ with its data. Influences, sensitivities and
intervals are written once, against it; `sum_problem` has the first kind, whose parts
are sums over samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

from numpy.typing import NDArray

from .streaming import RowSource

Array = NDArray[Any]


class Evaluation(NamedTuple):
    """The natural loss on some data at θ: no penalty, no damping."""

    loss: float
    gradient: Array
    hessian: Array


@runtime_checkable
class InfluenceProblem(Protocol):
    """A model at θ̂ with its data."""

    names: tuple[str, ...]

    @property
    def params(self) -> Array:
        """θ̂ (d,)."""

    @property
    def radius(self) -> float:
        """s."""

    def mixed(self, weights: Array | None = None) -> Array:
        """Φ (d,) for given per-sample budgets t (n,); None: one each."""

    def solve(self, b: Array) -> Array:
        """H⁻¹ b."""

    def hess_vec(self, v: Array) -> Array:
        """H v."""

    def evaluate(self, theta: Array, source: RowSource | None = None) -> Evaluation:
        """The natural loss of the data (or of other data) at θ."""

    def per_sample(self) -> Array:
        """ζ (n, d): each sample's share of the influence."""

    def refit(self, weights: Array | None = None) -> Array:
        """θ̂ with the sample weights multiplied by `weights`."""
