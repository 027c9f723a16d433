"""How time and memory grow with n, m and d, on one thread and on all (`python -m bench.growth`).

Exponents are slopes of log time on log size over the larger half of the sizes: 1 is
proportional. `--plot FILE` draws the same.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench import data, floor, machine, memory, report, timing

Array = NDArray[np.float64]
HEADER = ("size", "ms, one thread", "ms", "threads bring", "MB beyond the data")


class Sweep(NamedTuple):
    """A workload whose size grows: what is called, its sizes, and the name of what grows."""

    what: str
    grows: str
    sizes: Sequence[data.Size]
    axis: int  # of the size, or 2 for the number of features of a quadratic model
    prepare: Callable[..., Callable[[int | None], Any]]
    module_name: str  # in COMPLETE, for the memory


def _quiet(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """A call whose data were made for their size, and may be beyond a kink."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **options)


def _influence(model: Any, X: Array, y: Array) -> Callable[[int | None], Any]:
    import fastaif as fa

    model.fit(X, y)
    return lambda n_threads: _quiet(fa.aif, model, X, y, n_threads=n_threads).influence


def _logistic(n: int, m: int) -> Callable[[int | None], Any]:
    import fastaif as fa

    return _influence(fa.LogisticRegression(alpha=1e-3), *data.logistic(n, m))


def _quadratic(n: int, m: int) -> Callable[[int | None], Any]:
    import fastaif as fa

    return _influence(fa.QuadraticRegression(alpha=1e-3), *data.quadratic(n, m))


def _kernel(n: int, m: int) -> Callable[[int | None], Any]:
    import fastaif as fa

    X, y = data.quadratic(n, m)
    return _influence(fa.KernelRegression(fa.kernels.RBF(1.0 / m), alpha=1e-3), X, y - y.mean())


def _robust(n: int, m: int) -> Callable[[int | None], Any]:
    import fastaif as fa

    X, y = data.linear_predictor(n, m, "squared_error")
    model = fa.LinearRegression().fit(X, y)
    return lambda k: _quiet(fa.robust_fit, model, X, y, 0.02, n_threads=k).params


WARM_UP: data.Size = (500, 4)  # of `bench.memory`: a kernel's arrays are n × n
ROWS = [(k, 64) for k in (10_000, 30_000, 100_000, 300_000, 1_000_000)]
COLUMNS = [(100_000, m) for m in (8, 16, 32, 64, 128, 256, 512)]
INPUTS = [(20_000, m) for m in (4, 8, 16, 32, 48)]
SAMPLES = [(k, 64) for k in (250, 500, 1000, 2000, 4000)]
ROBUST = [(k, 50) for k in (1000, 3000, 10_000, 30_000, 100_000)]
SWEEPS = (
    Sweep("logistic influence, m = 64", "n", ROWS, 0, _logistic, "logistic"),
    Sweep("logistic influence, n = 100,000", "m", COLUMNS, 1, _logistic, "logistic"),
    Sweep("quadratic influence, n = 20,000", "d", INPUTS, 2, _quadratic, "quadratic"),
    Sweep("kernel influence (RBF, l2), m = 64", "n", SAMPLES, 0, _kernel, "kernel"),
    Sweep("robust linear fit, m = 50, eps = 0.02", "n", ROBUST, 0, _robust, "robust"),
)


def generate(size: data.Size) -> tuple[data.Size]:
    """For `bench.memory`: contestants make their data themselves, as its baseline."""
    return (size,)


def _complete(prepare: Callable[..., Callable[[int | None], Any]]) -> Callable[[data.Size], Any]:
    def run(size: data.Size) -> Any:
        call = prepare(*size)
        memory.restart()  # what counts is from here on
        return call(None)

    return run


COMPLETE = {sweep.module_name: _complete(sweep.prepare) for sweep in SWEEPS}


def measure(sweep: Sweep, repeat: int) -> tuple[Array, Array, list[float | None]]:
    """Sizes (k,), seconds (2, k) on one thread and on all, bytes beyond the data at each size."""
    sizes, times, peaks = [], [], []
    for n, m in sweep.sizes:
        call = sweep.prepare(n, m)
        runs = {"one": lambda call=call: call(1), "all": lambda call=call: call(None)}
        one, many = (run() for run in runs.values())
        if not np.allclose(one, many, rtol=1e-9, atol=1e-12 * np.abs(one).max()):
            raise SystemExit(f"{sweep.what}: {n} × {m} differs between one thread and all")
        found = timing.interleaved(runs, repeat)
        sizes.append((n, m, m * (m + 3) // 2)[sweep.axis])
        times.append([found["one"], found["all"]])
        peaks.append(memory.peak("bench.growth", sweep.module_name, (n, m)))
    return np.array(sizes, dtype=float), np.array(times).T, peaks


def exponent(sizes: Array, seconds: Array) -> float:
    """The slope of log time on log size over the larger half of the sizes."""
    half = sizes.size // 2
    return float(np.polyfit(np.log(sizes[half:]), np.log(seconds[half:]), 1)[0])


def lines_of(sweep: Sweep, sizes: Array, times: Array, peaks: list[float | None]) -> list[str]:
    """A table, and its exponents."""
    rows = [
        [
            f"{sweep.grows} = {size:,.0f}",
            *(report.milliseconds(t) for t in both),
            f"{both[0] / both[1]:.2f}",
            memory.megabytes(peak),
        ]
        for size, both, peak in zip(sizes, times.T, peaks, strict=True)
    ]
    one, many = (f"{sweep.grows}^{exponent(sizes, row):.2f}" for row in times)
    title = f"{sweep.what[0].upper()}{sweep.what[1:]}:"
    slopes = f"Time grows as {one} on one thread, {many} on all."
    return [title, "", *report.table(HEADER, rows), "", slopes, ""]


def plot(results: list[tuple[Sweep, Array, Array]], file: Path) -> None:
    """A panel a sweep, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 6.6), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    for ax in panels[len(results) :]:
        ax.remove()
    for ax, (sweep, sizes, times) in zip(panels, results, strict=False):
        names = ("one thread", f"{machine.threads()} threads")
        for row, name, style in zip(times, names, ("o--", "s-"), strict=True):
            label = f"{name}: {sweep.grows}$^{{{exponent(sizes, row):.2f}}}$"
            ax.loglog(sizes, 1e3 * row, style, label=label, markersize=4)
        ax.set_title(sweep.what, fontsize="small")
        ax.set(xlabel=sweep.grows, ylabel="milliseconds")
        ax.set_xticks(sizes, [f"{size:,.0f}" for size in sizes], fontsize="x-small")
        ax.minorticks_off()
        ax.grid(alpha=0.3)
        ax.legend(fontsize="x-small")
    figure.savefig(file, dpi=110)


def main() -> None:
    options = _options()
    text = [*machine.preamble(), f"Floor: {floor.measure()}", "",
            f"Growth: medians of {options.repeat} interleaved runs", ""]  # fmt: skip
    results = []
    for sweep in SWEEPS:
        if options.quick:
            sweep = sweep._replace(sizes=sweep.sizes[:3])
        sizes, times, peaks = measure(sweep, options.repeat)
        results.append((sweep, sizes, times))
        text += lines_of(sweep, sizes, times, peaks)
        print("  done:", sweep.what, flush=True)
    print("\n".join(text))
    if options.markdown:
        options.markdown.write_text("\n".join(text) + "\n", encoding="utf-8")
    if options.plot:
        plot(results, options.plot)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the tables there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it (.png, .svg, ...)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
