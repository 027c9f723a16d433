/* Cholesky solves of many small systems, one a draw: the counterpart of numba_ops/solve_draws.py. */
#ifndef FASTAIF_SOLVE_DRAWS_H
#define FASTAIF_SOLVE_DRAWS_H

#include <stdlib.h>

#include "core/row_tails.h"

/* L of H scaled to a unit diagonal, in the lower triangle; its least pivot, 0 where there is none. */
static double factor_one(double *matrix, ptrdiff_t d, double *scale)
{
    for (ptrdiff_t j = 0; j < d; j++) {
        if (!(matrix[j * d + j] > 0.0)) /* so that NaN fails */
            return 0.0;
        scale[j] = sqrt(matrix[j * d + j]);
    }
    double least = 1.0;
    for (ptrdiff_t j = 0; j < d; j++) {
        double *row = matrix + j * d;
        for (ptrdiff_t k = 0; k < j; k++) {
            const double *other = matrix + k * d;
            row[k] = (row[k] / (scale[j] * scale[k]) - dot_of(row, other, k)) / other[k];
        }
        double pivot = 1.0 - dot_of(row, row, j);
        if (!(pivot > 0.0))
            return 0.0;
        least = fmin(least, pivot);
        row[j] = sqrt(pivot);
    }
    return least;
}

/* x becomes H^-1 x, by that L and scale. */
static void solve_one(const double *lower, ptrdiff_t d, const double *scale, double *x)
{
    for (ptrdiff_t j = 0; j < d; j++)
        x[j] = (x[j] / scale[j] - dot_of(lower + j * d, x, j)) / lower[j * d + j];
    for (ptrdiff_t j = d - 1; j >= 0; j--) {
        x[j] /= lower[j * d + j];
        for (ptrdiff_t k = 0; k < j; k++)
            x[k] -= lower[j * d + k] * x[j];
    }
    for (ptrdiff_t j = 0; j < d; j++)
        x[j] /= scale[j];
}

int FA_NAME(fa_solve_draws)(
    double *matrices, double *vectors, double *pivots, ptrdiff_t count, ptrdiff_t d)
{
    double *scale = malloc((size_t)d * sizeof *scale);
    if (!scale)
        return -1;
    for (ptrdiff_t b = 0; b < count; b++) {
        double *lower = matrices + b * d * d, *x = vectors + b * d;
        pivots[b] = factor_one(lower, d, scale);
        if (pivots[b] == 0.0)
            continue;
        solve_one(lower, d, scale, x);
    }
    free(scale);
    return 0;
}

#endif
