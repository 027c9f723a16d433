/* Hidden units of a one-layer network for a block of rows, by columns: (h, K), a unit after the
   other (columns.h). The counterpart of numba_ops/network_units.py, which has the formulas. */
#ifndef FASTAIF_NETWORK_UNITS_H
#define FASTAIF_NETWORK_UNITS_H

#include "core/columns.h"
#include "core/elementary.h"
#include "core/normal.h"

typedef struct {
    vd value, slope, bend;
} fa_unit;

/* NaN where z is not finite. */
INLINE fa_unit tanh_unit(vd z)
{
    /* 1 - t^2 would cancel where t is nearly 1, and 1 - e where z is nearly 0. */
    fa_decay e = decay(2.0 * magnitude(z));
    vd inverse = 1.0 / (1.0 + e.value);
    vd t = with_sign_of(-e.less_one * inverse, z) + (z - z);
    vd slope = 4.0 * e.value * inverse * inverse;
    return (fa_unit){t, slope, -2.0 * t * slope};
}

INLINE fa_unit softplus_unit(vd z)
{
    vd e = exp_vector(-magnitude(z)), inverse = 1.0 / (1.0 + e), small = e * inverse;
    vd above = choose(z > 0.0, z, splat(0.0));
    return (fa_unit){above + log1p_of_unit(e), choose(z > 0.0, inverse, small), small * inverse};
}

INLINE fa_unit gelu_unit(vd z)
{
    fa_normal at = normal_at(z);
    /* Not density (2 - z^2): z^2 may overflow where the density is zero. */
    vd bent = z * at.density;
    return (fa_unit){z * at.share, at.share + bent, 2.0 * at.density - bent * z};
}

INLINE fa_unit unit_at(int activation, vd z)
{
    return activation == TANH   ? tanh_unit(z)
        : activation == SOFTPLUS ? softplus_unit(z)
                                 : gelu_unit(z);
}

/* sigma, sigma' and sigma'' of K rows, (h, K) each; f = w2 . sigma + b2 as well. */
typedef struct {
    double *values, *slopes, *bends;
} fa_units;

INLINE void activate_all(const fa_network *n, ptrdiff_t K, const fa_units *u, int activation)
{
    for (ptrdiff_t i = 0; i < n->h; i++)
        for (ptrdiff_t at = i * K; at < (i + 1) * K; at += FA_LANES) {
            fa_unit unit = unit_at(activation, load(u->bends + at) + n->b1[i]);
            store(u->values + at, unit.value);
            store(u->slopes + at, unit.slope);
            store(u->bends + at, unit.bend);
        }
}

/* From inputs u (m, K) to the units. */
static void activate(const fa_network *n, const double *u, ptrdiff_t K, const fa_units *units)
{
    multiply_columns(n->w1, n->h, n->m, 1, n->h, u, K, units->bends);
    if (n->activation == TANH)
        activate_all(n, K, units, TANH);
    else if (n->activation == SOFTPLUS)
        activate_all(n, K, units, SOFTPLUS);
    else
        activate_all(n, K, units, GELU);
}

/* f = w2 . sigma + b2 of K rows. */
static void outputs_of(const fa_network *n, const fa_units *units, ptrdiff_t K, double *f)
{
    for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
        vd total = splat(n->b2);
        for (ptrdiff_t h = 0; h < n->h; h++)
            total += n->w2[h] * load(units->values + h * K + i);
        store(f + i, total);
    }
}

/* grad_u f (m, K), from t = w2 sigma' (h, K), which is written. */
static void slopes_of_inputs(
    const fa_network *n, const fa_units *units, ptrdiff_t K, double *t, double *g)
{
    weigh(n->w2, units->slopes, NULL, n->h, K, t);
    multiply_columns(n->w1, n->m, n->h, n->h, 1, t, K, g);
}

/* Rows of a block, a multiple of 8, of so many numbers each. */
static ptrdiff_t network_rows(ptrdiff_t n, ptrdiff_t columns)
{
    ptrdiff_t rows = between(64, 49152 / columns, 1024); /* 384 KiB */
    return rows < filled_up(n) ? rows : filled_up(n);
}

#endif
