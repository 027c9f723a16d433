/* The elementary functions by themselves, for the tests of their accuracy. */
#ifndef FASTAIF_TESTED_PARTS_H
#define FASTAIF_TESTED_PARTS_H

#include "core/normal.h"

INLINE void map(const double *x, double *out, ptrdiff_t n, vd (*function)(vd))
{
    for (ptrdiff_t i = 0; i < n; i += FA_LANES) {
        double lanes[FA_LANES] = {0.0};
        ptrdiff_t k = n - i < FA_LANES ? n - i : FA_LANES;
        memcpy(lanes, x + i, (size_t)k * sizeof(double));
        store(lanes, function(load(lanes)));
        memcpy(out + i, lanes, (size_t)k * sizeof(double));
    }
}

void FA_NAME(fa_exp)(const double *x, double *out, ptrdiff_t n)
{
    map(x, out, n, exp_vector);
}

void FA_NAME(fa_negative_log)(const double *x, double *out, ptrdiff_t n)
{
    map(x, out, n, negative_log);
}

void FA_NAME(fa_log1p)(const double *x, double *out, ptrdiff_t n)
{
    map(x, out, n, log1p_of_unit);
}

INLINE vd share_below(vd z) { return normal_at(z).share; }

void FA_NAME(fa_normal_share)(const double *z, double *out, ptrdiff_t n)
{
    map(z, out, n, share_below);
}

#endif
