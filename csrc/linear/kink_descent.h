/* Coordinate descent for the multipliers of kinks: the counterpart of
   numba_ops/kink_descent.py. */
#ifndef FASTAIF_KINK_DESCENT_H
#define FASTAIF_KINK_DESCENT_H

#include "core/row_tails.h"

#define CALM_SWEEPS 3

static void add_multiple(double *restrict out, double factor, const double *restrict a, ptrdiff_t d)
{
    for (ptrdiff_t j = 0; j < d; j++)
        out[j] += factor * a[j];
}

static int changes_bounds(double x, double new)
{
    return (fabs(new) >= 1.0) != (fabs(x) >= 1.0) || new * x <= -1.0;
}

/* Each entry in turn to where the quadratic is least along it; how many come to a bound or leave
   one. */
static int sweep_of_box(const double *columns, const double *offsets, double *restrict shares,
    double *restrict move, ptrdiff_t n_box, ptrdiff_t d)
{
    int changed = 0;
    for (ptrdiff_t i = 0; i < n_box; i++) {
        const double *column = columns + i * d;
        double x = shares[i], slope = -(dot_of(column, move, d) + offsets[i]);
        if ((x <= -1.0 && slope >= 0.0) || (x >= 1.0 && slope <= 0.0))
            continue;
        double bend = dot_of(column, column, d);
        if (!(bend > 0.0))
            continue;
        double new = fmin(fmax(x - slope / bend, -1.0), 1.0);
        if (new == x)
            continue;
        changed += changes_bounds(x, new);
        shares[i] = new;
        add_multiple(move, x - new, column, d);
    }
    return changed;
}

static double squared_gap(const double *a, const double *b, ptrdiff_t d)
{
    double total = 0.0;
    for (ptrdiff_t j = 0; j < d; j++)
        total += (a[j] - b[j]) * (a[j] - b[j]);
    return total;
}

/* The same of entries that add up to one: each against the largest of them. */
static int sweep_of_simplex(const double *columns, const double *offsets,
    double *restrict shares, double *restrict move, ptrdiff_t n_box, ptrdiff_t k, ptrdiff_t d)
{
    int changed = 0;
    ptrdiff_t top = n_box;
    for (ptrdiff_t i = n_box; i < k; i++)
        top = shares[i] > shares[top] ? i : top;
    for (ptrdiff_t i = n_box; i < k; i++) {
        if (i == top)
            continue;
        const double *mine = columns + i * d, *theirs = columns + top * d;
        double slope = dot_of(theirs, move, d) + offsets[top] - dot_of(mine, move, d) - offsets[i];
        double x = shares[i], room = shares[top];
        if ((x <= 0.0 && slope >= 0.0) || (room <= 0.0 && slope <= 0.0))
            continue;
        double bend = squared_gap(mine, theirs, d);
        if (!(bend > 0.0))
            continue;
        double new = fmin(fmax(x - slope / bend, 0.0), x + room);
        if (new == x)
            continue;
        changed += (new > 0.0) != (x > 0.0);
        shares[i] = new;
        shares[top] = fmax(room - (new - x), 0.0);
        add_multiple(move, x - new, mine, d);
        add_multiple(move, new - x, theirs, d);
        if (shares[i] > shares[top])
            top = i;
    }
    return changed;
}

void FA_NAME(fa_kink_descent)(const double *columns, const double *offsets, double *shares,
    double *move, ptrdiff_t n_box, ptrdiff_t n_sweeps, ptrdiff_t k, ptrdiff_t d)
{
    int calm = 0;
    for (ptrdiff_t sweep = 0; sweep < n_sweeps && calm < CALM_SWEEPS; sweep++) {
        int changed = sweep_of_box(columns, offsets, shares, move, n_box, d);
        changed += sweep_of_simplex(columns, offsets, shares, move, n_box, k, d);
        calm = changed ? 0 : calm + 1;
    }
}

#endif
