"""Machine code: the only package that imports Numba or the C extension.

Each operation has a name; `get` finds the version of the chosen backend, call by call.
Every operation has a Numba version, and all but NUMBA_ONLY have one in C too, in the extension
`_native`, which is built where there is a compiler and never imports Numba.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

from .operations import TABLE

OPERATIONS = {name: operation.numba for name, operation in TABLE.items()}
NUMBA_ONLY = frozenset(name for name, operation in TABLE.items() if operation.c == "-")
BACKENDS = ("auto", "numba", "native")

_chosen = "auto"


@functools.cache
def native_available() -> bool:
    """Whether the C extension was built. Its absence is normal; a broken one raises."""
    return importlib.util.find_spec(f"{__name__}._native") is not None


def set_backend(name: str) -> None:
    """Choose the backend of every later call: "auto", "numba" or "native"."""
    global _chosen
    if name == "native" and not native_available():
        raise RuntimeError(
            "backend='native' was asked for, but the C extension was not built; "
            "use 'numba' or 'auto'"
        )
    _chosen = name


def chosen_backend() -> str:
    """What `set_backend` was last given."""
    return _chosen


def backend_of(name: str) -> str:
    """The backend that a call of the operation `name` would use now."""
    in_c = _chosen != "numba" and name not in NUMBA_ONLY and native_available()
    return "native" if in_c else "numba"


def get(name: str) -> Callable[..., Any]:
    """The compiled operation `name` on the chosen backend."""
    if backend_of(name) == "native":
        return getattr(native(), name)
    return _numba_operation(name)


@functools.cache
def native() -> Any:
    """The C extension, with the instruction set that FASTAIF_ISA asks for, or the widest."""
    extension = importlib.import_module(f"{__name__}._native")
    missing = [name for name in OPERATIONS if name not in NUMBA_ONLY | set(vars(extension))]
    if missing:
        raise RuntimeError(
            f"the C extension was built from other sources than these: it has no {missing[0]}; "
            "build it again, or use set_backend('numba')"
        )
    extension.choose_instruction_set(os.environ.get("FASTAIF_ISA") or None)
    return extension


@functools.cache
def _numba_operation(name: str) -> Callable[..., Any]:
    """The Numba version, which is called where its arguments fit together."""
    from .checks import checker
    from .signatures import sealer

    compiled = getattr(importlib.import_module(f"{__name__}.numba_ops.{OPERATIONS[name]}"), name)
    check, idle = checker(name, TABLE[name]), TABLE[name].idle_result
    seal = sealer(TABLE[name])

    def checked(*arguments: Any) -> Any:
        return compiled(*seal(*arguments)) if check(*arguments) else idle

    return checked
