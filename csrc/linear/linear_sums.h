/* The one-pass sums of linear-predictor models: the counterpart of numba_ops/linear_sums.py.

   A strip of rows is predicted (blocks.h), goes through its loss (losses.h), and is read again out
   of the first-level cache: multiplied by sqrt(w psi_ff) it goes into panels, while the three
   vectors of sums are taken. A block of strips is then multiplied with itself (products.h) out
   of the second-level cache, while the inputs of the next block are fetched into it. */
#ifndef FASTAIF_LINEAR_SUMS_H
#define FASTAIF_LINEAR_SUMS_H

#include <stdlib.h>

#include "scratch.h"
#include "core/losses.h"
#include "core/products.h"
#include "core/shares.h"

#define BLOCK_DOUBLES 32768 /* 256 KiB */
#define FEWEST_ROWS 64
#define MOST_ROWS 512
#define STRIP_DOUBLES 4096 /* 32 KiB */
#define SHORTEST_STRIP 16
#define LONGEST_STRIP 64

/* One allocation for everything. */
typedef struct {
    void *memory;
    fa_block block;
    double *roots, *buffer, *vectors, *tiles;
} fa_space;

static ptrdiff_t between(ptrdiff_t fewest, ptrdiff_t rows, ptrdiff_t most)
{
    return rows < fewest ? fewest : rows > most ? most : rows / PANEL * PANEL;
}

static ptrdiff_t rows_of_block(ptrdiff_t n, ptrdiff_t width)
{
    ptrdiff_t rows = between(FEWEST_ROWS, BLOCK_DOUBLES / width, MOST_ROWS);
    return rows < filled_up(n) ? rows : filled_up(n);
}

static double *take(double **free_space, ptrdiff_t doubles)
{
    double *part = *free_space;
    *free_space += filled_up(doubles);
    return part;
}

static int make_space(fa_space *space, ptrdiff_t n, ptrdiff_t m, int need)
{
    ptrdiff_t width = filled_up(m), panels = width / PANEL, rows = rows_of_block(n, width);
    ptrdiff_t strip = between(SHORTEST_STRIP, STRIP_DOUBLES / width, LONGEST_STRIP);
    ptrdiff_t tiles = need & NEED_HESSIAN ? size_of_tiles(panels) : 0;
    size_t bytes = (size_t)(rows * width + 8 * strip + 7 * width + tiles) * sizeof(double);
    space->memory = fa_borrow(bytes);
    if (!space->memory)
        return -1;
    double *at = space->memory;
    fa_block *b = &space->block;
    b->m = m;
    b->panels = panels;
    b->capacity = rows;
    b->rows_of_strip = strip;
    b->v = take(&at, rows * width); /* written before it is read; the rest begins at zero */
    memset(at, 0, bytes - (size_t)(rows * width) * sizeof(double));
    double **columns[] = {&b->f, &b->y, &b->w, &b->norms, &b->d1, &b->d12, &b->d2, &space->roots};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        *columns[i] = take(&at, strip);
    b->beta = take(&at, width);
    b->shift = take(&at, width);
    b->inverse_scale = take(&at, width);
    space->buffer = take(&at, width);
    space->vectors = take(&at, 3 * width);
    space->tiles = take(&at, tiles);
    return 0;
}

static void fill_predictor(fa_block *b, const fa_predictor *predictor)
{
    size_t bytes = (size_t)b->m * sizeof(double);
    memcpy(b->beta, predictor->beta, bytes);
    if (!predictor->shift) {
        b->shift = b->inverse_scale = NULL;
        return;
    }
    memcpy(b->shift, predictor->shift, bytes);
    memcpy(b->inverse_scale, predictor->inverse_scale, bytes);
}

/* Targets and weights of a strip; the rows that fill up the last vector weigh nothing. */
static void load_targets(const fa_rows *rows, ptrdiff_t first, ptrdiff_t k, fa_block *b)
{
    memcpy(b->y, rows->y + first, (size_t)k * sizeof(double));
    if (rows->weight)
        memcpy(b->w, rows->weight + first, (size_t)k * sizeof(double));
    else
        for (ptrdiff_t i = 0; i < k; i++)
            b->w[i] = 1.0;
    for (ptrdiff_t i = k; i < filled_up(k); i++)
        b->y[i] = b->w[i] = b->norms[i] = b->d1[i] = b->d12[i] = b->d2[i] = 0.0;
}

/* Panels, as many at once as there are registers for their sums: work(first panel, how many). */
#if FA_TILE_PANELS >= 3
#define BY_PANELS(panels, work)                                                                    \
    for (ptrdiff_t panel = 0, left = (panels); left > 0;)                                          \
        switch (left) {                                                                            \
        case 1: work(panel, 1); left = 0; break;                                                   \
        case 2: work(panel, 2); left = 0; break;                                                   \
        case 3: work(panel, 3); left = 0; break;                                                   \
        default: work(panel, 4); panel += 4; left -= 4;                                            \
        }
#else
#define BY_PANELS(panels, work)                                                                    \
    for (ptrdiff_t panel = 0; panel < (panels); panel++)                                           \
        work(panel, 1);
#endif

/* The vectors' sums over a strip for `group` panels at once, which share the numbers of each row;
   the rows go into their panels, scaled. What is not a pointer or a place is a constant of the
   caller. Rows from `safe` on are near the array's end. */
INLINE void scale_and_add(
    fa_space *space, const fa_reader *r, ptrdiff_t start, ptrdiff_t safe, ptrdiff_t first,
    ptrdiff_t k, int scale, int group, int single, int shifted)
{
    enum { MOST = 4 * VECTORS_OF_PANEL };
    const fa_block *b = &space->block;
    const double *d1 = b->d1, *d12 = b->d12, *d2 = b->d2, *roots = space->roots;
    ptrdiff_t stride = b->capacity * PANEL;
    double *v = entry(b, 0, first * PANEL);
    const int width = group * VECTORS_OF_PANEL;
    fa_reader from = *r;
    vd total[3][MOST];
    vl inside[MOST];
#pragma GCC unroll 16
    for (int c = 0; c < width; c++) {
        inside[c] = lanes_inside(from.m, first * PANEL + c * FA_LANES);
        total[0][c] = total[1][c] = total[2][c] = splat(0.0);
    }
#define ROW(at_end)                                                                                \
    do {                                                                                           \
        vd c1 = splat(d1[i]), c2 = splat(d12[i]), c3 = splat(d2[i]), by = splat(roots[i]);         \
        _Pragma("GCC unroll 16") for (int c = 0; c < width; c++)                                   \
        {                                                                                          \
            vd u = model_inputs(&from, start + i, first * PANEL + c * FA_LANES, inside[c], single, \
                                shifted, at_end);                                                  \
            total[0][c] += c1 * u;                                                                 \
            total[1][c] += c2 * u;                                                                 \
            if (scale) {                                                                           \
                total[2][c] += c3 * u;                                                             \
                store(v + c / VECTORS_OF_PANEL * stride + i * PANEL                                \
                          + c % VECTORS_OF_PANEL * FA_LANES,                                       \
                      by * u);                                                                     \
            }                                                                                      \
        }                                                                                          \
    } while (0)
    ptrdiff_t i = 0;
    for (; i < k && start + i < safe; i++)
        ROW(0);
    for (; i < k; i++)
        ROW(1);
#undef ROW
#pragma GCC unroll 3
    for (int part = 0; part < 3; part++)
#pragma GCC unroll 16
        for (int c = 0; c < width; c++) {
            double *out = space->vectors + (part * b->panels + first) * PANEL + c * FA_LANES;
            store(out, load(out) + total[part][c]);
        }
}

INLINE void scale_and_add_all(
    fa_space *space, const fa_rows *x, ptrdiff_t start, ptrdiff_t k, int scale, int single,
    int shifted)
{
    const fa_block *b = &space->block;
    fa_reader r = reader(x, b);
    ptrdiff_t safe = safe_rows(x, b);
#define ADD(panel, group)                                                                          \
    scale_and_add(space, &r, start, safe, panel, k, scale, group, single, shifted)
    BY_PANELS(b->panels, ADD)
#undef ADD
}

/* The strip's rows, k with those that fill up the last vector, from `start` of the inputs on. */
static void use_strip(
    fa_space *space, const fa_rows *x, ptrdiff_t start, ptrdiff_t k, int need)
{
    const fa_block *b = &space->block;
    int single = x->singles != NULL, shifted = b->shift != NULL;
    int scale = (need & NEED_HESSIAN) != 0;
    if (!(need & (NEED_HESSIAN | NEED_MIXED | NEED_GRADIENT)))
        return;
    for (ptrdiff_t i = 0; i < k; i += FA_LANES)
        store(space->roots + i, root(load(b->d2 + i)));
#define VERSION(scale, single, shifted)                                                            \
    case (scale) * 4 + (single) * 2 + (shifted):                                                   \
        scale_and_add_all(space, x, start, k, scale, single, shifted);                             \
        break;
    switch (scale * 4 + single * 2 + shifted) {
        VERSION(0, 0, 0) VERSION(0, 0, 1) VERSION(0, 1, 0) VERSION(0, 1, 1)
        VERSION(1, 0, 0) VERSION(1, 0, 1) VERSION(1, 1, 0) VERSION(1, 1, 1)
    }
#undef VERSION
}

/* What a pass over a range of rows is given. */
typedef struct {
    const fa_rows *rows;
    const fa_predictor *predictor;
    const fa_norm_of *norm_of;
    const fa_inner *inner;
    int need;
    const fa_sums *sums;
} fa_pass;

/* The rows of a block from `first` on, strip by strip: all but their product. */
static void fill_block(
    const fa_pass *pass, ptrdiff_t first, ptrdiff_t rows, fa_space *space, fa_totals *totals)
{
    fa_block *b = &space->block;
    double *mixed = space->vectors + b->panels * PANEL;
    int need = pass->need;
    for (b->top = 0; b->top < rows; b->top += b->rows_of_strip) {
        ptrdiff_t start = first + b->top, left = rows - b->top;
        ptrdiff_t k = left < b->rows_of_strip ? left : b->rows_of_strip;
        load_targets(pass->rows, start, k, b);
        predict(pass->rows, start, k, pass->predictor->intercept, pass->norm_of,
                need & (NEED_NORM | NEED_YARDSTICK), b, space->buffer);
        slopes(b, start, k, pass->inner, need, totals, pass->sums->scalars);
        add_rows(b, filled_up(k), need, totals);
        if (pass->inner->exponent > 0.0)
            share(b, k, pass->inner->exponent, pass->sums, mixed);
        use_strip(space, pass->rows, start, filled_up(k), need);
    }
}

/* The inputs of the block after `rows` rows from `first` on, to be fetched meanwhile. */
static fa_ahead next_block(const fa_rows *x, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t panels)
{
    ptrdiff_t after = first + rows, left = x->n - after < rows ? x->n - after : rows;
    ptrdiff_t bytes = x->m * (ptrdiff_t)(x->singles ? sizeof(float) : sizeof(double));
    const char *start = x->singles ? (const char *)x->singles : (const char *)x->doubles;
    return paced(start + after * bytes, left * bytes, panels, rows);
}

static void finish(const fa_space *space, ptrdiff_t m, int need, const fa_sums *sums)
{
    ptrdiff_t width = space->block.panels * PANEL;
    int parts = need & NEED_HESSIAN ? 3 : need & NEED_MIXED ? 2 : need & NEED_GRADIENT ? 1 : 0;
    const int places[] = {V_F, V_FK, V_FF};
    for (int part = 0; part < parts; part++)
        for (ptrdiff_t j = 0; j < m; j++)
            sums->vectors[places[part] * m + j] += space->vectors[part * width + j];
    if (need & NEED_HESSIAN)
        add_tiles(space->tiles, m, m, sums->hessian);
}

int FA_NAME(fa_linear_sums)(
    const fa_rows *rows, const fa_predictor *predictor, const fa_norm_of *norm_of,
    const fa_inner *inner, int need, const fa_sums *sums)
{
    fa_pass pass = {rows, predictor, norm_of, inner, need, sums};
    fa_totals totals;
    memset(&totals, 0, sizeof totals);
    fa_space space;
    if (make_space(&space, rows->n, rows->m, need))
        return -1;
    fa_block *b = &space.block;
    fill_predictor(b, predictor);
    for (ptrdiff_t first = 0; first < rows->n; first += b->capacity) {
        ptrdiff_t k = rows->n - first < b->capacity ? rows->n - first : b->capacity;
        fill_block(&pass, first, k, &space, &totals);
        if (need & NEED_HESSIAN)
            add_product(b->v, b->panels, b->capacity * PANEL, k, space.tiles,
                        next_block(rows, first, k, b->panels));
    }
    add_totals(&totals, inner, need, sums->scalars);
    finish(&space, rows->m, need, sums);
    fa_give_back(space.memory);
    return 0;
}

#endif
