/* Blocks of rows by columns: (columns, K) for K rows, a multiple of 8, the last of which repeat the
   block's last row and weigh nothing. Every loop runs over rows, in whole vectors, however few
   columns there are. */
#ifndef FASTAIF_COLUMNS_H
#define FASTAIF_COLUMNS_H

#include "operations.h"
#include "products.h"
#include "stretches.h"

/* (x - shift) inverse_scale of k rows from row `start` on, or the rows themselves. */
static void load_by_columns(
    const fa_rows *x, ptrdiff_t start, ptrdiff_t k, ptrdiff_t K, const double *shift,
    const double *inverse_scale, double *u)
{
    for (ptrdiff_t i = 0; i < K; i++) {
        ptrdiff_t at = (start + (i < k ? i : k - 1)) * x->m;
        for (ptrdiff_t j = 0; j < x->m; j++)
            u[j * K + i] = x->singles ? (double)x->singles[at + j] : x->doubles[at + j];
    }
    for (ptrdiff_t j = 0; shift && j < x->m; j++)
        for (ptrdiff_t i = 0; i < K; i++)
            u[j * K + i] = (u[j * K + i] - shift[j]) * inverse_scale[j];
}

#define OUTPUTS 4

INLINE void multiply_some(
    const double *A, ptrdiff_t q, ptrdiff_t down, ptrdiff_t along, const double *u, ptrdiff_t K,
    double *out, int outputs)
{
    for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
        vd sums[OUTPUTS];
        for (int r = 0; r < outputs; r++)
            sums[r] = splat(0.0);
        for (ptrdiff_t l = 0; l < q; l++) {
            vd column = load(u + l * K + i);
#pragma GCC unroll 4
            for (int r = 0; r < outputs; r++)
                sums[r] += A[r * down + l * along] * column;
        }
        for (int r = 0; r < outputs; r++)
            store(out + r * K + i, sums[r]);
    }
}

/* out (p, K) = A u for u (q, K); entry (j, l) of A is at j down + l along. */
static void multiply_columns(
    const double *A, ptrdiff_t p, ptrdiff_t q, ptrdiff_t down, ptrdiff_t along, const double *u,
    ptrdiff_t K, double *out)
{
    ptrdiff_t j = 0;
    for (; j + OUTPUTS <= p; j += OUTPUTS)
        multiply_some(A + j * down, q, down, along, u, K, out + j * K, OUTPUTS);
    for (; j < p; j++)
        multiply_some(A + j * down, q, down, along, u, K, out + j * K, 1);
}

/* out (m, m) += a b' over rows, entry by entry, four at a time. */
static void add_row_products(
    const double *a, const double *b, ptrdiff_t m, ptrdiff_t K, double *out)
{
    for (ptrdiff_t j = 0; j < m; j++)
        for (ptrdiff_t l = 0; l < m; l += OUTPUTS) {
            ptrdiff_t count = m - l < OUTPUTS ? m - l : OUTPUTS;
            vd sums[OUTPUTS];
            for (int r = 0; r < OUTPUTS; r++)
                sums[r] = splat(0.0);
            for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
                vd left = load(a + j * K + i);
#pragma GCC unroll 4
                for (ptrdiff_t r = 0; r < OUTPUTS; r++)
                    sums[r] += left * load(b + (l + (r < count ? r : 0)) * K + i);
            }
            for (ptrdiff_t r = 0; r < count; r++)
                out[j * m + l + r] += sum_of_lanes(sums[r]);
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
