/* Kernels and the slopes of their gradients for a tile of pairs: the counterpart of
   numba_ops/kernel_tiles.py, where the steps are told.

   A row of the tile is cut into stretches of STRETCH columns. What is made of one lies in arrays
   that are filled up to whole vectors and stay in the first-level cache; only reading inner
   products and writing kernels minds where a row ends. */
#ifndef FASTAIF_KERNEL_TILES_H
#define FASTAIF_KERNEL_TILES_H

#include "core/elementary.h"
#include "kernel/kernel_angles.h"
#include "operations.h"
#include "core/row_tails.h"

#define FARTHEST 1e3 /* exp(-1e3) is 0 */

/* Below this part of |x|^2 + |z|^2 a squared distance has lost two digits or more. */
#define NEAR 1e-2

/* Inner products to squared distances; whether there are near pairs. */
static int squared_distances(
    const double *row, const double *squares, double own, ptrdiff_t n, double *out)
{
    vl near = {0};
    for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
        vd total = own + load_some(squares + j, n - j);
        vd d2 = total - 2.0 * load_some(row + j, n - j);
        near |= d2 <= NEAR * total;
        store(out + j, choose(d2 < 0.0, splat(0.0), d2));
    }
    return any(near);
}

static double squared_distance(const double *x, const double *z, ptrdiff_t m)
{
    vd total = splat(0.0);
    for (ptrdiff_t k = 0; k < m; k += FA_LANES) {
        vd difference = load_some(x + k, m - k) - load_some(z + k, m - k);
        total += difference * difference;
    }
    return sum_of_lanes(total);
}

/* The near pairs of a stretch, of which column `itself` is x. */
static void mend_distances(
    const double *x, const double *z, ptrdiff_t m, double own, const double *squares,
    ptrdiff_t itself, ptrdiff_t n, double *d2)
{
    for (ptrdiff_t j = 0; j < n; j++)
        if (j == itself)
            d2[j] = 0.0;
        else if (d2[j] <= NEAR * (own + squares[j]))
            d2[j] = squared_distance(x, z + j * m, m);
}

/* Squared distances to K, and a. */
INLINE void kernels_of_distances(
    int kind, double gamma, const double *d2, ptrdiff_t n, double *values, double *slopes)
{
    double scale = sqrt(kind == MATERN_3_2 ? 3.0 : 5.0) * gamma, square = gamma * gamma;
    for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
        vd d = load(d2 + j), value, slope;
        if (kind == RBF) {
            value = exp_vector(-gamma * d);
            slope = 2.0 * gamma * value;
        } else {
            vd s = scale * root(d);
            s = choose(s > FARTHEST, splat(FARTHEST), s); /* infinity times 0 is no number */
            vd e = exp_vector(-s);
            value = kind == MATERN_3_2 ? (1.0 + s) * e : (1.0 + s + s * s * (1.0 / 3.0)) * e;
            slope = kind == MATERN_3_2 ? 3.0 * square * e : 5.0 / 3.0 * square * (1.0 + s) * e;
        }
        store_some(values + j, value, n - j);
        if (slopes)
            store_some(slopes + j, slope, n - j);
    }
}

/* Inner products to K = q^degree and a, q = gamma <x, z> + c, by squaring. */
static void polynomials(
    const fa_kernel *kernel, ptrdiff_t n, double *values, double *slopes)
{
    for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
        vd q = kernel->gamma * load_some(values + j, n - j) + kernel->coef0;
        vd square = q, power = splat(1.0);
        for (int exponent = kernel->degree - 1; exponent > 0; exponent >>= 1) {
            if (exponent & 1)
                power *= square;
            square *= square;
        }
        store_some(values + j, q * power, n - j);
        if (slopes)
            store_some(slopes + j, kernel->gamma * kernel->degree * power, n - j);
    }
}

static void distance_stretch(
    const fa_pairs *p, ptrdiff_t i, ptrdiff_t first, ptrdiff_t n, double *values, double *slopes)
{
    double d2[STRETCH];
    const double *squares = p->z_squares + first;
    if (squared_distances(values, squares, p->x_squares[i], n, d2))
        mend_distances(p->x + i * p->m, p->z + first * p->m, p->m, p->x_squares[i], squares,
                       i + p->offset - first, n, d2);
    double gamma = p->kernel->gamma;
    if (p->kernel->kind == RBF)
        kernels_of_distances(RBF, gamma, d2, n, values, slopes);
    else if (p->kernel->kind == MATERN_3_2)
        kernels_of_distances(MATERN_3_2, gamma, d2, n, values, slopes);
    else
        kernels_of_distances(MATERN_5_2, gamma, d2, n, values, slopes);
}

/* |z| of all columns, and 1 / |z|; null where memory ran out. */
static double *norms_and_inverses(const fa_pairs *p)
{
    ptrdiff_t n = p->n_columns;
    double *norms = malloc(2 * (size_t)n * sizeof *norms);
    for (ptrdiff_t j = 0; norms && j < n; j++) {
        norms[j] = sqrt(p->z_squares[j]);
        norms[n + j] = 1.0 / norms[j];
    }
    return norms;
}

static int tile_of_pairs(const fa_pairs *p, ptrdiff_t *kinks)
{
    double *norms = p->kernel->kind == NTK ? norms_and_inverses(p) : NULL;
    if (p->kernel->kind == NTK && !norms)
        return -1;
    *kinks = 0;
    for (ptrdiff_t i = 0; i < p->n_rows; i++)
        for (ptrdiff_t first = 0; first < p->n_columns; first += STRETCH) {
            ptrdiff_t left = p->n_columns - first, n = left < STRETCH ? left : STRETCH;
            double *values = p->values + i * p->value_stride + first;
            double *slopes = p->slopes ? p->slopes + i * p->slope_stride + first : NULL;
            if (p->kernel->kind == NTK)
                *kinks += angle_stretch(p, norms, i, first, n, values, slopes);
            else if (p->kernel->kind == POLYNOMIAL)
                polynomials(p->kernel, n, values, slopes);
            else
                distance_stretch(p, i, first, n, values, slopes);
        }
    free(norms);
    return 0;
}

/* K and a of a tile; *kinks are the pairs of distinct samples at a kink of the NTK. */
int FA_NAME(fa_kernel_tile)(
    const fa_kernel *kernel, const double *x, const double *z, ptrdiff_t n_rows,
    ptrdiff_t n_columns, ptrdiff_t m, const double *x_squares, const double *z_squares,
    ptrdiff_t offset, double *values, ptrdiff_t value_columns, double *slopes,
    ptrdiff_t slope_columns, ptrdiff_t *kinks)
{
    fa_pairs p = {kernel, x, z, n_rows, n_columns, m, x_squares, z_squares,
                  offset, values, slopes, value_columns, slope_columns};
    return tile_of_pairs(&p, kinks);
}

#endif
