# Kernels of pairs of rows, and contractions with their derivatives.


def kernel_tile(
    kernel, const double[:, ::1] X, const double[:, ::1] Z, const double[::1] xs,
    const double[::1] zs, ptrdiff_t offset, double[:, ::1] values, double[:, ::1] slopes
):
    """See `fastaif._compute.numba_ops.kernel_tiles`."""
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
    """See `fastaif._compute.numba_ops.kernel_contractions`."""
    cdef fa_kernel_rows k = _kernel_rows(slopes, values, first, tile)
    with nogil:
        fa_chosen.weighted_slopes(&k, &left[0, 0], &right[0, 0], &tile[0, 0], &sums[0, 0])


def directional_tile(
    const double[:, ::1] slopes, const double[:, ::1] values, ptrdiff_t first,
    const double[:, ::1] shifts, double[:, ::1] tile
):
    """See `fastaif._compute.numba_ops.kernel_contractions`."""
    cdef fa_kernel_rows k = _kernel_rows(slopes, values, first, tile)
    with nogil:
        fa_chosen.directional_tile(&k, &shifts[0, 0], &tile[0, 0])


def directional_sums(
    const double[:, ::1] tile, const double[:, ::1] right, const double[:, ::1] left,
    double[:, ::1] rows, double[:, ::1] columns
):
    """See `fastaif._compute.numba_ops.kernel_contractions`."""
    with nogil:
        fa_chosen.directional_sums(
            &tile[0, 0], tile.shape[0], tile.shape[1], &right[0, 0], &left[0, 0], &rows[0, 0],
            &columns[0, 0])


def mirror(const double[:, ::1] rows, ptrdiff_t start, double[:, ::1] out):
    """See `fastaif._compute.numba_ops.kernel_contractions`."""
    cdef ptrdiff_t stop = start + rows.shape[0]
    with nogil:
        fa_chosen.mirror(&rows[0, 0], rows.shape[1], start, stop, &out[0, 0], out.shape[1])
