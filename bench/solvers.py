"""Conjugate gradients beside Cholesky as the number of parameters grows.

`python -m bench.solvers` times `fa.aif` on a fitted ridge regression with correlated columns,
once with each solver. Cholesky is left out where H has no room.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import fastaif as fa
from bench import machine, report, timing
from fastaif.solvers.limits import cholesky_fits

SIZES = [(2_000, 200), (2_000, 1_000), (2_000, 4_000), (20_000, 4_000), (2_000, 20_000)]
QUICK_SIZES = [(300, 50), (300, 600)]
ALPHA = 0.01
AGREEMENT = 1e-8
HEADER = ["rows", "columns", "Cholesky, ms", "cg, ms", "iterations", "residual", "difference"]


def generate(n: int, m: int) -> tuple[Any, Any]:
    """Columns of which neighbours are correlated: autoregressive with coefficient 0.7."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, m))
    for k in range(1, m):
        X[:, k] = 0.7 * X[:, k - 1] + np.sqrt(1 - 0.7**2) * X[:, k]
    return X, X[:, :10].sum(axis=1) + rng.normal(size=n)


def row(n: int, m: int, repeat: int) -> list[str]:
    """One line of the table."""
    X, y = generate(n, m)
    model = fa.LinearRegression(ALPHA).fit(X, y)
    names = ["cholesky", "cg"] if cholesky_fits(m + 1) else ["cg"]
    found = {name: fa.aif(model, X, y, solver=name) for name in names}
    runs = {name: lambda name=name: fa.aif(model, X, y, solver=name) for name in names}
    times = timing.interleaved(runs, repeat)
    solver = found["cg"].problem.solver_report(found["cg"].influence)
    return [
        f"{n:,}", f"{m:,}",
        f"{1e3 * times['cholesky']:.1f}" if "cholesky" in times else "–",
        f"{1e3 * times['cg']:.1f}", str(solver.iterations), f"{solver.residual:.1e}",
        _difference(found),
    ]  # fmt: skip


def _difference(found: dict[str, Any]) -> str:
    if "cholesky" not in found:
        return "–"
    wanted = found["cholesky"].influence
    value = float(np.linalg.norm(found["cg"].influence - wanted) / np.linalg.norm(wanted))
    if not value < AGREEMENT:
        raise SystemExit(f"the solvers disagree: {value:.1e}")
    return f"{value:.1e}"


def main() -> None:
    options = _options()
    sizes = QUICK_SIZES if options.quick else SIZES
    lines = [
        *machine.preamble(),
        f"Influence of a ridge regression, alpha = {ALPHA}, float64, p = 2: medians of "
        f"{options.repeat} interleaved runs",
        "",
        *report.table(HEADER, [row(n, m, options.repeat) for n, m in sizes]),
    ]
    report.publish(lines, options.markdown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.solvers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
