# cython: language_level=3, boundscheck=False, wraparound=False
"""A shim: pointers of arrays into the C operations, and nothing else.

Every function has the name, arguments and results of its counterpart in
`fastaif/_compute`, whose docstring says what they are.
"""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint64_t


cdef extern from "dispatch.h" nogil:
    ctypedef struct fa_rows:
        const double *doubles
        const float *singles
        ptrdiff_t n
        ptrdiff_t m
        const double *y
        const double *weight

    ctypedef struct fa_sparse_rows:
        const double *doubles
        const float *singles
        const int32_t *columns
        const int64_t *starts
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

    ctypedef struct fa_batch_model:
        int loss
        double delta
        double alpha
        double damping
        int fit_intercept

    ctypedef struct fa_batch_attack:
        double p
        double radius
        const double *weights
        const double *inverse

    ctypedef struct fa_batch_found:
        double *theta
        double *influence
        double *numbers
        int64_t *status
        int wants_influence

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

    ctypedef struct fa_kernel:
        int kind
        int degree
        int output_layer
        double gamma
        double coef0

    ctypedef struct fa_pairs:
        const fa_kernel *kernel
        const double *x
        const double *z
        ptrdiff_t n_rows
        ptrdiff_t n_columns
        ptrdiff_t m
        const double *x_squares
        const double *z_squares
        ptrdiff_t offset
        double *values
        double *slopes
        ptrdiff_t value_stride
        ptrdiff_t slope_stride

    ctypedef struct fa_kernel_rows:
        const double *slopes
        const double *values
        ptrdiff_t slope_stride
        ptrdiff_t value_stride
        ptrdiff_t n_rows
        ptrdiff_t n_columns

    ctypedef struct fa_steps:
        double p
        double radius
        const double *slopes
        ptrdiff_t free
        ptrdiff_t n_steps
        ptrdiff_t draws
        double step
        uint64_t seed
        uint64_t first_row

    ctypedef struct fa_basis:
        int kind
        int degree
        ptrdiff_t m
        ptrdiff_t d
        const double *frequencies
        const double *phases
        const double *shift
        const double *inverse_scale
        const double *out_shift
        const double *out_inverse_scale

    ctypedef struct fa_attack:
        double p
        const double *weights

    ctypedef struct fa_given_block:
        ptrdiff_t d
        ptrdiff_t k
        const double *v
        const double *f
        const double *norms
        const double *gains
        const double *ties
        const double *y
        const double *w

    ctypedef struct fa_network:
        int activation
        ptrdiff_t m
        ptrdiff_t h
        const double *w1
        const double *b1
        const double *w2
        double b2
        const double *shift
        const double *inverse_scale

    cdef enum:
        FEATURES
        GRADIENTS
        MOVES

    ctypedef struct fa_table:
        const char *name
        int (*linear_sums)(
            const fa_rows *, const fa_predictor *, const fa_norm_of *, const fa_inner *, int,
            const fa_sums *) noexcept nogil
        int (*sparse_sums)(
            const fa_sparse_rows *, const fa_predictor *, double, const fa_inner *, int,
            const fa_sums *) noexcept nogil
        int (*linear_batch)(
            const fa_rows *, const int64_t *, ptrdiff_t, const fa_batch_model *,
            const fa_batch_attack *, const fa_batch_found *) noexcept nogil
        int (*quadratic_moments)(
            const fa_rows *, const double *, const double *, const double *, double *) noexcept nogil
        int (*bootstrap_start)(
            const fa_rows *, const double *, const fa_predictor *, const fa_inner *,
            const fa_draws *, const double *, ptrdiff_t, const fa_draw_sums *) noexcept nogil
        int (*bootstrap_sums)(
            const fa_rows *, const double *, const fa_predictor *, const fa_inner *,
            const fa_draws *, const double *, ptrdiff_t, const fa_draw_sums *) noexcept nogil
        int (*kernel_tile)(const fa_pairs *, ptrdiff_t *) noexcept nogil
        void (*weighted_slopes)(
            const fa_kernel_rows *, const double *, const double *, double *, double *) noexcept nogil
        void (*directional_tile)(const fa_kernel_rows *, const double *, double *) noexcept nogil
        void (*directional_sums)(
            const double *, ptrdiff_t, ptrdiff_t, const double *, const double *, double *,
            double *) noexcept nogil
        void (*mirror)(
            const double *, ptrdiff_t, ptrdiff_t, ptrdiff_t, double *, ptrdiff_t) noexcept nogil
        int (*attack_directions)(
            const double *, ptrdiff_t, ptrdiff_t, double, const double *, double *, double *, double *) noexcept nogil
        int (*ascend_rows)(
            const double *, const double *, ptrdiff_t, ptrdiff_t, const double *, double, double, int,
            double *, double *) noexcept nogil
        void (*random_points)(
            uint64_t, uint64_t, uint64_t, double, double, double *, ptrdiff_t, ptrdiff_t) noexcept nogil
        int (*linear_pgd)(
            const double *, const double *, ptrdiff_t, const fa_inner *, const fa_steps *, double *) noexcept nogil
        int (*solve_draws)(double *, double *, double *, ptrdiff_t, ptrdiff_t) noexcept nogil
        int (*linear_products)(
            const fa_rows *, const double *, const double *, const double *, const double *, ptrdiff_t,
            double *) noexcept nogil
        int (*basis_sums)(
            const fa_rows *, const fa_basis *, const fa_predictor *, const fa_norm_of *,
            const fa_attack *, const fa_inner *, int, const fa_sums *) noexcept nogil
        int (*block_sums)(
            const fa_given_block *, const fa_inner *, int, double *, const fa_sums *, double *) noexcept nogil
        int (*basis_moments)(const fa_rows *, const fa_basis *, const double *, double *) noexcept nogil
        int (*basis_parts)(
            const fa_basis *, int, const double *, const double *, ptrdiff_t, double *) noexcept nogil
        int (*network_sums)(
            const fa_rows *, const fa_network *, const fa_norm_of *, const fa_attack *,
            const fa_inner *, int, const fa_sums *) noexcept nogil
        int (*network_predictions)(
            const fa_rows *, const fa_network *, double *) noexcept nogil
        int (*network_moves)(
            const fa_rows *, const fa_network *, const fa_network *, double *, double *,
            double *) noexcept nogil
        int (*network_shares)(
            const fa_rows *, const fa_network *, const fa_attack *, const fa_inner *,
            double *) noexcept nogil
        int (*network_ascent)(
            const fa_rows *, const fa_network *, const double *, const fa_inner *,
            const fa_steps *, double *, double *) noexcept nogil
        void (*exp)(const double *, double *, ptrdiff_t) noexcept nogil
        void (*negative_log)(const double *, double *, ptrdiff_t) noexcept nogil
        void (*log1p)(const double *, double *, ptrdiff_t) noexcept nogil

    const fa_table *fa_chosen
    int fa_choose(const char *name)
    const char *fa_available(int i)


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


def sparse_sums(x, predictor, double p, inner, int need, sums):
    """See `fastaif._compute.sparse_sums`."""
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
    """See `fastaif._compute.linear_batch`."""
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


def kernel_tile(
    kernel, const double[:, ::1] X, const double[:, ::1] Z, const double[::1] xs,
    const double[::1] zs, ptrdiff_t offset, double[:, ::1] values, double[:, ::1] slopes
):
    """See `fastaif._compute.kernel_tiles`."""
    cdef fa_kernel k
    cdef fa_pairs p
    cdef ptrdiff_t kinks
    cdef int failed
    k.kind, k.degree, k.output_layer = kernel.kind, kernel.degree, kernel.output_layer
    k.gamma, k.coef0 = kernel.gamma, kernel.coef0
    p.n_rows, p.n_columns, p.m = X.shape[0], Z.shape[0], X.shape[1]
    if p.n_rows == 0 or p.n_columns == 0 or p.m == 0:
        return 0
    p.kernel, p.x, p.z = &k, &X[0, 0], &Z[0, 0]
    p.x_squares, p.z_squares, p.offset = &xs[0], &zs[0], offset
    p.values, p.value_stride = &values[0, 0], values.shape[1]
    p.slopes = &slopes[0, 0] if slopes.shape[0] else NULL
    p.slope_stride = slopes.shape[1]
    with nogil:
        failed = fa_chosen.kernel_tile(&p, &kinks)
    if failed:
        raise MemoryError("no memory for the norms of a tile's columns")
    return kinks


cdef fa_kernel_rows _kernel_rows(
    const double[:, ::1] slopes, const double[:, ::1] values, ptrdiff_t first,
    const double[:, ::1] tile
):
    """Rows of K and a from column `first` on, as long as those of the tile."""
    cdef fa_kernel_rows k
    k.slopes, k.slope_stride = &slopes[0, first], slopes.shape[1]
    k.values, k.value_stride = &values[0, first], values.shape[1]
    k.n_rows, k.n_columns = tile.shape[0], tile.shape[1]
    return k


def weighted_slopes(
    const double[:, ::1] slopes, const double[:, ::1] values, ptrdiff_t first,
    const double[:, ::1] left, const double[:, ::1] right, double[:, ::1] tile,
    double[:, ::1] sums
):
    """See `fastaif._compute.kernel_contractions`."""
    cdef fa_kernel_rows k = _kernel_rows(slopes, values, first, tile)
    with nogil:
        fa_chosen.weighted_slopes(&k, &left[0, 0], &right[0, 0], &tile[0, 0], &sums[0, 0])


def directional_tile(
    const double[:, ::1] slopes, const double[:, ::1] values, ptrdiff_t first,
    const double[:, ::1] shifts, double[:, ::1] tile
):
    """See `fastaif._compute.kernel_contractions`."""
    cdef fa_kernel_rows k = _kernel_rows(slopes, values, first, tile)
    with nogil:
        fa_chosen.directional_tile(&k, &shifts[0, 0], &tile[0, 0])


def directional_sums(
    const double[:, ::1] tile, const double[:, ::1] right, const double[:, ::1] left,
    double[:, ::1] rows, double[:, ::1] columns
):
    """See `fastaif._compute.kernel_contractions`."""
    with nogil:
        fa_chosen.directional_sums(
            &tile[0, 0], tile.shape[0], tile.shape[1], &right[0, 0], &left[0, 0], &rows[0, 0],
            &columns[0, 0])


def mirror(const double[:, ::1] rows, ptrdiff_t start, double[:, ::1] out):
    """See `fastaif._compute.kernel_contractions`."""
    cdef ptrdiff_t stop = start + rows.shape[0]
    with nogil:
        fa_chosen.mirror(&rows[0, 0], rows.shape[1], start, stop, &out[0, 0], out.shape[1])


def attack_directions(
    const double[:, ::1] g, attack, double[:, ::1] out, double[::1] gains, double[::1] ties
):
    """See `fastaif._compute.row_geometry`."""
    cdef const double[::1] weights = attack.weights
    cdef double p = attack.p
    cdef int failed
    if g.shape[0] == 0 or g.shape[1] == 0:
        gains[:] = 0.0
        ties[:] = 0.0
        return
    with nogil:
        failed = fa_chosen.attack_directions(
            &g[0, 0], g.shape[0], g.shape[1], p, &weights[0], &out[0, 0], &gains[0], &ties[0])
    if failed:
        raise MemoryError("no memory for a row")


def ascend_rows(
    const double[:, ::1] t, const double[:, ::1] g, const double[::1] step, ball, bint steepest,
    double[:, ::1] moved
):
    """See `fastaif._compute.row_geometry`."""
    cdef double radius = ball[0], p = ball[1], largest = 0.0
    cdef int failed
    if t.shape[0] == 0 or t.shape[1] == 0:
        return 0.0
    with nogil:
        failed = fa_chosen.ascend_rows(
            &t[0, 0], &g[0, 0], t.shape[0], t.shape[1], &step[0], radius, p, steepest, &moved[0, 0],
            &largest)
    if failed:
        raise MemoryError("no memory for a row")
    return largest


def random_points(
    uint64_t seed, uint64_t draw, uint64_t first_row, double radius, double p, double[:, ::1] u
):
    """See `fastaif._compute.row_geometry`."""
    if u.shape[0] and u.shape[1]:
        with nogil:
            fa_chosen.random_points(
                seed, draw, first_row, radius, p, &u[0, 0], u.shape[0], u.shape[1])


def linear_pgd(
    const double[::1] prediction, const double[::1] y, inner, steps, double[:, ::1] out
):
    """See `fastaif._compute.linear_pgd`."""
    cdef const double[::1] slopes = steps.slopes
    cdef fa_inner inside
    cdef fa_steps s
    cdef int failed
    if out.shape[0] == 0 or out.shape[1] == 0:
        return
    inside.loss, inside.delta = inner.loss, inner.delta
    s.p, s.radius, s.step, s.seed = steps.p, steps.radius, steps.step, steps.seed
    s.slopes, s.free, s.first_row = &slopes[0], slopes.shape[0], steps.first_row
    s.n_steps, s.draws = steps.n_steps, steps.draws
    with nogil:
        failed = fa_chosen.linear_pgd(
            &prediction[0], &y[0], prediction.shape[0], &inside, &s, &out[0, 0])
    if failed:
        raise MemoryError("no memory for a row")


def solve_draws(double[:, :, ::1] matrices, double[:, ::1] vectors, double[::1] pivots):
    """See `fastaif._compute.solve_draws`."""
    cdef int failed
    if vectors.shape[0] == 0 or vectors.shape[1] == 0:
        return
    with nogil:
        failed = fa_chosen.solve_draws(
            &matrices[0, 0, 0], &vectors[0, 0], &pivots[0], vectors.shape[0], vectors.shape[1])
    if failed:
        raise MemoryError("no memory for a row")


def linear_products(
    x, const double[::1] c, const double[::1] shift, const double[::1] inverse_scale,
    const double[:, ::1] U, double[:, ::1] out
):
    """See `fastaif._compute.hessian_products`."""
    cdef fa_rows r = _inputs(x)
    cdef int failed
    with nogil:
        failed = fa_chosen.linear_products(
            &r, &c[0], _start(shift), _start(inverse_scale), &U[0, 0], U.shape[1], &out[0, 0])
    if failed:
        raise MemoryError("no memory for a block of rows")


cdef class _Basis:
    """A basis for C, with the arrays that it points into."""

    cdef const double[:, ::1] frequencies
    cdef const double[::1] phases, shift, inverse_scale, out_shift, out_inverse_scale
    cdef fa_basis basis

    def __init__(self, basis, ptrdiff_t m, ptrdiff_t d):
        self.frequencies, self.phases = basis.frequencies, basis.phases
        self.shift, self.inverse_scale = basis.shift, basis.inverse_scale
        self.out_shift, self.out_inverse_scale = basis.out_shift, basis.out_inverse_scale
        self.basis.kind, self.basis.degree = basis.kind, basis.degree
        self.basis.m, self.basis.d = m, d
        self.basis.frequencies = &self.frequencies[0, 0] if self.frequencies.size else NULL
        self.basis.phases = _start(self.phases)
        self.basis.shift, self.basis.inverse_scale = _start(self.shift), _start(self.inverse_scale)
        self.basis.out_shift = _start(self.out_shift)
        self.basis.out_inverse_scale = _start(self.out_inverse_scale)


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


def basis_sums(rows, basis, predictor, norm_of, attack, inner, int need, sums):
    """See `fastaif._compute.basis_sums`."""
    cdef const double[::1] y = rows.y, weight = rows.weight, beta = predictor.beta
    cdef const double[::1] norm_shift = norm_of.shift, norm_scale = norm_of.inverse_scale
    cdef const double[::1] weights = attack.weights
    cdef fa_rows r = _inputs(rows.x)
    cdef _Basis b = _Basis(basis, r.m, beta.shape[0])
    cdef fa_predictor f
    cdef fa_norm_of norm
    cdef fa_attack steepest
    cdef fa_inner inside = _natural(inner)
    cdef fa_sums out = _sums(sums.hessian, sums.vectors, sums.scalars)
    cdef int failed
    r.y, r.weight = _start(y), _start(weight)
    f.beta, f.intercept, f.shift, f.inverse_scale = &beta[0], predictor.intercept, NULL, NULL
    norm.p, norm.shift, norm.inverse_scale = norm_of.p, _start(norm_shift), _start(norm_scale)
    steepest.p, steepest.weights = attack.p, _start(weights)
    with nogil:
        failed = fa_chosen.basis_sums(&r, &b.basis, &f, &norm, &steepest, &inside, need, &out)
    if failed:
        raise MemoryError("no memory for a block of features")


def block_sums(
    block, directions, const double[::1] y, const double[::1] w, inner, int need,
    double[:, ::1] rates, sums
):
    """See `fastaif._compute.basis_sums`."""
    cdef const double[:, ::1] v = block.v
    cdef const double[::1] f = block.f, norms = block.norms
    cdef const double[::1] gains = directions.gains, ties = directions.ties
    cdef fa_given_block given
    cdef fa_inner inside = _natural(inner)
    cdef fa_sums out = _sums(sums.hessian, sums.vectors, sums.scalars)
    cdef double factor = 1.0
    cdef int failed
    given.d, given.k = v.shape[0], v.shape[1]
    given.v, given.f, given.y, given.w = &v[0, 0], &f[0], &y[0], &w[0]
    given.norms, given.gains, given.ties = _start(norms), _start(gains), _start(ties)
    with nogil:
        failed = fa_chosen.block_sums(&given, &inside, need, &rates[0, 0], &out, &factor)
    if failed:
        raise MemoryError("no memory for a block of features")
    return factor


def basis_moments(rows, basis, const double[::1] origin, double[:, ::1] totals):
    """See `fastaif._compute.basis_moments`."""
    cdef const double[::1] weight = rows.weight
    cdef fa_rows r = _inputs(rows.x)
    cdef _Basis b = _Basis(basis, r.m, origin.shape[0])
    cdef int failed
    r.weight = _start(weight)
    with nogil:
        failed = fa_chosen.basis_moments(&r, &b.basis, &origin[0], &totals[0, 0])
    if failed:
        raise MemoryError("no memory for a block of features")


cdef _basis_part(
    basis, int part, const double[:, ::1] u, const double *with_, ptrdiff_t d,
    double[:, ::1] out
):
    cdef _Basis b = _Basis(basis, u.shape[0], d)
    cdef int failed
    with nogil:
        failed = fa_chosen.basis_parts(&b.basis, part, &u[0, 0], with_, u.shape[1], &out[0, 0])
    if failed:
        raise MemoryError("no memory for a block of features")


def basis_features(const double[:, ::1] u, basis, double[:, ::1] v):
    """See `fastaif._compute.basis_features`."""
    if v.size:
        _basis_part(basis, FEATURES, u, NULL, v.shape[0], v)


def basis_gradients(const double[:, ::1] u, basis, const double[::1] beta, double[:, ::1] g):
    """See `fastaif._compute.basis_features`."""
    if g.size:
        _basis_part(basis, GRADIENTS, u, &beta[0], beta.shape[0], g)


def basis_moves(const double[:, ::1] u, basis, const double[:, ::1] p, double[:, ::1] out):
    """See `fastaif._compute.basis_features`."""
    if out.size:
        _basis_part(basis, MOVES, u, &p[0, 0], out.shape[0], out)


cdef class _Network:
    """A network for C, with the arrays that it points into."""

    cdef const double[:, ::1] w1
    cdef const double[::1] b1, w2, shift, inverse_scale
    cdef fa_network network

    def __init__(self, network):
        self.w1, self.b1, self.w2 = network.w1, network.b1, network.w2
        self.shift, self.inverse_scale = network.shift, network.inverse_scale
        self.network.activation, self.network.b2 = network.activation, network.b2
        self.network.m, self.network.h = self.w1.shape[0], self.w1.shape[1]
        self.network.w1, self.network.b1 = &self.w1[0, 0], &self.b1[0]
        self.network.w2 = &self.w2[0]
        self.network.shift = _start(self.shift)
        self.network.inverse_scale = _start(self.inverse_scale)


def network_sums(rows, network, norm_of, attack, inner, int need, sums):
    """See `fastaif._compute.network_sums`."""
    cdef const double[::1] y = rows.y, weight = rows.weight
    cdef const double[::1] norm_shift = norm_of.shift, norm_scale = norm_of.inverse_scale
    cdef const double[::1] weights = attack.weights
    cdef fa_rows r = _inputs(rows.x)
    cdef _Network f = _Network(network)
    cdef fa_norm_of norm
    cdef fa_attack steepest
    cdef fa_inner inside = _natural(inner)
    cdef fa_sums out = _sums(sums.hessian, sums.vectors, sums.scalars)
    cdef int failed
    r.y, r.weight = _start(y), _start(weight)
    norm.p, norm.shift, norm.inverse_scale = norm_of.p, _start(norm_shift), _start(norm_scale)
    steepest.p, steepest.weights = attack.p, _start(weights)
    with nogil:
        failed = fa_chosen.network_sums(&r, &f.network, &norm, &steepest, &inside, need, &out)
    if failed:
        raise MemoryError("no memory for a block of hidden units")


def network_predictions(x, network, double[::1] f):
    """See `fastaif._compute.network_rows`."""
    cdef fa_rows r = _inputs(x)
    cdef _Network n = _Network(network)
    cdef int failed
    with nogil:
        failed = fa_chosen.network_predictions(&r, &n.network, &f[0])
    if failed:
        raise MemoryError("no memory for a block of hidden units")


def network_moves(
    x, network, step, double[::1] speed, double[::1] bend, double[:, :, ::1] slopes
):
    """See `fastaif._compute.network_rows`."""
    cdef fa_rows r = _inputs(x)
    cdef _Network n = _Network(network), along = _Network(step)
    cdef double *written = &slopes[0, 0, 0] if slopes.shape[2] else NULL
    cdef int failed
    with nogil:
        failed = fa_chosen.network_moves(
            &r, &n.network, &along.network, &speed[0], &bend[0], written)
    if failed:
        raise MemoryError("no memory for a block of hidden units")


def network_shares(rows, network, attack, inner, double[:, ::1] out):
    """See `fastaif._compute.network_rows`."""
    cdef const double[::1] y = rows.y, weights = attack.weights
    cdef fa_rows r = _inputs(rows.x)
    cdef _Network n = _Network(network)
    cdef fa_attack steepest
    cdef fa_inner inside = _natural(inner)
    cdef int failed
    r.y, steepest.p, steepest.weights = &y[0], attack.p, _start(weights)
    with nogil:
        failed = fa_chosen.network_shares(&r, &n.network, &steepest, &inside, &out[0, 0])
    if failed:
        raise MemoryError("no memory for a block of hidden units")


def network_ascent(
    rows, network, const double[:, ::1] moves, inner, steps, double[:, ::1] out, double[::1] f
):
    """See `fastaif._compute.network_pgd`."""
    cdef const double[::1] y = rows.y, multiplier = inner.multiplier
    cdef fa_rows r = _inputs(rows.x)
    cdef _Network n = _Network(network)
    cdef fa_inner inside = _natural(inner)
    cdef fa_steps s
    cdef int failed
    r.y, inside.multiplier = &y[0], _start(multiplier)
    s.p, s.radius, s.step, s.seed = steps.p, steps.radius, steps.step, steps.seed
    s.slopes, s.free, s.first_row = NULL, moves.shape[0], steps.first_row
    s.n_steps, s.draws = steps.n_steps, steps.draws
    with nogil:
        failed = fa_chosen.network_ascent(
            &r, &n.network, &moves[0, 0], &inside, &s, &out[0, 0], &f[0])
    if failed:
        raise MemoryError("no memory for a block of hidden units")


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
