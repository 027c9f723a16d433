/* What one-layer networks give for each row: the counterpart of numba_ops/network_rows.py. */
#ifndef FASTAIF_NETWORK_ROWS_H
#define FASTAIF_NETWORK_ROWS_H

#include "attack/attacks.h"
#include "network/network_units.h"

/* Inputs and units of a block of rows, and room for `more` rows of numbers besides. */
typedef struct {
    ptrdiff_t rows;
    double *memory, *u, *more;
    fa_units units;
} fa_network_rows;

static int make_network_rows(
    fa_network_rows *b, const fa_rows *x, const fa_network *n, ptrdiff_t more)
{
    ptrdiff_t columns = n->m + 3 * n->h + more;
    b->rows = network_rows(x->n, columns);
    b->memory = aligned_alloc(LINE, (size_t)(columns * b->rows) * sizeof(double));
    if (!b->memory)
        return -1;
    b->u = b->memory;
    b->units.values = b->u + n->m * b->rows;
    b->units.slopes = b->units.values + n->h * b->rows;
    b->units.bends = b->units.slopes + n->h * b->rows;
    b->more = b->units.bends + n->h * b->rows;
    return 0;
}

/* The units of rows from row `start` on; returns their number K, filled up. */
static ptrdiff_t fill_units(
    const fa_network_rows *b, const fa_rows *x, const fa_network *n, ptrdiff_t start, ptrdiff_t k)
{
    ptrdiff_t K = filled_up(k);
    load_by_columns(x, start, k, K, n->shift, n->inverse_scale, b->u);
    activate(n, b->u, K, &b->units);
    return K;
}

int FA_NAME(fa_network_predictions)(const fa_rows *x, const fa_network *n, double *f)
{
    fa_network_rows b;
    if (make_network_rows(&b, x, n, 1))
        return -1;
    for (ptrdiff_t start = 0; start < x->n; start += b.rows) {
        ptrdiff_t k = x->n - start < b.rows ? x->n - start : b.rows;
        outputs_of(n, &b.units, fill_units(&b, x, n, start, k), b.more);
        memcpy(f + start, b.more, (size_t)k * sizeof *f);
    }
    free(b.memory);
    return 0;
}

/* --- derivatives along a step in theta ---------------------------------------------------- */

/* f' and f'' along the step; z (h, K) is how the units' arguments move. */
static void speeds_of(
    const fa_network *n, const fa_network *step, const fa_units *units, const double *z,
    ptrdiff_t K, double *speed, double *bend)
{
    for (ptrdiff_t r = 0; r < K; r += FA_LANES) {
        vd first = splat(step->b2), second = splat(0.0);
        for (ptrdiff_t i = 0; i < n->h; i++) {
            vd moved = piece(z, K, i, r), along = piece(units->slopes, K, i, r) * moved;
            first += step->w2[i] * piece(units->values, K, i, r) + n->w2[i] * along;
            second += 2.0 * step->w2[i] * along
                + n->w2[i] * piece(units->bends, K, i, r) * moved * moved;
        }
        store(speed + r, first);
        store(bend + r, second);
    }
}

/* grad_u f and its derivative along the step, (m, K) each; `t` (h, K) is scratch. */
static void moving_slopes(
    const fa_network *n, const fa_network *step, const fa_units *units, const double *z,
    ptrdiff_t K, double *t, double *g, double *moved)
{
    ptrdiff_t m = n->m, h = n->h;
    double *part = moved + m * K;
    slopes_of_inputs(n, units, K, t, g);
    multiply_columns(step->w1, m, h, h, 1, t, K, part);
    for (ptrdiff_t i = 0; i < h; i++)
        for (ptrdiff_t r = 0; r < K; r += FA_LANES)
            store(t + i * K + r, step->w2[i] * piece(units->slopes, K, i, r)
                      + n->w2[i] * piece(units->bends, K, i, r) * piece(z, K, i, r));
    multiply_columns(n->w1, m, h, h, 1, t, K, moved);
    for (ptrdiff_t r = 0; r < m * K; r += FA_LANES)
        store(moved + r, load(moved + r) + load(part + r));
}

/* `slopes` (2, m, n) is written unless it is null. */
int FA_NAME(fa_network_moves)(
    const fa_rows *x, const fa_network *n, const fa_network *step, double *speed, double *bend,
    double *slopes)
{
    fa_network_rows b;
    ptrdiff_t m = n->m, h = n->h;
    if (make_network_rows(&b, x, n, 2 * h + 2 + 3 * m))
        return -1;
    for (ptrdiff_t start = 0; start < x->n; start += b.rows) {
        ptrdiff_t k = x->n - start < b.rows ? x->n - start : b.rows;
        ptrdiff_t K = fill_units(&b, x, n, start, k);
        size_t bytes = (size_t)k * sizeof *speed;
        double *z = b.more, *t = z + h * K, *first = t + h * K, *second = first + K;
        double *g = second + K, *moved = g + m * K;
        multiply_columns(step->w1, h, m, 1, h, b.u, K, z);
        for (ptrdiff_t i = 0; i < h; i++)
            for (ptrdiff_t r = 0; r < K; r++)
                z[i * K + r] += step->b1[i];
        speeds_of(n, step, &b.units, z, K, first, second);
        memcpy(speed + start, first, bytes);
        memcpy(bend + start, second, bytes);
        if (!slopes)
            continue;
        moving_slopes(n, step, &b.units, z, K, t, g, moved);
        for (ptrdiff_t j = 0; j < m; j++) {
            memcpy(slopes + j * x->n + start, g + j * K, bytes);
            memcpy(slopes + (m + j) * x->n + start, moved + j * K, bytes);
        }
    }
    free(b.memory);
    return 0;
}

/* --- shares of Phi ------------------------------------------------------------------------ */

/* Row r's l'' sgn(l') g (v, 1) + |l'| grad_theta <grad_u f, p>, by the factors of both parts. */
static void write_share(
    const fa_network *n, const fa_network_rows *b, const double *p, const double *c, ptrdiff_t K,
    ptrdiff_t r, double along, double size, double *out)
{
    ptrdiff_t m = n->m, h = n->h;
    for (ptrdiff_t i = 0; i < h; i++) {
        double turn = c[i * K + r], first = b->units.slopes[i * K + r];
        double slope = n->w2[i] * first, bend = n->w2[i] * b->units.bends[i * K + r] * turn;
        for (ptrdiff_t j = 0; j < m; j++)
            out[j * h + i] = (along * slope + size * bend) * b->u[j * K + r]
                + size * slope * p[j * K + r];
        out[m * h + i] = along * slope + size * bend;
        out[m * h + h + i] = along * b->units.values[i * K + r] + size * first * turn;
    }
    out[m * h + 2 * h] = along;
}

int FA_NAME(fa_network_shares)(
    const fa_rows *x, const fa_network *n, const fa_attack *attack, const fa_inner *inner,
    double *out)
{
    fa_network_rows b;
    ptrdiff_t m = n->m, h = n->h, d = m * h + 2 * h + 1;
    if (make_network_rows(&b, x, n, h + 2 * m + 3))
        return -1;
    int failed = 0;
    for (ptrdiff_t start = 0; start < x->n && !failed; start += b.rows) {
        ptrdiff_t k = x->n - start < b.rows ? x->n - start : b.rows;
        ptrdiff_t K = fill_units(&b, x, n, start, k);
        double *t = b.more, *g = t + h * K, *p = g + m * K, *f = p + m * K, *gains = f + K;
        outputs_of(n, &b.units, K, f);
        slopes_of_inputs(n, &b.units, K, t, g);
        failed = FA_NAME(fa_attack_directions)(
            g, m, K, attack->p, attack->weights, p, gains, gains + K);
        multiply_columns(n->w1, h, m, 1, h, p, K, t);
        for (ptrdiff_t r = 0; r < k && !failed; r++) {
            fa_point at = point_loss(inner->loss, inner->delta, f[r], x->y[start + r]);
            write_share(n, &b, p, t, K, r, at.second * sign_of(at.first) * gains[r],
                        fabs(at.first), out + (start + r) * d);
        }
    }
    free(b.memory);
    return failed;
}

#endif
