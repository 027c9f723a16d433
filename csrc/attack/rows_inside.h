/* Which attacked rows are surely in a ball and a box: the counterpart of numba_ops/rows_inside.py,
   which tells what is computed. */
#ifndef FASTAIF_ROWS_INSIDE_H
#define FASTAIF_ROWS_INSIDE_H

#include <stdlib.h>

#include "attack/bounded_attacks.h"

#define ADDED_UP 16 /* vectors, after which sums begin anew: their rounding is a pair's */

typedef struct {
    ptrdiff_t m, width, size; /* of the arrays */
    double *scale, *inverse, *low, *high; /* by columns, filled up with zeros */
} fa_ball_and_box;

INLINE int is_inside(
    const fa_ball_and_box *set, const void *x, const void *attacked, ptrdiff_t at, double size,
    int order, int single, int single_to)
{
    vd total = splat(0.0);
    vl outside = {0};
    for (ptrdiff_t first = 0; first < set->width; first += ADDED_UP * FA_LANES) {
        ptrdiff_t end = first + ADDED_UP * FA_LANES, stop = end < set->width ? end : set->width;
        vd part = splat(0.0);
        for (ptrdiff_t j = first; j < stop; j += FA_LANES) {
            vd u = row_inputs(x, at + j, set->m - j, set->size, single);
            vd to = row_inputs(attacked, at + j, set->m - j, set->size, single_to);
            vd way = magnitude(to - u), t = way * load(set->inverse + j);
            vl within = (to >= load(set->low + j)) & (to <= load(set->high + j));
            outside |= ~(within & (way <= load(set->scale + j) * size));
            part += order == 2 ? t * t : t;
        }
        total += part;
    }
    if (any(outside))
        return 0;
    if (!order || size == 0.0)
        return 1;
    double length = sum_of_lanes(total);
    return order == 1 ? length <= size
                      : size > 1e-145 && size < 1e145 && sqrt(length) <= size;
}

int FA_NAME(fa_rows_inside)(
    const fa_rows *x, const fa_rows *attacked, const double *scale, const double *bounds,
    const double *sizes, double p, double *inside)
{
    ptrdiff_t m = x->m, width = filled_up(m);
    double *room = calloc((size_t)(4 * width) + 1, sizeof *room);
    if (!room)
        return -1;
    fa_ball_and_box set = {
        m, width, x->n * m, room, room + width, room + 2 * width, room + 3 * width};
    for (ptrdiff_t j = 0; j < m; j++) {
        set.scale[j] = scale[j];
        set.inverse[j] = scale[j] > 0.0 ? 1.0 / scale[j] : 0.0;
        set.low[j] = bounds[j];
        set.high[j] = bounds[m + j];
    }
    int order = p == 2.0 ? 2 : p == 1.0 ? 1 : 0;
    const void *from = x->singles ? (const void *)x->singles : (const void *)x->doubles;
    const void *to = attacked->singles ? (const void *)attacked->singles
                                       : (const void *)attacked->doubles;
    int version = order * 4 + (x->singles != NULL) * 2 + (attacked->singles != NULL);
#define VERSION(order, single, single_to)                                                          \
    case (order) * 4 + (single) * 2 + (single_to):                                                 \
        inside[i] = is_inside(&set, from, to, i * m, sizes[i], order, single, single_to);          \
        break;
#define VERSIONS(order)                                                                            \
    VERSION(order, 0, 0) VERSION(order, 0, 1) VERSION(order, 1, 0) VERSION(order, 1, 1)
    for (ptrdiff_t i = 0; i < x->n; i++)
        switch (version) {
            VERSIONS(0) VERSIONS(1) VERSIONS(2)
        }
#undef VERSIONS
#undef VERSION
    free(room);
    return 0;
}

#endif
