# Pointers and shapes as in `csrc/shim/take.pxi`, of whatever is handed over: for measuring alone.


cdef inline int _tuple(object value, Py_ssize_t length, str name, str argument) except -1:
    return 0


cdef inline int _take(
    object value, fa_array *out, int kind, int axes, bint written, str name, str path
) except -1:
    cdef Py_buffer view
    cdef int i
    PyObject_GetBuffer(value, &view, PyBUF_STRIDES)
    out.bytes = <int>view.itemsize
    out.size = view.len // view.itemsize
    out.data = view.buf if out.size else NULL
    for i in range(axes):
        out.shape[i] = view.shape[i]
    PyBuffer_Release(&view)
    return 0
