/* Products of sum c (v, 1)(v, 1)' with vectors, in one pass and without the matrix: the counterpart
   of `linear_products` in numba_ops/hessian_products.py.

   Vectors U are taken 8 at a time, as a panel: for ROWS_AT_ONCE rows T = c (V U + u_b) stays in
   registers, and V'T is added while the rows are in the first-level cache. */
#ifndef FASTAIF_HESSIAN_PRODUCTS_H
#define FASTAIF_HESSIAN_PRODUCTS_H

#include <stdlib.h>

#include "operations.h"
#include "core/row_tails.h"

#define ROWS_AT_ONCE 4

/* v = (x - shift) inverse_scale of a row, or the row itself. */
static const double *scaled_row(
    const fa_rows *x, ptrdiff_t row, const double *shift, const double *inverse_scale, double *out)
{
    const double *doubles = x->doubles ? x->doubles + row * x->m : NULL;
    const float *singles = x->singles ? x->singles + row * x->m : NULL;
    if (doubles && !shift)
        return doubles;
    for (ptrdiff_t j = 0; j < x->m; j++) {
        double u = doubles ? doubles[j] : (double)singles[j];
        out[j] = shift ? (u - shift[j]) * inverse_scale[j] : u;
    }
    return out;
}

/* out (m + 1) += (v, 1) c ((v, 1) u) for one vector. */
static void add_one(const double *v, ptrdiff_t m, double c, const double *u, double *out)
{
    double t = c * (dot_of(v, u, m) + u[m]);
    for (ptrdiff_t j = 0; j < m; j++)
        out[j] += t * v[j];
    out[m] += t;
}

/* The same for a panel of 8 vectors (m + 1, PANEL) and `count` rows. */
INLINE void add_panel(
    const double *const *v, ptrdiff_t m, const double *c, const double *u, double *out, int count)
{
    vd t[ROWS_AT_ONCE][VECTORS_OF_PANEL];
    for (int r = 0; r < count; r++)
        for (int w = 0; w < VECTORS_OF_PANEL; w++)
            t[r][w] = load(u + m * PANEL + w * FA_LANES);
    for (ptrdiff_t j = 0; j < m; j++)
        for (int w = 0; w < VECTORS_OF_PANEL; w++) {
            vd of_column = load(u + j * PANEL + w * FA_LANES);
#pragma GCC unroll 4
            for (int r = 0; r < count; r++)
                t[r][w] += v[r][j] * of_column;
        }
    for (int r = 0; r < count; r++)
        for (int w = 0; w < VECTORS_OF_PANEL; w++)
            t[r][w] *= c[r];
    for (ptrdiff_t j = 0; j <= m; j++)
        for (int w = 0; w < VECTORS_OF_PANEL; w++) {
            double *to = out + j * PANEL + w * FA_LANES;
            vd total = load(to);
#pragma GCC unroll 4
            for (int r = 0; r < count; r++)
                total += (j < m ? v[r][j] : 1.0) * t[r][w];
            store(to, total);
        }
}

static void add_rows_to_panel(
    const double *const *v, ptrdiff_t m, const double *c, const double *u, double *out,
    ptrdiff_t count)
{
    if (count == ROWS_AT_ONCE)
        add_panel(v, m, c, u, out, ROWS_AT_ONCE);
    else
        for (ptrdiff_t r = 0; r < count; r++)
            add_panel(v + r, m, c + r, u, out, 1);
}

/* Columns of (m + 1, count) as panels, filled up with zeros; or the way back, added. */
static void to_panels(const double *U, ptrdiff_t rows, ptrdiff_t count, double *panels)
{
    memset(panels, 0, (size_t)(rows * filled_up(count)) * sizeof *panels);
    for (ptrdiff_t j = 0; j < rows; j++)
        for (ptrdiff_t k = 0; k < count; k++)
            panels[(k / PANEL * rows + j) * PANEL + k % PANEL] = U[j * count + k];
}

static void add_panels(const double *panels, ptrdiff_t rows, ptrdiff_t count, double *out)
{
    for (ptrdiff_t j = 0; j < rows; j++)
        for (ptrdiff_t k = 0; k < count; k++)
            out[j * count + k] += panels[(k / PANEL * rows + j) * PANEL + k % PANEL];
}

int FA_NAME(fa_linear_products)(
    const fa_rows *x, const double *c, const double *shift, const double *inverse_scale,
    const double *U, ptrdiff_t count, double *out)
{
    ptrdiff_t m = x->m, width = filled_up(count), size = (m + 1) * PANEL;
    size_t doubles = (size_t)(ROWS_AT_ONCE * m + 2 * (m + 1) * width);
    double *scratch = malloc(doubles * sizeof *scratch);
    if (!scratch)
        return -1;
    double *panels = scratch + ROWS_AT_ONCE * m, *totals = panels + (m + 1) * width;
    to_panels(U, m + 1, count, panels);
    memset(totals, 0, (size_t)((m + 1) * width) * sizeof *totals);
    for (ptrdiff_t start = 0; start < x->n; start += ROWS_AT_ONCE) {
        ptrdiff_t k = x->n - start < ROWS_AT_ONCE ? x->n - start : ROWS_AT_ONCE;
        const double *v[ROWS_AT_ONCE];
        for (ptrdiff_t r = 0; r < k; r++)
            v[r] = scaled_row(x, start + r, shift, inverse_scale, scratch + r * m);
        for (ptrdiff_t r = 0; count == 1 && r < k; r++)
            add_one(v[r], m, c[start + r], U, out);
        for (ptrdiff_t p = 0; count > 1 && p < width / PANEL; p++)
            add_rows_to_panel(v, m, c + start, panels + p * size, totals + p * size, k);
    }
    if (count > 1)
        add_panels(totals, m + 1, count, out);
    free(scratch);
    return 0;
}

#endif
