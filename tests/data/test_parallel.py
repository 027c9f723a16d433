"""Partial results merge along one fixed tree, whatever the number and order of threads."""

from __future__ import annotations

import random
import threading
import time

import pytest

from fastaif.data.parallel import for_each, reduce_chunks


def fixed_tree(leaves):
    """Pairs from the left, level by level; an odd one out moves up alone."""
    while len(leaves) > 1:
        pairs = [f"({a}{b})" for a, b in zip(leaves[::2], leaves[1::2], strict=False)]
        leaves = pairs + leaves[len(leaves) - len(leaves) % 2 :]
    return leaves[0]


def join(a, b):
    return f"({a}{b})"


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_chunks", [1, 2, 3, 5, 6, 7, 8, 17, 100])
def test_tree_is_fixed(n_chunks, n_threads):
    def work(start, stop):
        time.sleep(random.random() * 1e-3)  # so that chunks finish in any order
        return f"{start}."

    chunks = [(k, k + 1) for k in range(n_chunks)]
    found = reduce_chunks(chunks, work, join, n_threads)
    assert found == fixed_tree([f"{k}." for k in range(n_chunks)])


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_every_chunk_is_worked_on_once(n_threads):
    seen, lock = [], threading.Lock()

    def work(task):
        with lock:
            seen.append(task)

    for_each(50, work, n_threads)
    assert sorted(seen) == list(range(50))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_stops_the_rest(n_threads):
    done = []

    def work(task):
        if task == 3:
            raise KeyError("three")
        time.sleep(1e-3)
        done.append(task)

    with pytest.raises(KeyError, match="three"):
        for_each(1000, work, n_threads)
    assert len(done) < 100
    for_each(4, lambda task: done.append(task), n_threads)  # the pool lives on
