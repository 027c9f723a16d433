"""Set-up that must come before Numba and matplotlib are imported, and shared fixtures."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import hypothesis
import pytest

AMONG_WORKERS = "PYTEST_XDIST_WORKER" in os.environ
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
# JAX only differentiates here, each function once or twice: compiling it well costs more.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"

# The first example may compile code, and a failure must be the same in every run;
# HYPOTHESIS_PROFILE=explore looks further than a test run has time for.
hypothesis.settings.register_profile("fastaif", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fastaif"))


@pytest.fixture(autouse=True)
def closed_figures():
    """What a test draws is gone after it."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def rng():
    """Random numbers, the same in every run."""
    import numpy as np

    return np.random.default_rng(20200612)


@pytest.fixture(params=["linear", "logistic", "poisson", "huber"])
def kind(request):
    """Each of the four linear-predictor models in turn."""
    return request.param


INSTRUCTION_SETS = ["avx512", "avx2", "baseline"]


@pytest.fixture(params=["numba", *INSTRUCTION_SETS])
def engine(request):
    """Each backend and instruction set in turn, those that this machine has."""
    with using(request.param):
        yield request.param


@pytest.fixture(params=INSTRUCTION_SETS)
def extension(request):
    """The C extension with each instruction set in turn."""
    with using(request.param):
        yield native_or_skip()


@contextlib.contextmanager
def using(name):
    """Numba, or C with an instruction set."""
    from fastaif import _compute

    before = _compute.chosen_backend()
    if name == "numba":
        _compute.set_backend("numba")
        yield
    else:
        native = native_or_skip()
        if name not in native.available_instruction_sets():
            pytest.skip(f"this machine has no {name}")
        in_use = native.instruction_set()
        _compute.set_backend("native")
        native.choose_instruction_set(name)
        yield
        native.choose_instruction_set(in_use)
    _compute.set_backend(before)


def native_or_skip():
    """The C extension."""
    from fastaif import _compute

    if not _compute.native_available():
        pytest.skip("the C extension was not built")
    return _compute.native()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The quick suite runs a covering few of each test's parametrisations; `-m ""` runs all."""
    from support.selection import compilers_first, mark_long

    mark_long(items)
    if AMONG_WORKERS:
        compilers_first(items)


def pytest_collection_finish():
    """Workers keep all cores busy: threads of BLAS's own would only wait for one another."""
    if AMONG_WORKERS:
        import scipy.linalg.cython_blas  # noqa: F401  (its BLAS is loaded)
        from threadpoolctl import threadpool_limits

        threadpool_limits(1, user_api="blas")
