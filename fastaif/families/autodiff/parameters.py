"""Parameters as users hold them, and as one flat vector θ.

Dictionaries are read in their own order, lists and tuples from first to last, arrays by
rows: θ is the entries in that order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Leaf:
    """An array of the parameters: its name, shape and place in θ."""

    name: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """The number of its entries."""
        return math.prod(self.shape)

    def names(self) -> Iterator[str]:
        """A name for each entry, "w[0,1]"; a scalar's is its own."""
        for place in np.ndindex(*self.shape):
            yield self.name + (f"[{','.join(map(str, place))}]" if place else "")


@dataclass(frozen=True)
class Layout:
    """Where each array of the parameters is in θ.

    Attributes
    ----------
    template
        The parameters with a `Leaf` in the place of each array.
    leaves : tuple of Leaf
        In the order of θ.
    """

    template: Any
    leaves: tuple[Leaf, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of θ."""
        return tuple(name for leaf in self.leaves for name in leaf.names())

    def unflatten(self, theta: Any) -> Any:
        """The parameters, arrays of whatever kind θ is."""

        def cut(leaf: Leaf) -> Any:
            return theta[leaf.start : leaf.start + leaf.size].reshape(leaf.shape)

        return _map(self.template, cut)


def flatten(params: Any, read: Callable[[Any], Array]) -> tuple[Array, Layout]:
    """θ (d,), float64, and its layout.

    Parameters
    ----------
    params
        An array, or dictionaries, lists and tuples of arrays.
    read : callable
        From an array of the framework to a NumPy one.

    Raises
    ------
    TypeError, ValueError
        Something that is not a finite real array, or nothing at all.
    """
    values: list[Array] = []
    leaves: list[Leaf] = []

    def take(name: str, given: Any) -> Leaf:
        array = _checked(name, read(given))
        start = leaves[-1].start + leaves[-1].size if leaves else 0
        leaves.append(Leaf(name, array.shape, start))
        values.append(array.ravel())
        return leaves[-1]

    template = _map_named(params, "", take)
    if not leaves or not sum(leaf.size for leaf in leaves):
        raise ValueError("params is empty: there is nothing that could be influenced")
    return np.concatenate(values), Layout(template, tuple(leaves))


def arrays_of(params: Any) -> list[Any]:
    """The arrays of the parameters, in the order of θ."""
    found: list[Any] = []
    _map(params, found.append)
    return found


def _checked(name: str, array: Array) -> Array:
    if array.dtype.kind in "cOSUbV" or np.issubdtype(array.dtype, np.integer):
        raise TypeError(
            f"params must hold arrays of floating-point numbers, but {name!r} is of type "
            f"{array.dtype}"
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"params contains NaN or infinity (in {name!r})")
    return array


def _map(node: Any, change: Callable[[Any], Any]) -> Any:
    return _map_named(node, "", lambda _, leaf: change(leaf))


def _map_named(node: Any, name: str, change: Callable[[str, Any], Any]) -> Any:
    """The same nesting with every array changed."""
    inside = f"{name}." if name else ""
    if isinstance(node, Mapping):
        return {key: _map_named(part, f"{inside}{key}", change) for key, part in node.items()}
    if isinstance(node, list | tuple):
        parts = [_map_named(part, f"{inside}{k}", change) for k, part in enumerate(node)]
        return type(node)(*parts) if hasattr(node, "_fields") else type(node)(parts)
    return change(name or "theta", node)
