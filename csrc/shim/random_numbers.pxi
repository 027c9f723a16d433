# Random numbers by themselves.


def standard_normals(uint64_t seed, uint64_t draw, uint64_t first_row, double[:, ::1] out):
    """See `fastaif._compute.numba_ops.philox`."""
    if out.shape[0] and out.shape[1]:
        with nogil:
            fa_chosen.standard_normals(
                seed, draw, first_row, &out[0, 0], out.shape[0], out.shape[1])


def random_rows(uint64_t seed, uint64_t draw, int64_t n, int64_t[::1] out):
    """See `fastaif._compute.numba_ops.philox`."""
    if out.shape[0]:
        with nogil:
            fa_chosen.random_rows(seed, draw, n, &out[0], out.shape[0])


def bootstrap_weights(uint64_t seed, uint64_t draw, uint64_t first_row, double[::1] out):
    """See `fastaif._compute.numba_ops.bootstrap_sums`."""
    if out.shape[0]:
        with nogil:
            fa_chosen.bootstrap_weights(seed, draw, first_row, &out[0], out.shape[0])
