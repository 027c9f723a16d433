/* Stage 1: f = beta . v + b and the norm of each row of a strip.

   A block is made strip by strip. A strip is so short that its inputs are still in the first-level
   cache when its rows have gone through their loss and are read again, to be scaled; f, norms and
   derivatives exist for one strip only. Rows are read a few at a time (as many as a vector has
   lanes), so that their inner products end in one vector without a sum across lanes for each. Rows
   that fill up the last vector are zeros of no weight. */
#ifndef FASTAIF_BLOCKS_H
#define FASTAIF_BLOCKS_H

#include "operations.h"
#include "core/row_geometry.h"

typedef struct {
    ptrdiff_t m, panels, capacity; /* rows that fit, a multiple of PANEL */
    double *v;                     /* panels * capacity * PANEL */
    double *beta, *shift, *inverse_scale; /* filled up with zeros; the last two may be null */
    /* Of the strip that is being worked on, from row `top` of the block: */
    ptrdiff_t top, rows_of_strip;
    double *f, *y, *w, *norms, *d1, *d12, *d2;
} fa_block;

#define AHEAD 8 /* rows */

enum { NO_MEASURE, MAGNITUDES, SQUARES, LARGEST };

/* Where the strip's row and column stand. */
static inline double *entry(const fa_block *b, ptrdiff_t row, ptrdiff_t column)
{
    return b->v + (column / PANEL * b->capacity + b->top + row) * PANEL + column % PANEL;
}

/* FA_LANES inputs from place `at` of the array on. */
INLINE vd inputs(const void *x, ptrdiff_t at, int single)
{
    return single ? load_single((const float *)x + at) : load((const double *)x + at);
}

/* `count` of them, and zeros: near the array's end. */
INLINE vd some_inputs(const void *x, ptrdiff_t at, ptrdiff_t count, int single)
{
    vd u = splat(0.0);
    for (int l = 0; l < FA_LANES && l < count; l++)
        u[l] = single ? (double)((const float *)x)[at + l] : ((const double *)x)[at + l];
    return u;
}

/* What a row some way on will need: rows side by side are too many streams for the processor to
   see each of them in time. Beyond the end nothing is fetched, and nothing goes wrong. */
INLINE void fetch_ahead(const void *x, ptrdiff_t at, ptrdiff_t m, int single)
{
    uintptr_t width = single ? sizeof(float) : sizeof(double);
    __builtin_prefetch((const void *)((uintptr_t)x + (uintptr_t)(at + AHEAD * m) * width));
}

INLINE vd measured(vd total, vd u, int measure)
{
    if (measure == SQUARES)
        return total + u * u;
    if (measure == MAGNITUDES)
        return total + magnitude(u);
    return measure == LARGEST ? larger(total, magnitude(u)) : total;
}

/* The inputs of a matrix as vectors of the predictor's, and where they may be read. */
typedef struct {
    const void *inputs;
    ptrdiff_t n, m;
    const double *shift, *inverse_scale;
} fa_reader;

static fa_reader reader(const fa_rows *x, const fa_block *b)
{
    const void *inputs = x->singles ? (const void *)x->singles : (const void *)x->doubles;
    return (fa_reader){inputs, x->n, x->m, b->shift, b->inverse_scale};
}

/* Rows before this one can be read by whole panels, beyond their end into the next row. */
static ptrdiff_t safe_rows(const fa_rows *x, const fa_block *b)
{
    ptrdiff_t width = b->panels * PANEL, safe = (x->n * x->m - width) / x->m + 1;
    return x->n * x->m < width ? 0 : safe;
}

INLINE vl lanes_inside(ptrdiff_t m, ptrdiff_t j)
{
    vl lane;
    for (int l = 0; l < FA_LANES; l++)
        lane[l] = l;
    return lane < (int64_t)(m - j);
}

/* v of one row from column j on. */
INLINE vd model_inputs(
    const fa_reader *r, ptrdiff_t row, ptrdiff_t j, vl inside, int single, int shifted, int at_end)
{
    ptrdiff_t at = row * r->m + j;
    vd u = at_end ? some_inputs(r->inputs, at, row < r->n ? r->m - j : 0, single)
                  : keep(inside, inputs(r->inputs, at, single));
    if (shifted)
        u = keep(inside, (u - load(r->shift + j)) * load(r->inverse_scale + j));
    return u;
}

/* FA_LANES rows; what is not a pointer or a place is a constant of the caller. */
INLINE void predict_rows(
    const fa_rows *x, ptrdiff_t first, ptrdiff_t row, const fa_block *b, double intercept,
    int single, int shifted, int measure, int at_end)
{
    fa_reader r = reader(x, b);
    const double *betas = b->beta;
    ptrdiff_t width = b->panels * PANEL, start = first + row;
    vd dots[FA_LANES] = {{0.0}}, totals[FA_LANES] = {{0.0}};
    for (ptrdiff_t j = 0; j < width; j += FA_LANES) {
        vl inside = lanes_inside(r.m, j);
        vd beta = load(betas + j);
#pragma GCC unroll 8
        for (int l = 0; l < FA_LANES; l++) {
            if (!at_end)
                fetch_ahead(r.inputs, (start + l) * r.m + j, r.m, single);
            vd u = model_inputs(&r, start + l, j, inside, single, shifted, at_end);
            dots[l] += u * beta;
            totals[l] = measured(totals[l], u, measure);
        }
    }
    store(b->f + row, sums_of_rows(dots) + intercept);
    if (measure == SQUARES || measure == MAGNITUDES)
        store(b->norms + row, sums_of_rows(totals));
    if (measure == LARGEST)
#pragma GCC unroll 8
        for (int l = 0; l < FA_LANES; l++)
            b->norms[row + l] = largest_lane(totals[l]);
}

INLINE void predict_all(
    const fa_rows *x, ptrdiff_t first, ptrdiff_t k, const fa_block *b, double intercept,
    int single, int shifted, int measure)
{
    ptrdiff_t row = 0, safe = safe_rows(x, b);
    for (; row + FA_LANES <= k && first + row + FA_LANES <= safe; row += FA_LANES)
        predict_rows(x, first, row, b, intercept, single, shifted, measure, 0);
    for (; row < k; row += FA_LANES)
        predict_rows(x, first, row, b, intercept, single, shifted, measure, 1);
}

/* Norms that the sweep did not give: of any p, in other units, or of extreme squares. */
static void norms_apart(
    const fa_rows *x, ptrdiff_t first, ptrdiff_t row, const fa_norm_of *norm_of, fa_block *b,
    double *buffer)
{
    const double *shift = norm_of->inverse_scale ? norm_of->shift : b->shift;
    const double *inverse = norm_of->inverse_scale ? norm_of->inverse_scale : b->inverse_scale;
    for (ptrdiff_t j = 0; j < x->m; j++) {
        ptrdiff_t at = (first + row) * x->m + j;
        double input = x->doubles ? x->doubles[at] : (double)x->singles[at];
        buffer[j] = inverse ? (input - shift[j]) * inverse[j] : input;
    }
    b->norms[row] = norm_of_row(buffer, x->m, norm_of->p);
}

/* Whether some of them are so small or large that their squares are not to be relied upon. */
static int roots_of_squares(double *squares, ptrdiff_t k)
{
    vl extreme = {0};
    for (ptrdiff_t i = 0; i < filled_up(k); i += FA_LANES) {
        vd norm = root(load(squares + i));
        extreme |= ~((norm > 1e-145) & (norm < 1e145));
        store(squares + i, norm);
    }
    for (int l = 0; l < FA_LANES; l++)
        if (extreme[l])
            return 1;
    return 0;
}

static void predict(
    const fa_rows *x, ptrdiff_t first, ptrdiff_t k, double intercept, const fa_norm_of *norm_of,
    int wanted, fa_block *b, double *buffer)
{
    int measure = NO_MEASURE, single = x->singles != NULL, shifted = b->shift != NULL;
    if (wanted && !norm_of->inverse_scale)
        measure = norm_of->p == 2.0 ? SQUARES
            : norm_of->p == 1.0     ? MAGNITUDES
            : isinf(norm_of->p)     ? LARGEST
                                    : NO_MEASURE;
    int version = (single * 2 + shifted) * 4 + measure;
#define VERSION(single, shifted, measure)                                                          \
    case (single * 2 + shifted) * 4 + measure:                                                     \
        predict_all(x, first, k, b, intercept, single, shifted, measure);                            \
        break;
#define VERSIONS(measure)                                                                          \
    VERSION(0, 0, measure) VERSION(0, 1, measure) VERSION(1, 0, measure) VERSION(1, 1, measure)
    switch (version) {
        VERSIONS(NO_MEASURE) VERSIONS(MAGNITUDES) VERSIONS(SQUARES) VERSIONS(LARGEST)
    }
#undef VERSIONS
#undef VERSION
    if (measure == SQUARES && roots_of_squares(b->norms, k))
        for (ptrdiff_t i = 0; i < k; i++)
            if (!(1e-145 < b->norms[i] && b->norms[i] < 1e145))
                norms_apart(x, first, i, norm_of, b, buffer);
    if (wanted && measure == NO_MEASURE)
        for (ptrdiff_t i = 0; i < k; i++)
            norms_apart(x, first, i, norm_of, b, buffer);
}

#endif
