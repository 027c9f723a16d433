"""Whether a file is still the one that an earlier pass read."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from ..rows import RowSource


class Stamp(NamedTuple):
    """What tells a file from another one, or from itself before it was written again."""

    size: int
    modified: int
    inode: int

    @classmethod
    def of(cls, path: Any) -> Stamp:
        """That of a file as it is now."""
        found = os.stat(path)
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


class Stamps:
    """Those of the files that the memory maps of some sources show, from their first pass on."""

    def __init__(self) -> None:
        self._first: dict[str, Stamp] = {}

    def refuse_changed(self, source: RowSource) -> None:
        """Refuse rows of a file that is no longer as it was in the first pass.

        Raises
        ------
        ValueError
            It is not; the message names the argument and the file.
        """
        named = (("X", source.x), ("y", source.y), ("sample_weight", source.weight))
        for name, values in named:
            if values is None or (type(values) is np.ndarray and values.base is None):
                continue
            path = mapped_file(values)
            if path is None:
                continue
            now = Stamp.of(path)
            if self._first.setdefault(path, now) != now:
                raise ValueError(
                    f"{name} is a memory map of {path}, which was written to between two passes "
                    "over it: let no one write to it during a call, or give a copy"
                )


def mapped_file(values: Any) -> str | None:
    """The path of the file that an array, or what it is a view of, maps into memory."""
    while values is not None:
        if isinstance(values, np.memmap):
            return None if values.filename is None else os.fspath(values.filename)
        values = getattr(values, "base", None)
    return None
