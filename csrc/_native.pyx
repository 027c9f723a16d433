# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A shim: arrays that are what the table of operations says into the C operations.

Every function has the name, arguments and results of its counterpart in
`fastaif/_compute/numba_ops`, whose docstring says what they are.
"""

from cpython.buffer cimport (
    Py_buffer, PyBUF_STRIDES, PyBuffer_FillInfo, PyBuffer_IsContiguous, PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.tuple cimport PyTuple_Check, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uintptr_t

import numpy

from fastaif._compute import checks as _checks

include "operation_shim.pxi"
include "shim/arrays.pxi"
include "shim/take.pxi"

cdef extern from "scratch.h":
    void *fa_borrow(size_t bytes) nogil
    void fa_give_back(void *block) nogil


cdef class Room:
    """A block of doubles, a buffer of bytes, that is given back when nobody looks at it any more."""

    cdef void *_block
    cdef Py_ssize_t _bytes

    def __cinit__(self, Py_ssize_t doubles):
        self._bytes = doubles * <Py_ssize_t>sizeof(double)
        self._block = fa_borrow(<size_t>self._bytes)
        if self._block == NULL:
            raise MemoryError

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self._block, self._bytes, 0, flags)

    def __dealloc__(self):
        fa_give_back(self._block)


def instruction_set():
    """The name of the instruction set in use."""
    return fa_chosen.name.decode()


def available_instruction_sets():
    """The names of those that this machine has, widest first."""
    names, i = [], 0
    while fa_available(i) != NULL:
        names.append(fa_available(i).decode())
        i += 1
    return names


def choose_instruction_set(name=None):
    """Use that set from now on; the widest where no name is given."""
    cdef const char *text = NULL
    encoded = None if name is None else name.encode()
    if encoded is not None:
        text = encoded
    if fa_choose(text):
        known = ", ".join(available_instruction_sets())
        raise ValueError(f"this machine has no instruction set {name!r}; it has {known}")
