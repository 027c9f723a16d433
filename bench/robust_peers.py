"""Robust fits to a few digits beside advtrain-linear: `python -m bench.robust_peers [--wide]`.

Linear regression without an intercept, p = 2 and ∞, attacks from .05 to .5 of the one that leaves
no coefficient, on one thread, to relative gaps of 1e-4 and 1e-8. fastaif proves its gap; of the
peer's methods (`peers/advtrain_ridge.py`) the fastest counts, run for the fewest iterations that
come as close, tried beforehand. Times are the processor's, which a busy machine disturbs less.
`--profile` tells what fastaif's go into.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before BLAS is loaded
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402

import fastaif as fa  # noqa: E402
from bench import machine, report, timing  # noqa: E402
from bench.peers import advtrain_ridge  # noqa: E402

Array = npt.NDArray[np.float64]
TALL = ((200, 10), (1000, 10), (1000, 100), (5000, 20), (5000, 100), (10_000, 10), (10_000, 100))
WIDE = ((200, 1000), (200, 3000), (300, 10_000))
GAPS = (1e-4, 1e-8)
ROBUST = "families.linear.robust"
HEADER = ("n", "m", "p", "of the zero radius", "gap", "fastaif", "proven", "peer", "its method",
          "iterations", "ratio")  # fmt: skip


def data(n: int, m: int) -> tuple[Array, Array]:
    """Standard normal inputs; targets with as much noise as signal."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, m))
    return X, X @ rng.standard_normal(m) / np.sqrt(m) + rng.standard_normal(n)


def contestants(
    X: Array, y: Array, p: float, rho: float, gap: float, best: float, model: Any
) -> tuple[dict[str, Callable[[], Any]], dict[str, int]]:
    """What is timed, and how many iterations each of the peer's methods takes."""
    runs: dict[str, Callable[[], Any]] = {
        "mine": lambda: fa.robust_fit(model, X, y, rho, p=p, radius=1.0, tol=gap, n_threads=1)
    }
    counts = {}
    for method in () if advtrain_ridge.missing() else advtrain_ridge.methods(p):
        steps = advtrain_ridge.steps_to(X, y, rho, p, method, best, gap)
        if steps is not None:
            counts[method] = steps
            runs[method] = lambda method=method, steps=steps: advtrain_ridge.fit_by(
                X, y, rho, p, method, steps
            )
    return runs, counts


def row(X: Array, y: Array, p: float, share: float, gap: float, repeat: int) -> list[str]:
    """One line of the table; both objectives are within the gap of the lowest."""
    rho = share * float(np.linalg.norm(X.T @ y, p) / np.abs(y).sum())
    model = fa.LinearRegression(fit_intercept=False).fit(X, y)
    exact = fa.robust_fit(model, X, y, rho, p=p, radius=1.0)
    best = advtrain_ridge.objective(X, y, exact.params, rho, p)
    runs, counts = contestants(X, y, p, rho, gap, best, model)
    found = runs["mine"]()
    reached = advtrain_ridge.objective(X, y, found.params, rho, p) / best - 1.0
    assert found.converged, (X.shape, p, share, gap)
    assert reached <= found.gap + 1e-12, (reached, found.gap)
    times = timing.interleaved(runs, repeat, time.process_time)
    fastest = min(counts, key=lambda name: times[name], default=None)
    theirs = None if fastest is None else times[fastest]
    return [
        f"{len(X):,}", f"{X.shape[1]:,}", f"{p:g}", f"{share:g}", f"{gap:g}",
        report.milliseconds(times["mine"]), f"{found.gap:.0e}", report.milliseconds(theirs),
        fastest or "–", str(counts[fastest]) if fastest else "–",
        f"{theirs / times['mine']:.2f}" if theirs else "–",
    ]  # fmt: skip


class Shares:
    """What a fit's time goes into: the pass of its check and products with the rows before its
    steps, and the steps themselves."""

    PARTS: ClassVar = {
        "rows": (
            ("passes.linear", "Sweep", ("run",)),
            (f"{ROBUST}.design", "Design", ("predict", "pull", "pull_of", "square_of")),
        ),
        "steps": ((f"{ROBUST}.squares", "SquaresSearch", ("proves",)),),
    }

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._nested = False
        for part, places in self.PARTS.items():
            for module, cls, names in places:
                found = importlib.import_module(f"fastaif.{module}")
                owner = getattr(found, cls) if cls else found
                for name in names:
                    setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: str, run: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            if self._nested:
                return run(*arguments, **named)
            self._nested, start = True, time.process_time()
            try:
                return run(*arguments, **named)
            finally:
                self._nested = False
                self.spent[part] = self.spent.get(part, 0.0) + time.process_time() - start

        return timed


def profile(repeat: int) -> list[list[str]]:
    """Shares of the time of fits, of the method that proves few digits soonest."""
    shares, rows = Shares(), []
    for (n, m), p, share, gap in itertools.product(
        ((200, 10), (1000, 100), (10_000, 100)), (2.0, np.inf), (0.2,), GAPS
    ):
        X, y = data(n, m)
        rho = share * float(np.linalg.norm(X.T @ y, p) / np.abs(y).sum())
        model = fa.LinearRegression(fit_intercept=False).fit(X, y)
        options = {"p": p, "radius": 1.0, "tol": gap, "n_threads": 1}
        fa.robust_fit(model, X, y, rho, **options)
        shares.spent.clear()
        start = time.process_time()
        for _ in range(repeat):
            fa.robust_fit(model, X, y, rho, **options)
        whole = time.process_time() - start
        parts = [shares.spent.get(part, 0.0) / whole for part in Shares.PARTS]
        rows.append([
            f"{n:,}", f"{m:,}", f"{p:g}", f"{gap:g}", report.milliseconds(whole / repeat),
            *(f"{100.0 * part:.0f} %" for part in (*parts, 1.0 - sum(parts))),
        ])  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.robust_peers", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--wide", action="store_true", help="more columns than rows")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--profile", action="store_true", help="of fastaif's fits alone")
    options = parser.parse_args()
    if options.profile:
        header = ("n", "m", "p", "gap", "ms", "rows", "steps", "the rest")
        report.publish(report.table(header, profile(20 * options.repeat)), options.markdown)
        return
    rows = [
        row(X, y, p, share, gap, options.repeat)
        for X, y in (data(*size) for size in (WIDE if options.wide else TALL))
        for p in (2.0, np.inf) for share in (0.05, 0.2, 0.5) for gap in GAPS
    ]  # fmt: skip
    lines = [
        *machine.describe(), "",
        f"Robust linear regression on one thread: medians of {options.repeat} interleaved runs, ms",
        "", *report.table(HEADER, rows), "",
    ]  # fmt: skip
    for gap in GAPS:
        ratios = [float(r[-1]) for r in rows if r[4] == f"{gap:g}" and r[-1] != "–"]
        if ratios:
            lines.append(
                f"To {gap:g}: at least as fast in {sum(x >= 1.0 for x in ratios)} of "
                f"{len(ratios)} cases, {median(ratios):.2f} times as fast in the median, "
                f"{min(ratios):.2f} at least"
            )
    report.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
