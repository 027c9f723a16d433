"""Partial results merge along one fixed tree, whatever the number and order of threads."""

from __future__ import annotations

import random
import threading
import time

import pytest

from fastaif.data import blas
from fastaif.data.parallel import (
    default_threads,
    for_each,
    for_each_in_order,
    reduce_chunks,
    stop_if_asked,
)


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


def slowly(done):
    """A task that asks now and then whether anybody waits for it."""

    def work(task):
        for _ in range(5):
            time.sleep(1e-3)
            stop_if_asked()
        done.append(task)

    return work


def test_the_last_tasks_are_not_given_up():
    for _ in range(20):
        done = []
        for_each(3, slowly(done), 2)
        for_each_in_order(3, lambda task: None, slowly(done), 2)
        assert sorted(done) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("failing", [0, 1])
def test_nested_tasks_are_given_up_with_the_first_error(failing):
    done = []

    def outer(task):
        if task == failing:
            time.sleep(5e-3)
            raise KeyError("outer")
        for_each(1000, slowly(done), 2)

    began = time.monotonic()
    with pytest.raises(KeyError, match="outer"):
        for_each(2, outer, 2)
    assert time.monotonic() - began < 2.0
    assert len(done) < 100


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_reading_is_in_order_and_a_few_tasks_ahead(n_threads):
    read, worked, readers, most = [], [], set(), 0

    def work(task):
        nonlocal most
        assert task in read
        most = max(most, len(read) - len(worked))
        time.sleep(1e-4)
        worked.append(task)

    def one(task):
        readers.add(threading.current_thread())
        read.append(task)

    for_each_in_order(200, one, work, n_threads)
    assert read == list(range(200))
    assert sorted(worked) == read
    assert readers == {threading.current_thread()}
    assert most <= 3 * n_threads + 2


@pytest.mark.parametrize("where", ["read", "work"])
def test_an_error_while_reading_or_working(where):
    def fail(task):
        if task == 20:
            raise KeyError("twenty")

    parts = {"read": lambda task: None, "work": lambda task: None} | {where: fail}
    with pytest.raises(KeyError, match="twenty"):
        for_each_in_order(200, parts["read"], parts["work"], 3)


def test_blas_has_its_threads_back_whoever_leaves_last():
    """The thread that came first is still alive when the other one leaves."""
    with blas.single_threaded_blas():
        libraries = list(blas._libraries)
    before = [library.get() for library in libraries]
    for library in libraries:
        library.set(2)
    first_in, second_in, first_out, may_end = (threading.Event() for _ in range(4))

    def first():
        with blas.single_threaded_blas():
            first_in.set()
            second_in.wait(10)
        first_out.set()
        may_end.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait(10)
    with blas.single_threaded_blas():
        assert [library.get() for library in libraries] == [1] * len(libraries)
        second_in.set()
        first_out.wait(10)
    after = [library.get() for library in libraries]
    may_end.set()
    thread.join()
    for library, threads in zip(libraries, before, strict=True):
        library.set(threads)
    assert after == [2] * len(libraries)


def test_the_environment_says_how_many_threads(monkeypatch):
    monkeypatch.setenv("FASTAIF_NUM_THREADS", "3")
    assert default_threads() == 3
    for wrong in ("0", "two", "-1"):
        monkeypatch.setenv("FASTAIF_NUM_THREADS", wrong)
        with pytest.raises(ValueError, match=f"FASTAIF_NUM_THREADS.*'{wrong}'"):
            default_threads()
    monkeypatch.setenv("FASTAIF_NUM_THREADS", "")
    assert default_threads() >= 1
