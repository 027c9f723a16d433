"""Features made step by step, with their derivatives by the chain rule.

A `Node` takes rows U (n, m) to features (n, d). Leaves pick columns; a `Stage` puts a map behind a
node, `Side` sets nodes side by side. `push` carries moves P (n, m) of the inputs forward, `pull`
carries slopes G (n, d) back.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Map(ABC):
    """From the features Z (n, j) of a node to others (n, d)."""

    @abstractmethod
    def n_outputs(self, j: int) -> int:
        """d."""

    @abstractmethod
    def value(self, Z: Array) -> Array:
        """The features (n, d)."""

    @abstractmethod
    def push(self, Z: Array, moves: Array) -> Array:
        """How the features move (n, d) with moves (n, j) of Z."""

    @abstractmethod
    def pull(self, Z: Array, slopes: Array) -> Array:
        """Slopes in Z (n, j) of slopes in the features (n, d)."""

    def varies(self, inner: Array) -> Array:
        """Which features depend on the inputs, given which entries of Z do, booleans (d,)."""
        return np.ones(self.n_outputs(inner.size), dtype=bool)

    @property
    def is_affine(self) -> bool:
        """Whether the features are affine in Z."""
        return False

    @property
    def has_kinks(self) -> bool:
        """Whether there are kinks for `count_kinks` to find."""
        return False

    def count_kinks(self, Z: Array) -> int:
        """Entries of Z at which a slope jumps."""
        return 0


class Node(ABC):
    """From rows U (n, m) to features (n, d)."""

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """d."""

    @abstractmethod
    def value(self, U: Array) -> Array:
        """The features (n, d)."""

    @abstractmethod
    def push(self, U: Array, moves: Array) -> Array:
        """How the features move (n, d) with moves (n, m) of U."""

    @abstractmethod
    def pull(self, U: Array, slopes: Array) -> Array:
        """Slopes in U (n, m) of slopes in the features (n, d)."""

    @property
    @abstractmethod
    def varies(self) -> Array:
        """Which features depend on the inputs, booleans (d,)."""

    @property
    @abstractmethod
    def is_affine(self) -> bool:
        """Whether all features are affine in the inputs that can move."""

    @abstractmethod
    def on_leaves(self, change: Callable[[Columns], Node]) -> Node:
        """The same with other leaves."""

    def steps(self) -> list[Map]:
        """All maps."""
        return []

    def count_kinks(self, U: Array) -> int:
        """Entries at which a map's slope jumps."""
        return 0

    def idle(self, U: Array) -> Array | None:
        """Which entries of U no feature of their row depends on; None: none is known."""
        return None

    def leaves(self) -> list[Columns]:
        """The leaves, from left to right."""
        found: list[Columns] = []

        def note(leaf: Columns) -> Node:
            found.append(leaf)
            return leaf

        self.on_leaves(note)
        return found

    def behind(self, step: Map) -> Node:
        """The node with a map behind it."""
        return Stage(self, step)

    def scaled(self, shift: Array, scale: Array) -> Node:
        """(v − shift) / scale in place of v."""
        return self.behind(Scaling(np.asarray(shift, float), np.asarray(scale, float)))

    def picked(self, places: Array) -> Node:
        """Some of the features, by number."""
        return self.behind(Picked(np.asarray(places), self.n_outputs))


@dataclass(frozen=True, eq=False)
class Columns(Node):
    """(u_j − shift) / scale of some columns j of U."""

    places: Array
    shift: Array
    scale: Array

    @classmethod
    def plain(cls, places: Array) -> Columns:
        """The columns as they are."""
        places = np.asarray(places, dtype=np.intp)
        return cls(places, np.zeros(places.size), np.ones(places.size))

    @property
    def n_outputs(self) -> int:
        return self.places.size

    @property
    def varies(self) -> Array:
        return np.ones(self.places.size, dtype=bool)

    @property
    def is_affine(self) -> bool:
        return True

    def value(self, U: Array) -> Array:
        return np.asarray((U[:, self.places] - self.shift) / self.scale)

    def push(self, U: Array, moves: Array) -> Array:
        return np.asarray(moves[:, self.places] / self.scale)

    def pull(self, U: Array, slopes: Array) -> Array:
        out = np.zeros(U.shape)
        np.add.at(out.T, self.places, (slopes / self.scale).T)
        return out

    def on_leaves(self, change: Callable[[Columns], Node]) -> Node:
        return change(self)

    def scaled(self, shift: Array, scale: Array) -> Columns:
        return Columns(self.places, self.shift + self.scale * shift, self.scale * scale)

    def picked(self, places: Array) -> Columns:
        return Columns(self.places[places], self.shift[places], self.scale[places])


@dataclass(frozen=True, eq=False)
class Ones(Node):
    """Features that never change, all 1."""

    size: int

    @property
    def n_outputs(self) -> int:
        return self.size

    @property
    def varies(self) -> Array:
        return np.zeros(self.size, dtype=bool)

    @property
    def is_affine(self) -> bool:
        return True

    def value(self, U: Array) -> Array:
        return np.ones((len(U), self.size))

    def push(self, U: Array, moves: Array) -> Array:
        return np.zeros((len(U), self.size))

    def pull(self, U: Array, slopes: Array) -> Array:
        return np.zeros(U.shape)

    def on_leaves(self, change: Callable[[Columns], Node]) -> Node:
        return self


@dataclass(frozen=True, eq=False)
class Filled(Node):
    """A leaf whose missing entries, where a mask's column is 1, are constants.

    Attributes
    ----------
    leaf : Columns
    masks : array (d,) of int
        The masks' columns in U; −1 where nothing is ever missing.
    fill : array (d,)
        In the leaf's units.
    """

    leaf: Columns
    masks: Array
    fill: Array

    @property
    def n_outputs(self) -> int:
        return self.leaf.n_outputs

    @property
    def varies(self) -> Array:
        return self.leaf.varies

    @property
    def is_affine(self) -> bool:
        return True  # in each row, where masks do not move

    def _missing(self, U: Array) -> Array:
        return np.where(self.masks >= 0, U[:, self.masks] > 0.5, False)

    def idle(self, U: Array) -> Array | None:
        out = np.zeros(U.shape, dtype=bool)
        out[:, self.leaf.places] = self._missing(U)
        return out

    def value(self, U: Array) -> Array:
        return np.where(self._missing(U), self.fill, self.leaf.value(U))

    def push(self, U: Array, moves: Array) -> Array:
        return np.where(self._missing(U), 0.0, self.leaf.push(U, moves))

    def pull(self, U: Array, slopes: Array) -> Array:
        return self.leaf.pull(U, np.where(self._missing(U), 0.0, slopes))

    def on_leaves(self, change: Callable[[Columns], Node]) -> Node:
        raise NotImplementedError("a leaf is filled once, at the end")


@dataclass(frozen=True, eq=False)
class Stage(Node):
    """A map behind a node."""

    inner: Node
    step: Map

    @property
    def n_outputs(self) -> int:
        return self.step.n_outputs(self.inner.n_outputs)

    @property
    def varies(self) -> Array:
        return self.step.varies(self.inner.varies)

    @property
    def is_affine(self) -> bool:
        return self.step.is_affine and self.inner.is_affine

    def value(self, U: Array) -> Array:
        return self.step.value(self.inner.value(U))

    def push(self, U: Array, moves: Array) -> Array:
        return self.step.push(self.inner.value(U), self.inner.push(U, moves))

    def pull(self, U: Array, slopes: Array) -> Array:
        return self.inner.pull(U, self.step.pull(self.inner.value(U), slopes))

    def steps(self) -> list[Map]:
        return [*self.inner.steps(), self.step]

    def count_kinks(self, U: Array) -> int:
        own = self.step.count_kinks(self.inner.value(U)) if self.step.has_kinks else 0
        return own + self.inner.count_kinks(U)

    def idle(self, U: Array) -> Array | None:
        return self.inner.idle(U)

    def on_leaves(self, change: Callable[[Columns], Node]) -> Self:
        return dataclasses.replace(self, inner=self.inner.on_leaves(change))


@dataclass(frozen=True, eq=False)
class Side(Node):
    """Nodes side by side."""

    parts: tuple[Node, ...]

    @property
    def n_outputs(self) -> int:
        return sum(part.n_outputs for part in self.parts)

    @property
    def varies(self) -> Array:
        return np.concatenate([part.varies for part in self.parts])

    @property
    def is_affine(self) -> bool:
        return all(part.is_affine for part in self.parts)

    def value(self, U: Array) -> Array:
        return np.concatenate([part.value(U) for part in self.parts], axis=1)

    def push(self, U: Array, moves: Array) -> Array:
        return np.concatenate([part.push(U, moves) for part in self.parts], axis=1)

    def pull(self, U: Array, slopes: Array) -> Array:
        ends = np.cumsum([part.n_outputs for part in self.parts])[:-1]
        shares = np.split(slopes, ends, axis=1)
        out = np.zeros(U.shape)
        for part, share in zip(self.parts, shares, strict=True):
            out += part.pull(U, share)
        return out

    def steps(self) -> list[Map]:
        return [step for part in self.parts for step in part.steps()]

    def count_kinks(self, U: Array) -> int:
        return sum(part.count_kinks(U) for part in self.parts)

    def idle(self, U: Array) -> Array | None:
        found = [part.idle(U) for part in self.parts]
        known = [each for each in found if each is not None]
        return np.any(known, axis=0) if known else None

    def on_leaves(self, change: Callable[[Columns], Node]) -> Node:
        return side_by_side([part.on_leaves(change) for part in self.parts])


def side_by_side(parts: list[Node]) -> Node:
    """Nodes side by side; leaves that are neighbours become one."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Side) else [part])
    merged: list[Node] = []
    for part in flat:
        if part.n_outputs == 0:
            continue
        last = merged[-1] if merged else None
        if isinstance(part, Columns) and isinstance(last, Columns):
            merged[-1] = Columns(
                np.append(last.places, part.places), np.append(last.shift, part.shift),
                np.append(last.scale, part.scale),
            )  # fmt: skip
        else:
            merged.append(part)
    if not merged:
        return Columns.plain(np.empty(0))
    return merged[0] if len(merged) == 1 else Side(tuple(merged))


@dataclass(frozen=True, eq=False)
class Scaling(Map):
    """(z − shift) / scale."""

    shift: Array
    scale: Array

    def n_outputs(self, j: int) -> int:
        return j

    def value(self, Z: Array) -> Array:
        return np.asarray((Z - self.shift) / self.scale)

    def push(self, Z: Array, moves: Array) -> Array:
        return np.asarray(moves / self.scale)

    def pull(self, Z: Array, slopes: Array) -> Array:
        return np.asarray(slopes / self.scale)

    def varies(self, inner: Array) -> Array:
        return inner

    @property
    def is_affine(self) -> bool:
        return True


@dataclass(frozen=True, eq=False)
class Picked(Map):
    """Some entries of j."""

    places: Array
    size: int

    def n_outputs(self, j: int) -> int:
        return self.places.size

    def value(self, Z: Array) -> Array:
        return Z[:, self.places]

    def push(self, Z: Array, moves: Array) -> Array:
        return moves[:, self.places]

    def pull(self, Z: Array, slopes: Array) -> Array:
        out = np.zeros(Z.shape)
        np.add.at(out.T, self.places, slopes.T)
        return out

    def varies(self, inner: Array) -> Array:
        return inner[self.places]

    @property
    def is_affine(self) -> bool:
        return True
