/* Vectors at the end of a row, and stretches of a row that stay in the first-level cache. */
#ifndef FASTAIF_ROW_TAILS_H
#define FASTAIF_ROW_TAILS_H

#include "core/vectors.h"

#define STRETCH 256 /* columns, a multiple of every number of lanes */

/* A vector from p on, of which `count` numbers are there; the rest are zeros. */
INLINE vd load_some(const double *p, ptrdiff_t count)
{
    if (count >= FA_LANES)
        return load(p);
    vd out = splat(0.0);
    for (int l = 0; l < FA_LANES && l < count; l++)
        out[l] = p[l];
    return out;
}

INLINE void store_some(double *p, vd a, ptrdiff_t count)
{
    if (count >= FA_LANES)
        store(p, a);
    else
        for (int l = 0; l < count; l++)
            p[l] = a[l];
}

INLINE int any(vl mask)
{
    int64_t found = 0;
    for (int l = 0; l < FA_LANES; l++)
        found |= mask[l];
    return found != 0;
}

INLINE double dot_of(const double *a, const double *b, ptrdiff_t n)
{
    vd total = splat(0.0);
    ptrdiff_t k = 0;
    for (; k + FA_LANES <= n; k += FA_LANES)
        total += load(a + k) * load(b + k);
    double sum = sum_of_lanes(total);
    for (; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

#endif
