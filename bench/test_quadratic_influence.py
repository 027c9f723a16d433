"""Quadratic regression: fastaif and its peers (FASTAIF_BENCH_FULL=1 for the full sizes)."""

from __future__ import annotations

import os

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import data, quadratic

FULL = os.environ.get("FASTAIF_BENCH_FULL") == "1"
SIZES = data.QUADRATIC_SIZES if FULL else data.QUADRATIC_QUICK_SIZES


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def problem(request: pytest.FixtureRequest) -> quadratic.Problem:
    return quadratic.problem(request.param)


@pytest.mark.parametrize("name", quadratic.CONTESTANTS)
def test_quadratic_influence(
    name: str, problem: quadratic.Problem, benchmark: BenchmarkFixture
) -> None:
    if name in quadratic.missing():
        pytest.skip(quadratic.missing()[name])
    run = quadratic.CONTESTANTS[name](problem)
    benchmark.group = f"influence, {problem.X.shape[0]} x {problem.X.shape[1]}"
    result = benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    peer = quadratic.BLOCKED if name == quadratic.WHOLE else quadratic.WHOLE
    reference = quadratic.CONTESTANTS[peer](problem)()
    assert quadratic.disagreement(result, reference) <= quadratic.TOLERANCE


@pytest.mark.parametrize("name", quadratic.FITS)
def test_quadratic_fit(name: str, problem: quadratic.Problem, benchmark: BenchmarkFixture) -> None:
    benchmark.group = f"fit, {problem.X.shape[0]} x {problem.X.shape[1]}"
    result = benchmark.pedantic(quadratic.FITS[name](problem), rounds=5, warmup_rounds=1)
    peer = quadratic.BLOCKED if name == quadratic.WHOLE else quadratic.WHOLE
    assert quadratic.disagreement(result, quadratic.FITS[peer](problem)()) <= quadratic.TOLERANCE
