"""Quadratic regression beside NumPy, JAX and the floor (`python -m bench.quadratic`)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import data, floor, machine, memory, ours, report, timing
from bench.peers import jax_expert, jax_quadratic, numpy_quadratic

Array = NDArray[np.float64]
Run = Callable[[], Array]

OURS, WHOLE, BLOCKED, JAX = "fastaif", "NumPy whole", "NumPy blocked", "JAX"
TOLERANCE = 1e-8
ALPHA = 1e-3


@dataclass(frozen=True)
class Problem:
    """Data and the fitted model at which everybody computes the influence."""

    X: Array
    y: Array
    model: Any

    @property
    def parameters(self) -> numpy_quadratic.Model:
        model = self.model
        return numpy_quadratic.Model(model.coef_, model.quadratic_, float(model.intercept_))

    @property
    def theta(self) -> Array:
        """What a fit found, in the peers' order."""
        return np.append(self.model.theta_coefficients(), self.model.intercept_)


def generate(size: data.Size) -> tuple[Array, Array]:
    return data.quadratic(*size)


def problem(size: data.Size) -> Problem:
    X, y = generate(size)
    return Problem(X, y, ours.quadratic(X, y, ALPHA))


def _ours(q: Problem) -> Run:
    return lambda: ours.influence(q.model, q.X, q.y)


def _whole(q: Problem) -> Run:
    return lambda: numpy_quadratic.influence_whole(q.X, q.y, q.parameters, ALPHA)


def _blocked(q: Problem) -> Run:
    block = numpy_quadratic.tuned_block(q.X.shape[1])
    return lambda: numpy_quadratic.influence_blocked(q.X, q.y, q.parameters, ALPHA, block)


def _jax(q: Problem) -> Run:
    influence = jax_quadratic.runner(q.X, q.y)
    return lambda: influence(*q.parameters, ALPHA)


def _our_fit(q: Problem) -> Run:
    return lambda: Problem(q.X, q.y, ours.quadratic(q.X, q.y, ALPHA)).theta


def _whole_fit(q: Problem) -> Run:
    return lambda: numpy_quadratic.fit_whole(q.X, q.y, ALPHA)


def _blocked_fit(q: Problem) -> Run:
    block = numpy_quadratic.tuned_block(q.X.shape[1])
    return lambda: numpy_quadratic.fit_blocked(q.X, q.y, ALPHA, block)


CONTESTANTS: dict[str, Callable[[Problem], Run]] = {
    OURS: _ours,
    WHOLE: _whole,
    BLOCKED: _blocked,
    JAX: _jax,
}
FITS: dict[str, Callable[[Problem], Run]] = {
    OURS: _our_fit,
    WHOLE: _whole_fit,
    BLOCKED: _blocked_fit,
}


def _our_all(X: Array, y: Array) -> None:
    ours.influence(ours.quadratic(X, y, ALPHA), X, y)


def _whole_all(X: Array, y: Array) -> None:
    theta, m = numpy_quadratic.fit_whole(X, y, ALPHA), X.shape[1]
    matrix = np.zeros((m, m))
    matrix[np.triu_indices(m)] = theta[m:-1]
    model = numpy_quadratic.Model(theta[:m], 0.5 * (matrix + matrix.T), float(theta[-1]))
    numpy_quadratic.influence_whole(X, y, model, ALPHA)


COMPLETE: dict[str, Callable[[Array, Array], None]] = {OURS: _our_all, WHOLE: _whole_all}

HEADER = (
    "n × m",
    "d",
    "what",
    "floor",
    *CONTESTANTS,
    "ratio",
    "of the floor",
    *(f"{name}, MB" for name in COMPLETE),
)


def missing() -> dict[str, str]:
    """Contestants that cannot run here, each with the reason."""
    reason = jax_expert.missing()
    return {JAX: reason} if reason else {}


def disagreement(result: Array, reference: Array) -> float:
    """Relative distance of two vectors; at most TOLERANCE where they agree."""
    return float(np.linalg.norm(result - reference) / np.linalg.norm(reference))


def rows(size: data.Size, limits: floor.Floor, repeat: int) -> list[list[str]]:
    """The lines of one size: the influence, then the fit."""
    q = problem(size)
    influence = _line("influence", _runs(CONTESTANTS, q), size, limits, repeat)
    fit = _line("fit", _runs(FITS, q), size, limits, repeat)
    del q  # the children need the memory
    peaks = [memory.megabytes(memory.peak("bench.quadratic", name, size)) for name in COMPLETE]
    return [influence + peaks, fit + [""] * len(peaks)]


def _runs(makers: Mapping[str, Callable[[Problem], Run]], q: Problem) -> dict[str, Run]:
    return {name: make(q) for name, make in makers.items() if name not in missing()}


def _line(
    what: str, runs: dict[str, Run], size: data.Size, limits: floor.Floor, repeat: int
) -> list[str]:
    _check(what, runs)
    times = timing.interleaved(runs, repeat)
    d = numpy_quadratic.n_features(size[1])
    least, mine = limits.seconds(*size, d), times[OURS]
    return [
        f"{size[0]:,} × {size[1]}",
        str(d),
        what,
        report.milliseconds(least),
        *(report.milliseconds(times.get(name)) for name in CONTESTANTS),
        f"{min(times[WHOLE], times[BLOCKED]) / mine:.2f}",
        f"{least / mine:.2f}",
    ]


def _check(what: str, runs: dict[str, Run]) -> None:
    """Every result against whole-array NumPy's. This first run of each is its warm-up too."""
    reference = runs[WHOLE]()
    for name, run in runs.items():
        error = disagreement(run(), reference)
        if not error <= TOLERANCE:  # NaN fails as well
            raise SystemExit(f"{what}: {name} differs from {WHOLE} by {error:.1e} (relative)")


def _notes(sizes: tuple[data.Size, ...]) -> list[str]:
    blocks = {m: numpy_quadratic.tuned_block(m) for _, m in sizes}
    return [
        "ratio: the faster NumPy over fastaif; of the floor: floor over fastaif. "
        f"All results agree to {TOLERANCE:.0e}.",
        "Rows in a block of NumPy's: "
        + ", ".join(f"{rows:,} at m = {m}" for m, rows in blocks.items())
        + ".",
        *(f"{name}: {reason}." for name, reason in missing().items()),
    ]


def main() -> None:
    options = _options()
    sizes = data.QUADRATIC_QUICK_SIZES if options.quick else data.QUADRATIC_SIZES
    limits = floor.measure()
    found: list[list[str]] = []
    for size in sizes:
        found += rows(size, limits, options.repeat)
        print("  done:", " | ".join(found[-2]), flush=True)
    lines = [
        *machine.preamble(),
        f"Floor: {limits}",
        "",
        f"Quadratic regression, float64, p = 2: medians of {options.repeat} interleaved runs, ms",
        "",
        *report.table(HEADER, found),
        "",
        *_notes(sizes),
        f"The floor's rates again, at the end: {floor.measure()}",
    ]
    report.publish(lines, options.markdown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.quadratic", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
