"""The one decorator of compiled operations.

Operations are cached on disk, release the GIL and state their floating-point
freedom explicitly: ``FAST`` may be reassociated and contracted (so that sums
vectorise), ``STRICT`` may not. Neither lets the compiler assume that values are
finite, because finiteness is read off the sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

FAST = frozenset({"reassoc", "contract", "nsz", "arcp", "afn"})
STRICT = False


def operation(*, fastmath: frozenset[str] | bool, inline: bool = False) -> Callable[[F], F]:
    """Compile lazily, cached where some folder can be written to."""

    def wrap(function: F) -> F:
        flags = set(fastmath) if isinstance(fastmath, frozenset) else fastmath
        options: dict[str, Any] = {"nogil": True, "fastmath": flags, "error_model": "numpy"}
        if inline:
            options["forceinline"] = True
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError as error:
            # A read-only install without a writable user cache: compile in every process.
            if "cannot cache" not in str(error):
                raise
            return numba.njit(**options)(function)

    return wrap
