# The draws of the Bayesian bootstrap.


cdef class _Drawn:
    """What both bootstrap operations are handed, with the arrays that it points into."""

    cdef const double[::1] y, weight, norms, shift, scale
    cdef const int64_t[::1] numbers, places
    cdef double[:, ::1] kept, gradient, mixed, scalars
    cdef double[:, :, ::1] hessian
    cdef fa_rows rows
    cdef fa_predictor predictor
    cdef fa_inner inner
    cdef fa_draws draws
    cdef fa_draw_sums sums

    def __init__(self, rows, norms, predictor, inner, draws, sums):
        self.y, self.weight, self.norms = rows.y, rows.weight, norms
        self.shift, self.scale = predictor.shift, predictor.inverse_scale
        self.numbers, self.places, self.kept = draws.numbers, draws.places, draws.kept
        self.gradient, self.mixed, self.scalars = sums.gradient, sums.mixed, sums.scalars
        self.hessian = sums.hessian
        self.rows = _inputs(rows.x)
        self.rows.y, self.rows.weight = _start(self.y), _start(self.weight)
        self.predictor.shift = _start(self.shift)
        self.predictor.inverse_scale = _start(self.scale)
        self.inner.loss, self.inner.delta = inner.loss, inner.delta
        self.draws.seed, self.draws.first_row = draws.seed, draws.first_row
        self.draws.count = self.numbers.shape[0]
        self.draws.numbers, self.draws.places = &self.numbers[0], &self.places[0]
        self.draws.kept = &self.kept[0, 0] if self.kept.shape[0] else NULL
        self.draws.n_kept = self.kept.shape[1]
        self.sums.hessian = &self.hessian[0, 0, 0] if self.hessian.shape[0] else NULL
        self.sums.gradient, self.sums.mixed = &self.gradient[0, 0], &self.mixed[0, 0]
        self.sums.scalars = &self.scalars[0, 0]


def bootstrap_start(rows, norms, predictor, inner, draws, const double[::1] theta, sums):
    """See `fastaif._compute.numba_ops.bootstrap_start`."""
    cdef _Drawn at = _Drawn(rows, norms, predictor, inner, draws, sums)
    cdef ptrdiff_t d = theta.shape[0]
    cdef int failed
    with nogil:
        failed = fa_chosen.bootstrap_start(
            &at.rows, &at.norms[0], &at.predictor, &at.inner, &at.draws, &theta[0], d, &at.sums)
    if failed:
        raise MemoryError("no memory for the sums of the draws")


def bootstrap_sums(
    rows, norms, predictor, inner, draws, const double[:, ::1] thetas, int need, sums
):
    """See `fastaif._compute.numba_ops.bootstrap_sums`; `need` is told by the sums' Hessians."""
    cdef _Drawn at = _Drawn(rows, norms, predictor, inner, draws, sums)
    cdef ptrdiff_t d = thetas.shape[1]
    cdef int failed
    with nogil:
        failed = fa_chosen.bootstrap_sums(
            &at.rows, &at.norms[0], &at.predictor, &at.inner, &at.draws, &thetas[0, 0], d, &at.sums)
    if failed:
        raise MemoryError("no memory for the sums of the draws")


def solve_draws(double[:, :, ::1] matrices, double[:, ::1] vectors, double[::1] pivots):
    """See `fastaif._compute.numba_ops.solve_draws`."""
    cdef int failed
    if vectors.shape[0] == 0 or vectors.shape[1] == 0:
        return
    with nogil:
        failed = fa_chosen.solve_draws(
            &matrices[0, 0, 0], &vectors[0, 0], &pivots[0], vectors.shape[0], vectors.shape[1])
    if failed:
        raise MemoryError("no memory for a row")
