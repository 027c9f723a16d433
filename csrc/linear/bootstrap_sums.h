/* The bootstrap's later passes, a theta for each draw: the counterpart of
   numba_ops/bootstrap_sums.py, where the mathematics is told. Predictions are products too, of
   panels of 8 rows by panels of 8 draws. */
#ifndef FASTAIF_BOOTSTRAP_SUMS_H
#define FASTAIF_BOOTSTRAP_SUMS_H

#include "linear/bootstrap_blocks.h"

/* Blocks of rows have room for this many beside them, however many there are: a draw's sums are the
   same bits in whatever company. */
#define USUAL_DRAWS 128

/* What belongs to the draws. The first derivatives are those of the panel of draws at work. */
typedef struct {
    double *thetas;         /* (n_draws, d, PANEL) */
    double *turned;         /* rows by eights: (capacity / PANEL, d, PANEL) */
    double *f;              /* tiles: (capacity / PANEL, n_draws) */
    double *first, *mixed;  /* (capacity, PANEL): w l' and w l'' sgn l' */
    double *second;         /* (n_draws, capacity, PANEL): w l'', where Hessians are wanted */
    double *scratch;        /* (capacity, PANEL) */
    double *scalars;        /* (n_draws, N_DRAW_SCALARS, PANEL) */
    double *gradients, *mixed_sums; /* tiles: (n_draws, panels of columns) */
} fa_theirs;

static void turn_thetas(const fa_bootstrap *b, const double *thetas, double *out)
{
    for (ptrdiff_t p = 0; p < b->draws.panels; p++)
        for (ptrdiff_t j = 0; j < b->d; j++)
            for (ptrdiff_t l = 0; l < PANEL; l++)
                out[(p * b->d + j) * PANEL + l] = thetas[lane(&b->draws, p, l) * b->d + j];
}

/* Predictions of all draws; rows that fill up the last eight are whatever they are. */
static void predict_draws(const fa_bootstrap *b, const fa_shared *s, const fa_theirs *t)
{
    fa_ahead nothing = {NULL, 0, LINE};
    ptrdiff_t d = b->d, n_draws = b->draws.panels, eights = panels_of(s->k);
    for (ptrdiff_t i = 0; i < s->k; i++) {
        double *to = t->turned + i / PANEL * d * PANEL + i % PANEL;
        for (ptrdiff_t j = 0; j < d; j++)
            to[j * PANEL] = row_of(b, s, i)[j];
    }
    memset(t->f, 0, (size_t)(eights * n_draws * TILE) * sizeof(double));
    for (ptrdiff_t e = 0; e < eights; e++)
        panel_by_panels(t->turned + e * d * PANEL, t->thetas, n_draws, d * PANEL, d,
                        t->f + e * n_draws * TILE, &nothing);
}

/* Weights kept for the next panel of draws, to be fetched while this one is at work: they come from
   far. Where there are none, those of this one. */
static const double *next_weights(
    const fa_bootstrap *b, const fa_shared *s, ptrdiff_t panel, const double *now)
{
    if (!b->draws.all->kept || panel + 1 == b->draws.panels)
        return now;
    const double *kept = kept_panel(&b->draws, panel + 1);
    return kept ? kept + (b->draws.all->first_row + s->start) * PANEL : now;
}

/* Weighted derivatives of a panel of draws, and its scalars. */
INLINE void slopes_of_panel(
    const fa_bootstrap *b, const fa_shared *s, const fa_theirs *t, ptrdiff_t panel,
    const double *weights, const double *next, int loss)
{
    double *seconds = b->sums->hessian ? t->second + panel * s->stride : NULL;
    for (ptrdiff_t c = 0; c < PANEL; c += FA_LANES) {
        vd sums[N_DRAW_SCALARS];
        for (int i = 0; i < N_DRAW_SCALARS; i++)
            sums[i] = splat(0.0);
        for (ptrdiff_t i = 0; i < s->k; i++) {
            ptrdiff_t at = i * PANEL + c;
            __builtin_prefetch(next + at);
            vd w = load(weights + at);
            ptrdiff_t tile_of = i / PANEL * b->draws.panels + panel;
            vd f = load(t->f + tile_of * TILE + i % PANEL * PANEL + c);
            fa_end end = hard_end_of(
                loss, f, splat(b->rows->y[s->start + i]), 0.0, b->inner->delta, 1.0, 0);
            vl counts = w > 0.0; /* 0 times infinity is no number */
            vd first = keep(counts, w * end.first), second = keep(counts, w * end.second);
            vd size = magnitude(first);
            store(t->first + at, first);
            store(t->mixed + at, end.side * second);
            if (seconds)
                store(seconds + at, second);
            sums[D_WEIGHT] += w;
            sums[D_NORM] += w * b->norms[s->start + i];
            sums[D_SLOPE] += size;
            sums[D_YARDSTICK] += size * s->lengths[i];
        }
        double *out = t->scalars + panel * N_DRAW_SCALARS * PANEL + c;
        for (int i = 0; i < N_DRAW_SCALARS; i++)
            store(out + i * PANEL, load(out + i * PANEL) + sums[i]);
    }
}

/* Derivatives, scalars, gradients and mixed sums of all draws, a panel of draws at a time. */
static void add_slopes(const fa_bootstrap *b, const fa_shared *s, const fa_theirs *t)
{
    ptrdiff_t panels = panels_of(b->d);
    for (ptrdiff_t p = 0; p < b->draws.panels; p++) {
        const double *w = weights_again(
            &b->draws, p, b->draws.all->first_row + s->start, s->k, block_weights(b, s),
            t->scratch);
        const double *next = next_weights(b, s, p, w);
#define CASE(loss_) case loss_: slopes_of_panel(b, s, t, p, w, next, loss_); break;
        switch (b->inner->loss) { FA_LOSSES(CASE) }
#undef CASE
        ptrdiff_t place = p * panels * TILE;
        multiply_panels(t->first, 1, 0, s->v, panels, s->stride, s->k, t->gradients + place);
        multiply_panels(t->mixed, 1, 0, s->v, panels, s->stride, s->k, t->mixed_sums + place);
    }
}

static void write_pair_panels(const fa_bootstrap *b, fa_shared *s, ptrdiff_t panels, double *pairs)
{
    for (ptrdiff_t i = 0; i < s->k; i++) {
        write_pairs(row_of(b, s, i), b->d, 1.0, row_of_eight(s, i));
        clear(row_of_eight(s, i), count_pairs(b->d), panels);
        flush_rows(s, i, panels, pairs);
    }
}

static void add_scalars(const fa_bootstrap *b, const double *scalars)
{
    for (ptrdiff_t i = 0; i < b->draws.all->count; i++)
        for (int j = 0; j < N_DRAW_SCALARS; j++)
            b->sums->scalars[i * N_DRAW_SCALARS + j] +=
                scalars[(i / PANEL * N_DRAW_SCALARS + j) * PANEL + i % PANEL];
}

int FA_NAME(fa_bootstrap_sums)(
    const fa_rows *rows, const double *norms, const fa_predictor *predictor, const fa_inner *inner,
    const fa_draws *draws, const double *thetas, ptrdiff_t d, const fa_draw_sums *sums)
{
    fa_bootstrap b = {rows, norms, predictor, inner, drawn(draws), d, sums};
    ptrdiff_t pairs = by_pairs(&b) ? count_pairs(d) : 0, grams = by_grams(&b);
    ptrdiff_t columns = pairs > d ? pairs : d, panels = panels_of(d), wide = panels_of(pairs);
    ptrdiff_t n_draws = b.draws.panels, of_draws = (sums->hessian ? 2 : 1) * USUAL_DRAWS;
    ptrdiff_t capacity = rows_of_block(rows->n, columns + of_draws);
    ptrdiff_t stride = stride_of(capacity), tiles = n_draws * panels * TILE;
    ptrdiff_t pair_tiles = n_draws * wide * TILE, scalars = n_draws * N_DRAW_SCALARS * PANEL;
    ptrdiff_t gram_tiles = grams ? draws->count * size_of_tiles(panels) : 0;
    ptrdiff_t second = sums->hessian ? n_draws * stride : 0;
    ptrdiff_t totals = 2 * tiles + pair_tiles + gram_tiles + scalars;
    ptrdiff_t doubles = size_of_shared(d, columns, capacity, (int)grams) + wide * stride
        + n_draws * d * PANEL + capacity * d + (n_draws + 3) * stride + second + totals;
    double *memory = aligned_alloc(LINE, (size_t)doubles * sizeof(double)), *at = memory;
    if (!memory)
        return -1;
    fa_shared s;
    take_shared(&s, d, columns, capacity, (int)grams, &at);
    fa_theirs t = {.thetas = take(&at, n_draws * d * PANEL), .turned = take(&at, capacity * d)};
    double *pair_panels = take(&at, wide * stride);
    t.f = take(&at, n_draws * stride);
    t.first = take(&at, stride);
    t.mixed = take(&at, stride);
    t.scratch = take(&at, stride);
    t.second = take(&at, second);
    memset(at, 0, (size_t)totals * sizeof(double));
    t.gradients = take(&at, tiles);
    t.mixed_sums = take(&at, tiles);
    t.scalars = take(&at, scalars);
    double *hessians = take(&at, pair_tiles), *products = take(&at, gram_tiles);
    turn_thetas(&b, thetas, t.thetas);
    for (s.start = 0; s.start < rows->n; s.start += capacity) {
        s.k = rows->n - s.start < capacity ? rows->n - s.start : capacity;
        load_columns(&b, &s);
        predict_draws(&b, &s, &t);
        add_slopes(&b, &s, &t);
        if (pairs) {
            write_pair_panels(&b, &s, wide, pair_panels);
            multiply_panels(
                t.second, n_draws, stride, pair_panels, wide, stride, s.k, hessians);
        }
        for (ptrdiff_t p = 0; grams && p < n_draws; p++)
            add_grams_of_panel(&b, &s, p, t.second + p * stride, products);
    }
    if (pairs)
        add_hessians(&b, hessians, wide);
    if (grams)
        add_gram_tiles(&b, products);
    add_columns(&b, t.gradients, panels, 0, d, sums->gradient);
    add_columns(&b, t.mixed_sums, panels, 0, d, sums->mixed);
    add_scalars(&b, t.scalars);
    free(memory);
    return 0;
}

#endif
