/* The worst inputs of a linear predictor within bounds, p = 2 and infinity: the counterpart of
   numba_ops/bounded_attacks.py, which tells what is computed. What does not depend on the row is
   laid out by columns once; a row is read and written once, and stays in the first cache. */
#ifndef FASTAIF_BOUNDED_ATTACKS_H
#define FASTAIF_BOUNDED_ATTACKS_H

#include <stdlib.h>

#include "attack/bounded_moves.h"
#include "core/blocks.h"
#include "core/row_tails.h"

#define SPARE (1.0 + 1e-15) /* what computing a length may add to it */

/* By columns, filled up with zeros: c with the sign of the slope, 1/c where that is not 0, slopes
   over the largest, bounds; and a row's rooms. */
typedef struct {
    ptrdiff_t m, width, size; /* of the array */
    double *reach, *inverse, *slopes, *low, *high, *rooms;
} fa_columns_in_bounds;

static void lay_out(
    const fa_columns_in_bounds *to, const double *beta, const double *units, const double *scale,
    const double *bounds)
{
    double largest = 0.0;
    for (ptrdiff_t j = 0; j < to->m; j++) {
        double slope = beta[j] * units[j];
        to->reach[j] = slope > 0.0 ? scale[j] : slope < 0.0 ? -scale[j] : 0.0;
        to->inverse[j] = scale[j] > 0.0 ? 1.0 / scale[j] : 1.0;
        to->slopes[j] = fabs(slope);
        to->low[j] = bounds[j];
        to->high[j] = bounds[to->m + j];
        largest = fabs(slope) > largest ? fabs(slope) : largest;
    }
    for (ptrdiff_t j = 0; j < to->m; j++) {
        double v = to->slopes[j] / (largest > 0.0 ? largest : 1.0);
        to->slopes[j] = v > NO_SLOPE ? v : 0.0;
    }
}

/* A vector of a row from place `at` of an array of `size` numbers on, of which `count` are the
   row's; the rest are zeros. Beyond the row the next one may be read. */
INLINE vd row_inputs(const void *x, ptrdiff_t at, ptrdiff_t count, ptrdiff_t size, int single)
{
    if (count >= FA_LANES)
        return inputs(x, at, single);
    if (at + FA_LANES <= size)
        return keep(lanes_inside(count, 0), inputs(x, at, single));
    return some_inputs(x, at, count, single);
}

/* x + by, within the bounds, and by a digit less where rounding made the way longer. */
INLINE vd moved_by(vd x, vd by, vd low, vd high)
{
    vd to = x + by;
    to = choose(to > high, high, to);
    to = choose(to < low, low, to);
    vl longer = (magnitude(to - x) > magnitude(by) * SPARE) & (to != 0.0);
    vl outwards = (to > x) ^ (to > 0.0); /* a digit more is a digit nearer to x */
    vl digit = longer & (1 - 2 * (~outwards & 1));
    return (vd)((vl)to + digit);
}

/* How far an entry can go, in units of a size. */
static void rooms_of_row(
    const fa_columns_in_bounds *c, const void *x, ptrdiff_t at, double side, double size,
    int single)
{
    vd inverse_size = splat(1.0 / size), one = splat(1.0), none = splat(0.0);
    for (ptrdiff_t j = 0; j < c->width; j += FA_LANES) {
        vd u = row_inputs(x, at + j, c->m - j, c->size, single);
        vd way = load(c->reach + j) * side;
        vd ahead = choose(way > 0.0, load(c->high + j) - u, u - load(c->low + j));
        vd room = ahead * load(c->inverse + j) * inverse_size;
        room = choose(room > 0.0, room, none);
        room = choose(room < 1.0, room, one);
        store(c->rooms + j, keep(load(c->slopes + j) > 0.0, room));
    }
}

/* Beyond the row's end there is the next one, which is yet to be written. */
INLINE void write_row(
    const fa_columns_in_bounds *c, const void *x, ptrdiff_t at, double far, double level,
    int euclidean, int single, double *out)
{
    for (ptrdiff_t j = 0; j < c->width; j += FA_LANES) {
        vd u = row_inputs(x, at + j, c->m - j, c->size, single), by = load(c->reach + j) * far;
        if (euclidean) {
            vd part = load(c->slopes + j) * level, room = load(c->rooms + j);
            by *= choose(part < room, part, room);
        }
        vd to = moved_by(u, by, load(c->low + j), load(c->high + j));
        store_some(out + at + j, to, at + j + FA_LANES <= c->size ? FA_LANES : c->m - j);
    }
}

INLINE void attack_row(
    const fa_columns_in_bounds *c, const void *x, ptrdiff_t i, double side, double size,
    int euclidean, int single, double *out)
{
    double level = 0.0;
    if (euclidean && size > 0.0) {
        rooms_of_row(c, x, i * c->m, side, size, single);
        level = level_of_row(c->slopes, c->rooms, c->width);
    }
    write_row(c, x, i * c->m, side * size, level, euclidean, single, out);
}

int FA_NAME(fa_bounded_attacks)(
    const fa_rows *x, const double *beta, const double *sides, const double *units,
    const double *scale, const double *bounds, const double *sizes, double p, double *out)
{
    ptrdiff_t m = x->m, width = filled_up(m);
    double *room = calloc((size_t)(6 * width) + 1, sizeof *room);
    if (!room)
        return -1;
    fa_columns_in_bounds c = {
        m, width, x->n * m, room, room + width, room + 2 * width, room + 3 * width,
        room + 4 * width, room + 5 * width};
    lay_out(&c, beta, units, scale, bounds);
    const void *given = x->singles ? (const void *)x->singles : (const void *)x->doubles;
    for (ptrdiff_t i = 0; i < x->n; i++)
        switch ((x->singles != NULL) * 2 + (p == 2.0)) {
        case 0: attack_row(&c, given, i, sides[i], sizes[i], 0, 0, out); break;
        case 1: attack_row(&c, given, i, sides[i], sizes[i], 1, 0, out); break;
        case 2: attack_row(&c, given, i, sides[i], sizes[i], 0, 1, out); break;
        case 3: attack_row(&c, given, i, sides[i], sizes[i], 1, 1, out); break;
        }
    free(room);
    return 0;
}

#endif
