# Sums of linear predictors.


def linear_sums(rows, predictor, norm_of, inner, int need, sums):
    """See `fastaif._compute.numba_ops.linear_sums`."""
    cdef const double[::1] y = rows.y, weight = rows.weight
    cdef const double[::1] beta = predictor.beta
    cdef const double[::1] shift = predictor.shift, scale = predictor.inverse_scale
    cdef const double[::1] norm_shift = norm_of.shift, norm_scale = norm_of.inverse_scale
    cdef const double[::1] multiplier = inner.multiplier
    cdef double[:, ::1] hessian = sums.hessian, vectors = sums.vectors
    cdef double[::1] scalars = sums.scalars
    cdef fa_rows r = _inputs(rows.x)
    cdef fa_predictor f
    cdef fa_norm_of norm
    cdef fa_inner inside
    cdef fa_sums out
    cdef int failed
    r.y, r.weight = _start(y), _start(weight)
    f.beta, f.intercept = _start(beta), predictor.intercept
    f.shift, f.inverse_scale = _start(shift), _start(scale)
    norm.p, norm.shift, norm.inverse_scale = norm_of.p, _start(norm_shift), _start(norm_scale)
    inside.loss, inside.delta, inside.kappa = inner.loss, inner.delta, inner.kappa
    inside.smoothing, inside.exponent = inner.smoothing, inner.exponent
    inside.multiplier = _start(multiplier)
    out.hessian = &hessian[0, 0] if hessian.shape[0] else NULL
    out.vectors, out.scalars = &vectors[0, 0], &scalars[0]
    with nogil:
        failed = fa_chosen.linear_sums(&r, &f, &norm, &inside, need, &out)
    if failed:
        raise MemoryError("no memory for a block of rows")


def sparse_sums(x, predictor, double p, inner, int need, sums):
    """See `fastaif._compute.numba_ops.sparse_sums`."""
    cdef const double[::1] y = x.y, weight = x.weight, beta = predictor.beta
    cdef const double[::1] multiplier = inner.multiplier, doubles
    cdef const float[::1] singles
    cdef const int32_t[::1] columns = x.columns
    cdef const int64_t[::1] starts = x.starts
    cdef fa_sparse_rows r
    cdef fa_predictor f
    cdef fa_inner inside = _natural(inner)
    cdef fa_sums out = _sums(sums.hessian, sums.vectors, sums.scalars)
    cdef int failed
    if y.shape[0] == 0:
        return
    r.doubles, r.singles, r.columns = NULL, NULL, NULL
    if columns.shape[0]:
        r.columns = &columns[0]
    if x.values.dtype.itemsize == 4:
        singles = x.values
        if singles.shape[0]:
            r.singles = &singles[0]
    else:
        doubles = x.values
        r.doubles = _start(doubles)
    r.starts, r.n, r.m = &starts[0], y.shape[0], beta.shape[0]
    r.y, r.weight = &y[0], _start(weight)
    f.beta, f.intercept, f.shift, f.inverse_scale = &beta[0], predictor.intercept, NULL, NULL
    inside.multiplier = _start(multiplier)
    with nogil:
        failed = fa_chosen.sparse_sums(&r, &f, p, &inside, need, &out)
    if failed:
        raise MemoryError("no memory for a strip of rows")


def linear_batch(rows, const int64_t[:, ::1] spans, model, attack, found):
    """See `fastaif._compute.numba_ops.linear_batch`."""
    cdef const double[::1] y = rows.y, weight = rows.weight
    cdef const double[::1] weights = attack.weights, inverse = attack.inverse
    cdef double[:, ::1] params = found.params, influence = found.influence
    cdef double[:, ::1] numbers = found.numbers
    cdef int64_t[:, ::1] status = found.status
    cdef fa_rows r = _inputs(rows.x)
    cdef fa_batch_model shared
    cdef fa_batch_attack steepest
    cdef fa_batch_found out
    cdef int failed
    if spans.shape[0] == 0:
        return
    r.y, r.weight = &y[0], _start(weight)
    shared.loss, shared.delta, shared.alpha = model.loss, model.delta, model.alpha
    shared.damping, shared.fit_intercept = model.damping, model.fit_intercept
    steepest.p, steepest.radius = attack.p, attack.radius
    steepest.weights, steepest.inverse = &weights[0], &inverse[0]
    out.theta, out.influence, out.numbers = &params[0, 0], &influence[0, 0], &numbers[0, 0]
    out.status, out.wants_influence = &status[0, 0], model.wants_influence
    with nogil:
        failed = fa_chosen.linear_batch(
            &r, &spans[0, 0], spans.shape[0], &shared, &steepest, &out)
    if failed:
        raise MemoryError("no memory for the columns of a problem")


def linear_products(
    x, const double[::1] c, const double[::1] shift, const double[::1] inverse_scale,
    const double[:, ::1] U, double[:, ::1] out
):
    """See `fastaif._compute.numba_ops.hessian_products`."""
    cdef fa_rows r = _inputs(x)
    cdef int failed
    with nogil:
        failed = fa_chosen.linear_products(
            &r, &c[0], _start(shift), _start(inverse_scale), &U[0, 0], U.shape[1], &out[0, 0])
    if failed:
        raise MemoryError("no memory for a block of rows")
