"""An exact robust linear regression of many rows: `python -m bench.robust_large [--markdown FILE]`.

50,000 × 50, p = 2, without an intercept, to a relative gap of 1e-8 at most. Beside fastaif:
reweighted ridge (`peers/advtrain_ridge.py`), as it runs by default, and with the fewest iterations
that get there, tried beforehand; and CVXPY with Clarabel, which takes half a minute and runs once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import fastaif as fa
from bench import machine, ours, report, timing
from bench.peers import advtrain_ridge, cvxpy_robust

Array = npt.NDArray[np.float64]
ROWS, COLUMNS, GAP = 50_000, 50, 1e-8
HEADER = ("eps", "fastaif", "on Numba", "w-ridge", "fewest steps", "w-ridge, these", "Clarabel",
          "gap", "w-ridge's", "Clarabel's", "ratio to w-ridge", "to its fewest",
          "to Clarabel")  # fmt: skip


def data() -> tuple[Array, Array]:
    """Standard normal inputs, coefficients and noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, COLUMNS))
    return X, X @ rng.standard_normal(COLUMNS) + rng.standard_normal(ROWS)


def row(X: Array, y: Array, eps: float, repeat: int, clarabel: bool) -> list[str]:
    """One line of the table; gaps are relative to the lowest objective met."""
    model = fa.LinearRegression(fit_intercept=False).fit(X, y)

    def fit() -> Any:
        return fa.robust_fit(model, X, y, eps, p=2)

    found = fit()
    rho = eps * found.radius
    runs: dict[str, Callable[[], Any]] = {
        "mine": fit,
        "numba": lambda: ours.on_numba(fit),
    }
    objectives = {"mine": advtrain_ridge.objective(X, y, found.params, rho, 2.0)}
    steps = 0
    if not advtrain_ridge.missing():
        steps = advtrain_ridge.iterations_to(X, y, rho, 2.0, objectives["mine"], GAP)
        runs["ridge"] = lambda: advtrain_ridge.robust_fit(X, y, rho, 2.0, advtrain_ridge.DEFAULT)
        runs["fewest"] = lambda: advtrain_ridge.robust_fit(X, y, rho, 2.0, steps)
        objectives["ridge"] = advtrain_ridge.objective(X, y, runs["ridge"](), rho, 2.0)
    ours.on_numba(fit)
    times = timing.interleaved(runs, repeat)
    if clarabel:
        times["clarabel"] = timing.seconds(
            lambda: objectives.update(
                clarabel=cvxpy_robust.robust_fit(X, y, rho, 2.0, "linear", intercept=False)[1]
            )
        )
    best = min(objectives.values())
    gaps = {name: f"{value / best - 1.0:.0e}" for name, value in objectives.items()}
    ratios = {name: f"{seconds / times['mine']:.1f}" for name, seconds in times.items()}
    names = ("mine", "numba", "ridge")
    return [
        f"{eps:g}", *(report.milliseconds(times.get(name)) for name in names), str(steps or "–"),
        *(report.milliseconds(times.get(name)) for name in ("fewest", "clarabel")),
        *(gaps.get(name, "–") for name in ("mine", "ridge", "clarabel")),
        *(ratios.get(name, "–") for name in ("ridge", "fewest", "clarabel")),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.robust_large", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--no-clarabel", action="store_true")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    X, y = data()
    rows = [row(X, y, eps, options.repeat, not options.no_clarabel) for eps in (0.02, 0.1)]
    lines = [
        *machine.describe(), "",
        f"Exact robust linear regression, {ROWS:,} × {COLUMNS}, p = 2: medians of "
        f"{options.repeat} interleaved runs (Clarabel: one), ms",
        "", *report.table(HEADER, rows),
    ]  # fmt: skip
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
