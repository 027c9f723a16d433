"""Passes that a solver has made, kept in a file, so that an interrupted solve goes on.

Solvers are deterministic, and see the rows through sums alone: where the sums of a pass are on
file they need not be made again. A solve that starts anew takes the same steps, each at once, up to
where it was interrupted.

The file is a line that says what it is, a line that says of which solve, and a record a pass: the
key, the length and the SHA-256 of an npz archive of plain arrays. Reading it runs no code.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import io
import os
import secrets
import stat
import struct
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..data.rows import RowSource
from ..utils.warnings import InfluenceWarning, warn
from .sums import InfluenceSums

Array = NDArray[Any]

_FIRST_LINE = b"fastaif checkpoint 1\n"
# Files on their way to their place. Ctrl-C just before one is removed leaves it to a later fit.
_BEGUN: dict[Path, Path] = {}
_HEAD = struct.Struct("<32sQ32s")  # of a record: key, length and SHA-256 of what follows
_FEW = 256  # rows by which data are recognised, at either end
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Checkpoint:
    """The sums of passes over some rows, by what was asked for.

    Parameters
    ----------
    path : path
        Of a file that is there not yet, or of an interrupted solve's.
    source : RowSource
        The rows; passes over parts of them are kept as well.
    identity : str
        Of the solve.

    Raises
    ------
    ValueError
        The file is of another solve, or no such file at all; it is left as it is.
    OSError
        There can be no file at this path.

    Warns
    -----
    InfluenceWarning
        The disk is full: no more is kept.
    """

    def __init__(self, path: Any, source: RowSource, identity: str) -> None:
        self.path = Path(path).resolve()
        self._source, self._found = source, dict[bytes, bytes]()
        self._file: RawIOBase | None = None
        self._mine: os.stat_result | None = None
        self._end = 0
        first = _FIRST_LINE + _digest(identity, *_ends(source)).hex().encode() + b"\n"
        if not self.path.exists():
            try:
                self._begin(first)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._give_up(error)
                return
        self._open(first)

    def _begin(self, first: bytes) -> None:
        """A new file, which is there whole or not at all, and never in another's place."""
        beside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        _BEGUN[beside] = self.path
        try:
            with beside.open("xb") as file:
                file.write(first)
                file.flush()
                os.fsync(file.fileno())
            _publish(beside, self.path)
        finally:
            try:  # noqa: SIM105  (one call, which Ctrl-C does not cut in two)
                os.unlink(beside)
            except FileNotFoundError:
                pass
            _BEGUN.pop(beside)

    def _open(self, first: bytes) -> None:
        """Read what an earlier solve left."""
        if not stat.S_ISREG(self.path.stat().st_mode):
            raise ValueError(f"{self.path} is no regular file: give the path of a new one")
        with self.path.open("rb") as found:
            if found.read(len(_FIRST_LINE)) != _FIRST_LINE:
                raise ValueError(
                    f"{self.path} is no checkpoint of a robust fit, and is left as it is: give "
                    "the path of a new file"
                )
            if found.read(len(first) - len(_FIRST_LINE)) != first[len(_FIRST_LINE) :]:
                raise ValueError(
                    f"{self.path} is the checkpoint of another robust fit, or of other data: give "
                    "another path, or delete it"
                )
            self._end = len(first)
            while (record := _read(found)) is not None:
                self._found[record[0]] = record[1]
                self._end = found.tell()
        # Without a buffer: one that Ctrl-C comes upon is written when the file is closed, and may
        # then be written where it was read, over the beginning.
        self._file = self.path.open("r+b", buffering=0)
        self._mine = os.fstat(self._file.fileno())
        self._file.truncate(self._end)  # without a record that was being written

    def recall(
        self, source: RowSource, asked: tuple[Any, ...], make: Callable[[], InfluenceSums]
    ) -> InfluenceSums:
        """What `make` returns, from the file if it is there.

        Callers may change what they are given; it is theirs.
        """
        what = _digest(*asked)
        key = _digest(self._rows(source), what)
        if key in self._found:
            with np.load(io.BytesIO(self._found[key]), allow_pickle=False) as arrays:
                return InfluenceSums.from_arrays(arrays, (what,))
        found = dataclasses.replace(make(), fingerprint=(what,))
        buffer = io.BytesIO()
        np.savez(buffer, **found.arrays())  # type: ignore[arg-type]
        self._write(key, buffer.getvalue())
        return found

    def _rows(self, source: RowSource) -> bytes:
        """What tells these rows from others that a solve passes over."""
        mine = self._source
        if source.x is not mine.x:
            return _digest(*_ends(source, source.n_rows))
        if source.y is mine.y and source.weight is mine.weight:
            return b"all"
        return _digest("all", source.targets(), source.weights())

    def _write(self, key: bytes, data: bytes) -> None:
        if self._file is None:
            return
        record = _HEAD.pack(key, len(data), hashlib.sha256(data).digest()) + data
        try:
            _write_at(self._file, self._end, record)
        except OSError as error:
            self._give_up(error)
        else:
            self._end += len(record)

    def _give_up(self, error: OSError) -> None:
        """Go on without a file: a fit is worth more than what is kept of it."""
        self.close()
        warn(
            f"the checkpoint {self.path} cannot be written ({error.strerror}): the fit goes on, "
            "but an interrupted one will not find what came after this",
            InfluenceWarning,
        )

    def close(self) -> None:
        """Leave the file as it is."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # what is buffered may not fit either
                file.close()

    def remove(self) -> None:
        """All is done: the file goes, if it is still the one that was written."""
        self.close()
        with contextlib.suppress(FileNotFoundError):
            if self._mine is not None and os.path.samestat(self._mine, self.path.stat()):
                self.path.unlink()
        for beside in [begun for begun, path in _BEGUN.items() if path == self.path]:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
            del _BEGUN[beside]


def _publish(beside: Path, path: Path) -> None:
    """Give a file its name, unless another one has it by now."""
    with contextlib.suppress(FileExistsError):
        try:
            os.link(beside, path)
        except OSError:  # no file system for hard links
            if not path.exists():
                beside.rename(path)


def _write_at(file: RawIOBase, place: int, data: bytes) -> None:
    """Write all of it, in as many calls as it takes."""
    file.seek(place)
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]


def _read(file: IO[bytes]) -> tuple[bytes, bytes] | None:
    """The next record's key and contents; None at the end, or where one is not whole."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    key, length, digest = _HEAD.unpack(head)
    if length > os.fstat(file.fileno()).st_size - file.tell():
        return None
    data = file.read(length)
    return (key, data) if hashlib.sha256(data).digest() == digest else None


def _ends(source: RowSource, few: int = _FEW) -> tuple[Any, ...]:
    """What rows are recognised by: their number, all targets and weights, some inputs."""
    n = source.n_rows
    rows = (source.inputs(0, min(few, n)), source.inputs(max(n - few, 0), n))
    return (n, source.n_columns, source.targets(), source.weights(), *rows)


def _digest(*parts: Any) -> bytes:
    total = hashlib.sha256()
    for part in parts:
        array = isinstance(part, np.ndarray)
        data = np.ascontiguousarray(part).data if array else repr(part).encode()
        total.update(f"{getattr(part, 'shape', '')}{getattr(part, 'dtype', '')}|".encode())
        if not array or part.size:
            total.update(data)
    return total.digest()
