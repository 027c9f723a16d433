/* The best attacks of a ball on rows that stay within bounds, p = 2 and infinity: the counterpart
   of numba_ops/bounded_moves.py, which tells what is computed. A row stays in the first cache. */
#ifndef FASTAIF_BOUNDED_MOVES_H
#define FASTAIF_BOUNDED_MOVES_H

#include <stdlib.h>

#include "operations.h"
#include "core/vectors.h"

#define NO_SLOPE 1e-140 /* of the largest: one that has no square, and gains nothing */

/* What is asked of every row, and a row's slopes |D g| and rooms, filled up with zeros. */
typedef struct {
    ptrdiff_t m, width;
    const double *units, *scale, *low, *high;
    double *slopes, *rooms;
} fa_row_in_bounds;

INLINE void enter_row(
    const fa_row_in_bounds *row, const fa_rows *x, ptrdiff_t i, const double *g, double size,
    int single)
{
    for (ptrdiff_t j = 0; j < row->m; j++) {
        double slope = g[j] * row->units[j];
        double at = single ? (double)x->singles[i * row->m + j] : x->doubles[i * row->m + j];
        double ahead = slope > 0.0 ? row->high[j] - at : at - row->low[j];
        double room = ahead / (row->scale[j] > 0.0 ? row->scale[j] : 1.0);
        room = room > 0.0 ? room : 0.0;
        room = room < size ? room : size;
        row->slopes[j] = fabs(slope);
        row->rooms[j] = fabs(slope) > 0.0 ? room : 0.0;
    }
}

static double largest_slope(const fa_row_in_bounds *row)
{
    vd largest = splat(0.0);
    for (ptrdiff_t j = 0; j < row->width; j += FA_LANES)
        largest = larger(largest, load(row->slopes + j));
    return largest_lane(largest);
}

/* Slopes over the largest, and rooms over the size: numbers of about 1. */
static void to_units(const fa_row_in_bounds *row, double largest, double size)
{
    for (ptrdiff_t j = 0; j < row->width; j += FA_LANES) {
        vd v = load(row->slopes + j) / largest;
        vl counts = v > NO_SLOPE;
        store(row->slopes + j, keep(counts, v));
        store(row->rooms + j, keep(counts, load(row->rooms + j) / size));
    }
}

/* The level at which min(level v, room) has the length 1: from where no entry is full on, as often
   as more entries are full. */
static double level_of_row(const double *slopes, const double *rooms, ptrdiff_t width)
{
    double level = 0.0;
    for (;;) {
        vd spent = splat(0.0), growing = splat(0.0);
        for (ptrdiff_t j = 0; j < width; j += FA_LANES) {
            vd v = load(slopes + j), room = load(rooms + j);
            vl full = level * v >= room;
            spent += keep(full, room * room);
            growing += keep(~full, v * v);
        }
        double rest = sum_of_lanes(growing), left = 1.0 - sum_of_lanes(spent);
        if (!(rest > 0.0))
            return INFINITY;
        double next = sqrt((left > 0.0 ? left : 0.0) / rest);
        if (!(next > level))
            return level;
        level = next;
    }
}

int FA_NAME(fa_bounded_moves)(
    const fa_rows *x, const double *slopes, const double *units, const double *scale,
    const double *bounds, const double *sizes, double p, double *moves, double *gains)
{
    ptrdiff_t m = x->m, width = filled_up(m);
    double *room = calloc((size_t)(2 * width) + 1, sizeof *room);
    if (!room)
        return -1;
    fa_row_in_bounds row = {m, width, units, scale, bounds, bounds + m, room, room + width};
    for (ptrdiff_t i = 0; i < x->n; i++) {
        const double *g = slopes + i * m;
        double size = sizes[i], largest = 1.0, level = INFINITY, unit = 1.0;
        if (x->singles)
            enter_row(&row, x, i, g, size, 1);
        else
            enter_row(&row, x, i, g, size, 0);
        if (p == 2.0 && size > 0.0) {
            largest = largest_slope(&row);
            unit = size;
            if (largest > 0.0) {
                to_units(&row, largest, size);
                level = level_of_row(row.slopes, row.rooms, width);
            }
        }
        double *out = moves + i * m;
        for (ptrdiff_t j = 0; j < m; j++) {
            double far = level * row.slopes[j];
            double t = far < row.rooms[j] ? far : row.rooms[j];
            row.rooms[j] = unit * t;
            out[j] = copysign(units[j] * unit * t, g[j]);
        }
        vd won = splat(0.0);
        for (ptrdiff_t j = 0; j < width; j += FA_LANES)
            won += load(row.slopes + j) * load(row.rooms + j);
        gains[i] = largest * sum_of_lanes(won);
    }
    free(room);
    return 0;
}

#endif
