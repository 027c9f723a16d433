/* Coordinate descent for quadratics over a box: the counterpart of numba_ops/box_descent.py. */
#ifndef FASTAIF_BOX_DESCENT_H
#define FASTAIF_BOX_DESCENT_H

#include <stddef.h>

#define CALM_SWEEPS 3

static int bound_of(double x, double low, double high)
{
    return x <= low ? -1 : x >= high;
}

/* Each entry in turn to where the quadratic is least along it; how many change sides. */
static int sweep_of_box(const double *restrict G, const double *low, const double *high,
    double *restrict x, double *restrict gradient, ptrdiff_t k)
{
    int changed = 0;
    for (ptrdiff_t i = 0; i < k; i++) {
        const double *row = G + i * k;
        if (!(row[i] > 0.0))
            continue;
        double new = x[i] - gradient[i] / row[i];
        if (new < low[i])
            new = low[i];
        else if (new > high[i])
            new = high[i];
        double move = new - x[i];
        if (move == 0.0)
            continue;
        changed += bound_of(new, low[i], high[i]) != bound_of(x[i], low[i], high[i]);
        x[i] = new;
        for (ptrdiff_t j = 0; j < k; j++)
            gradient[j] += move * row[j];
    }
    return changed;
}

void FA_NAME(fa_box_descent)(const double *G, const double *low, const double *high, double *x,
    double *gradient, ptrdiff_t n_sweeps, ptrdiff_t k)
{
    int calm = 0;
    for (ptrdiff_t sweep = 0; sweep < n_sweeps && calm < CALM_SWEEPS; sweep++)
        calm = sweep_of_box(G, low, high, x, gradient, k) ? 0 : calm + 1;
}

#endif
