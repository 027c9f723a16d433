"""Medians of interleaved runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

# OpenBLAS's threads spin for some 25 ms after a product before they sleep: the next contestant
# must not pay for them.
SETTLE_SECONDS = 0.05
# While it sleeps the processor slows down: for some 20 ms afterwards everybody takes up to twice
# as long. So each contestant finds a processor that has been busy for a moment.
BUSY_SECONDS = 0.03


def seconds(run: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    run()
    return clock() - start


def median_seconds(run: Callable[[], Any], repeat: int) -> float:
    """Median of `repeat` runs after a warm-up."""
    run()
    return median(seconds(run) for _ in range(repeat))


def settle() -> None:
    """Let other threads fall asleep, and the processor wake up."""
    time.sleep(SETTLE_SECONDS)
    start = time.perf_counter()
    while time.perf_counter() - start < BUSY_SECONDS:
        pass


def interleaved(
    runs: Mapping[str, Callable[[], Any]], repeat: int,
    clock: Callable[[], float] = time.perf_counter,
    before: Callable[[Callable[[], Any]], Any] = lambda run: settle(),
) -> dict[str, float]:  # fmt: skip
    """Median seconds of each, in rounds, so that a slow spell of the machine hits them all.

    The order rotates from round to round: nobody always runs after the same one. The caller has
    run each of them once before, as the warm-up; `before` is handed what is timed next.
    """
    names = list(runs)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(repeat):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            before(runs[name])
            samples[name].append(seconds(runs[name], clock))
    return {name: median(values) for name, values in samples.items()}
