/* The one-pass sums of linear predictors on sparse rows: the counterpart of
   numba_ops/sparse_sums.py. The work is that of the entries that are there, and of their pairs in a
   row for the Hessian. */
#ifndef FASTAIF_SPARSE_SUMS_H
#define FASTAIF_SPARSE_SUMS_H

#include "linear/linear_sums.h"

#define SPARSE_STRIP 256 /* rows */

/* A row's entries as doubles, (count,). */
static ptrdiff_t entries_of_row(const fa_sparse_block *x, ptrdiff_t i, double *values)
{
    ptrdiff_t start = x->starts[i], count = x->starts[i + 1] - start;
    for (ptrdiff_t a = 0; a < count; a++)
        values[a] = x->doubles ? x->doubles[start + a] : (double)x->singles[start + a];
    return count;
}

static void predict_sparse(
    const fa_sparse_block *x, ptrdiff_t first, ptrdiff_t k, const fa_predictor *predictor, double p,
    int measured, fa_block *b, double *values)
{
    for (ptrdiff_t i = 0; i < k; i++) {
        ptrdiff_t count = entries_of_row(x, first + i, values);
        const int32_t *columns = x->columns + x->starts[first + i];
        double f = predictor->intercept;
        for (ptrdiff_t a = 0; a < count; a++)
            f += predictor->beta[columns[a]] * values[a];
        b->f[i] = f;
        b->norms[i] = measured ? norm_of_row(values, count, p) : 0.0;
        b->y[i] = x->y[first + i];
        b->w[i] = x->weight ? x->weight[first + i] : 1.0;
    }
    for (ptrdiff_t i = k; i < filled_up(k); i++)
        b->f[i] = b->norms[i] = b->y[i] = b->w[i] = b->d1[i] = b->d12[i] = b->d2[i] = 0.0;
}

/* One row into the vectors, and its pairs into the lower triangle of H. */
static void add_sparse_row(
    const double *values, const int32_t *columns, ptrdiff_t count, const fa_block *b, ptrdiff_t i,
    double *vectors, ptrdiff_t wide, double *hessian)
{
    double d1 = b->d1[i], d12 = b->d12[i], d2 = b->d2[i];
    for (ptrdiff_t a = 0; a < count; a++) {
        double v = values[a];
        vectors[V_F * wide + columns[a]] += d1 * v;
        vectors[V_FK * wide + columns[a]] += d12 * v;
        vectors[V_FF * wide + columns[a]] += d2 * v;
        for (ptrdiff_t c = 0; hessian && c <= a; c++) /* columns ascend */
            hessian[columns[a] * b->m + columns[c]] += d2 * v * values[c];
    }
}

int FA_NAME(fa_sparse_sums)(
    const fa_sparse_block *x, const fa_predictor *predictor, double p, const fa_inner *inner,
    int need, const fa_sums *sums)
{
    ptrdiff_t m = x->m, wide = filled_up(m);
    ptrdiff_t doubles = 7 * SPARSE_STRIP + wide + N_VECTORS * wide;
    double *memory = fa_borrow((size_t)doubles * sizeof(double)), *at = memory;
    if (!memory)
        return -1;
    fa_totals totals;
    fa_block b = {.m = m, .panels = wide / PANEL};
    memset(&totals, 0, sizeof totals);
    memset(memory, 0, (size_t)doubles * sizeof(double));
    double **of_rows[] = {&b.f, &b.y, &b.w, &b.norms, &b.d1, &b.d12, &b.d2};
    for (int i = 0; i < 7; i++)
        *of_rows[i] = take(&at, SPARSE_STRIP);
    double *values = take(&at, m), *vectors = at;
    double *hessian = need & NEED_HESSIAN ? sums->hessian : NULL;
    for (ptrdiff_t first = 0; first < x->n; first += SPARSE_STRIP) {
        ptrdiff_t k = x->n - first < SPARSE_STRIP ? x->n - first : SPARSE_STRIP;
        predict_sparse(x, first, k, predictor, p, need & (NEED_NORM | NEED_YARDSTICK), &b, values);
        slopes(&b, first, k, inner, need, &totals, sums->scalars);
        add_rows(&b, filled_up(k), need, &totals);
        if (inner->exponent > 0.0)
            share(&b, k, inner->exponent, sums, vectors + V_FK * wide);
        if (!(need & (NEED_GRADIENT | NEED_HESSIAN | NEED_MIXED)))
            continue;
        for (ptrdiff_t i = 0; i < k; i++)
            add_sparse_row(values, x->columns + x->starts[first + i],
                           entries_of_row(x, first + i, values), &b, i, vectors, wide, hessian);
    }
    add_totals(&totals, inner, need, sums->scalars);
    for (ptrdiff_t part = 0; part < N_VECTORS; part++)
        for (ptrdiff_t j = 0; j < m; j++)
            sums->vectors[part * m + j] += vectors[part * wide + j];
    fa_give_back(memory);
    return 0;
}

#endif
