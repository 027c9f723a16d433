/* Blocks of rows by columns: (columns, K) for K rows, a multiple of 8, the last of which repeat the
   block's last row and weigh nothing. Every loop runs over rows, in whole vectors, however few
   columns there are. */
#ifndef FASTAIF_COLUMNS_H
#define FASTAIF_COLUMNS_H

#include "operations.h"
#include "core/products.h"
#include "core/row_tails.h"

/* FA_LANES rows of column j. */
INLINE vd piece(const double *u, ptrdiff_t K, ptrdiff_t j, ptrdiff_t i)
{
    return load(u + j * K + i);
}

/* FA_LANES rows from row `row` on into FA_LANES columns from column j on, or as many as there are:
   transposed in registers, unless that would read beyond the array's end. */
INLINE void turn_rows(
    const fa_rows *x, ptrdiff_t row, ptrdiff_t j, ptrdiff_t K, double *u, int single)
{
    ptrdiff_t count = x->m - j < FA_LANES ? x->m - j : FA_LANES, at = row * x->m + j;
    if ((row + FA_LANES - 1) * x->m + j + FA_LANES > x->n * x->m) {
        for (ptrdiff_t i = 0; i < FA_LANES; i++)
            for (ptrdiff_t c = 0; c < count; c++)
                u[c * K + i] = single ? (double)x->singles[at + i * x->m + c]
                                      : x->doubles[at + i * x->m + c];
        return;
    }
    vd square[FA_LANES];
    for (int i = 0; i < FA_LANES; i++)
        square[i] = single ? load_single(x->singles + at + i * x->m)
                           : load(x->doubles + at + i * x->m);
    transpose(square);
    for (ptrdiff_t c = 0; c < count; c++)
        store(u + c * K, square[c]);
}

INLINE void turn_all(
    const fa_rows *x, ptrdiff_t start, ptrdiff_t k, ptrdiff_t K, double *u, int single)
{
    ptrdiff_t i = 0;
    for (; i + FA_LANES <= k; i += FA_LANES)
        for (ptrdiff_t j = 0; j < x->m; j += FA_LANES)
            turn_rows(x, start + i, j, K, u + j * K + i, single);
    for (; i < K; i++) {
        ptrdiff_t at = (start + (i < k ? i : k - 1)) * x->m;
        for (ptrdiff_t j = 0; j < x->m; j++)
            u[j * K + i] = single ? (double)x->singles[at + j] : x->doubles[at + j];
    }
}

/* (x - shift) inverse_scale of k rows from row `start` on, or the rows themselves. */
static void load_by_columns(
    const fa_rows *x, ptrdiff_t start, ptrdiff_t k, ptrdiff_t K, const double *shift,
    const double *inverse_scale, double *u)
{
    if (x->singles)
        turn_all(x, start, k, K, u, 1);
    else
        turn_all(x, start, k, K, u, 0);
    for (ptrdiff_t j = 0; shift && j < x->m; j++)
        for (ptrdiff_t i = 0; i < K; i++)
            u[j * K + i] = (u[j * K + i] - shift[j]) * inverse_scale[j];
}

#define OUTPUTS 4
#define ABREAST 2 /* vectors of rows: sums enough to keep both arithmetic units busy */

INLINE void multiply_tile(
    const double *A, ptrdiff_t q, ptrdiff_t down, ptrdiff_t along, const double *u, ptrdiff_t K,
    double *out, int outputs, int abreast)
{
    vd sums[OUTPUTS][ABREAST];
    for (int r = 0; r < outputs; r++)
        for (int v = 0; v < abreast; v++)
            sums[r][v] = splat(0.0);
    for (ptrdiff_t l = 0; l < q; l++) {
        vd columns[ABREAST];
        for (int v = 0; v < abreast; v++)
            columns[v] = load(u + l * K + v * FA_LANES);
#pragma GCC unroll 4
        for (int r = 0; r < outputs; r++) {
            double a = A[r * down + l * along];
            for (int v = 0; v < abreast; v++)
                sums[r][v] += a * columns[v];
        }
    }
    for (int r = 0; r < outputs; r++)
        for (int v = 0; v < abreast; v++)
            store(out + r * K + v * FA_LANES, sums[r][v]);
}

INLINE void multiply_some(
    const double *A, ptrdiff_t q, ptrdiff_t down, ptrdiff_t along, const double *u, ptrdiff_t K,
    double *out, int outputs)
{
    ptrdiff_t i = 0;
    for (; i + ABREAST * FA_LANES <= K; i += ABREAST * FA_LANES)
        multiply_tile(A, q, down, along, u + i, K, out + i, outputs, ABREAST);
    for (; i < K; i += FA_LANES)
        multiply_tile(A, q, down, along, u + i, K, out + i, outputs, 1);
}

/* out (p, K) = A u for u (q, K); entry (j, l) of A is at j down + l along. */
static void multiply_columns(
    const double *A, ptrdiff_t p, ptrdiff_t q, ptrdiff_t down, ptrdiff_t along, const double *u,
    ptrdiff_t K, double *out)
{
    ptrdiff_t j = 0;
    for (; j + OUTPUTS <= p; j += OUTPUTS)
        multiply_some(A + j * down, q, down, along, u, K, out + j * K, OUTPUTS);
    for (; j + 2 <= p; j += 2)
        multiply_some(A + j * down, q, down, along, u, K, out + j * K, 2);
    if (j < p)
        multiply_some(A + j * down, q, down, along, u, K, out + j * K, 1);
}

/* out (p, q) += a b' over rows, for a (p, K) and b (q, K): two by four entries at a time, whose
   lanes are added together at the end. Rows of `out` are `stride` apart. */
static void add_row_products(
    const double *a, ptrdiff_t p, const double *b, ptrdiff_t q, ptrdiff_t K, double *out,
    ptrdiff_t stride)
{
    enum { DOWN = 2, ALL = DOWN * OUTPUTS };
    for (ptrdiff_t j = 0; j < p; j += DOWN)
        for (ptrdiff_t l = 0; l < q; l += OUTPUTS) {
            ptrdiff_t lower = j + 1 < p ? K : 0, count = q - l < OUTPUTS ? q - l : OUTPUTS;
            const double *left = a + j * K;
            vd sums[ALL];
            double totals[ALL];
            for (int r = 0; r < ALL; r++)
                sums[r] = splat(0.0);
            for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
                vd upper = load(left + i), beside = load(left + lower + i);
#pragma GCC unroll 4
                for (ptrdiff_t r = 0; r < OUTPUTS; r++) {
                    vd right = load(b + (l + (r < count ? r : 0)) * K + i);
                    sums[r] += upper * right;
                    sums[OUTPUTS + r] += beside * right;
                }
            }
            for (int r = 0; r < ALL; r += FA_LANES)
                store(totals + r, sums_of_rows(sums + r));
            for (ptrdiff_t d = 0; d < (lower ? DOWN : 1); d++)
                for (ptrdiff_t r = 0; r < count; r++)
                    out[(j + d) * stride + l + r] += totals[d * OUTPUTS + r];
        }
}

INLINE void add_some_totals(
    const double *A, const double *w, ptrdiff_t K, double *totals, int columns)
{
    vd sums[OUTPUTS];
    for (int r = 0; r < columns; r++)
        sums[r] = splat(0.0);
    for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
        vd by = load(w + i);
#pragma GCC unroll 4
        for (int r = 0; r < columns; r++)
            sums[r] += by * load(A + r * K + i);
    }
    for (int r = 0; r < columns; r++)
        totals[r] += sum_of_lanes(sums[r]);
}

/* totals (p,) += A w for A (p, K). */
static void add_weighted_totals(
    const double *A, ptrdiff_t p, const double *w, ptrdiff_t K, double *totals)
{
    ptrdiff_t j = 0;
    for (; j + OUTPUTS <= p; j += OUTPUTS)
        add_some_totals(A + j * K, w, K, totals + j, OUTPUTS);
    for (; j < p; j++)
        add_some_totals(A + j * K, w, K, totals + j, 1);
}

/* out = a b shares for b (h, K), a (h,) of the columns and shares (K,) of the rows; either may be
   null. */
static void weigh(
    const double *a, const double *b, const double *shares, ptrdiff_t h, ptrdiff_t K, double *out)
{
    for (ptrdiff_t i = 0; i < h; i++)
        for (ptrdiff_t r = 0; r < K; r += FA_LANES) {
            vd part = (a ? a[i] : 1.0) * load(b + i * K + r);
            store(out + i * K + r, shares ? part * load(shares + r) : part);
        }
}

/* Columns times `roots` into panels, 8 columns each: transposed in registers. */
static void columns_to_panels(
    const double *v, ptrdiff_t d, ptrdiff_t K, const double *roots, double *panels)
{
    for (ptrdiff_t first = 0; first < d; first += FA_LANES) {
        double *to = panels + first / PANEL * K * PANEL + first % PANEL;
        for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
            vd square[FA_LANES], by = load(roots + i);
            for (int c = 0; c < FA_LANES; c++)
                square[c] = first + c < d ? by * load(v + (first + c) * K + i) : splat(0.0);
            transpose(square);
            for (int r = 0; r < FA_LANES; r++)
                store(to + (i + r) * PANEL, square[r]);
        }
    }
}

#endif
