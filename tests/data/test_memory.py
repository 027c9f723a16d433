"""A quadratic model never holds its design matrix, a wide one never its Hessian."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Not the checkout before the package that is installed.
ENVIRONMENT = os.environ | {"PYTHONSAFEPATH": "1"}

CHILD = """
import resource
import numpy as np
import fastaif as fa

def peak():
    scale = 1e6 if __import__("sys").platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale  # MB

rng = np.random.default_rng(0)
n, m = 100_000, 32
X = rng.normal(size=(n, m))
y = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=n)
fa.aif(fa.QuadraticRegression(0.1).fit(X[:2000], y[:2000]), X[:2000], y[:2000])  # code and BLAS
before = peak()
model = fa.QuadraticRegression(0.1).fit(X, y)
fitted = peak()
fa.aif(model, X, y).sensitivity(0.01)
print(fitted - before, peak() - before)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is Unix's")
def test_quadratic_fit_of_100_000_rows_and_528_products():
    """The design matrix alone would be 448 MB."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    fit, influence = map(float, child.stdout.split())
    assert fit < 100.0
    assert influence < 100.0


WIDE = """
import resource
import numpy as np
import fastaif as fa

def peak():
    scale = 1e6 if __import__("sys").platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale  # MB

rng = np.random.default_rng(0)
small, s = rng.normal(size=(60, 4)), rng.normal(size=60)
for model in (fa.LinearRegression(0.1), fa.QuadraticRegression(0.1)):
    fa.aif(model.fit(small, s), small, s, solver="cg").diagnostics  # code and BLAS
X, y = rng.normal(size=(100, 20_000)), rng.normal(size=100)
before = peak()
for model in (fa.LinearRegression(0.1), fa.LogisticRegression(0.01)):
    model.fit(X, y if model.alpha == 0.1 else y > 0)
    result = fa.aif(model, X, y if model.alpha == 0.1 else y > 0)
    assert result.hessian is None
    assert result.diagnostics["solver"] == "woodbury"  # of a matrix of the rows
    result.sensitivity(0.01), result.validity_radius
linear = peak()
Q, q = rng.normal(size=(600, 144)), rng.normal(size=600)  # 10,584 features
model = fa.QuadraticRegression(1.0).fit(Q, q)
result = fa.aif(model, Q, q)
assert result.diagnostics["solver"] == "cg"
print(linear - before, peak() - linear)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is Unix's")
def test_wide_models_form_no_hessian():
    """H would be 3,200 MB for 20,000 columns, and 896 MB for the products of 144."""
    child = subprocess.run(
        [sys.executable, "-c", WIDE], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    linear, quadratic = map(float, child.stdout.split())
    assert linear < 200.0
    assert quadratic < 200.0

MAPPED = """
import sys
import threading
from pathlib import Path
import numpy as np
import fastaif as fa

def anonymous():
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1e3  # MB

path, n, m = sys.argv[1], 1_600_000, 64
rng = np.random.default_rng(0)
block = rng.standard_normal((50_000, m), dtype=np.float32)
written = np.memmap(path, np.float32, "w+", shape=(n, m))
for start in range(0, n, 50_000):
    written[start : start + 50_000] = block
    block = np.roll(block, 1, axis=1)
y = rng.standard_normal(n) + written[:, 0]
del written
model = fa.LinearRegression().fit(np.array(block[:5000]), y[:5000])
fa.aif(model, block, y[:50_000], refine=True).sensitivity(0.01)  # code, threads and BLAS
X = np.memmap(path, np.float32, "r", shape=(n, m))
most, stop = [anonymous()], threading.Event()

def watch():
    while not stop.wait(0.005):
        most.append(anonymous())

watcher = threading.Thread(target=watch)
watcher.start()
found = fa.aif(model, X, y, refine=True)
cost = found.sensitivity(0.001)
influence = max(most) - most[0]
most.clear()
most.append(anonymous())
robust = fa.robust_fit(model, X, y, 0.001)
fit = max(most) - most[0]
stop.set()
watcher.join()
whole = fa.aif(model, np.array(X), y, refine=True)
same = np.array_equal(found.influence, whole.influence) and cost == whole.sensitivity(0.001)
print(influence, fit, same, robust.converged)
"""


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """Megabytes of an influence and of a robust fit; same bits as in memory; converged."""
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAPPED, str(tmp_path_factory.mktemp("rows") / "X")],
        capture_output=True, text=True, check=True, env=ENVIRONMENT,
    )  # fmt: skip
    influence, fit, same, converged = child.stdout.split()
    return float(influence), float(fit), same, converged


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="RssAnon is Linux's")
def test_memory_mapped_files_stay_on_disk(mapped):
    """410 MB of rows with a quarter of that, and the bits of the rows in memory."""
    influence, _, same, converged = mapped
    assert influence < 100.0
    assert (same, converged) == ("True", "True")


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="RssAnon is Linux's")
def test_robust_fits_of_memory_mapped_files_stay_on_disk(mapped):
    """The same of a robust fit, whose rows stay on the disk, but not what it knows of each."""
    assert mapped[1] < 100.0
