"""Files that are there whole, or not at all."""

from __future__ import annotations

import io
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def write_whole(path: Any, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file beside its place and move it there once it is complete.

    Parameters
    ----------
    path : path
        What stands there is replaced then, and stays as it is if anything fails. A pipe or a
        device is written to, once all is there to write.
    write : callable
        Writes the contents.
    """
    if Path(path).exists() and not Path(path).is_file():
        contents = io.BytesIO()
        write(contents)
        with Path(path).open("wb") as device:
            device.write(contents.getvalue())
        return
    target = Path(path).resolve()
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
