"""Figure 2(a): fastaif and NumPy's loops (FASTAIF_BENCH_FULL=1 for all 1,000 repetitions).

Peers always run PEER_REPETITIONS of them; BLAS is left on its default number of threads.
"""

from __future__ import annotations

import os

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import figure2a, ours

FULL = os.environ.get("FASTAIF_BENCH_FULL") == "1"
REPETITIONS = figure2a.REPETITIONS if FULL else figure2a.PEER_REPETITIONS


@pytest.mark.parametrize("threads", [1, 2])
def test_fastaif(threads: int, benchmark: BenchmarkFixture) -> None:
    benchmark.group = "figure 2(a)"
    arguments = (figure2a.SAMPLES, REPETITIONS, threads)
    result = benchmark.pedantic(ours.figure2a, arguments, rounds=5, warmup_rounds=1)
    assert result.shape == (REPETITIONS, figure2a.FEATURES)


@pytest.mark.parametrize("name", figure2a.METHODS)
def test_numpy(name: str, benchmark: BenchmarkFixture) -> None:
    benchmark.group = "figure 2(a)"
    method = figure2a.METHODS[name]
    result = benchmark.pedantic(figure2a.peer, (method,), rounds=3, warmup_rounds=1)
    assert result.shape == (figure2a.PEER_REPETITIONS, figure2a.FEATURES)
