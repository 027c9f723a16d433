/* A block of rows of a basis model, by columns (columns.h), once its features, predictions, norms
   and directions of attack are there: through the loss, and into the sums. For H the features,
   times sqrt(w l''), turn into panels, which products.h multiplies. */
#ifndef FASTAIF_BASIS_BLOCKS_H
#define FASTAIF_BASIS_BLOCKS_H

#include "core/columns.h"
#include "linear/linear_sums.h"

/* A block: numbers a row, and features, which give way to panels. */
typedef struct {
    fa_block rows; /* f, y, w, norms and derivatives */
    ptrdiff_t K, d;
    double *v, *panels, *gains, *ties, *shares, *rates, *gained, *roots;
} fa_basis_block;

#define ROW_ARRAYS 13

static ptrdiff_t size_of_block(ptrdiff_t d, ptrdiff_t K, int need)
{
    return ROW_ARRAYS * K + d * K + (need & NEED_HESSIAN ? filled_up(d) * K : 0);
}

static void take_block(fa_basis_block *b, ptrdiff_t d, ptrdiff_t K, int need, double **at)
{
    memset(b, 0, sizeof *b);
    b->K = K;
    b->d = d;
    double **of_rows[ROW_ARRAYS] = {
        &b->rows.f, &b->rows.y, &b->rows.w, &b->rows.norms, &b->rows.d1, &b->rows.d12, &b->rows.d2,
        &b->gains, &b->ties, &b->shares, &b->rates, &b->gained, &b->roots};
    for (int i = 0; i < ROW_ARRAYS; i++)
        *of_rows[i] = take(at, K);
    b->v = take(at, d * K);
    b->panels = need & NEED_HESSIAN ? take(at, filled_up(d) * K) : NULL;
}

/* Shares of the budget of k rows, relative to the largest gain so far; returns what those of earlier
   blocks are multiplied by. */
static double share_block(const fa_basis_block *b, ptrdiff_t k, double exponent, const fa_sums *sums)
{
    double peak = 0.0;
    for (ptrdiff_t i = 0; i < k; i++) {
        double w = b->rows.w[i];
        b->shares[i] = w > 0.0 ? fabs(b->rows.d1[i]) / w * b->gains[i] : 0.0;
        peak = b->shares[i] > peak ? b->shares[i] : peak;
    }
    double factor = raise_peak(peak, exponent, sums, NULL, b->d, 0);
    peak = sums->scalars[S_PEAK];
    for (ptrdiff_t i = 0; i < k; i++) {
        double ratio = peak > 0.0 ? b->shares[i] / peak : 0.0;
        b->shares[i] = share_of(ratio, exponent);
        sums->scalars[S_POWER] += b->rows.w[i] * b->shares[i] * ratio;
    }
    return factor;
}

/* The scalar sums of gains, and w l'' sgn(l') g; rows without a gradient count as unattacked. */
static void add_gains(const fa_basis_block *b, ptrdiff_t k, double *scalars)
{
    for (ptrdiff_t i = 0; i < k; i++) {
        double gain = b->gains[i];
        b->gained[i] = b->rows.d12[i] * gain * b->shares[i];
        b->rates[i] = fabs(b->rows.d1[i]) * b->shares[i];
        scalars[S_SLOPE] += fabs(b->rows.d1[i]) * gain;
        scalars[S_MIXED] += b->gained[i];
        if (b->rows.w[i] > 0.0) {
            scalars[S_TIES] += b->ties[i];
            scalars[S_ZERO] += gain == 0.0 && b->rows.d1[i] != 0.0;
        }
    }
    for (ptrdiff_t i = k; i < b->K; i++)
        b->gained[i] = b->rates[i] = 0.0;
}

/* Targets and weights of k rows from row `start` on. */
static void read_targets(const fa_rows *x, ptrdiff_t start, ptrdiff_t k, fa_basis_block *b)
{
    for (ptrdiff_t i = 0; i < k; i++) {
        b->rows.y[i] = x->y[start + i];
        b->rows.w[i] = x->weight ? x->weight[start + i] : 1.0;
    }
}

static void add_vectors(const fa_basis_block *b, int need, const fa_sums *sums)
{
    for (ptrdiff_t h = 0; h < b->d; h++) {
        vd first = splat(0.0), second = splat(0.0), mixed = splat(0.0);
        for (ptrdiff_t i = 0; i < b->K; i += FA_LANES) {
            vd v = load(b->v + h * b->K + i);
            first += load(b->rows.d1 + i) * v;
            second += load(b->rows.d2 + i) * v;
            if (need & NEED_MIXED)
                mixed += load(b->gained + i) * v;
        }
        sums->vectors[V_F * b->d + h] += sum_of_lanes(first);
        sums->vectors[V_FF * b->d + h] += sum_of_lanes(second);
        sums->vectors[V_MIXED * b->d + h] += sum_of_lanes(mixed);
    }
}

/* A row beyond the block's end must have no weight, nor a norm that is infinite. */
static void pad_rows(const fa_basis_block *b, ptrdiff_t k)
{
    for (ptrdiff_t i = k; i < b->K; i++)
        b->rows.w[i] = b->rows.y[i] = b->rows.norms[i] = 0.0;
}

/* Take a block of k rows, whose predictions, norms and directions are there, through its loss;
   returns what shared budgets multiply the sums of earlier blocks by. */
static double add_losses(
    fa_basis_block *b, ptrdiff_t k, const fa_inner *inner, int need, fa_totals *totals,
    const fa_sums *sums)
{
    double factor = 1.0;
    pad_rows(b, k);
    slopes(&b->rows, 0, b->K, inner, need, totals, sums->scalars);
    add_rows(&b->rows, b->K, need, totals);
    for (ptrdiff_t i = 0; i < b->K; i++) {
        b->shares[i] = 1.0;
        b->rates[i] = fabs(b->rows.d1[i]);
    }
    if (need & NEED_MIXED) {
        if (inner->exponent > 0.0)
            factor = share_block(b, k, inner->exponent, sums);
        add_gains(b, k, sums->scalars);
    }
    return factor;
}

/* tiles += sum of w l'' v v'. */
static void add_block_product(const fa_basis_block *b, double *tiles)
{
    fa_ahead nothing = {NULL, 0, LINE};
    for (ptrdiff_t i = 0; i < b->K; i += FA_LANES)
        store(b->roots + i, root(load(b->rows.d2 + i)));
    columns_to_panels(b->v, b->d, b->K, b->roots, b->panels);
    add_product(b->panels, panels_of(b->d), b->K * PANEL, b->K, tiles, nothing);
}

/* Add a block whose features are there as well; returns what `add_losses` does. */
static double add_basis_block(
    fa_basis_block *b, ptrdiff_t k, const fa_inner *inner, int need, fa_totals *totals,
    const fa_sums *sums, double *tiles)
{
    double factor = add_losses(b, k, inner, need, totals, sums);
    if (need & (NEED_GRADIENT | NEED_HESSIAN | NEED_MIXED))
        add_vectors(b, need, sums);
    if (need & NEED_HESSIAN)
        add_block_product(b, tiles);
    return factor;
}

#endif
