"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def write_whole(path: Any, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file beside its place and move it there once it is complete.

    Parameters
    ----------
    path : path
        What stands there is replaced then, and stays as it is if anything fails.
    write : callable
        Writes the contents.
    """
    target = Path(path).resolve()
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
