"""One type of arguments an operation: what it reads is handed to Numba read-only, numbers alike.

Numba compiles a function anew for arrays that may be written to and for arrays that may not, for
True and for 1, for 2 and for 2.0; and an operation reads a dozen arrays. Where rows came from
would decide what is compiled, some ten seconds a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .entries import INT, REAL_NUMBER, Array, Group, Number, Operation


def sealer(operation: Operation) -> Callable[..., tuple[Any, ...]]:
    """A function from an operation's arguments to the same in the types that are compiled for."""
    known: dict[str, Any] = {"sealed": _sealed, "new": tuple.__new__}
    names = ", ".join(operation.arguments)
    parts = ", ".join(_parts(operation))
    exec(f"def seal({names}):\n    return ({parts},)\n", known)
    made: Callable[..., tuple[Any, ...]] = known["seal"]
    return made


def _parts(operation: Operation) -> Iterator[str]:
    for name, spec in operation.arguments.items():
        if not isinstance(spec, Group):
            yield _part(name, spec)
            continue
        fields = (_part(f"{name}[{i}]", field) for i, field in enumerate(spec.fields.values()))
        yield f"new(type({name}), ({', '.join(fields)},))"


def _part(text: str, spec: Array | Number) -> str:
    if isinstance(spec, Array):
        return text if spec.written else f"sealed({text})"
    kind = {INT: "int", REAL_NUMBER: "float"}.get(spec)
    return text if kind is None else f"{kind}({text})"


def _sealed(array: Any) -> Any:
    """The array, read-only; what an operation does not look at may be anything."""
    if type(array) is np.ndarray and array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
