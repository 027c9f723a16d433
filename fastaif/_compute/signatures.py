"""One type of arguments an operation: what it reads is handed to Numba read-only.

Numba compiles a function anew for arrays that may be written to and for arrays that may not, and
an operation reads a dozen arrays: whose rows came from where would decide what is compiled, some
ten seconds a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .operations import Array, Group, Operation


def sealer(operation: Operation) -> Callable[..., tuple[Any, ...]]:
    """A function from an operation's arguments to the same with all that it reads read-only."""
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


def _part(text: str, spec: Any) -> str:
    return f"sealed({text})" if isinstance(spec, Array) and not spec.written else text


def _sealed(array: Any) -> Any:
    """The array, read-only; what an operation does not look at may be anything."""
    if type(array) is np.ndarray and array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array
