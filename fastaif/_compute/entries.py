"""What an entry of the table of operations is, and how it is read.

An entry names each argument in order. Shapes are expressions in the entry's `sizes`, which say of
which array each is read, as ``rows.x[0]``. Conditions and sizes may name arguments, fields of
groups and the numbers of `codes.py`. Nothing is imported but the standard library, because the
build reads this file before anything is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

DOUBLE, REAL, INT64, INT32 = "float64", "float32 or float64", "int64", "int32"


class Array(NamedTuple):
    """An array of an operation, in C order.

    An array that is `optional` may be empty; one with `when` is looked at where that holds, one
    that is `beside` another is empty where and only where the other is. A length that begins with
    ``>=`` is the least one.
    """

    shape: tuple[str, ...]
    dtype: str = DOUBLE
    written: bool = False
    optional: bool = False
    when: str = ""
    beside: str = ""
    unused: bool = False


class Number(NamedTuple):
    """A number of an operation, by its type in C."""

    type: str


class Group(NamedTuple):
    """A tuple of `types.py`, whole in C as the structure ``fa_name``: its sizes, then its fields.

    `holds` are conditions, each with what is said where it does not.
    """

    name: str
    fields: Mapping[str, Array | Number]
    sizes: tuple[str, ...] = ()
    holds: tuple[tuple[str, str], ...] = ()

    def but(self, **fields: Array) -> Group:
        """The same group where an operation reads some fields otherwise."""
        return self._replace(fields={**self.fields, **fields})

    def without(self, *names: str) -> Group:
        """The same group where an operation does not look at some arrays."""
        unread = {
            name: spec._replace(unused=True)
            for name, spec in self.fields.items()
            if name in names and isinstance(spec, Array)
        }
        return self._replace(fields={**self.fields, **unread})


class Operation(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    numba : str
        The module of `numba_ops` that has the Numba version; empty for parts of the C operations
        that are called by themselves in tests alone.
    arguments : dict
    sizes : dict
        Each size and where it is read.
    c : str
        The arguments of the C version, in order: arguments, fields and sizes. Empty means
        the arguments as they are, ``-`` that there is no C version.
    result : str
        ``int`` where the C version may run out of memory (it then returns something but 0), or
        ``void``.
    returns : str
        The number that is returned, which the C version writes: its type and name.
    holds : tuple
        Conditions, each with what is said where it does not hold.
    idle : str
        When there is nothing to do.
    """

    numba: str
    arguments: Mapping[str, Array | Number | Group]
    sizes: Mapping[str, str] = {}
    c: str = ""
    result: str = "int"
    returns: str = ""
    holds: tuple[tuple[str, str], ...] = ()
    idle: str = ""

    @property
    def idle_result(self) -> float | int | None:
        """What is returned where there is nothing to do."""
        return {"": None, "double": 0.0, "ptrdiff_t": 0}[self.returns.split(" ")[0]]


def reads(
    *shape: str, dtype: str = DOUBLE, optional: bool = False, when: str = "", beside: str = ""
) -> Array:
    return Array(shape, dtype, False, optional, when, beside)


def writes(*shape: str, dtype: str = DOUBLE, optional: bool = False, when: str = "") -> Array:
    return Array(shape, dtype, True, optional, when)


INT, SIZE, BITS = Number("int"), Number("ptrdiff_t"), Number("uint64_t")
REAL_NUMBER = Number("double")

# --- reading an entry ----------------------------------------------------------------------------


class Leaf(NamedTuple):
    """An array or number of an operation: its path, and what it is with all names written out."""

    path: str
    spec: Array | Number

    @property
    def variable(self) -> str:
        return self.path.replace(".", "__")


def leaves(operation: Operation) -> Iterator[Leaf]:
    """Arrays and numbers in the order in which they are handed over."""
    for name, spec in operation.arguments.items():
        if not isinstance(spec, Group):
            yield Leaf(name, _written_out(spec, operation, None, ""))
            continue
        for field, inner in spec.fields.items():
            yield Leaf(f"{name}.{field}", _written_out(inner, operation, spec, name))


def conditions(operation: Operation) -> Iterator[tuple[str, str]]:
    """What has to hold besides shapes, and what is said where it does not."""
    for name, spec in operation.arguments.items():
        if isinstance(spec, Group):
            for condition, reason in spec.holds:
                yield expression(condition, operation, spec, name), reason
    for condition, reason in operation.holds:
        yield expression(condition, operation), reason


def expression(text: str, operation: Operation, group: Group | None = None, name: str = "") -> str:
    """Text in which arrays and numbers are variables, and ``a[0]`` is ``a.shape[0]``."""

    def resolve(match: re.Match[str]) -> str:
        path, index = match["path"], match["index"]
        first = path.split(".")[0]
        if group is not None and first in group.fields:
            path = f"{name}.{path}"
        size = path.endswith(".size")
        variable = path.removesuffix(".size").replace(".", "__")
        return variable + (".size" if size else f".shape{index}" if index else "")

    return re.sub(r"\b(?P<path>[A-Za-z_]\w*(?:\.\w+)*)(?P<index>\[\d\])?", resolve, text)


def _written_out(
    spec: Array | Number, operation: Operation, group: Group | None, name: str
) -> Array | Number:
    if isinstance(spec, Number):
        return spec
    shape = tuple(expression(length, operation, group, name) for length in spec.shape)
    beside = f"{name}__{spec.beside}" if spec.beside and group is not None else spec.beside
    when = expression(spec.when, operation, group, name) if spec.when else ""
    return spec._replace(shape=shape, beside=beside, when=when)
