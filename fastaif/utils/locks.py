"""A lock that a forked child does not inherit, nor an interrupted call leave closed."""

from __future__ import annotations

import os
import threading
import weakref


class Lock:
    """A lock for short critical sections, which is free in a child that is forked meanwhile.

    It is entered as ``with lock.section:``, a bare lock, for Ctrl-C may come between any two calls
    of Python code: between those of an ``__enter__`` of ours it would leave the lock closed.
    Copies and pickles of what holds one get one of their own.
    """

    def __init__(self) -> None:
        self.renew()
        _all.add(self)

    def renew(self) -> None:
        """Forget who holds it: the thread that did is not there."""
        self.section = threading.Lock()

    def __reduce__(self) -> tuple[type[Lock], tuple[()]]:
        return Lock, ()


_all: weakref.WeakSet[Lock] = weakref.WeakSet()


def _renew_all() -> None:
    for lock in list(_all):
        lock.renew()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_all)
