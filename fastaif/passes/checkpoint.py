"""Passes that a solver has made, kept in a file, so that an interrupted solve goes on.

Solvers are deterministic, and see the rows through sums alone: where the sums of a pass are on
file they need not be made again. A solve that starts anew takes the same steps, each at once, up to
where it was interrupted.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..data.rows import RowSource

Array = NDArray[Any]
T = TypeVar("T")

_FEW = 256  # rows by which data are recognised, at either end


class Checkpoint:
    """The sums of passes over some rows, by what was asked for.

    Parameters
    ----------
    path : path
    source : RowSource
        The rows; passes over parts of them are kept as well.
    identity : str
        Of the solve.

    Raises
    ------
    ValueError
        The file is of another solve, or no such file at all.
    """

    def __init__(self, path: Any, source: RowSource, identity: str) -> None:
        self.path, self.n_recalled, self.n_kept = Path(path), 0, 0
        self._source, self._found = source, dict[str, Any]()
        mine = _digest(identity, *_ends(source))
        if self.path.exists() and self.path.stat().st_size > 0:
            self._read(mine)
        else:
            self.path.write_bytes(pickle.dumps(("fastaif checkpoint", mine)))

    def _read(self, mine: str) -> None:
        with self.path.open("r+b") as file:
            try:
                head = pickle.load(file)
            except Exception as error:
                raise ValueError(f"{self.path} is no checkpoint of a robust fit") from error
            if not isinstance(head, tuple) or head[0] != "fastaif checkpoint":
                raise ValueError(f"{self.path} is no checkpoint of a robust fit")
            if head[1] != mine:
                raise ValueError(
                    f"{self.path} is the checkpoint of another robust fit, or of other data: give "
                    "another path, or delete it"
                )
            end = file.tell()
            while True:
                try:
                    key, sums = pickle.load(file)
                except (EOFError, pickle.UnpicklingError, AttributeError, ValueError, IndexError):
                    break  # the end, or a record that was being written
                self._found[key] = sums
                end = file.tell()
            file.truncate(end)

    def recall(self, source: RowSource, asked: tuple[Any, ...], make: Callable[[], T]) -> T:
        """What `make` returns, from the file if it is there.

        Callers may change what they are given; they get a copy.
        """
        rows = "all" if source.x is self._source.x else _digest(*_ends(source, source.n_rows))
        key = _digest(rows, *asked)
        if key not in self._found:
            found = make()
            with self.path.open("ab") as file:
                pickle.dump((key, found), file)
            self.n_kept += 1
            return found
        self.n_recalled += 1
        return pickle.loads(pickle.dumps(self._found[key]))


def _ends(source: RowSource, few: int = _FEW) -> tuple[Any, ...]:
    """What rows are recognised by: their number, all targets and weights, some inputs."""
    n = source.n_rows
    rows = (source.inputs(0, min(few, n)), source.inputs(max(n - few, 0), n))
    return (n, source.n_columns, source.targets(), source.weights(), *rows)


def _digest(*parts: Any) -> str:
    total = hashlib.sha256()
    for part in parts:
        array = isinstance(part, np.ndarray)
        data = np.ascontiguousarray(part).data if array else repr(part).encode()
        total.update(f"{getattr(part, 'shape', '')}{getattr(part, 'dtype', '')}|".encode())
        if not array or part.size:
            total.update(data)
    return total.hexdigest()


_open: ContextVar[Checkpoint | None] = ContextVar("checkpoint", default=None)


def current() -> Checkpoint | None:
    """The checkpoint that passes go through, if there is one."""
    return _open.get()


@contextmanager
def keeping(path: Any, source: RowSource, identity: str) -> Iterator[None]:
    """Keep the passes that are made within; the file goes when all is done."""
    if path is None:
        yield
        return
    checkpoint = Checkpoint(path, source, identity)
    token = _open.set(checkpoint)
    try:
        yield
    finally:
        _open.reset(token)
    checkpoint.path.unlink(missing_ok=True)
