/* What both passes of the bootstrap share: a block of rows in panels, and handing sums over.

   A block becomes panels of its columns (v, 1) and, where Hessians are wanted and columns are few,
   panels of their products v_j v_k. Panels of draws (draws.h) hold what is theirs, so that every
   sum of every draw is in a product of panels of draws by panels of the block. With many columns
   the products would leave the cache: each draw then scales the block and multiplies it with
   itself. */
#ifndef FASTAIF_BOOTSTRAP_BLOCKS_H
#define FASTAIF_BOOTSTRAP_BLOCKS_H

#include "linear/draws.h"
#include "linear/linear_sums.h"

#define PAIRS_UP_TO 40 /* columns */

/* What both passes are given. */
typedef struct {
    const fa_rows *rows;
    const double *norms;
    const fa_predictor *predictor;
    const fa_inner *inner;
    fa_drawn draws;
    ptrdiff_t d;
    const fa_draw_sums *sums;
} fa_bootstrap;

/* A block of rows, k of them from row `start` on. Panels are `stride` doubles apart, a line more
   than their rows take: with a power of two a row's places in all panels would share a set of
   the cache. */
typedef struct {
    ptrdiff_t start, k, capacity, stride;
    ptrdiff_t width; /* of a row that goes into panels, with room for a vector begun at its end */
    double *rows;           /* (v, 1), filled up with zeros, a row after the other */
    double *eight;          /* all that is written of eight rows */
    double *v;              /* panels of columns */
    double *scaled;         /* the same times the roots of a draw's second derivatives */
    double *lengths;        /* of (v, 1) */
    double *first, *second; /* derivatives at the theta of all draws */
} fa_shared;

static int by_pairs(const fa_bootstrap *b)
{
    return b->sums->hessian && b->d <= PAIRS_UP_TO;
}

static int by_grams(const fa_bootstrap *b)
{
    return b->sums->hessian && b->d > PAIRS_UP_TO;
}

static ptrdiff_t count_pairs(ptrdiff_t d) { return d * (d + 1) / 2; }

static ptrdiff_t stride_of(ptrdiff_t rows) { return (rows + 1) * PANEL; }
static ptrdiff_t width_of(ptrdiff_t columns) { return filled_up(columns) + 2 * PANEL; }

/* Doubles that `take_shared` takes of the free space. */
static ptrdiff_t size_of_shared(ptrdiff_t d, ptrdiff_t columns, ptrdiff_t rows, int grams)
{
    ptrdiff_t panels = panels_of(d);
    return PANEL * width_of(columns) + rows * filled_up(d) + (1 + grams) * panels * stride_of(rows)
        + 3 * rows;
}

static void take_shared(
    fa_shared *s, ptrdiff_t d, ptrdiff_t columns, ptrdiff_t rows, int grams, double **at)
{
    s->capacity = rows;
    s->stride = stride_of(rows);
    s->width = width_of(columns);
    s->rows = take(at, rows * filled_up(d));
    s->eight = take(at, PANEL * s->width);
    memset(s->rows, 0, (size_t)(rows * filled_up(d) + PANEL * s->width) * sizeof(double));
    s->v = take(at, panels_of(d) * s->stride);
    s->scaled = take(at, grams * panels_of(d) * s->stride);
    s->lengths = take(at, rows);
    s->first = take(at, rows);
    s->second = take(at, rows);
}

/* (v, 1) of the block's row i. */
INLINE double *row_of(const fa_bootstrap *b, const fa_shared *s, ptrdiff_t i)
{
    return s->rows + i * filled_up(b->d);
}

static void load_rows(const fa_bootstrap *b, const fa_shared *s)
{
    const fa_rows *x = b->rows;
    const double *shift = b->predictor->shift, *inverse_scale = b->predictor->inverse_scale;
    for (ptrdiff_t i = 0; i < s->k; i++) {
        double *v = row_of(b, s, i);
        ptrdiff_t at = (s->start + i) * x->m;
        if (x->singles)
            for (ptrdiff_t j = 0; j < x->m; j++)
                v[j] = ((double)x->singles[at + j] - shift[j]) * inverse_scale[j];
        else
            for (ptrdiff_t j = 0; j < x->m; j++)
                v[j] = (x->doubles[at + j] - shift[j]) * inverse_scale[j];
        if (b->d > x->m)
            v[x->m] = 1.0;
    }
}

/* Rows, panels and lengths; all rows before they are read again, in vectors. */
static void load_columns(const fa_bootstrap *b, fa_shared *s)
{
    load_rows(b, s);
    for (ptrdiff_t i = 0; i < s->k; i++) {
        const double *v = row_of(b, s, i);
        vd square = splat(0.0);
        for (ptrdiff_t j = 0; j < b->d; j += FA_LANES)
            square += load(v + j) * load(v + j);
        s->lengths[i] = sum_of_lanes(square);
        into_panels(v, panels_of(b->d), s->stride, i, s->v);
    }
    for (ptrdiff_t i = 0; i < s->k; i++)
        s->lengths[i] = sqrt(s->lengths[i]);
}

/* One of eight rows that are written together: a row read at once after it was written in
   overlapping vectors would wait for the stores. */
INLINE double *row_of_eight(const fa_shared *s, ptrdiff_t i)
{
    return s->eight + i % PANEL * s->width;
}

/* After row i: the eight, or those there are at the block's end, into their places. */
static void flush_rows(const fa_shared *s, ptrdiff_t i, ptrdiff_t panels, double *out)
{
    if (i % PANEL == PANEL - 1 || i == s->k - 1)
        for (ptrdiff_t p = 0; p < panels; p++)
            for (ptrdiff_t row = i / PANEL * PANEL; row <= i; row++)
                into_panels(row_of_eight(s, row) + p * PANEL, 1, 0, row, out + p * s->stride);
}

static void clear(double *row, ptrdiff_t from, ptrdiff_t panels)
{
    for (ptrdiff_t j = from; j < panels * PANEL; j++)
        row[j] = 0.0;
}

/* by v_j v_k for k <= j; what is written beyond a row's end is overwritten by the next row. */
static void write_pairs(const double *v, ptrdiff_t d, double by, double *out)
{
    for (ptrdiff_t j = 0; j < d; out += ++j) {
        vd scaled = splat(by * v[j]);
        for (ptrdiff_t k = 0; k <= j; k += FA_LANES)
            store(out + k, scaled * load(v + k));
    }
}

static const double *block_weights(const fa_bootstrap *b, const fa_shared *s)
{
    return b->rows->weight ? b->rows->weight + s->start : NULL;
}

/* v times the roots of a draw's second derivatives (panel, lane l), and its Gram matrix. */
static void add_gram_of_draw(
    const fa_bootstrap *b, const fa_shared *s, const double *second, ptrdiff_t l, double *tiles)
{
    fa_ahead nothing = {NULL, 0, LINE};
    ptrdiff_t panels = panels_of(b->d);
    for (ptrdiff_t i = 0; i < s->k; i++) {
        vd root_of = splat(sqrt(second[i * PANEL + l]));
        for (ptrdiff_t p = 0; p < panels; p++)
            for (ptrdiff_t c = 0; c < PANEL; c += FA_LANES) {
                ptrdiff_t at = p * s->stride + i * PANEL + c;
                store(s->scaled + at, root_of * load(s->v + at));
            }
    }
    add_product(s->scaled, panels, s->stride, s->k, tiles, nothing);
}

/* Gram matrices of the draws of a panel, whose second derivatives are (k, PANEL). */
static void add_grams_of_panel(
    const fa_bootstrap *b, const fa_shared *s, ptrdiff_t panel, const double *second, double *tiles)
{
    ptrdiff_t size = size_of_tiles(panels_of(b->d));
    for (ptrdiff_t l = 0; l < PANEL && panel * PANEL + l < b->draws.all->count; l++)
        add_gram_of_draw(b, s, second, l, tiles + (panel * PANEL + l) * size);
}

/* --- handing sums over -------------------------------------------------------------------- */

/* The sum in column `column` of draw `draw`, of tiles with `panels` panels of columns. */
static double total_of(const double *tiles, ptrdiff_t panels, ptrdiff_t draw, ptrdiff_t column)
{
    return tiles[(draw / PANEL * panels + column / PANEL) * TILE + draw % PANEL * PANEL
                 + column % PANEL];
}

/* Columns from `first` on of all draws, added to (count, columns). */
static void add_columns(
    const fa_bootstrap *b, const double *tiles, ptrdiff_t panels, ptrdiff_t first,
    ptrdiff_t columns, double *out)
{
    for (ptrdiff_t i = 0; i < b->draws.all->count; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            out[i * columns + j] += total_of(tiles, panels, i, first + j);
}

static void add_hessians(const fa_bootstrap *b, const double *tiles, ptrdiff_t panels)
{
    ptrdiff_t d = b->d;
    for (ptrdiff_t i = 0; i < b->draws.all->count; i++)
        for (ptrdiff_t j = 0, place = 0; j < d; j++)
            for (ptrdiff_t k = 0; k <= j; k++)
                b->sums->hessian[(i * d + j) * d + k] += total_of(tiles, panels, i, place++);
}

static void add_gram_tiles(const fa_bootstrap *b, const double *tiles)
{
    for (ptrdiff_t i = 0; i < b->draws.all->count; i++)
        add_tiles(tiles + i * size_of_tiles(panels_of(b->d)), b->d, b->d,
                  b->sums->hessian + i * b->d * b->d);
}

#endif
