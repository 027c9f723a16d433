"""The Bayesian bootstrap: fastaif and NumPy's loop (FASTAIF_BENCH_FULL=1 for all draws)."""

from __future__ import annotations

import os

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import bootstrap, ours
from bench.peers import numpy_bootstrap

FULL = os.environ.get("FASTAIF_BENCH_FULL") == "1"
DRAWS = bootstrap.DRAWS if FULL else bootstrap.QUICK_DRAWS


@pytest.fixture(scope="module", params=bootstrap.KINDS)
def case(request: pytest.FixtureRequest) -> bootstrap.Problem:
    found = bootstrap.problem(request.param)
    assert bootstrap.disagreement(found, bootstrap.SAMPLES) <= bootstrap.TOLERANCE
    return found


def test_fastaif(case: bootstrap.Problem, benchmark: BenchmarkFixture) -> None:
    arguments = (case.result, DRAWS, bootstrap.SEED)
    result = benchmark.pedantic(ours.bootstrap, arguments, rounds=5, warmup_rounds=1)
    assert result.shape == (DRAWS, bootstrap.FEATURES + 1)


def test_numpy(case: bootstrap.Problem, benchmark: BenchmarkFixture) -> None:
    def loop() -> ours.Array:
        weights = numpy_bootstrap.exponential(DRAWS, bootstrap.SAMPLES, bootstrap.SEED)
        return case.peer(weights)

    result = benchmark.pedantic(loop, rounds=3, warmup_rounds=1)
    assert result.shape == (DRAWS, bootstrap.FEATURES + 1)
