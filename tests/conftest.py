"""Set-up that must come before Numba and matplotlib are imported, and shared fixtures."""

from __future__ import annotations

import getpass
import hashlib
import os
import tempfile
from pathlib import Path

import hypothesis
import pytest

_COMPUTE = Path(__file__).resolve().parents[1] / "fastaif" / "_compute"


def _cache_folder() -> Path:
    """A folder of compiled code for exactly these sources.

    Numba notices an edit of the function it caches, but not of one that was inlined from
    another file; a folder for every state of the sources never holds stale code. All the
    workers of a run, and later runs, share it.
    """
    digest = hashlib.sha256()
    for source in sorted(_COMPUTE.rglob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    name = f"fastaif-numba-{getpass.getuser()}-{digest.hexdigest()[:16]}"
    return Path(tempfile.gettempdir()) / name


os.environ["NUMBA_CACHE_DIR"] = str(_cache_folder())
os.environ["MPLBACKEND"] = "Agg"

# The first example may compile code, and a failure must be the same in every run;
# HYPOTHESIS_PROFILE=explore looks further than a test run has time for.
hypothesis.settings.register_profile("fastaif", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fastaif"))


@pytest.fixture
def rng():
    """Random numbers, the same in every run."""
    import numpy as np

    return np.random.default_rng(20200612)


@pytest.fixture(params=["linear", "logistic", "poisson", "huber"])
def kind(request):
    """Each of the four linear-predictor models in turn."""
    return request.param


ENGINES = ["numba", "avx512", "avx2", "baseline"]


@pytest.fixture(params=ENGINES)
def engine(request):
    """Each backend and instruction set in turn, those that this machine has."""
    from fastaif import _compute

    before = _compute.chosen_backend()
    if request.param == "numba":
        _compute.set_backend("numba")
        yield request.param
    else:
        extension = native_or_skip()
        if request.param not in extension.available_instruction_sets():
            pytest.skip(f"this machine has no {request.param}")
        in_use = extension.instruction_set()
        _compute.set_backend("native")
        extension.choose_instruction_set(request.param)
        yield request.param
        extension.choose_instruction_set(in_use)
    _compute.set_backend(before)


def native_or_skip():
    """The C extension."""
    from fastaif import _compute

    if not _compute.native_available():
        pytest.skip("the C extension was not built")
    return _compute.native()
