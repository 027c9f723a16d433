"""Exact robust fits beside CVXPY + Clarabel: `python -m bench.robust [--markdown FILE]`."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

import fastaif as fa
from bench import machine, report, timing
from bench.peers import cvxpy_robust

Array = npt.NDArray[np.float64]

HEADER = ("model", "p", "eps", "fastaif", "Clarabel", "ratio", "KKT residual", "J above Clarabel")
ROWS, COLUMNS = 2000, 20
ESTIMATORS = {"linear": fa.LinearRegression, "logistic": fa.LogisticRegression}


def data(kind: str) -> tuple[Array, Array]:
    """Standard normal inputs; targets with as much noise as signal."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, COLUMNS))
    f = X @ rng.standard_normal(COLUMNS) / np.sqrt(COLUMNS) + 0.3
    if kind == "linear":
        return X, f + rng.standard_normal(ROWS)
    return X, np.where(f + rng.logistic(size=ROWS) > 0, 1.0, -1.0)


def row(kind: str, p: float, eps: float, repeat: int) -> list[str]:
    """One line of the table; the two objectives are compared, not assumed equal."""
    X, y = data(kind)
    model = ESTIMATORS[kind](alpha=0.0).fit(X, y)
    mine = fa.robust_fit(model, X, y, eps, p=p)
    _, theirs = cvxpy_robust.robust_fit(X, y, eps * mine.radius, p, kind)
    times = timing.interleaved(
        {
            "mine": lambda: fa.robust_fit(model, X, y, eps, p=p),
            "theirs": lambda: cvxpy_robust.robust_fit(X, y, eps * mine.radius, p, kind),
        },
        repeat,
    )
    return [
        kind, f"{p:g}", f"{eps:g}", report.milliseconds(times["mine"]),
        report.milliseconds(times["theirs"]), f"{times['theirs'] / times['mine']:.0f}",
        f"{mine.residual:.0e}", f"{mine.objective - theirs:.1e}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="Solution may be inaccurate")
    grid = [(k, p, e) for k in ESTIMATORS for p in (1.0, 2.0, np.inf) for e in (0.01, 0.1, 1.0)]
    rows = [row(*cell, options.repeat) for cell in grid]
    lines = [
        *machine.describe(),
        "",
        f"Exact robust fits, {ROWS:,} × {COLUMNS}: medians of {options.repeat} runs, ms",
        "",
        *report.table(HEADER, rows),
    ]
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
