"""What is handed to an operation, checked against the table before anything is read.

The C shim makes the same checks in C, and comes here for the words of a refusal; before a Numba
operation, which reads out of bounds just as well, they are one Python function an operation, made
of the table when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import codes
from .entries import DOUBLE, REAL, Array, Group, Leaf, Operation, conditions, expression, leaves
from .operations import PARTS, TABLE
from .types import EMPTY

_IN_ORDER, _WRITABLE = 0x0101, 0x0400  # of ndarray.flags.num: C order and alignment
NO_ENTRIES = "rows without entries have no sums"

# --- refusals ------------------------------------------------------------------------------------


def unusable(name: str, path: str, array: Any) -> ValueError:
    """Why an operation cannot use an array of any shape."""
    spec = _array(name, path)
    if not isinstance(array, np.ndarray):
        return ValueError(f"{name} needs {path} as a NumPy array, not as {type(array).__name__}")
    if str(array.dtype) not in spec.dtype.split(" or "):
        return ValueError(f"{name} needs {path} as {spec.dtype}, but was handed {array.dtype}")
    if array.ndim != len(spec.shape):
        wanted = len(spec.shape)
        return ValueError(f"{name} needs {path} with {wanted} axes, but was handed {array.ndim}")
    if not array.flags.c_contiguous or not array.flags.aligned:
        return ValueError(
            f"{name} needs {path} aligned and in C order; "
            "numpy.require(array, requirements='CA') makes it so"
        )
    return ValueError(f"{name} writes to {path}, which is read-only; hand it a copy")


def misshapen(name: str, path: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> ValueError:
    """The shape that an operation needs, and that which it was handed."""
    spec = _array(name, path)
    symbols = ", ".join(spec.shape)
    at_least = " or more" if any(length.startswith(">=") for length in spec.shape) else ""
    return ValueError(
        f"{name} needs {path} of shape ({symbols}) = {wanted}{at_least}, but was handed {shape}"
    )


def unfit(name: str, reason: str) -> ValueError:
    return ValueError(f"{name} needs arguments of which this holds: {reason}")


def no_group(name: str, path: str, value: Any) -> ValueError:
    group = {**TABLE, **PARTS}[name].arguments[path]
    assert isinstance(group, Group)
    fields = ", ".join(group.fields)
    return ValueError(f"{name} needs {path} as a tuple ({fields}), not as {type(value).__name__}")


def _array(name: str, path: str) -> Array:
    """The array's line in the table, with the names that its author wrote."""
    argument, _, field = path.partition(".")
    spec = {**TABLE, **PARTS}[name].arguments[argument]
    found = spec.fields[field] if isinstance(spec, Group) else spec
    assert isinstance(found, Array)
    return found


# --- conditions on contents ----------------------------------------------------------------------


def within(numbers: np.ndarray, end: int) -> bool:
    """Whether all are from 0 to below the end."""
    return numbers.size == 0 or bool(numbers.min() >= 0 and numbers.max() < end)


def numbered(values: np.ndarray, end: int) -> bool:
    """The same of numbers that are held as float64."""
    return values.size == 0 or bool(values.min() >= 0.0 and values.max() < end)


def rising(starts: np.ndarray, end: int) -> bool:
    """Whether they ascend, from 0 or more to no more than the end."""
    return bool(starts[0] >= 0 and starts[-1] <= end and (starts[1:] >= starts[:-1]).all())


def spanned(spans: np.ndarray, end: int) -> bool:
    """Whether each (start, stop) holds some of the rows below the end."""
    return bool((spans[:, 0] >= 0).all() and (spans[:, 1] <= end).all()) and bool(
        (spans[:, 0] < spans[:, 1]).all()
    )


def chained(widths: np.ndarray, first: int, last: int, size: int) -> bool:
    """Whether layers of such widths lead from the first to the last, and have so many weights."""
    if len(widths) < 2 or widths.min() < 1 or (widths[0], widths[-1]) != (first, last):
        return False
    return bool(np.sum((widths[:-1] + 1) * widths[1:]) == size)


def moment_count(m: int) -> int:
    """Entries of the products of `quadratic_moments` for m inputs."""
    count, size = m + 1, 0
    for start in range(0, count, codes.MOMENT_GROUP):
        stop = min(start + codes.MOMENT_GROUP, count)
        size += stop * (stop + 1) // 2 * sum(count - r for r in range(start, stop))
    return size


# --- the check before a Numba operation ----------------------------------------------------------


def checker(name: str, operation: Operation) -> Callable[..., bool]:
    """A function of the operation's arguments that refuses what it cannot use.

    It returns whether there is anything to do.
    """
    from .numba_ops.point_losses import N_LOSSES

    known: dict[str, Any] = {
        **vars(codes), "N_LOSSES": N_LOSSES, "within": within, "numbered": numbered,
        "rising": rising, "spanned": spanned, "chained": chained,
        "moment_count": moment_count, "usable": _usable, "fits": _fits, "misshapen": misshapen,
        "unfit": unfit, "no_group": no_group, "NO_ENTRIES": NO_ENTRIES,
        "ndarray": np.ndarray, "EMPTY": EMPTY,
        "DOUBLE": np.dtype("float64"),
        "SINGLE": np.dtype("float32"), "INT64": np.dtype("int64"), "INT32": np.dtype("int32"),
    }  # fmt: skip
    lines = "\n    ".join(_lines(name, operation))
    exec(f"def check({', '.join(operation.arguments)}):\n    {lines}\n", known)
    made: Callable[..., bool] = known["check"]
    return made


def _lines(name: str, operation: Operation) -> Iterator[str]:
    parts = list(leaves(operation))
    arrays = [leaf for leaf in parts if isinstance(leaf.spec, Array) and not leaf.spec.unused]
    for argument, spec in operation.arguments.items():
        if isinstance(spec, Group):
            variables = [p.variable for p in parts if p.path.startswith(f"{argument}.")]
            yield f"if not isinstance({argument}, tuple) or len({argument}) != {len(variables)}:"
            yield f"    raise no_group({name!r}, {argument!r}, {argument})"
            yield f"{', '.join(variables)} = {argument}"
    for leaf in arrays:
        yield from _usable_lines(name, leaf)
    for size, text in operation.sizes.items():
        yield f"{size} = {expression(text, operation)}"
    for leaf in arrays:
        yield from _shape_lines(name, leaf, operation)
    for condition, reason in conditions(operation):
        yield f"if not ({condition}): raise unfit({name!r}, {reason!r})"
    yield f"return not ({operation.idle or False})"


def _usable_lines(name: str, leaf: Leaf) -> Iterator[str]:
    spec, a = leaf.spec, leaf.variable
    assert isinstance(spec, Array)
    dtype = {"float64": "DOUBLE", REAL: "DOUBLE", "int64": "INT64", "int32": "INT32"}[spec.dtype]
    mask = _IN_ORDER | (_WRITABLE if spec.written else 0)
    guard = f"({spec.when}) and " if spec.when else ""
    if _is_often_empty(spec):
        guard = f"{a} is not EMPTY and "
    typed = f"(type({a}) is ndarray and {a}.dtype is {dtype}"
    yield (
        f"if {guard}not {typed} and {a}.flags.num & {mask} == {mask}"
        f" and {a}.ndim == {len(spec.shape)}):"
    )
    yield f"    usable({name!r}, {leaf.path!r}, {a}, {mask})"


def _is_often_empty(spec: Array) -> bool:
    """Whether the one array that stands for nothing is told by its identity, which is quick."""
    vector = spec.dtype == DOUBLE and len(spec.shape) == 1 and not spec.written
    return vector and bool(spec.optional or spec.beside)


def _shape_lines(name: str, leaf: Leaf, operation: Operation) -> Iterator[str]:
    spec, a = leaf.spec, leaf.variable
    assert isinstance(spec, Array)
    if spec.dtype == REAL and len(spec.shape) == 2:
        yield f"if not {a}.size: raise ValueError(NO_ENTRIES)"
    if all(
        operation.sizes.get(length) == f"{leaf.path}[{axis}]"
        for axis, length in enumerate(spec.shape)
    ):
        return  # it is what all others are measured by
    wanted = "".join(f"{length.removeprefix('>=')}, " for length in spec.shape)
    guard = _given(spec, a)
    unlike = f"{a}.shape != ({wanted})"
    if any(length.startswith(">=") for length in spec.shape):
        least = [length.startswith(">=") for length in spec.shape]
        unlike = f"not fits({a}.shape, ({wanted}), {tuple(least)})"
    yield f"if {guard}{unlike}: raise misshapen({name!r}, {leaf.path!r}, {a}.shape, ({wanted}))"


def _given(spec: Array, variable: str) -> str:
    """When an array's shape matters."""
    if spec.when:
        return f"({spec.when}) and "
    if spec.beside:
        other = spec.beside
        given = f"({variable}.size or {other}.size) and "
        return f"({variable} is not EMPTY or {other} is not EMPTY) and {given}"
    if not spec.optional:
        return ""
    known = f"{variable} is not EMPTY and " if _is_often_empty(spec) else ""
    return f"{known}{variable}.size and "


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...], least: tuple[bool, ...]) -> bool:
    return all(
        have >= need if more else have == need
        for have, need, more in zip(shape, wanted, least, strict=True)
    )


def _usable(name: str, path: str, array: Any, mask: int) -> None:
    """The thorough check of what the quick one did not recognise."""
    spec = _array(name, path)
    fine = (
        isinstance(array, np.ndarray)
        and str(array.dtype) in spec.dtype.split(" or ")
        and array.flags.num & mask == mask
        and array.ndim == len(spec.shape)
    )
    if not fine:
        raise unusable(name, path, array)
