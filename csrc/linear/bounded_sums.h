/* First-order attacks of linear predictors within bounds, p = 2 and infinity: the counterpart of
   numba_ops/bounded_sums.py, which tells what is computed.

   Strip by strip, as linear_sums.h: rows are predicted, go through their loss, and are read twice
   more out of the first-level cache. What depends on the side that a row is attacked to is looked
   up, so that nothing has to be chosen entry by entry.

   How far an entry is *beyond* the bound that lies ahead is negative where its way is open. As
   integers negative numbers are less than others, and the less the smaller their magnitude: the
   least integer is the shortest open way, and takes one comparison. */
#ifndef FASTAIF_BOUNDED_SUMS_H
#define FASTAIF_BOUNDED_SUMS_H

#include "linear/linear_sums.h"

/* By columns, filled up: of side 1, then of side -1, where the way ends (-infinity: it is closed to
   begin with) and how x counts towards it; what an open way adds to a gain; how often a unit attack
   moves x by one; the bounds themselves. */
typedef struct {
    ptrdiff_t width;
    double *ways, *sizes, *reach, *low, *high;
} fa_ways;

/* An end from which no input's distance is -0: distances are told apart by their bits. */
static double end_of(double x)
{
    return x == 0.0 ? -0.0 : x;
}

/* In the room of a block, of which nothing else is used here. */
static fa_ways make_ways(
    const fa_space *space, const double *ends, const double *slopes, const double *reach,
    const double *bounds, int euclidean)
{
    ptrdiff_t m = space->block.m, width = space->block.panels * PANEL;
    double *at = space->block.v;
    fa_ways w = {width, at, at + 4 * width, at + 5 * width, at + 6 * width, at + 7 * width};
    for (ptrdiff_t j = 0; j < width; j++) {
        int real = j < m;
        double turn = real && slopes[j] < 0.0 ? -1.0 : 1.0;
        w.ways[j] = real ? end_of(ends[j]) : -INFINITY;
        w.ways[2 * width + j] = real ? end_of(ends[m + j]) : -INFINITY;
        w.ways[width + j] = turn;
        w.ways[3 * width + j] = -turn;
        w.sizes[j] = !real ? 0.0 : euclidean ? slopes[j] * slopes[j] : fabs(slopes[j]);
        w.reach[j] = real ? reach[j] : 1.0;
        w.low[j] = real ? end_of(bounds[j]) : -INFINITY;
        w.high[j] = real ? bounds[m + j] + 0.0 : INFINITY;
    }
    return w;
}

INLINE vd raw_inputs(const fa_reader *r, ptrdiff_t row, ptrdiff_t j, int single, int at_end)
{
    ptrdiff_t at = row * r->m + j;
    return at_end ? some_inputs(r->inputs, at, row < r->n ? r->m - j : 0, single)
                  : inputs(r->inputs, at, single);
}

/* Which part of `ways` is a row's: a number, as rows' sides are no pattern to be foreseen. */
static void find_ways(const fa_space *space, const fa_ways *w, ptrdiff_t k)
{
    vd other = splat((double)(2 * w->width));
    for (ptrdiff_t i = 0; i < k; i += FA_LANES)
        store(space->roots + i, keep(load(space->block.d1 + i) < 0.0, other));
}

INLINE const double *way_of(const fa_space *space, const fa_ways *w, ptrdiff_t row)
{
    return w->ways + (ptrdiff_t)space->roots[row];
}

/* How far a row, whose side's part of `ways` is given, is beyond the end of its way. */
INLINE vd beyond(const double *way, ptrdiff_t width, ptrdiff_t j, vd x)
{
    return load(way + width + j) * x - load(way + j);
}

/* The parts of FA_LANES rows' gains into `norms`; negative where some of them is outside of the
   bounds. */
INLINE vl gains_of_rows(
    const fa_space *space, const fa_reader *r, const fa_ways *w, ptrdiff_t first, ptrdiff_t row,
    int single, int at_end)
{
    vd dots[FA_LANES] = {{0.0}};
    vl outside = {0};
    const double *ways[FA_LANES];
    for (int l = 0; l < FA_LANES; l++)
        ways[l] = way_of(space, w, row + l);
    for (ptrdiff_t j = 0; j < w->width; j += FA_LANES) {
        vd size = load(w->sizes + j), low = load(w->low + j), high = load(w->high + j);
#pragma GCC unroll 8
        for (int l = 0; l < FA_LANES; l++) {
            vd x = raw_inputs(r, first + row + l, j, single, at_end);
            dots[l] += keep(beyond(ways[l], w->width, j, x) < 0.0, size);
            if (!at_end || first + row + l < r->n)
                outside |= (vl)(x - low) | (vl)(high - x);
        }
    }
    store(space->block.norms + row, sums_of_rows(dots));
    return outside;
}

INLINE vl gains_of_strip(
    const fa_space *space, const fa_rows *x, const fa_ways *w, ptrdiff_t first, ptrdiff_t k,
    int single)
{
    fa_reader r = reader(x, &space->block);
    ptrdiff_t row = 0, safe = safe_rows(x, &space->block);
    vl outside = {0};
    for (; row + FA_LANES <= k && first + row + FA_LANES <= safe; row += FA_LANES)
        outside |= gains_of_rows(space, &r, w, first, row, single, 0);
    for (; row < k; row += FA_LANES)
        outside |= gains_of_rows(space, &r, w, first, row, single, 1);
    return outside;
}

/* As compilers have it of two vectors of integers, in an instruction where there is one. */
INLINE vl lesser(vl a, vl b)
{
    vl out;
    for (int l = 0; l < FA_LANES; l++)
        out[l] = a[l] < b[l] ? a[l] : b[l];
    return out;
}

/* Sums over all strips so far, a lane each. */
typedef struct {
    vd across, value, moved;
    vl outside;
} fa_found;

/* From w l'' sgn(l'), w l' and the gains' parts to what multiplies x (d12), open ways (d1) and the
   steps that are left (d2); budgets stand in y. */
static void rates_of_strip(
    const fa_block *b, ptrdiff_t k, int euclidean, int budgets, fa_found *found)
{
    vd across_all = found->across, value = found->value, moved = found->moved;
    for (ptrdiff_t i = 0; i < k; i += FA_LANES) {
        vd move = magnitude(load(b->d1 + i)), gain = load(b->norms + i), none = splat(0.0);
        vl moves = move > 0.0;
        gain = keep(moves, euclidean ? root(gain) : gain);
        vd across = load(b->d12 + i) * gain;
        across_all += across;
        value += move * gain;
        moved += keep(moves & (gain > 0.0), splat(1.0));
        store(b->d12 + i, across);
        vd unit = euclidean ? gain : splat(1.0);
        vd steps = budgets ? unit / load(b->y + i) : unit;
        store(b->d2 + i, choose(moves, steps, splat(INFINITY)));
        store(b->d1 + i, euclidean ? choose(gain > 0.0, move / gain, none) : move);
    }
    found->across = across_all;
    found->value = value;
    found->moved = moved;
}

/* The sums of `group` panels over a strip: space->vectors has those of x, of open ways, and the
   least way in units of the row's steps, negative. */
INLINE void add_attacks(
    const fa_space *space, const fa_reader *r, const fa_ways *w, ptrdiff_t start, ptrdiff_t safe,
    ptrdiff_t first, ptrdiff_t k, int group, int single, int shifted)
{
    enum { MOST = 4 * VECTORS_OF_PANEL };
    const fa_block *b = &space->block;
    const int width = group * VECTORS_OF_PANEL;
    double *vectors = space->vectors + first * PANEL;
    vd across[MOST], along[MOST];
    vl steps[MOST];
#pragma GCC unroll 16
    for (int c = 0; c < width; c++) {
        across[c] = load(vectors + c * FA_LANES);
        along[c] = load(vectors + w->width + c * FA_LANES);
        steps[c] = (vl)load(vectors + 2 * w->width + c * FA_LANES);
    }
#define ROW(at_end)                                                                                \
    do {                                                                                           \
        const double *way = way_of(space, w, i);                                                   \
        vd by = splat(b->d12[i]), move = splat(b->d1[i]), unit = splat(b->d2[i]);                  \
        _Pragma("GCC unroll 16") for (int c = 0; c < width; c++)                                   \
        {                                                                                          \
            ptrdiff_t j = first * PANEL + c * FA_LANES;                                            \
            vd x = raw_inputs(r, start + i, j, single, at_end);                                    \
            vd left = beyond(way, w->width, j, x);                                                 \
            steps[c] = lesser((vl)(left * unit), steps[c]);                                        \
            along[c] += keep(left < 0.0, move);                                                    \
            across[c] += by * (shifted ? (x - load(r->shift + j)) * load(r->inverse_scale + j) : x); \
        }                                                                                          \
    } while (0)
    ptrdiff_t i = 0;
    for (; i < k && start + i < safe; i++)
        ROW(0);
    for (; i < k; i++)
        ROW(1);
#undef ROW
#pragma GCC unroll 16
    for (int c = 0; c < width; c++) {
        store(vectors + c * FA_LANES, across[c]);
        store(vectors + w->width + c * FA_LANES, along[c]);
        store(vectors + 2 * w->width + c * FA_LANES, (vd)steps[c]);
    }
}

INLINE void add_all_attacks(
    const fa_space *space, const fa_rows *x, const fa_ways *w, ptrdiff_t start, ptrdiff_t k,
    int single, int shifted)
{
    fa_reader r = reader(x, &space->block);
    ptrdiff_t safe = safe_rows(x, &space->block);
#define ADD(panel, group)                                                                          \
    add_attacks(space, &r, w, start, safe, panel, k, group, single, shifted)
    BY_PANELS(space->block.panels, ADD)
#undef ADD
}

/* A strip that is predicted and has been through its loss. */
static void attack_strip(
    fa_space *space, const fa_rows *x, const fa_ways *w, const double *budgets, ptrdiff_t start,
    ptrdiff_t k, int euclidean, fa_found *found)
{
    const fa_block *b = &space->block;
    ptrdiff_t filled = filled_up(k);
    int single = x->singles != NULL, shifted = b->shift != NULL;
    find_ways(space, w, filled);
    found->outside |= single ? gains_of_strip(space, x, w, start, filled, 1)
                             : gains_of_strip(space, x, w, start, filled, 0);
    for (ptrdiff_t i = 0; budgets && i < filled; i++)
        b->y[i] = i < k ? budgets[start + i] : 1.0;
    rates_of_strip(b, filled, euclidean, budgets != NULL, found);
    switch (single * 2 + shifted) {
    case 0: add_all_attacks(space, x, w, start, k, 0, 0); break;
    case 1: add_all_attacks(space, x, w, start, k, 0, 1); break;
    case 2: add_all_attacks(space, x, w, start, k, 1, 0); break;
    case 3: add_all_attacks(space, x, w, start, k, 1, 1); break;
    }
}

static void finish_attacks(
    const fa_space *space, const fa_ways *w, const fa_found *found, double *sums, double *numbers)
{
    ptrdiff_t m = space->block.m;
    double least = INFINITY;
    for (ptrdiff_t j = 0; j < m; j++) {
        sums[j] += space->vectors[j];
        sums[m + j] += space->vectors[w->width + j];
        least = fmin(least, -space->vectors[2 * w->width + j] * w->reach[j]);
    }
    numbers[0] += sum_of_lanes(found->across);
    numbers[1] += sum_of_lanes(found->value);
    numbers[2] += sum_of_lanes(found->moved);
    numbers[3] = fmin(numbers[3], least);
    for (int l = 0; l < FA_LANES; l++)
        numbers[4] = found->outside[l] < 0 ? 1.0 : numbers[4];
}

int FA_NAME(fa_bounded_sums)(
    const fa_rows *rows, const fa_predictor *predictor, const fa_inner *inner,
    const double *budgets, const double *ends, const double *slopes_, const double *reach,
    const double *bounds, double p, double *sums, double *numbers)
{
    fa_space space;
    if (make_space(&space, rows->n, rows->m, NEED_GRADIENT))
        return -1;
    fa_block *b = &space.block;
    fill_predictor(b, predictor);
    fa_ways w = make_ways(&space, ends, slopes_, reach, bounds, p == 2.0);
    for (ptrdiff_t j = 0; j < w.width; j++)
        space.vectors[2 * w.width + j] = -INFINITY;
    fa_norm_of no_norm = {2.0, NULL, NULL};
    fa_totals totals;
    fa_found found;
    double scalars[N_SCALARS] = {0.0};
    memset(&totals, 0, sizeof totals);
    memset(&found, 0, sizeof found);
    for (ptrdiff_t start = 0; start < rows->n; start += b->rows_of_strip) {
        ptrdiff_t left = rows->n - start, k = left < b->rows_of_strip ? left : b->rows_of_strip;
        load_targets(rows, start, k, b);
        predict(rows, start, k, predictor->intercept, &no_norm, 0, b, space.buffer);
        slopes(b, start, k, inner, NEED_GRADIENT, &totals, scalars);
        attack_strip(&space, rows, &w, budgets, start, k, p == 2.0, &found);
    }
    finish_attacks(&space, &w, &found, sums, numbers);
    fa_give_back(space.memory);
    return 0;
}

#endif
