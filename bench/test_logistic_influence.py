"""Logistic influence: fastaif and its peers (FASTAIF_BENCH_FULL=1 for the full sizes)."""

from __future__ import annotations

import os

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import data, logistic

FULL = os.environ.get("FASTAIF_BENCH_FULL") == "1"
SIZES = data.FULL_SIZES if FULL else data.QUICK_SIZES


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def problem(request: pytest.FixtureRequest) -> logistic.Problem:
    return logistic.problem(request.param)


@pytest.mark.parametrize("name", logistic.CONTESTANTS)
def test_logistic_influence(
    name: str, problem: logistic.Problem, benchmark: BenchmarkFixture
) -> None:
    if name in logistic.missing():
        pytest.skip(logistic.missing()[name])
    run = logistic.CONTESTANTS[name](problem)
    benchmark.group = f"{problem.X.shape[0]} x {problem.X.shape[1]}"
    result = benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    peer = logistic.WHOLE if name == logistic.BLOCKED else logistic.BLOCKED
    reference = logistic.CONTESTANTS[peer](problem)()
    assert logistic.disagreement(result, reference) <= logistic.TOLERANCE
