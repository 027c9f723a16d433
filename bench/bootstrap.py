"""The Bayesian bootstrap of the influence beside a NumPy loop (`python -m bench.bootstrap`)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench import data, machine, ours, report, timing
from bench.peers import numpy_bootstrap

Array = NDArray[np.float64]

SAMPLES, FEATURES, DRAWS, ALPHA = 10_000, 20, 1000, 1e-3
QUICK_DRAWS, CHECKED, SEED = 100, 12, 7
OURS, PEER, PEER_SERIAL = "fastaif", "NumPy loop", "NumPy loop, BLAS on one thread"
KINDS = ("linear", "logistic")
TOLERANCE = 1e-8
HEADER = ("model", "fastaif", PEER, PEER_SERIAL, "ratio", "us a draw", "differ by")


class Problem(NamedTuple):
    """A fitted model's result, and the peer on the same data."""

    result: Any
    peer: Callable[[Iterable[Array]], Array]


def problem(kind: str, n: int = SAMPLES, m: int = FEATURES) -> Problem:
    """Generated data and a fit to all of them."""
    X, y = data.logistic(n, m)
    if kind == "linear":
        y = X @ np.linspace(1.0, -1.0, m) + np.random.default_rng(1).standard_normal(n)
        result = ours.fitted_result("linear", X, y, 0.0)
        return Problem(result, lambda weights: numpy_bootstrap.linear(X, y, weights))
    result = ours.fitted_result("logistic", X, y, ALPHA)
    theta = np.asarray(result.params)
    return Problem(
        result, lambda weights: numpy_bootstrap.logistic(X, y, theta, weights, ALPHA)
    )


def disagreement(case: Problem, n: int, draws: int = CHECKED) -> float:
    """The largest difference from the peer's influences with fastaif's weights, relative."""
    wanted = case.peer(ours.bootstrap_weights(SEED, draws, n))
    found = ours.bootstrap(case.result, draws, SEED)
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def line(kind: str, draws: int, repeat: int) -> list[str]:
    """Check, then time; the peer draws random numbers of its own."""
    case = problem(kind)
    error = disagreement(case, SAMPLES)
    if not error <= TOLERANCE:  # NaN fails as well
        raise SystemExit(f"{kind}: NumPy's loop differs from fastaif by {error:.1e} (relative)")

    def loop() -> Array:
        return case.peer(numpy_bootstrap.exponential(draws, SAMPLES, SEED))

    def serial() -> Array:
        with threadpool_limits(1, "blas"):
            return loop()

    runs = {OURS: lambda: ours.bootstrap(case.result, draws, SEED), PEER: loop, PEER_SERIAL: serial}
    for run in runs.values():
        run()
    times = timing.interleaved(runs, repeat)
    best = min(times[PEER], times[PEER_SERIAL])
    return [
        kind,
        *(report.milliseconds(times[name]) for name in runs),
        f"{best / times[OURS]:.1f}",
        f"{1e6 * times[OURS] / draws:.0f}",
        f"{error:.0e}",
    ]


def main() -> None:
    options = _options()
    draws = QUICK_DRAWS if options.quick else DRAWS
    lines = [
        *machine.preamble(),
        f"Bayesian bootstrap, {draws:,} draws, n = {SAMPLES:,}, m = {FEATURES}, p = 2: medians of "
        f"{options.repeat} interleaved runs, ms",
        "",
        *report.table(HEADER, [line(kind, draws, options.repeat) for kind in KINDS]),
        "",
        "ratio: the faster of NumPy's over fastaif's. differ by: with the same weights, over the "
        "largest entry.",
    ]
    report.publish(lines, options.markdown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.bootstrap", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few draws: does it work?")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
