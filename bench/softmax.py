"""Influence of softmax models beside NumPy, JAX and the floor (`python -m bench.softmax`)."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import floor, machine, ours, report, timing
from bench.peers import jax_expert, jax_softmax, numpy_softmax

Array = NDArray[np.float64]
Run = Callable[[], Any]

SUMS, OURS, ALONE, NUMBA = "sums", "fastaif", "on one thread", "on Numba"
WHOLE, BLOCKED, JAX = "NumPy whole", "NumPy blocked", "JAX"
CONTESTANTS = (OURS, ALONE, NUMBA, WHOLE, BLOCKED, JAX)
HEADER = (
    "what", "n × m", "K", "floor", SUMS, *CONTESTANTS, "ratio", "of the floor", "of both",
    "differ by",
)  # fmt: skip
TOLERANCE = 1e-8
ALPHA, CLASSES = 1e-3, 10
SIZES, QUICK_SIZES = ((100_000, 64),), ((5_000, 16),)


@dataclass(frozen=True)
class Problem:
    """Data and the fitted model at which everybody computes the influence."""

    name: str
    X: Array
    y: NDArray[np.int64]
    model: Any

    @property
    def parameters(self) -> tuple[Array, Array]:
        return self.model.coef_, self.model.intercept_


def digits() -> Problem:
    """scikit-learn's digits: 1,797 × 64, ten classes."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return _fitted("digits", X / 16.0, y)


def generated(n: int, m: int) -> Problem:
    """Ten classes that overlap."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, m))
    W = rng.standard_normal((CLASSES, m)) / np.sqrt(m)
    y = np.argmax(X @ W.T + rng.gumbel(size=(n, CLASSES)), axis=1)
    return _fitted("generated", X, y)


def _fitted(name: str, X: Array, y: NDArray[np.int64]) -> Problem:
    return Problem(name, X, y, ours.fitted(X, y, ALPHA))


def runs(q: Problem) -> dict[str, Run]:
    """Everybody who can do it here, and our sums alone."""
    W, b = q.parameters
    found: dict[str, Run] = {
        SUMS: ours.softmax_sums(q.model, q.X, q.y),
        OURS: lambda: ours.influence(q.model, q.X, q.y),
        ALONE: lambda: ours.influence(q.model, q.X, q.y, n_threads=1),
        NUMBA: lambda: ours.on_numba(lambda: ours.influence(q.model, q.X, q.y)),
        WHOLE: lambda: numpy_softmax.influence_whole(q.X, q.y, W, b, ALPHA),
        BLOCKED: lambda: numpy_softmax.influence_blocked(q.X, q.y, W, b, ALPHA),
    }
    if jax_expert.missing() is None:
        influence = jax_softmax.runner(q.X, q.y)
        found[JAX] = lambda: influence(W, b, ALPHA)
    return found


def flops(q: Problem) -> float:
    """A multiply-add for each entry of a triangle of each of K (K + 1) / 2 blocks of H."""
    n, m = q.X.shape
    return 0.5 * n * m * m * CLASSES * (CLASSES + 1)


def flops_of_the_factor(q: Problem) -> float:
    """A Cholesky factor of H over the contrasts between classes."""
    return ((CLASSES - 1) * (q.X.shape[1] + 1)) ** 3 / 3.0


def row(q: Problem, limits: floor.Floor, repeat: int) -> list[str]:
    """One line of the table; raises if somebody's result differs from the others'."""
    contestants = runs(q)
    worst = _check(contestants)
    times = timing.interleaved(contestants, repeat)
    least = max(flops(q) / limits.gemm, 8.0 * q.X.size / limits.bandwidth)
    both = least + flops_of_the_factor(q) / limits.gemm
    peers = [times[name] for name in (WHOLE, BLOCKED, JAX) if name in times]
    return [
        q.name, f"{q.X.shape[0]:,} × {q.X.shape[1]}", str(CLASSES), report.milliseconds(least),
        *(report.milliseconds(times.get(name)) for name in (SUMS, *CONTESTANTS)),
        f"{min(peers) / times[OURS]:.2f}", f"{least / times[SUMS]:.2f}",
        f"{both / times[OURS]:.2f}", f"{worst:.0e}",
    ]  # fmt: skip


def _check(contestants: dict[str, Run]) -> float:
    """Every result against whole-array NumPy's. This first run of each is its warm-up too."""
    reference, worst = contestants[WHOLE](), 0.0
    contestants[SUMS]()
    for name, run in contestants.items():
        if name == SUMS:
            continue
        error = float(np.linalg.norm(run() - reference) / np.linalg.norm(reference))
        if not error <= TOLERANCE:  # NaN fails as well
            raise SystemExit(f"{name} differs from {WHOLE} by {error:.1e} (relative)")
        worst = max(worst, error)
    return worst


def main() -> None:
    options = _options()
    limits = floor.measure()
    problems = [digits, *(_maker(*size) for size in (QUICK_SIZES if options.quick else SIZES))]
    found = []
    for make in problems:
        found.append(row(make(), limits, options.repeat))
        print("  done:", " | ".join(found[-1]), flush=True)
    missing = jax_expert.missing()
    lines = [
        *machine.preamble(),
        f"Floor: {limits}",
        "",
        f"Softmax influence, float64, p = 2: medians of {options.repeat} interleaved runs, ms",
        "",
        *report.table(HEADER, found),
        "",
        "ratio: the fastest peer over fastaif; of the floor: floor over sums; of both: the floor "
        "and the flops of H's factor over fastaif.",
        *([f"{JAX}: {missing}."] if missing else []),
        f"The floor's rates again, at the end: {floor.measure()}",
    ]
    report.publish(lines, options.markdown)


def _maker(n: int, m: int) -> Callable[[], Problem]:
    return lambda: generated(n, m)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.softmax", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
