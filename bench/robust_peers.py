"""Robust fits to a few digits beside advtrain-linear: `python -m bench.robust_peers [--wide]`.

Linear regression without an intercept, p = 2 and ∞, attacks from .05 to .5 of the one that leaves
no coefficient, on one thread, to relative gaps of 1e-4 and 1e-8. fastaif proves its gap; of the
peer's methods (`peers/advtrain_ridge.py`) the fastest counts, run for the fewest iterations that
come as close, tried beforehand. Times are the processor's, which a busy machine disturbs less: of
the second of two calls in a row, as in a search for a radius; with `--pause` of a call after a
pause, in which others have filled the caches. Lines are printed as they are measured; `--sizes` and
`--p` choose some. `--profile` tells what fastaif's time goes into.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import itertools
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, NamedTuple

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
SHARES = (0.05, 0.2, 0.5)
GAPS = (1e-4, 1e-8)
_SLOWER = 3.0  # than another of its methods, once: it cannot be the fastest
_SECONDS, _MOST = 0.2, 51  # of a contestant's calls, and calls at most
_BRIEF = 0.05  # seconds; in longer calls the caches that were found are nothing
ROBUST = "families.linear.robust"
HEADER = ("n", "m", "p", "of the zero radius", "gap", "fastaif", "proven", "peer", "its method",
          "iterations", "ratio")  # fmt: skip


def data(n: int, m: int) -> tuple[Array, Array]:
    """Standard normal inputs; targets with as much noise as signal."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, m))
    return X, X @ rng.standard_normal(m) / np.sqrt(m) + rng.standard_normal(n)


class Case(NamedTuple):
    """A fit, and the iterations with which the peer's methods may be the fastest to each gap."""

    X: Array
    y: Array
    p: float
    share: float
    rho: float
    model: Any
    best: float
    steps: dict[float, dict[str, int]]

    def mine(self, gap: float) -> Any:
        """fastaif's fit to a gap."""
        return fa.robust_fit(
            self.model, self.X, self.y, self.rho, p=self.p, radius=1.0, tol=gap, n_threads=1
        )

    def theirs(self, gap: float) -> dict[str, Callable[[], Any]]:
        """Their fits to a gap."""
        X, y, rho, p = self.X, self.y, self.rho, self.p
        return {
            method: functools.partial(advtrain_ridge.fit_by, X, y, rho, p, method, steps)
            for method, steps in self.steps[gap].items()
        }


def case_of(X: Array, y: Array, p: float, share: float) -> Case:
    """What is to be timed: the optimum, and how far it is to it for the peer."""
    rho = share * float(np.linalg.norm(X.T @ y, p) / np.abs(y).sum())
    model = fa.LinearRegression(fit_intercept=False).fit(X, y)
    exact = fa.robust_fit(model, X, y, rho, p=p, radius=1.0)
    best = advtrain_ridge.objective(X, y, exact.params, rho, p)
    steps: dict[float, dict[str, int]] = {gap: {} for gap in GAPS}
    seconds = dict.fromkeys(GAPS, math.inf)
    aims = [best * (1.0 + gap) for gap in GAPS]
    for method in () if advtrain_ridge.missing() else advtrain_ridge.methods(p):
        patience = _SLOWER * seconds[GAPS[-1]]
        met = advtrain_ridge.steps_to(X, y, rho, p, method, aims, patience)
        for gap, (count, spent) in zip(GAPS, met, strict=False):
            if spent <= _SLOWER * seconds[gap]:
                steps[gap][method] = count
            seconds[gap] = min(seconds[gap], spent)
    return Case(X, y, p, share, rho, model, best, steps)


def row(case: Case, gap: float, least: int, pause: bool) -> list[str]:
    """One line of the table; both objectives are within the gap of the lowest."""
    X, y, p, rho = case.X, case.y, case.p, case.rho
    found = case.mine(gap)
    reached = advtrain_ridge.objective(X, y, found.params, rho, p) / case.best - 1.0
    assert found.converged, (X.shape, p, case.share, gap)
    assert reached <= found.gap + 1e-12, (reached, found.gap)
    runs = {"mine": functools.partial(case.mine, gap), **case.theirs(gap)}
    slowest = max(timing.seconds(run, time.process_time) for run in runs.values())
    repeat = max(least, min(_MOST, int(_SECONDS / slowest)))

    def before(run: Callable[[], Any]) -> None:
        if pause:
            timing.settle()
        elif slowest < _BRIEF:
            run()

    times = timing.interleaved(runs, repeat, time.process_time, before)
    counts = case.steps[gap]
    fastest = min(counts, key=lambda name: times[name], default=None)
    theirs = None if fastest is None else times[fastest]
    return [
        f"{len(X):,}", f"{X.shape[1]:,}", f"{p:g}", f"{case.share:g}", f"{gap:g}",
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


def sizes_of(text: str) -> list[tuple[int, int]]:
    """"200x10,1000x100" as pairs."""
    return [(int(n), int(m)) for n, m in (size.split("x") for size in text.split(","))]


def measured(options: Any) -> list[list[str]]:
    """All lines, each printed as soon as it is there."""
    print("  ".join(HEADER), flush=True)
    rows = []
    for size in options.sizes or (WIDE if options.wide else TALL):
        X, y = data(*size)
        for p, share in itertools.product(options.p, SHARES):
            case = case_of(X, y, p, share)
            for gap in GAPS:
                rows.append(row(case, gap, options.repeat, options.pause))
                print("  ".join(rows[-1]), flush=True)
    return rows


def summary(rows: list[list[str]]) -> list[str]:
    """In how many cases fastaif is the faster, and by how much."""
    lines = []
    for gap in GAPS:
        ratios = [float(r[-1]) for r in rows if r[4] == f"{gap:g}" and r[-1] != "–"]
        if ratios:
            lines.append(
                f"To {gap:g}: at least as fast in {sum(x >= 1.0 for x in ratios)} of "
                f"{len(ratios)} cases, {median(ratios):.2f} times as fast in the median, "
                f"{min(ratios):.2f} at least"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.robust_peers", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="runs at least")
    parser.add_argument("--wide", action="store_true", help="more columns than rows")
    parser.add_argument("--sizes", type=sizes_of, metavar="NxM,...", help="these alone")
    parser.add_argument("--p", type=float, nargs="+", default=[2.0, np.inf])
    parser.add_argument("--pause", action="store_true", help="before each call")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--profile", action="store_true", help="of fastaif's fits alone")
    options = parser.parse_args()
    if options.profile:
        header = ("n", "m", "p", "gap", "ms", "rows", "steps", "the rest")
        report.publish(report.table(header, profile(20 * options.repeat)), options.markdown)
        return
    rows = measured(options)
    how = "after a pause" if options.pause else "in a row"
    report.publish([
        "", *machine.describe(), "",
        f"Robust linear regression on one thread: medians of {options.repeat} to {_MOST} "
        f"interleaved calls {how}, ms",
        "", *report.table(HEADER, rows), "", *summary(rows),
    ], options.markdown)  # fmt: skip


if __name__ == "__main__":
    main()
