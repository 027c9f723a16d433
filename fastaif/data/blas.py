"""BLAS on one thread: our own threads call it, and its bits must not depend on theirs.

Ctrl-C may come between any two calls of the main thread, within this file's as well. Who is in is
therefore known by weak references: who never left no longer counts when its frame is gone. What
the libraries had before is kept until it has been given back.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple


class _Blas(NamedTuple):
    """How a library's number of threads is read and set."""

    get: Callable[[], int]
    set: Callable[[int], Any]


_lock = threading.Lock()
_users: set[weakref.ref[_SingleThreadedBlas]] = set()
_libraries: tuple[_Blas, ...] = ()
_before: tuple[int, ...] | None = None  # each library's threads; None while they are its own


class _SingleThreadedBlas:
    """What `single_threaded_blas` enters; a class, for small problems notice a generator."""

    __slots__ = ("__weakref__", "_me")

    def __init__(self) -> None:
        self._me = weakref.ref(self)

    def __enter__(self) -> None:
        with _lock:
            if not _users:
                _take()
            _users.add(self._me)

    def __exit__(self, *_: object) -> None:
        with _lock:
            _users.discard(self._me)
            for user in tuple(_users):
                if user() is None:
                    _users.discard(user)
            if not _users:
                _give_back()


def single_threaded_blas() -> AbstractContextManager[None]:
    """BLAS on one thread: our own threads call it, and its bits must not depend on theirs.

    Counted, because Python threads may nest and overlap; the libraries are looked for once
    (that costs milliseconds).
    """
    return _SingleThreadedBlas()


_SMALL_SOLVE = 1024


def blas_for_solves(d: int) -> AbstractContextManager[None]:
    """BLAS on one thread for small systems: its bits then depend on nothing else, and waking
    threads would cost more than they bring."""
    return single_threaded_blas() if d <= _SMALL_SOLVE else nullcontext()


def _take() -> None:
    """One thread for every library."""
    global _before
    if _before is None:
        _before = tuple(library.get() for library in _libraries or _loaded())
    for library, threads in zip(_libraries, _before, strict=True):
        if threads != 1:
            library.set(1)


def _give_back() -> None:
    """Its own number for every library."""
    global _before
    for library, threads in zip(_libraries, _before or (), strict=False):
        if threads != 1:
            library.set(threads)
    _before = None


def _blas_of(library: Any) -> _Blas:
    """OpenBLAS's own functions where it has threads of its own, else threadpoolctl's.

    These cost a tenth, which small problems notice, and heed whoever calls: since 3.8 threadpoolctl
    heeds only the thread that set the number first, as long as that lives, but ours come in first
    and go out last in any order, and keep count themselves.
    """
    if library.internal_api == "openblas" and library.threading_layer == "pthreads":
        for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
            names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
            if hasattr(library.dynlib, names[1]):
                return _Blas(*(getattr(library.dynlib, name) for name in names))
    return _Blas(library.get_num_threads, library.set_num_threads)


def _loaded() -> tuple[_Blas, ...]:
    """The BLAS libraries of this process, NumPy's and SciPy's."""
    global _libraries
    import scipy.linalg.cython_blas  # noqa: F401  (so that its BLAS is loaded)
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    _libraries = tuple(map(_blas_of, found))
    return _libraries


def _forget_users() -> None:
    """After a fork the child has the parent's lock and keys, but none of its threads."""
    global _lock, _users
    if _before is not None:
        _give_back()
    _lock, _users = threading.Lock(), set()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_users)
