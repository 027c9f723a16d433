/* The bootstrap's first pass, one theta for all draws: the counterpart of
   numba_ops/bootstrap_start.py, where the mathematics is told. Derivatives belong to the rows, and
   every sum is linear in the weights. */
#ifndef FASTAIF_BOOTSTRAP_START_H
#define FASTAIF_BOOTSTRAP_START_H

#include "linear/bootstrap_blocks.h"

/* Derivatives of the block's rows at theta; zero where a row has no weight. */
static void differentiate(const fa_bootstrap *b, const double *theta, fa_shared *s)
{
    const double *weight = block_weights(b, s);
    for (ptrdiff_t i = 0; i < s->k; i++) {
        double f = 0.0;
        for (ptrdiff_t j = 0; j < b->d; j++)
            f += theta[j] * row_of(b, s, i)[j];
        fa_point at = point_loss(b->inner->loss, b->inner->delta, f, b->rows->y[s->start + i]);
        int counts = !weight || weight[i] > 0.0;
        s->first[i] = counts ? at.first : 0.0;
        s->second[i] = counts ? at.second : 0.0;
    }
}

/* What is summed with a draw's weights: second v_j v_k, first (v, 1), and the scalars' terms. */
static void write_terms(const fa_bootstrap *b, fa_shared *s, ptrdiff_t panels, double *terms)
{
    ptrdiff_t pairs = by_pairs(b) ? count_pairs(b->d) : 0;
    for (ptrdiff_t i = 0; i < s->k; i++) {
        const double *v = row_of(b, s, i);
        double first = s->first[i], *row = row_of_eight(s, i), *rest = row + pairs;
        if (pairs)
            write_pairs(v, b->d, s->second[i], row);
        for (ptrdiff_t j = 0; j < b->d; j++)
            rest[j] = first * v[j];
        rest[b->d + D_WEIGHT] = 1.0;
        rest[b->d + D_NORM] = b->norms[s->start + i];
        rest[b->d + D_SLOPE] = fabs(first);
        rest[b->d + D_YARDSTICK] = fabs(first) * s->lengths[i];
        clear(row, pairs + b->d + N_DRAW_SCALARS, panels);
        flush_rows(s, i, panels, terms);
    }
}

int FA_NAME(fa_bootstrap_start)(
    const fa_rows *rows, const double *norms, const fa_predictor *predictor, const fa_inner *inner,
    const fa_draws *draws, const double *theta, ptrdiff_t d, const fa_draw_sums *sums)
{
    fa_bootstrap b = {rows, norms, predictor, inner, drawn(draws), d, sums};
    ptrdiff_t pairs = by_pairs(&b) ? count_pairs(d) : 0, grams = by_grams(&b);
    ptrdiff_t columns = pairs + d + N_DRAW_SCALARS, panels = panels_of(columns);
    ptrdiff_t n_draws = b.draws.panels, capacity = rows_of_block(rows->n, panels * PANEL);
    ptrdiff_t tiles = n_draws * panels * TILE;
    ptrdiff_t gram_tiles = grams ? draws->count * size_of_tiles(panels_of(d)) : 0;
    ptrdiff_t doubles = size_of_shared(d, columns, capacity, (int)grams)
        + (panels + n_draws + grams) * stride_of(capacity) + tiles + gram_tiles;
    double *memory = aligned_alloc(LINE, (size_t)doubles * sizeof(double)), *at = memory;
    if (!memory)
        return -1;
    fa_shared s;
    take_shared(&s, d, columns, capacity, (int)grams, &at);
    double *terms = take(&at, panels * s.stride), *scratch = take(&at, n_draws * s.stride);
    double *second = take(&at, grams * s.stride);
    double *totals = take(&at, tiles), *products = take(&at, gram_tiles);
    memset(totals, 0, (size_t)(tiles + gram_tiles) * sizeof(double));
    for (s.start = 0; s.start < rows->n; s.start += capacity) {
        s.k = rows->n - s.start < capacity ? rows->n - s.start : capacity;
        load_columns(&b, &s);
        differentiate(&b, theta, &s);
        write_terms(&b, &s, panels, terms);
        ptrdiff_t apart;
        const double *weights = first_weights(
            &b.draws, draws->first_row + s.start, s.k, block_weights(&b, &s), scratch, &apart);
        multiply_panels(weights, n_draws, apart, terms, panels, s.stride, s.k, totals);
        for (ptrdiff_t p = 0; grams && p < n_draws; p++) {
            for (ptrdiff_t i = 0; i < s.k * PANEL; i++)
                second[i] = weights[p * apart + i] * s.second[i / PANEL];
            add_grams_of_panel(&b, &s, p, second, products);
        }
    }
    if (pairs)
        add_hessians(&b, totals, panels);
    if (grams)
        add_gram_tiles(&b, products);
    add_columns(&b, totals, panels, pairs, d, sums->gradient);
    add_columns(&b, totals, panels, pairs + d, N_DRAW_SCALARS, sums->scalars);
    free(memory);
    return 0;
}

#endif
