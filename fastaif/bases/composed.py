"""A basis made of steps that are held fixed, such as those of a fitted pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..threat.attack_set import AttackSet
from .basis import Basis
from .nodes import Node

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Composed(Basis):
    """The features of a `Node`; m is the number of its inputs.

    Attributes
    ----------
    node : Node
    labels : tuple of str
        A name for each feature.
    """

    node: Node
    labels: tuple[str, ...]

    is_checked: ClassVar[bool] = True
    kinks_are: ClassVar[str] = (
        "entries of X are at the last knot of a spline that is constant beyond it, where its slope "
        "jumps: the influence takes the inner one (extrapolation='linear' has no jump)"
    )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Composed) and _alike(self.node, other.node)

    def __hash__(self) -> int:
        return hash(self.labels)

    def features(self, X: Any) -> Array:
        """v(X), shape (n, d)."""
        return self.node.value(np.asarray(X, dtype=np.float64))

    def jac_vec(self, X: Any, P: Any) -> Array:
        """Jφ for the rows φ of P, shape (n, d)."""
        return self.node.push(np.asarray(X, dtype=np.float64), np.asarray(P, dtype=np.float64))

    def jac_t_vec(self, X: Any, theta: Any) -> Array:
        """∇_x (θᵀv) for θ (d,), shape (n, m)."""
        U = np.asarray(X, dtype=np.float64)
        return self.node.pull(U, np.tile(np.asarray(theta, dtype=np.float64), (len(U), 1)))

    def n_outputs(self, m: int) -> int:
        """The length d of v."""
        return self.node.n_outputs

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """A name for each entry of v."""
        return self.labels

    def idle(self, X: Any) -> Array | None:
        """The missing cells, which an imputer fills whatever is moved there."""
        return self.node.idle(np.asarray(X, dtype=np.float64))

    @property
    def has_kinks(self) -> bool:
        """Whether a spline ends in a constant."""
        return any(step.has_kinks for step in self.node.steps())

    def count_kinks(self, X: Array) -> int:
        """Entries at the end of such a spline."""
        return self.node.count_kinks(np.asarray(X, dtype=np.float64))

    def lipschitz(self, beta: Array, m: int, attack_set: AttackSet) -> float | None:
        """0 where v is affine: its gradient is the same everywhere."""
        return 0.0 if self.node.is_affine else None


def _alike(a: Any, b: Any) -> bool:
    """Whether two parts of nodes are the same, by value."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(_alike, a, b))
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        return all(
            _alike(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
        )
    if hasattr(a, "t") and hasattr(a, "c"):  # a spline
        return np.array_equal(a.t, b.t) and np.array_equal(a.c, b.c)
    return bool(a == b)
