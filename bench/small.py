"""One call on little data beside a function that checks nothing (`python -m bench.small`).

What a call costs beyond its arithmetic shows at 442 × 10, what its arithmetic costs at
2,000 × 500. The peers are NumPy as one would write it down for least squares: with a solver for
any matrix, and with one that knows that this one is symmetric and positive definite. The calls
follow one another as they do in a loop: there is no pause between them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

import fastaif as fa
from bench import machine, ours, report, timing

Array = NDArray[np.float64]
Solve = Callable[[Array, Array], Array]

SIZES, REPEAT, TOLERANCE = ((442, 10), (2000, 500)), 61, 1e-9
OURS, PLAIN, CAREFUL = "fastaif", "NumPy, solve", "NumPy, Cholesky"
HEADER = ("n", "m", OURS, PLAIN, CAREFUL, "ours / plain", "ours / Cholesky", "differ by")


def influence(X: Array, y: Array, theta: Array, solve: Solve) -> Array:
    """The influence of least squares at p = 2 for the radius s of the data (eq. 3)."""
    n, m = X.shape
    A = np.column_stack([X, np.ones(n)])
    residual = A @ theta - y
    norm = np.linalg.norm(theta[:m])
    hessian = 2.0 / n * (A.T @ A)
    slopes = np.abs(residual).mean()
    mixed = 2.0 / n * norm * (A.T @ np.sign(residual))
    mixed[:m] += 2.0 * slopes * theta[:m] / norm
    s = np.sqrt(np.einsum("ij,ij->i", X, X)).mean()
    return -s * solve(hessian, mixed)


def cholesky(hessian: Array, right: Array) -> Array:
    factor = cho_factor(hessian, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, right, check_finite=False))


def contestants(n: int, m: int) -> dict[str, Callable[[], Array]]:
    """Calls for the same influence of the same fit."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, m))
    y = X @ rng.standard_normal(m) + rng.standard_normal(n)
    model = ours.fitted(X, y, 0.0, "squared_error")
    theta = np.append(model.coef_, model.intercept_)
    return {
        OURS: lambda: np.asarray(fa.aif(model, X, y, p=2).influence),
        PLAIN: lambda: influence(X, y, theta, np.linalg.solve),
        CAREFUL: lambda: influence(X, y, theta, cholesky),
    }


def measure(n: int, m: int, repeat: int) -> list[str]:
    """A line of the table."""
    runs = contestants(n, m)
    results = {name: run() for name, run in runs.items()}
    apart = max(float(np.abs(found - results[PLAIN]).max()) for found in results.values())
    if not apart <= TOLERANCE:
        raise SystemExit(f"{n} x {m}: the influences differ by {apart:.1e}")
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            times[name].append(timing.seconds(run))
    ms = {name: median(taken) for name, taken in times.items()}
    ratios = (f"{ms[OURS] / ms[peer]:.2f}" for peer in (PLAIN, CAREFUL))
    return [str(n), str(m), *(f"{1e3 * ms[name]:.3f}" for name in runs), *ratios, f"{apart:.0e}"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.small", description=__doc__)
    parser.add_argument("--repeat", type=int, default=REPEAT)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    rows = [measure(n, m, options.repeat) for n, m in SIZES]
    lines = [
        *machine.describe(), "",
        f"The influence of least squares, p = 2: ms, medians of {options.repeat} interleaved calls",
        "", *report.table(HEADER, rows),
    ]  # fmt: skip
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
