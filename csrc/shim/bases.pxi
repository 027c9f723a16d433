# Sums of basis models, and their features.


def quadratic_moments(rows, basis, const double[::1] weights, double[::1] moments):
    """See `fastaif._compute.numba_ops.quadratic_moments`."""
    cdef const double[::1] shift_of = basis.shift, scale_of = basis.inverse_scale
    cdef const double *shift = _start(shift_of)
    cdef const double *inverse_scale = _start(scale_of)
    cdef fa_rows r = _inputs(rows.x)
    cdef int failed
    with nogil:
        failed = fa_chosen.quadratic_moments(&r, shift, inverse_scale, &weights[0], &moments[0])
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


def basis_sums(rows, basis, predictor, norm_of, attack, inner, int need, sums):
    """See `fastaif._compute.numba_ops.basis_sums`."""
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
    """See `fastaif._compute.numba_ops.basis_sums`."""
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
    """See `fastaif._compute.numba_ops.basis_moments`."""
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
    """See `fastaif._compute.numba_ops.basis_features`."""
    if v.size:
        _basis_part(basis, FEATURES, u, NULL, v.shape[0], v)


def basis_gradients(const double[:, ::1] u, basis, const double[::1] beta, double[:, ::1] g):
    """See `fastaif._compute.numba_ops.basis_features`."""
    if g.size:
        _basis_part(basis, GRADIENTS, u, &beta[0], beta.shape[0], g)


def basis_moves(const double[:, ::1] u, basis, const double[:, ::1] p, double[:, ::1] out):
    """See `fastaif._compute.numba_ops.basis_features`."""
    if out.size:
        _basis_part(basis, MOVES, u, &p[0, 0], out.shape[0], out)


def basis_products(x, const double[::1] c, basis, const double[:, ::1] U, double[:, ::1] out):
    """See `fastaif._compute.numba_ops.hessian_products`."""
    cdef fa_rows r = _inputs(x)
    cdef _Basis b = _Basis(basis, r.m, U.shape[0] - 1)
    cdef int failed
    with nogil:
        failed = fa_chosen.basis_products(
            &r, &c[0], &b.basis, &U[0, 0], U.shape[1], &out[0, 0])
    if failed:
        raise MemoryError("no memory for a block of features")
