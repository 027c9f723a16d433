"""The least time in which this machine could do the work: a roofline measured in this process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench.machine import threads
from bench.timing import median_seconds

Array = NDArray[np.float64]

GEMM_ORDER = 2048
READ_BYTES = 1 << 30
READ_COLUMNS = 4096


@dataclass(frozen=True)
class Floor:
    gemm: float  # flops per second of dgemm at GEMM_ORDER^3, all threads
    bandwidth: float  # bytes per second read from memory, all threads
    gemm_alone: float  # flops per second of dgemm, one thread

    def __str__(self) -> str:
        rate, bandwidth = self.gemm / 1e9, self.bandwidth / 1e9
        scaling = self.gemm / self.gemm_alone
        return (
            f"dgemm {rate:.0f} Gflop/s at {GEMM_ORDER}³ ({scaling:.2f} times one thread's), "
            f"read {bandwidth:.1f} GB/s"
        )

    def seconds(self, n: int, m: int, features: int | None = None) -> float:
        """One read of X (n, m) and a multiply-add for each entry of one triangle of X^T X.

        Of V^T V where a number of `features` is formed from X. The larger of the two: a perfect
        program would overlap them.
        """
        width = features or m
        return max(8.0 * n * m / self.bandwidth, float(n) * width * width / self.gemm)


def measure(repeat: int = 7) -> Floor:
    """Medians of `repeat` runs; about three seconds."""
    with threadpool_limits(1, user_api="blas"):
        alone = gemm_rate(repeat)
    return Floor(gemm_rate(repeat), _read_bandwidth(repeat), alone)


def gemm_rate(repeat: int) -> float:
    """Flops per second of dgemm at GEMM_ORDER³, on as many threads as BLAS may use."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, GEMM_ORDER, GEMM_ORDER))
    out = np.empty_like(a)
    return 2.0 * GEMM_ORDER**3 / median_seconds(lambda: np.matmul(a, b, out=out), repeat)


def _read_bandwidth(repeat: int) -> float:
    """The best of several readers: which one saturates memory depends on the machine."""
    values = np.ones(READ_BYTES // 8).reshape(-1, READ_COLUMNS)
    flat, ones = values.reshape(-1), np.ones(READ_COLUMNS)
    fastest = median_seconds(lambda: flat @ flat, repeat)
    with ThreadPoolExecutor(threads()) as pool, threadpool_limits(1, user_api="blas"):
        parts = np.array_split(values, threads())
        for reader in (np.max, np.sum, lambda part: part @ ones):
            whole = partial(_read, pool, reader, parts)
            fastest = min(fastest, median_seconds(whole, repeat))
    return READ_BYTES / fastest


def _read(pool: ThreadPoolExecutor, reader: Callable[[Array], Any], parts: list[Array]) -> None:
    for _ in pool.map(reader, parts):
        pass
