/* Budgets shared between samples: the counterpart of numba_ops/shared_budgets.py, for linear
   predictors, whose gain is |l'| up to a factor that all rows have in common. */
#ifndef FASTAIF_SHARES_H
#define FASTAIF_SHARES_H

#include "core/blocks.h"

/* (g / M)^e for g / M in [0, 1]; gains as near as 1e-14 to the largest differ by rounding. */
static double share_of(double ratio, double exponent)
{
    if (isinf(exponent))
        return ratio >= 1.0 - 1e-14 ? 1.0 : 0.0;
    return exponent == 1.0 ? ratio : pow(ratio, exponent);
}

/* Make `peak` the sums' M: everything that was multiplied by shares is relative to it. Returns what
   the shares so far are multiplied by. */
static double raise_peak(
    double peak, double exponent, const fa_sums *sums, double *mixed, ptrdiff_t m, ptrdiff_t width)
{
    if (!(peak > sums->scalars[S_PEAK]))
        return 1.0;
    double ratio = sums->scalars[S_PEAK] / peak, factor = share_of(ratio, exponent);
    for (ptrdiff_t j = 0; j < width; j++)
        mixed[j] *= factor;
    for (ptrdiff_t j = 0; j < m; j++) {
        sums->vectors[V_FK * m + j] *= factor;
        sums->vectors[V_MIXED * m + j] *= factor;
    }
    sums->scalars[S_MIXED] *= factor;
    sums->scalars[S_POWER] *= factor * ratio;
    sums->scalars[S_PEAK] = peak;
    return factor;
}

void FA_NAME(fa_raise_peak)(
    double peak, double exponent, const fa_sums *sums, ptrdiff_t d, double *factor)
{
    *factor = raise_peak(peak, exponent, sums, NULL, d, 0);
}

/* Multiply a block's d12 by shares; `mixed` holds what is not yet added to the sums' V_FK. */
static void share(fa_block *b, ptrdiff_t k, double exponent, const fa_sums *sums, double *mixed)
{
    double peak = 0.0;
    for (ptrdiff_t i = 0; i < k; i++) {
        double gain = b->w[i] > 0.0 ? fabs(b->d1[i]) / b->w[i] : 0.0;
        peak = gain > peak ? gain : peak;
    }
    raise_peak(peak, exponent, sums, mixed, b->m, b->panels * PANEL);
    peak = sums->scalars[S_PEAK];
    for (ptrdiff_t i = 0; i < k; i++) {
        double gain = b->w[i] > 0.0 ? fabs(b->d1[i]) / b->w[i] : 0.0;
        double ratio = peak > 0.0 ? gain / peak : 0.0, part = share_of(ratio, exponent);
        b->d12[i] *= part;
        sums->scalars[S_POWER] += b->w[i] * part * ratio;
        sums->scalars[S_MIXED] += b->d12[i];
    }
}

#endif
