"""What the first result of each kind of model costs in a fresh process (`python -m bench.first`).

Every line is a process of its own with an empty Numba cache, from after the imports to the result,
once with the C extension and once on Numba, which compiles what it needs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import machine, report

SET_UP = """
import sys, time
import numpy as np, sklearn.base
import fastaif as fa
fa.set_backend(sys.argv[1])
X = np.random.default_rng(0).normal(size=(500, 5))
y = X.sum(axis=1) + X[:, 0] ** 2
positive = y > 1
clock = time.perf_counter()
{task}
print(time.perf_counter() - clock, sum(name == "numba" for name in sys.modules))
"""
TASKS = {
    "logistic regression": "fa.aif(fa.LogisticRegression().fit(X, positive), X, positive)",
    "the same, robust fit": (
        "fa.robust_fit(fa.LogisticRegression().fit(X, positive), X, positive, eps=0.05)"
    ),
    "the same, 200 draws": (
        "fa.aif(fa.LogisticRegression().fit(X, positive), X, positive).conf_int()"
    ),
    "least squares by conjugate gradients": (
        'fa.aif(fa.LinearRegression().fit(X, y), X, y, solver="cg")'
    ),
    "least squares, shared budget": "fa.aif(fa.LinearRegression().fit(X, y), X, y, order=2)",
    "quadratic regression": "fa.aif(fa.QuadraticRegression(alpha=0.1).fit(X, y), X, y)",
    "the same, with its robust fit": (
        "fa.robust_fit(fa.QuadraticRegression(alpha=0.1).fit(X, y), X, y, eps=0.05)"
    ),
    "kernel regression": "fa.aif(fa.KernelRegression(alpha=0.1).fit(X, y), X, y)",
    "network of 8 units": (
        "fa.aif(fa.MLPRegression(hidden=8, alpha=0.01, random_state=0).fit(X, y), X, y)"
    ),
}
HEADER = ("fit and influence of", "C", "Numba", "C imports Numba")


def measure(task: str, backend: str) -> tuple[float, bool]:
    """Seconds, and whether Numba was imported."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SET_UP.format(task=task), backend],
            env={**os.environ, "NUMBA_CACHE_DIR": cache}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
    seconds, imported = done.stdout.split()
    return float(seconds), imported != "0"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.first", description=__doc__)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    options = parser.parse_args()
    rows = []
    for name, task in TASKS.items():
        (native, imported), (numba, _) = measure(task, "auto"), measure(task, "numba")
        rows.append([name, f"{native:.2f}", f"{numba:.1f}", "yes" if imported else "no"])
    lines = [
        *machine.preamble(),
        "The first result in a fresh process with an empty cache, after imports: seconds",
        "",
        *report.table(HEADER, rows),
    ]
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
