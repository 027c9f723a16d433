/* Contractions with the derivatives of a kernel: the counterpart of
   numba_ops/kernel_contractions.py, where the mathematics is told. */
#ifndef FASTAIF_KERNEL_CONTRACTIONS_H
#define FASTAIF_KERNEL_CONTRACTIONS_H

#include "operations.h"
#include "core/row_tails.h"

/* The tile's rows of a and K, which may be longer: from column `first` on. */
typedef struct {
    const double *slopes, *values;
} fa_kernel_row;

INLINE fa_kernel_row kernel_row(
    const double *slopes, ptrdiff_t slope_columns, const double *values, ptrdiff_t value_columns,
    ptrdiff_t first, ptrdiff_t i)
{
    return (fa_kernel_row){slopes + i * slope_columns + first, values + i * value_columns + first};
}

/* tile = S a for S = left right, and the sums of S a and S K of each row. */
void FA_NAME(fa_weighted_slopes)(
    const double *slopes, ptrdiff_t slope_columns, const double *values, ptrdiff_t value_columns,
    ptrdiff_t first, ptrdiff_t n_rows, ptrdiff_t n, const double *left, const double *right,
    double *tile, double *sums)
{
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        fa_kernel_row row = kernel_row(slopes, slope_columns, values, value_columns, first, i);
        const double *a = row.slopes, *K = row.values;
        double *out = tile + i * n;
        vd one = splat(left[2 * i]), other = splat(left[2 * i + 1]);
        vd of_slopes = splat(0.0), of_values = splat(0.0);
        for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
            vd s = one * load_some(right + j, n - j) + other * load_some(right + n + j, n - j);
            vd product = s * load_some(a + j, n - j);
            store_some(out + j, product, n - j);
            of_slopes += product;
            of_values += s * load_some(K + j, n - j);
        }
        sums[2 * i] = sum_of_lanes(of_slopes);
        sums[2 * i + 1] = sum_of_lanes(of_values);
    }
}

/* t to D = a (t - u) + h K, in place. */
void FA_NAME(fa_directional_tile)(
    const double *slopes, ptrdiff_t slope_columns, const double *values, ptrdiff_t value_columns,
    ptrdiff_t first, ptrdiff_t n_rows, ptrdiff_t n, const double *shifts, double *tile)
{
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        fa_kernel_row row = kernel_row(slopes, slope_columns, values, value_columns, first, i);
        const double *a = row.slopes, *K = row.values;
        double *t = tile + i * n;
        vd u = splat(shifts[2 * i]), h = splat(shifts[2 * i + 1]);
        for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
            vd product = load_some(a + j, n - j) * (load_some(t + j, n - j) - u);
            store_some(t + j, product + h * load_some(K + j, n - j), n - j);
        }
    }
}

/* rows += D right', and columns += left' D. */
void FA_NAME(fa_directional_sums)(
    const double *tile, ptrdiff_t n_rows, ptrdiff_t n, const double *right, const double *left,
    double *rows, double *columns)
{
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        vd one = splat(left[2 * i]), two = splat(left[2 * i + 1]);
        vd total = splat(0.0), other = splat(0.0);
        for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
            vd D = load_some(tile + i * n + j, n - j);
            total += D * load_some(right + j, n - j);
            other += D * load_some(right + n + j, n - j);
            store_some(columns + j, load_some(columns + j, n - j) + D * one, n - j);
            store_some(columns + n + j, load_some(columns + n + j, n - j) + D * two, n - j);
        }
        rows[2 * i] += sum_of_lanes(total);
        rows[2 * i + 1] += sum_of_lanes(other);
    }
}

#define MIRROR_BLOCK 32

INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* Rows from `start` on of a symmetric matrix, known up to the diagonal, copied above it. */
void FA_NAME(fa_mirror)(
    const double *rows, ptrdiff_t stride, ptrdiff_t start, ptrdiff_t count, double *out,
    ptrdiff_t out_stride)
{
    ptrdiff_t stop = start + count;
    for (ptrdiff_t top = start; top < stop; top += MIRROR_BLOCK) {
        ptrdiff_t bottom = smaller(top + MIRROR_BLOCK, stop);
        for (ptrdiff_t first = 0; first < bottom; first += MIRROR_BLOCK)
            for (ptrdiff_t j = first; j < smaller(first + MIRROR_BLOCK, bottom); j++)
                for (ptrdiff_t i = top > j ? top : j + 1; i < bottom; i++)
                    out[j * out_stride + i] = rows[(i - start) * stride + j];
    }
}

#endif
