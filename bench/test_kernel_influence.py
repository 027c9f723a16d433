"""Kernel regression: fastaif and its peers (FASTAIF_BENCH_FULL=1 for the full sizes)."""

from __future__ import annotations

import os

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import kernels

FULL = os.environ.get("FASTAIF_BENCH_FULL") == "1"
SIZES = kernels.SIZES if FULL else kernels.QUICK_SIZES
CASES = [
    kernels.Case(kernel, workload, n)
    for kernel in kernels.KERNELS.values()
    for workload in (*kernels.PENALTIES, kernels.DIRECTIONAL)
    for n in SIZES
]


@pytest.fixture(scope="module", params=CASES, ids=lambda c: f"{c.kernel.kind}-{c.workload}-{c.n}")
def problem(request: pytest.FixtureRequest) -> tuple[kernels.Case, dict[str, kernels.Run]]:
    return request.param, kernels.runs(request.param)


@pytest.mark.parametrize("name", kernels.CONTESTANTS)
def test_kernel(
    name: str,
    problem: tuple[kernels.Case, dict[str, kernels.Run]],
    benchmark: BenchmarkFixture,
) -> None:
    case, runs = problem
    if name not in runs:
        pytest.skip(kernels.missing().get(name, f"{name} has no {case.workload}"))
    benchmark.group = f"{case.kernel.kind}, {case.workload}, {case.n}"
    result = benchmark.pedantic(runs[name], rounds=5, warmup_rounds=1)
    peer = kernels.BLOCKED if name == kernels.WHOLE else kernels.WHOLE
    assert kernels.disagreement(result, runs[peer]()) <= kernels.TOLERANCE
