"""Kills, forks, concurrent calls, a full disk, lost workers: each at random moments of calls.

Interrupts are in `test_interruptions`. `python -m support.random_faults` counts how rounds ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def rounds(what, count):
    """How many rounds of each ending there were; what was wrong in one is an error."""
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, "-m", "support.random_faults", what, "--rounds", str(count)],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False,
        timeout=120 + 30 * count,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.long
@pytest.mark.parametrize("what", ["kill", "disk"])
def test_a_few(what):
    """The others have quick tests of their own in tests/data/test_faults.py."""
    assert sum(rounds(what, 2).values()) >= 2


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("what", ["kill", "fork", "threads", "disk", "worker"])
def test_fifty(what):
    found = rounds(what, 50)
    assert sum(found.values()) >= 50
    if what == "kill":
        assert found["killed"] > 10
    if what == "worker":
        assert found.get("stalls of Dask", 0) <= 1
    if what == "disk":
        assert found["fits that told of it"] > 10
