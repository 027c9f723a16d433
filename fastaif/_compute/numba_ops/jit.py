"""The one decorator of compiled operations and of the parts that they are made of.

Operations are cached on disk, release the GIL and state their floating-point
freedom explicitly: ``FAST`` may be reassociated and contracted (so that sums
vectorise), ``STRICT`` may not. Neither lets the compiler assume that values are
finite, because finiteness is read off the sums.

Python calls what the table lists, and nothing else: parts have no code of their own on disk, and
none that turns Python's arguments into theirs, which would take a sixth of the time of compiling.
`callable_part` is for who looks at a part by itself.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import types
from numba.core.caching import FunctionCache
from numba.core.imputils import impl_ret_borrowed

from ..operations import TABLE

F = TypeVar("F", bound=Callable[..., Any])

FAST = frozenset({"reassoc", "contract", "nsz", "arcp", "afn"})
STRICT = False


# Numba notices when the file of a compiled function changes, but not when a helper that
# it inlines does, in another file, nor when a constant of `types.py` does: the sources of all
# that is compiled are part of the key.
_SOURCES = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parents[1].rglob("*.py")))
).hexdigest()


class _Cache(FunctionCache):
    """Numba's disk cache, keyed by the sources of all operations as well."""

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (*super()._index_key(sig, codegen), _SOURCES)


def operation(*, fastmath: frozenset[str] | bool, inline: bool = False) -> Callable[[F], F]:
    """Compile lazily; what Python calls is cached where some folder can be written to."""

    def wrap(function: F) -> F:
        flags = set(fastmath) if isinstance(fastmath, frozenset) else fastmath
        options: dict[str, Any] = {"nogil": True, "fastmath": flags, "error_model": "numpy"}
        if inline:
            options["forceinline"] = True
        if not _is_listed(function):
            return numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(function)
        compiled = numba.njit(no_cfunc_wrapper=True, **options)(function)
        try:
            compiled._cache = _Cache(function)
        except RuntimeError as error:
            # A read-only install without a writable user cache: compile in every process.
            if "cannot cache" not in str(error):
                raise
        return compiled

    return wrap


def _is_listed(function: Callable[..., Any]) -> bool:
    entry = TABLE.get(function.__name__)
    return entry is not None and function.__module__.rpartition(".")[2] == entry.numba


@functools.cache
def callable_part(part: Callable[..., Any]) -> Callable[..., Any]:
    """A part of operations as Python can call it."""

    @numba.njit(nogil=True, error_model="numpy")
    def call(*arguments):
        return part(*arguments)

    return call


@numba.extending.intrinsic
def sealed(typing: Any, array: Any) -> Any:
    """The same array, read-only, within a compiled operation: what it calls is then compiled for
    one type of arguments alone, those that Python hands over."""
    if not isinstance(array, types.Array):
        return None

    def same(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return impl_ret_borrowed(context, builder, signature.return_type, arguments[0])

    return array.copy(readonly=True)(array), same
