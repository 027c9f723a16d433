# From a caller's object to a pointer and a shape, if it is an array that the table allows.
#
# `bench/unchecked.pxi` is the same without looking: what the difference costs is measured there.

cdef object _ndarray = numpy.ndarray
cdef object _double = numpy.dtype("float64"), _single = numpy.dtype("float32")
cdef object _int64 = numpy.dtype("int64"), _int32 = numpy.dtype("int32")


cdef int _tuple(object value, Py_ssize_t length, str name, str argument) except -1:
    """A group of arguments: a tuple, whose items are alive as long as it is."""
    if not PyTuple_Check(value) or PyTuple_GET_SIZE(value) != length:
        raise _checks.no_group(name, argument, value)
    return 0


cdef inline bint _is(object dtype, object wanted):
    return dtype is wanted or dtype == wanted


cdef int _take(
    object value, fa_array *out, int kind, int axes, bint written, str name, str path
) except -1:
    """The array's pointer and shape, if it is one of that type, layout and number of axes.

    The caller's reference keeps its memory alive while an operation runs.
    """
    cdef Py_buffer view
    cdef int i
    cdef bint fine
    if type(value) is not _ndarray and not isinstance(value, _ndarray):
        raise _checks.unusable(name, path, value)
    dtype = value.dtype
    if kind == A_DOUBLE:
        fine = _is(dtype, _double)
    elif kind == A_REAL:
        fine = _is(dtype, _double) or _is(dtype, _single)
    elif kind == AN_INT64:
        fine = _is(dtype, _int64)
    else:
        fine = _is(dtype, _int32)
    if not fine:
        raise _checks.unusable(name, path, value)
    PyObject_GetBuffer(value, &view, PyBUF_STRIDES)
    fine = (
        view.ndim == axes
        and not (written and view.readonly)
        and PyBuffer_IsContiguous(&view, b"C")
        and (view.len == 0 or <uintptr_t>view.buf % <uintptr_t>view.itemsize == 0)
    )
    if fine:
        out.bytes = <int>view.itemsize
        out.size = view.len // view.itemsize
        out.data = view.buf if out.size else NULL
        for i in range(axes):
            out.shape[i] = view.shape[i]
    PyBuffer_Release(&view)
    if not fine:
        raise _checks.unusable(name, path, value)
    return 0
