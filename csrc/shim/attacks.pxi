# Directions, projections and ascents of attacks.


def attack_directions(
    const double[:, ::1] g, attack, double[:, ::1] out, double[::1] gains, double[::1] ties
):
    """See `fastaif._compute.numba_ops.row_geometry`."""
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
    """See `fastaif._compute.numba_ops.row_geometry`."""
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
    """See `fastaif._compute.numba_ops.row_geometry`."""
    if u.shape[0] and u.shape[1]:
        with nogil:
            fa_chosen.random_points(
                seed, draw, first_row, radius, p, &u[0, 0], u.shape[0], u.shape[1])


def linear_pgd(
    const double[::1] prediction, const double[::1] y, inner, steps, double[:, ::1] out
):
    """See `fastaif._compute.numba_ops.linear_ascent`."""
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


def project_ball(const double[::1] v, double radius, double p, double[::1] out):
    """See `fastaif._compute.numba_ops.pointwise`."""
    cdef int failed
    if v.shape[0] == 0:
        return
    with nogil:
        failed = fa_chosen.project_ball(&v[0], v.shape[0], radius, p, &out[0])
    if failed:
        raise MemoryError("no memory for a row")


def ball_ascent(
    const double[:, ::1] h, const double[::1] values, double radius, double[:, ::1] z,
    double[::1] gains
):
    """See `fastaif._compute.numba_ops.trust_region`."""
    cdef int failed
    if h.shape[0] == 0 or h.shape[1] == 0:
        return
    with nogil:
        failed = fa_chosen.ball_ascent(
            &h[0, 0], &values[0], h.shape[0], h.shape[1], radius, &z[0, 0], &gains[0])
    if failed:
        raise MemoryError("no memory for a row")


def smooth_ball_ascent(
    const double[:, ::1] h, const double[::1] values, double radius, double nu, double unit,
    double[:, ::1] t, double[:, ::1] widths, double[:, ::1] gains
):
    """See `fastaif._compute.numba_ops.smooth_trust_region`."""
    cdef fa_barrier barrier
    cdef int failed
    if h.shape[0] == 0 or h.shape[1] == 0:
        return
    barrier.radius, barrier.nu, barrier.unit = radius, nu, unit
    with nogil:
        failed = fa_chosen.smooth_ball_ascent(
            &h[0, 0], &values[0], h.shape[0], h.shape[1], &barrier, &t[0, 0], &widths[0, 0],
            &gains[0, 0])
    if failed:
        raise MemoryError("no memory for a row")


def raise_peak(double peak, double exponent, sums):
    """See `fastaif._compute.numba_ops.shared_budgets`."""
    cdef fa_sums raised = _sums(sums.hessian, sums.vectors, sums.scalars)
    return fa_chosen.raise_peak(peak, exponent, &raised, sums.vectors.shape[1])
