/* The one-pass sums of one-layer networks: the counterpart of numba_ops/network_sums.py, where the
   mathematics is told. grad_theta f is (v, 1) with v = (u w2 sigma', w2 sigma', sigma); it is formed
   for the Gauss-Newton part of H alone, and the rest are products of u with what the units give. */
#ifndef FASTAIF_NETWORK_SUMS_H
#define FASTAIF_NETWORK_SUMS_H

#include "basis/basis_sums.h"
#include "network/network_units.h"

typedef struct {
    const fa_rows *x;
    const fa_network *network;
    const fa_norm_of *norm_of;
    const fa_attack *attack;
    int need;
    ptrdiff_t d;
    double *u, *g, *p, *t, *c, *found, *ones, *buffer;
    fa_units units;
    fa_basis_block block;
} fa_network_pass;

/* --- gradients ---------------------------------------------------------------------------- */

/* out (d,) += sum of shares v. */
static void backpropagate(const fa_network_pass *s, const double *shares, double *out)
{
    ptrdiff_t m = s->network->m, h = s->network->h, K = s->block.K;
    weigh(s->network->w2, s->units.slopes, shares, h, K, s->t);
    add_row_products(s->u, m, s->t, h, K, out, h);
    add_weighted_totals(s->t, h, s->ones, K, out + m * h);
    add_weighted_totals(s->units.values, h, shares, K, out + m * h + h);
}

/* out (d,) += sum of rates grad_theta <grad_u f, p>. */
static void add_turns(const fa_network_pass *s, double *out)
{
    const fa_network *n = s->network;
    ptrdiff_t m = n->m, h = n->h, K = s->block.K;
    const double *rates = s->block.rates;
    weigh(n->w2, s->units.slopes, rates, h, K, s->t);
    add_row_products(s->p, m, s->t, h, K, out, h);
    multiply_columns(n->w1, h, m, 1, h, s->p, K, s->c);
    for (ptrdiff_t i = 0; i < h; i++)
        for (ptrdiff_t r = i * K; r < (i + 1) * K; r += FA_LANES) {
            vd turn = load(s->c + r) * load(rates + r - i * K);
            store(s->c + r, load(s->units.slopes + r) * turn);
            store(s->t + r, n->w2[i] * load(s->units.bends + r) * turn);
        }
    add_weighted_totals(s->c, h, s->ones, K, out + m * h + h);
    add_row_products(s->u, m, s->t, h, K, out, h);
    add_weighted_totals(s->t, h, s->ones, K, out + m * h);
}

/* --- the Hessian -------------------------------------------------------------------------- */

/* The columns of v, by which the block's panels are filled. */
static void form_gradients(const fa_network_pass *s)
{
    ptrdiff_t m = s->network->m, h = s->network->h, K = s->block.K;
    double *v = s->block.v;
    weigh(s->network->w2, s->units.slopes, NULL, h, K, v + m * h * K);
    memcpy(v + (m * h + h) * K, s->units.values, (size_t)(h * K) * sizeof *v);
    for (ptrdiff_t j = 0; j < m; j++)
        weigh(NULL, v + m * h * K, s->u + j * K, h, K, v + j * h * K);
}

/* hessian (d, d) += sum of w l' hess f, within units; `hessian` receives its lower triangle. */
static void add_curvature(const fa_network_pass *s, double *hessian)
{
    const fa_network *n = s->network;
    ptrdiff_t m = n->m, h = n->h, K = s->block.K, d = s->d, own = m * h + h;
    weigh(n->w2, s->units.bends, s->block.rows.d1, h, K, s->c);
    for (ptrdiff_t j = 0; j <= m; j++) {
        ptrdiff_t rows = j < m ? j + 1 : m;
        weigh(NULL, s->c, j < m ? s->u + j * K : NULL, h, K, s->t);
        memset(s->found, 0, (size_t)(m * h) * sizeof *s->found);
        add_row_products(s->u, rows, s->t, h, K, s->found, h);
        for (ptrdiff_t l = 0; l < rows; l++)
            for (ptrdiff_t i = 0; i < h; i++)
                hessian[(j * h + i) * d + l * h + i] += s->found[l * h + i];
    }
    for (ptrdiff_t i = 0; i < h; i++)
        hessian[(m * h + i) * d + m * h + i] += dot_of(s->c + i * K, s->ones, K);
    weigh(NULL, s->units.slopes, s->block.rows.d1, h, K, s->t);
    memset(s->found, 0, (size_t)(m * h) * sizeof *s->found);
    add_row_products(s->u, m, s->t, h, K, s->found, h);
    for (ptrdiff_t i = 0; i < h; i++) {
        double *row = hessian + (own + i) * d;
        row[m * h + i] += dot_of(s->t + i * K, s->ones, K);
        for (ptrdiff_t j = 0; j < m; j++)
            row[j * h + i] += s->found[j * h + i];
    }
}

static void add_hessian(fa_network_pass *s, const fa_sums *sums, double *tiles)
{
    form_gradients(s);
    add_block_product(&s->block, tiles);
    if (!(s->need & NEED_GAUSS_NEWTON))
        add_curvature(s, sums->hessian);
}

/* --- blocks ------------------------------------------------------------------------------- */

/* |v|_2 of each row. */
static void lengths_of_gradients(const fa_network_pass *s, double *lengths)
{
    const fa_network *n = s->network;
    ptrdiff_t K = s->block.K;
    for (ptrdiff_t r = 0; r < K; r += FA_LANES) {
        vd square = splat(1.0), first = splat(0.0), value = splat(0.0);
        for (ptrdiff_t j = 0; j < n->m; j++)
            square += piece(s->u, K, j, r) * piece(s->u, K, j, r);
        for (ptrdiff_t i = 0; i < n->h; i++) {
            vd slope = n->w2[i] * piece(s->units.slopes, K, i, r);
            vd unit = piece(s->units.values, K, i, r);
            first += slope * slope;
            value += unit * unit;
        }
        store(lengths + r, root(square * first + value));
    }
}

static void fill_network_block(fa_network_pass *s, ptrdiff_t start, ptrdiff_t k)
{
    fa_basis_block *b = &s->block;
    ptrdiff_t K = b->K = filled_up(k);
    load_by_columns(s->x, start, k, K, s->network->shift, s->network->inverse_scale, s->u);
    activate(s->network, s->u, K, &s->units);
    outputs_of(s->network, &s->units, K, b->rows.f);
    if (s->need & NEED_YARDSTICK)
        lengths_of_gradients(s, b->rows.norms);
    else if (s->need & NEED_NORM)
        norms_of_block(s->x, start, k, K, s->u, s->norm_of, s->buffer, b->rows.norms);
    else
        memset(b->rows.norms, 0, (size_t)K * sizeof(double));
    read_targets(s->x, start, k, b);
}

static int add_network_block(
    fa_network_pass *s, ptrdiff_t k, const fa_inner *inner, fa_totals *totals,
    const fa_sums *sums, double *tiles)
{
    fa_basis_block *b = &s->block;
    ptrdiff_t d = s->d;
    if (s->need & NEED_MIXED) {
        slopes_of_inputs(s->network, &s->units, b->K, s->t, s->g);
        if (FA_NAME(fa_attack_directions)(s->g, s->network->m, b->K, s->attack->p,
                                          s->attack->weights, s->p, b->gains, b->ties))
            return -1;
    }
    add_losses(b, k, inner, s->need, totals, sums);
    if (s->need & (NEED_GRADIENT | NEED_HESSIAN))
        backpropagate(s, b->rows.d1, sums->vectors + V_F * d);
    if (s->need & NEED_HESSIAN) {
        backpropagate(s, b->rows.d2, sums->vectors + V_FF * d);
        add_hessian(s, sums, tiles);
    }
    if (s->need & NEED_MIXED) {
        backpropagate(s, b->gained, sums->vectors + V_MIXED * d);
        add_turns(s, sums->vectors + V_MIXED * d);
    }
    return 0;
}

static int run_network_pass(
    fa_network_pass *s, ptrdiff_t rows, const fa_inner *inner, const fa_sums *sums, double *tiles)
{
    fa_totals totals;
    memset(&totals, 0, sizeof totals);
    for (ptrdiff_t start = 0; start < s->x->n; start += rows) {
        ptrdiff_t k = s->x->n - start < rows ? s->x->n - start : rows;
        fill_network_block(s, start, k);
        if (add_network_block(s, k, inner, &totals, sums, tiles))
            return -1;
    }
    add_totals(&totals, inner, s->need, sums->scalars);
    return 0;
}

int FA_NAME(fa_network_sums)(
    const fa_rows *x, const fa_network *network, const fa_norm_of *norm_of,
    const fa_attack *attack, const fa_inner *inner, int need, const fa_sums *sums)
{
    ptrdiff_t m = network->m, h = network->h, d = m * h + 2 * h, formed = need & NEED_HESSIAN ? d : 0;
    ptrdiff_t rows = network_rows(x->n, formed ? formed : 3 * m + 4 * h);
    ptrdiff_t tiles = formed ? size_of_tiles(panels_of(d)) : 0;
    ptrdiff_t doubles = size_of_block(formed, rows, need) + (3 * m + 5 * h + 1) * rows
        + filled_up(m * h) + filled_up(m) + tiles;
    double *memory = aligned_alloc(LINE, (size_t)doubles * sizeof(double)), *at = memory;
    if (!memory)
        return -1;
    fa_network_pass s = {
        .x = x, .network = network, .norm_of = norm_of, .attack = attack, .need = need, .d = d};
    take_block(&s.block, formed, rows, need, &at);
    s.block.d = d;
    double **of_inputs[] = {&s.u, &s.g, &s.p};
    for (int i = 0; i < 3; i++)
        *of_inputs[i] = take(&at, m * rows);
    double **of_units[] = {&s.units.values, &s.units.slopes, &s.units.bends, &s.t, &s.c};
    for (int i = 0; i < 5; i++)
        *of_units[i] = take(&at, h * rows);
    s.ones = take(&at, rows);
    for (ptrdiff_t i = 0; i < rows; i++)
        s.ones[i] = 1.0;
    s.found = take(&at, m * h);
    s.buffer = take(&at, m);
    memset(at, 0, (size_t)tiles * sizeof(double));
    int failed = run_network_pass(&s, rows, inner, sums, at);
    if (tiles)
        add_tiles(at, d, d, sums->hessian);
    free(memory);
    return failed;
}

#endif
