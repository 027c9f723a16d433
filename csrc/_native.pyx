# cython: language_level=3, boundscheck=False, wraparound=False
"""A shim: pointers of arrays into the C operations, and nothing else.

Every function has the name, arguments and results of its counterpart in
`fastaif/_compute`, whose docstring says what they are.
"""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t, uint64_t


cdef extern from "dispatch.h" nogil:
    ctypedef struct fa_rows:
        const double *doubles
        const float *singles
        ptrdiff_t n
        ptrdiff_t m
        const double *y
        const double *weight

    ctypedef struct fa_predictor:
        const double *beta
        double intercept
        const double *shift
        const double *inverse_scale

    ctypedef struct fa_norm_of:
        double p
        const double *shift
        const double *inverse_scale

    ctypedef struct fa_inner:
        int loss
        double delta
        double kappa
        double smoothing
        const double *multiplier
        double exponent

    ctypedef struct fa_sums:
        double *hessian
        double *vectors
        double *scalars

    ctypedef struct fa_draws:
        uint64_t seed
        const int64_t *numbers
        const int64_t *places
        ptrdiff_t count
        ptrdiff_t first_row
        double *kept
        ptrdiff_t n_kept

    ctypedef struct fa_draw_sums:
        double *hessian
        double *gradient
        double *mixed
        double *scalars

    ctypedef struct fa_table:
        const char *name
        int (*linear_sums)(
            const fa_rows *, const fa_predictor *, const fa_norm_of *, const fa_inner *, int,
            const fa_sums *) noexcept nogil
        int (*add_gram_of_columns)(const double *, ptrdiff_t, ptrdiff_t, double *) noexcept nogil
        int (*quadratic_moments)(
            const fa_rows *, const double *, const double *, const double *, double *) noexcept nogil
        int (*bootstrap_start)(
            const fa_rows *, const double *, const fa_predictor *, const fa_inner *,
            const fa_draws *, const double *, ptrdiff_t, const fa_draw_sums *) noexcept nogil
        int (*bootstrap_sums)(
            const fa_rows *, const double *, const fa_predictor *, const fa_inner *,
            const fa_draws *, const double *, ptrdiff_t, const fa_draw_sums *) noexcept nogil
        void (*exp)(const double *, double *, ptrdiff_t) noexcept nogil
        void (*negative_log)(const double *, double *, ptrdiff_t) noexcept nogil
        void (*log1p)(const double *, double *, ptrdiff_t) noexcept nogil

    const fa_table *fa_chosen
    int fa_choose(const char *name)
    const char *fa_available(int i)


cdef inline const double *_start(const double[::1] values) noexcept:
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


def linear_sums(rows, predictor, norm_of, inner, int need, sums):
    """See `fastaif._compute.linear_sums`."""
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


def quadratic_moments(rows, basis, const double[::1] weights, double[::1] moments):
    """See `fastaif._compute.quadratic_moments`."""
    cdef const double[::1] shift_of = basis.shift, scale_of = basis.inverse_scale
    cdef const double *shift = _start(shift_of)
    cdef const double *inverse_scale = _start(scale_of)
    cdef fa_rows r = _inputs(rows.x)
    cdef int failed
    with nogil:
        failed = fa_chosen.quadratic_moments(&r, shift, inverse_scale, &weights[0], &moments[0])
    if failed:
        raise MemoryError("no memory for a block of rows")


def add_gram_of_columns(const double[:, ::1] v, double[:, ::1] hessian):
    """See `fastaif._compute._blas.add_gram_of_columns`."""
    cdef int failed
    with nogil:
        failed = fa_chosen.add_gram_of_columns(&v[0, 0], v.shape[0], v.shape[1], &hessian[0, 0])
    if failed:
        raise MemoryError("no memory for a block of features")


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
    """See `fastaif._compute.bootstrap_start`."""
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
    """See `fastaif._compute.bootstrap_sums`; `need` is told by the sums' Hessians."""
    cdef _Drawn at = _Drawn(rows, norms, predictor, inner, draws, sums)
    cdef ptrdiff_t d = thetas.shape[1]
    cdef int failed
    with nogil:
        failed = fa_chosen.bootstrap_sums(
            &at.rows, &at.norms[0], &at.predictor, &at.inner, &at.draws, &thetas[0, 0], d, &at.sums)
    if failed:
        raise MemoryError("no memory for the sums of the draws")


def exp(const double[::1] x, double[::1] out):
    """exp elementwise, by the vectors that the operations use."""
    fa_chosen.exp(&x[0], &out[0], x.shape[0])


def negative_log(const double[::1] x, double[::1] out):
    """-log elementwise for normal numbers above 0, by the vectors that the operations use."""
    fa_chosen.negative_log(&x[0], &out[0], x.shape[0])


def log1p(const double[::1] x, double[::1] out):
    """log(1 + x) elementwise for x from 0 to 1, by the vectors that the operations use."""
    fa_chosen.log1p(&x[0], &out[0], x.shape[0])


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
