"""A lock that a forked child does not inherit, nor an interrupted call leave closed."""

from __future__ import annotations

import os
import threading

_generation = 0  # of this process: how often its ancestors and it were forked


class Lock:
    """A lock for short critical sections, which is free in a child that is forked meanwhile.

    It is entered as ``with lock.section:``, a bare lock, for Ctrl-C may come between any two calls
    of Python code: between those of an ``__enter__`` of ours it would leave the lock closed.
    Copies and pickles of what holds one get one of their own.
    """

    def __init__(self) -> None:
        self._of = {_generation: threading.Lock()}

    @property
    def section(self) -> threading.Lock:
        """The lock of this process: the thread that holds the parent's is not here."""
        return self._of.setdefault(_generation, threading.Lock())

    def __reduce__(self) -> tuple[type[Lock], tuple[()]]:
        return Lock, ()


def _count() -> None:
    global _generation
    _generation += 1


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_count)
