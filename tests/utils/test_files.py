"""Files are there whole or not at all, and what is no file stays what it is."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from fastaif.utils.files import write_whole


def put(text: bytes, fails: bool = False) -> Callable[[IO[bytes]], None]:
    def write(file: IO[bytes]) -> None:
        file.write(text)
        if fails:
            raise OSError("No space left on device")

    return write


def test_replaced_once_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "report"
    for fails, expected in ((False, b"first"), (True, b"first")):
        try:
            write_whole(path, put(b"second" if fails else b"first", fails))
        except OSError:
            assert fails
        assert path.read_bytes() == expected
        assert list(tmp_path.iterdir()) == [path]


def test_who_may_read_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_bytes(b"secret")
    path.chmod(0o600)
    write_whole(path, put(b"other"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "report", tmp_path / "link"
    path.write_bytes(b"old")
    link.symlink_to(path)
    write_whole(link, put(b"new"))
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("fails", [False, True])
def test_a_pipe_gets_all_or_nothing(fails: bool, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if fails:  # nothing is opened, so that nobody need read
        with pytest.raises(OSError, match="No space"):
            write_whole(pipe, put(b"half", True))
    else:
        heard: list[bytes] = []
        reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
        reader.start()
        write_whole(pipe, put(b"all"))
        reader.join(10)
        assert heard == [b"all"]
    assert pipe.is_fifo()
