"""A progress bar of passes over the rows, on terminals, for solves that take long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_DELAY = 2.0  # seconds before it shows


class Progress:
    """A bar while there is one; passes tell it of themselves."""

    def __init__(self) -> None:
        self._bar: Any = None

    @contextmanager
    def passes(self, what: str) -> Iterator[None]:
        """Count the passes that are made within; what is within another one counts there."""
        if self._bar is not None or not getattr(sys.stderr, "isatty", bool)():
            yield
            return
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
