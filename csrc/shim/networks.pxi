# Sums of networks, and ascents on their inputs.


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
    """See `fastaif._compute.numba_ops.network_sums`."""
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
    """See `fastaif._compute.numba_ops.network_rows`."""
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
    """See `fastaif._compute.numba_ops.network_rows`."""
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
    """See `fastaif._compute.numba_ops.network_rows`."""
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
    """See `fastaif._compute.numba_ops.network_ascent`."""
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
