/* First-order attacks of linear predictors within bounds, p = 2 and infinity: the counterpart of
   numba_ops/bounded_sums.py, which tells what is computed. By columns (columns.h), a lane a row. */
#ifndef FASTAIF_BOUNDED_SUMS_H
#define FASTAIF_BOUNDED_SUMS_H

#include "core/columns.h"
#include "core/row_geometry.h"

#define BOUNDED_DOUBLES 4096 /* of a block, which stays in the first cache */
#define BOUNDED_ROWS 256

/* What is left of the way to the bounds of FA_LANES rows in column j. */
INLINE vd way_left(vd side, const double *ends, ptrdiff_t m, ptrdiff_t j, double slope, vd u)
{
    vd end = choose(side > 0.0, splat(ends[j]), splat(ends[m + j]));
    return end - side * (slope < 0.0 ? -u : u);
}

/* Gains and rooms of a block, by which its rates are multiplied. */
static void gains_of_block(
    const double *u, ptrdiff_t K, ptrdiff_t m, const double *ends, const double *slopes,
    const double *reach, int euclidean, double *sides, double *rates, double *gains, double *rooms)
{
    for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
        vd side = load(sides + i), gain = splat(0.0), room = splat(INFINITY);
        for (ptrdiff_t j = 0; j < m; j++) {
            vd left = way_left(side, ends, m, j, slopes[j], piece(u, K, j, i));
            double size = euclidean ? slopes[j] * slopes[j] : fabs(slopes[j]);
            vd steps = left * reach[j];
            gain += keep(left > 0.0, splat(size));
            room = choose((left > 0.0) & (steps < room), steps, room);
        }
        if (euclidean) {
            gain = root(gain);
            room = choose(gain > 0.0, room * gain, room);
        }
        store(gains + i, gain);
        store(rooms + i, room);
        store(rates + i, load(rates + i) * gain);
        vd move = load(rates + K + i) * side;
        if (euclidean)
            move = choose(gain > 0.0, move / gain, splat(0.0));
        store(rates + K + i, move);
    }
}

int FA_NAME(fa_bounded_sums)(
    const fa_rows *x, const double *sides, const double *rates, const double *ends,
    const double *slopes, const double *reach, const double *origin, double p, double *gains,
    double *rooms, double *sums)
{
    ptrdiff_t m = x->m, n = x->n, K = m ? BOUNDED_DOUBLES / m / PANEL * PANEL : PANEL;
    K = K < PANEL ? PANEL : K > BOUNDED_ROWS ? BOUNDED_ROWS : K;
    double *room = malloc((size_t)(m + 5) * (size_t)K * sizeof *room);
    if (!room)
        return -1;
    double *u = room, *own = u + m * K, *part = own + K, *found = part + 2 * K;
    for (ptrdiff_t start = 0; start < n; start += K) {
        ptrdiff_t k = n - start < K ? n - start : K, filled = filled_up(k);
        load_by_columns(x, start, k, filled, NULL, NULL, u);
        memset(own, 0, (size_t)(3 * K) * sizeof *own);
        memcpy(own, sides + start, (size_t)k * sizeof *own);
        memcpy(part, rates + start, (size_t)k * sizeof *part);
        memcpy(part + filled, rates + n + start, (size_t)k * sizeof *part);
        gains_of_block(u, filled, m, ends, slopes, reach, p == 2.0, own, part, found, found + filled);
        memcpy(gains + start, found, (size_t)k * sizeof *found);
        memcpy(rooms + start, found + filled, (size_t)k * sizeof *found);
        for (ptrdiff_t j = 0; j < m; j++) {
            vd inputs = splat(0.0), moves = splat(0.0);
            for (ptrdiff_t i = 0; i < filled; i += FA_LANES) {
                vd a = piece(u, filled, j, i);
                vd left = way_left(load(own + i), ends, m, j, slopes[j], a);
                inputs += load(part + i) * (a - origin[j]);
                moves += keep(left > 0.0, load(part + filled + i));
            }
            sums[j] += sum_of_lanes(inputs);
            sums[m + j] += sum_of_lanes(moves);
        }
    }
    free(room);
    return 0;
}

#endif
