"""A progress bar of passes over the rows, on terminals, for solves that take long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

_DELAY = 2.0  # seconds before it shows


class Progress:
    """A bar while there is one; passes tell it of themselves."""

    def __init__(self) -> None:
        self._bar: Any = None

    def passes(self, what: str) -> AbstractContextManager[None]:
        """Count the passes that are made within; what is within another one counts there."""
        if self._bar is not None or not getattr(sys.stderr, "isatty", bool)():
            return nullcontext()
        return self._shown(what)

    @contextmanager
    def _shown(self, what: str) -> Iterator[None]:
        from tqdm import tqdm

        with tqdm(desc=what, unit=" passes", delay=_DELAY, leave=False) as self._bar:
            try:
                yield
            finally:
                self._bar = None

    def tick(self) -> None:
        """One pass more."""
        bar = self._bar
        if bar is not None:
            bar.update()
