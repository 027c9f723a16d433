"""One table: fastaif beside its peers and the machine's floor (`python -m bench.table`)."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import cold, data, floor, logistic, machine, ours, report, timing

HEADER = ("n × m", "floor", *logistic.CONTESTANTS, "ratio", "of the floor", "2nd thread")
LOSSES = {"logistic": "Logistic", "squared_error": "Squared error", "poisson": "Poisson"}
COLD_HEADER = (
    "process",
    "import NumPy, scikit-learn",
    "import fastaif",
    "fit",
    "first aif",
    "second aif",
    "compiled",
    "from cache",
    "Numba imported",
)


def main() -> None:
    options = _options()
    ours.set_backend(options.backend)
    lines = machine.preamble(f"Backend asked of fastaif: {options.backend}")
    print("\n".join(lines), flush=True)
    limits = floor.measure()
    lines += _show(
        f"Floor: {limits}",
        "",
        f"{LOSSES[options.loss]} influence, float64, p = 2: medians of {options.repeat} "
        "interleaved runs, ms",
        "",
    )
    rows = []
    for size in options.sizes:
        rows.append(row(size, limits, options))
        print("  done:", " | ".join(rows[-1]), flush=True)
    lines += _show("", *report.table(HEADER, rows), "", *_notes(options.loss))
    # If these differ from the first, something else kept the machine busy: measure again.
    lines += _show(f"The floor's rates again, at the end: {floor.measure()}", "")
    if not options.no_cold:
        lines += _show(*_cold(options.backend))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


def row(size: data.Size, limits: floor.Floor, options: argparse.Namespace) -> list[str]:
    """One line of the table; raises if somebody's result differs from the others'."""
    problem = logistic.problem(size, loss=options.loss)
    runs = {
        name: make(problem)
        for name, make in logistic.CONTESTANTS.items()
        if name not in logistic.missing(options.loss)
    }
    _check(runs)
    times = timing.interleaved(runs, options.repeat)
    least, mine = limits.seconds(*size), times[logistic.OURS]
    numpy = [times[name] for name in (logistic.WHOLE, logistic.BLOCKED) if name in times]
    return [
        f"{size[0]:,} × {size[1]}",
        report.milliseconds(least),
        *(report.milliseconds(times.get(name)) for name in logistic.CONTESTANTS),
        f"{min(numpy) / mine:.2f}" if numpy else "–",
        f"{least / mine:.2f}",
        f"{times[logistic.ALONE] / mine:.2f}",
    ]


def _check(runs: dict[str, logistic.Run]) -> None:
    """Every result against one of another program. This first run of each is its warm-up too."""
    judge = logistic.WHOLE if logistic.WHOLE in runs else logistic.NUMBA
    reference = runs[judge]()
    for name, run in runs.items():
        error = logistic.disagreement(run(), reference)
        if not error <= logistic.TOLERANCE:  # NaN fails as well
            raise SystemExit(f"{name} differs from {judge} by {error:.1e} (relative)")


def _notes(loss: str) -> list[str]:
    notes = [
        "ratio: the faster NumPy over fastaif; of the floor: floor over fastaif; 2nd thread: "
        f"fastaif on one thread over fastaif. All results agree to {logistic.TOLERANCE:.0e}."
    ]
    return notes + [f"{name}: {reason}." for name, reason in logistic.missing(loss).items()]


def _cold(backend: str) -> list[str]:
    names = ("first, empty cache", "second")
    rows = [
        [
            name,
            *(report.milliseconds(child[k]) for k in ("given", "import", "fit", "first", "second")),
            *(str(child[key]) for key in ("compiled", "loaded")),
            "yes" if child["numba"] else "no",
        ]
        for name, child in zip(names, cold.processes(backend), strict=True)
    ]
    size = f"{cold.SIZE[0]:,} × {cold.SIZE[1]}"
    return [f"Cold start, fresh processes, {size}, ms", "", *report.table(COLD_HEADER, rows)]


def _show(*lines: str) -> list[str]:
    print("\n".join(lines), flush=True)
    return list(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.table", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, help="such as 1000000x16,300000x256")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each, at least 5")
    parser.add_argument("--backend", choices=("auto", "native", "numba"), default="auto")
    parser.add_argument("--loss", choices=tuple(LOSSES), default="logistic")
    parser.add_argument("--no-cold", action="store_true", help="leave the cold start out")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the tables there")
    options = parser.parse_args()
    if options.repeat < 5:
        parser.error("--repeat: a median needs at least 5 runs")
    options.sizes = options.sizes or (data.QUICK_SIZES if options.quick else data.FULL_SIZES)
    return options


def _sizes(text: str) -> tuple[data.Size, ...]:
    pairs = [item.split("x") for item in text.split(",")]
    return tuple((int(n), int(m)) for n, m in pairs)


if __name__ == "__main__":
    main()
