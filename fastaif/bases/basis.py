"""What every basis v(x) of m inputs can tell, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from .._compute import types as c
from ..threat.attack_set import AttackSet

Array = NDArray[Any]

KERNEL_KINKS = (
    "pairs of a sample and a centre are parallel or antiparallel, where the NTK has a kink: the "
    "robust optimum has one at eps=0, and the influence leaves them out"
)


class Basis:
    """v(x) of d entries, bound to m inputs by `bind`; what is not overridden is not known of it.

    Attributes
    ----------
    features : callable
        X (n, m) to v(X) (n, d).
    jac_vec : callable
        X and P (n, m) to JP (n, d), how v moves along the rows of P.
    jac_t_vec : callable
        X and β (d,) to Jᵀβ (n, m), the gradients of βᵀv.
    is_compiled : bool
        Whether operations form the features, as `compiled` describes them.
    is_quadratic : bool
        Whether βᵀv = β₁ᵀx + xᵀAx, with A of `Quadratic.matrix`.
    is_dual : bool
        Whether v has an entry for each centre, and none for inputs.
    is_checked : bool
        Whether what the callables return has the shapes above, and is finite.
    kinks_are : str
        What `count_kinks` counts, as a sentence behind the number.
    """

    features: Callable[..., Any]
    jac_vec: Callable[..., Any]
    jac_t_vec: Callable[..., Any]

    is_compiled: ClassVar[bool] = False
    is_quadratic: ClassVar[bool] = False
    is_dual: ClassVar[bool] = False
    is_checked: ClassVar[bool] = True
    kinks_are: ClassVar[str] = KERNEL_KINKS

    def bind(self, m: int, sample: Array | None = None) -> Self:
        """The basis for m inputs, of which some rows may be needed."""
        return self

    def n_outputs(self, m: int) -> int:
        """d."""
        raise NotImplementedError

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """A name for each entry of v."""
        raise NotImplementedError

    def penalized(self, m: int) -> Array:
        """1 for each coefficient that α shrinks, shape (d,)."""
        return np.ones(self.n_outputs(m))

    def compiled(self, m: int) -> c.Basis:
        """The description that operations take."""
        raise NotImplementedError

    def lipschitz(self, beta: Array, m: int, attack_set: AttackSet) -> float | None:
        """By how much a unit attack can change a gain of ∇(βᵀv); None where no bound is known."""
        return None

    def unscaled(self, theta: Array, shift: Array, scale: Array) -> Array:
        """θ = (β, b) of f = βᵀv((x − shift) / scale) + b as that of the same f on v(x).

        Raises
        ------
        ValueError
            The basis does not contain its own rescalings.
        """
        name = type(self).__name__
        raise ValueError(f"behind a scaler, slopes in raw units of {name} are not defined")

    def idle(self, X: Array) -> Array | None:
        """Which entries of X (n, m) v does not depend on, in their rows; None: on all of them."""
        return None

    @property
    def has_kinks(self) -> bool:
        """Whether v has kinks for `count_kinks` to find."""
        return False

    def count_kinks(self, X: Array) -> int:
        """Pairs of a row of X and a centre at which v has a kink."""
        return 0
