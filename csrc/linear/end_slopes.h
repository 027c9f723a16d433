/* The loss stage of a pass for many predictors at once: the counterpart of
   numba_ops/end_slopes.py. */
#ifndef FASTAIF_END_SLOPES_H
#define FASTAIF_END_SLOPES_H

#include "linear/linear_sums.h"

#define END_STRIP 512 /* rows */

/* One predictor's rows, strip by strip. */
static void slopes_of_ends(const double *f, const double *y, const double *w, ptrdiff_t n,
    const fa_inner *inner, fa_block *b, double *first, double *mixed, double *scalars)
{
    fa_totals totals;
    memset(&totals, 0, sizeof totals);
    for (ptrdiff_t start = 0; start < n; start += END_STRIP) {
        ptrdiff_t k = n - start < END_STRIP ? n - start : END_STRIP;
        size_t bytes = (size_t)k * sizeof(double);
        memcpy(b->f, f + start, bytes);
        memcpy(b->y, y + start, bytes);
        memcpy(b->w, w + start, bytes);
        for (ptrdiff_t i = k; i < filled_up(k); i++)
            b->f[i] = b->y[i] = b->w[i] = 0.0;
        slopes(b, 0, k, inner, NEED_LOSS, &totals, scalars);
        memcpy(first + start, b->d1, bytes);
        memcpy(mixed + start, b->d12, bytes);
    }
    add_totals(&totals, inner, NEED_LOSS, scalars);
}

int FA_NAME(fa_end_slopes)(const double *f, const double *y, const double *w,
    const fa_inner *inner, const double *kappas, double *numbers, double *scalars, ptrdiff_t k,
    ptrdiff_t n)
{
    double *memory = aligned_alloc(LINE, 6 * END_STRIP * sizeof(double)), *at = memory;
    if (!memory)
        return -1;
    fa_block b = {0};
    double **of_rows[] = {&b.f, &b.y, &b.w, &b.d1, &b.d12, &b.d2};
    for (int i = 0; i < 6; i++)
        *of_rows[i] = take(&at, END_STRIP);
    fa_inner own = *inner;
    own.smoothing = 0.0;
    for (ptrdiff_t j = 0; j < k; j++) {
        own.kappa = kappas[j];
        slopes_of_ends(f + j * n, y, w, n, &own, &b, numbers + 2 * j * n,
            numbers + (2 * j + 1) * n, scalars + j * N_SCALARS);
    }
    free(memory);
    return 0;
}

#endif
