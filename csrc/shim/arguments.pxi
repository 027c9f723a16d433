# Structures that several operations are handed.


cdef inline const double *_start(const double[::1] values) noexcept nogil:
    """The first of them, or null where there are none."""
    return &values[0] if values.shape[0] else NULL


cdef fa_rows _inputs(x):
    """The matrix of a range of rows, double or single, whose array the caller holds."""
    cdef const double[:, ::1] doubles
    cdef const float[:, ::1] singles
    cdef fa_rows r
    r.doubles, r.singles, r.y, r.weight = NULL, NULL, NULL, NULL
    r.n, r.m = x.shape
    if r.n == 0 or r.m == 0:
        raise ValueError("rows without entries have no sums")
    if x.dtype.itemsize == 4:
        singles = x
        r.singles = &singles[0, 0]
    else:
        doubles = x
        r.doubles = &doubles[0, 0]
    return r


cdef fa_sums _sums(double[:, ::1] hessian, double[:, ::1] vectors, double[::1] scalars):
    cdef fa_sums out
    out.hessian = &hessian[0, 0] if hessian.shape[0] else NULL
    out.vectors, out.scalars = &vectors[0, 0], &scalars[0]
    return out


cdef fa_inner _natural(inner):
    """The loss where there is no attack: no multipliers."""
    cdef fa_inner inside
    inside.loss, inside.delta, inside.kappa = inner.loss, inner.delta, inner.kappa
    inside.smoothing, inside.exponent, inside.multiplier = inner.smoothing, inner.exponent, NULL
    return inside
