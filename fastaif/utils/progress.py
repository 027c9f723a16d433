"""A progress bar of passes over the rows, on terminals, for solves that take long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_DELAY = 2.0  # seconds before it shows

_bar: ContextVar[Any] = ContextVar("bar", default=None)


@contextmanager
def passes(what: str) -> Iterator[None]:
    """Count the passes that are made within; what is within another one counts there."""
    if _bar.get() is not None or not getattr(sys.stderr, "isatty", bool)():
        yield
        return
    from tqdm import tqdm

    with tqdm(desc=what, unit=" passes", delay=_DELAY, leave=False) as bar:
        token = _bar.set(bar)
        try:
            yield
        finally:
            _bar.reset(token)


def tick() -> None:
    """One pass more."""
    bar = _bar.get()
    if bar is not None:
        bar.update()
