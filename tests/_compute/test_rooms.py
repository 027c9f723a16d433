"""Arrays of memory that is used again."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from fastaif import _compute
from fastaif._compute import rooms
from fastaif._compute.rooms import empty_matrix, zero_matrices

ROWS = 400  # more than what is left to NumPy, less than what has large pages of its own


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("rows", [0, 3, ROWS, 800])
def test_shape_and_order(rows, order):
    found = empty_matrix(rows, 401, order)
    assert found.shape == (rows, 401)
    assert found.dtype == np.float64
    assert found.flags.c_contiguous if order == "C" else found.flags.f_contiguous
    assert found.flags.writeable


def test_no_two_live_arrays_share_memory():
    kept = [empty_matrix(ROWS, ROWS) for _ in range(20)]
    for number, array in enumerate(kept):
        array.fill(number)
    assert [array.min() for array in kept] == [array.max() for array in kept] == list(range(20))


def test_a_view_keeps_its_memory():
    part = empty_matrix(ROWS, ROWS)[1:3]
    part.fill(7.0)
    gc.collect()
    empty_matrix(ROWS, ROWS).fill(1.0)
    assert (part == 7.0).all()


def test_zeros_are_zero_in_used_memory():
    empty_matrix(ROWS, ROWS).fill(np.nan)
    found = zero_matrices(4, 200, 200)
    assert found.shape == (4, 200, 200)
    assert not found.any()
    assert zero_matrices(0, 0, 0).shape == (0, 0, 0)


@pytest.mark.skipif(not _compute.native_available(), reason="the C extension was not built")
def test_memory_is_used_again():
    first = rooms.room(200_000)
    address = first.ctypes.data
    del first
    places = [rooms.room(200_000) for _ in range(16)]
    assert address in [place.ctypes.data for place in places]
    assert all(place.ctypes.data % 64 == 0 for place in places)


def test_threads_do_not_meet():
    wrong = []

    def work(number):
        for _ in range(50):
            array = empty_matrix(ROWS, ROWS)
            array.fill(number)
            if not (array == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
