/* Directions of attack and steps of projected gradient ascent for the rows of a block: the
   counterpart of numba_ops/row_geometry.py and linear_ascent.py. */
#ifndef FASTAIF_ATTACKS_H
#define FASTAIF_ATTACKS_H

#include "core/losses.h"
#include "core/random_numbers.h"
#include "core/row_geometry.h"

/* Entries on a kink of the dual norm: for p = infinity zeros, for p = 1 further largest ones. */
static double ties_of_row(const double *t, const double *weights, ptrdiff_t m, double p)
{
    ptrdiff_t count = 0;
    if (isinf(p)) {
        for (ptrdiff_t k = 0; k < m; k++)
            count += t[k] == 0.0 && weights[k] > 0.0;
    } else if (p == 1.0) {
        double largest = largest_magnitude(t, m);
        for (ptrdiff_t k = 0; k < m; k++)
            count += fabs(t[k]) == largest;
        count--;
    }
    return (double)count;
}

/* D^2 g / |D g| of all rows and |D g|; 0 if some squares are not to be relied upon. */
static int euclidean_directions(
    const double *g, const double *weights, ptrdiff_t m, ptrdiff_t n, double *out, double *gains)
{
    vl extreme = {0};
    for (ptrdiff_t i = 0; i < n; i += FA_LANES) {
        vd squares = splat(0.0);
        for (ptrdiff_t k = 0; k < m; k++) {
            vd t = weights[k] * load_some(g + k * n + i, n - i);
            squares += t * t;
        }
        vl inside = {0};
        for (int l = 0; l < FA_LANES; l++)
            inside[l] = l < n - i ? -1 : 0;
        extreme |= inside & ~((squares > TINY_SQUARE) & (squares < HUGE_SQUARE));
        store_some(gains + i, root(squares), n - i);
    }
    if (any(extreme))
        return 0;
    for (ptrdiff_t k = 0; k < m; k++) {
        double square = weights[k] * weights[k];
        for (ptrdiff_t i = 0; i < n; i++)
            out[k * n + i] = square * g[k * n + i] / gains[i];
    }
    return 1;
}

int FA_NAME(fa_attack_directions)(
    const double *g, ptrdiff_t m, ptrdiff_t n, double p, const double *weights, double *out,
    double *gains, double *ties)
{
    if (p == 2.0) {
        memset(ties, 0, (size_t)n * sizeof *ties);
        if (euclidean_directions(g, weights, m, n, out, gains))
            return 0;
    }
    double *t = malloc(2 * (size_t)(m ? m : 1) * sizeof *t), *direction = t + m;
    if (!t)
        return -1;
    for (ptrdiff_t i = 0; i < n; i++) {
        for (ptrdiff_t k = 0; k < m; k++)
            t[k] = weights[k] * g[k * n + i];
        direction_of_row(t, m, p, direction);
        gains[i] = 0.0;
        for (ptrdiff_t k = 0; k < m; k++) {
            gains[i] += t[k] * direction[k];
            out[k * n + i] = weights[k] * direction[k];
        }
        ties[i] = ties_of_row(t, weights, m, p);
    }
    free(t);
    return 0;
}

/* One step of projected ascent for each row of t (n, m); *largest is the largest change. */
int FA_NAME(fa_ascend_rows)(
    const double *t, const double *g, ptrdiff_t n, ptrdiff_t m, const double *step, double radius,
    double p, int steepest, double *moved, double *largest)
{
    double *direction = malloc(3 * (size_t)m * sizeof *direction);
    if (!direction)
        return -1;
    double *trial = direction + m, *scratch = trial + m;
    *largest = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double *from = t + i * m;
        direction_of_row(g + i * m, m, steepest ? p : 2.0, direction);
        for (ptrdiff_t k = 0; k < m; k++)
            trial[k] = from[k] + step[i] * direction[k];
        project_row(trial, m, radius, p, scratch, moved + i * m);
        for (ptrdiff_t k = 0; k < m; k++)
            *largest = fmax(*largest, fabs(moved[i * m + k] - from[k]));
    }
    free(direction);
    return 0;
}

int FA_NAME(fa_project_ball)(const double *v, ptrdiff_t m, double radius, double p, double *out)
{
    double *scratch = malloc((size_t)m * sizeof *scratch);
    if (!scratch)
        return -1;
    project_row(v, m, radius, p, scratch, out);
    free(scratch);
    return 0;
}

/* --- random points ------------------------------------------------------------------------ */

/* A random point of the ball: |N(0, 1)|, at most 1, is the share of the radius. */
static void random_point(
    uint64_t seed, uint64_t draw, uint64_t row, double radius, double p, double *u, ptrdiff_t m)
{
    double share;
    fill_normal(seed, ATTACK_STARTS, draw, row, u, m);
    fill_normal(seed, ATTACK_STARTS + 1, draw, row, &share, 1);
    double reach = fmin(fabs(share), 1.0) * radius / norm_of_row(u, m, p);
    for (ptrdiff_t k = 0; k < m; k++)
        u[k] *= reach;
}

void FA_NAME(fa_random_points)(
    uint64_t seed, uint64_t draw, uint64_t first_row, double radius, double p, double *u,
    ptrdiff_t n, ptrdiff_t m)
{
    for (ptrdiff_t i = 0; i < n; i++)
        random_point(seed, draw, first_row + (uint64_t)i, radius, p, u + i * m, m);
}

/* --- projected gradient ascent of linear predictors --------------------------------------- */

#define STILL 1e-13 /* of the radius */

typedef struct {
    double *direction, *u, *trial, *moved, *scratch, *best;
    double value; /* the loss at the best point so far */
} fa_climb;

/* The sample itself, then the antipode of where that led, then random points. */
static void start_of_climb(const fa_steps *s, ptrdiff_t draw, ptrdiff_t row, double *u)
{
    if (draw < 2)
        for (ptrdiff_t k = 0; k < s->free; k++)
            u[k] = draw == 0 ? 0.0 : -u[k];
    else
        random_point(s->seed, (uint64_t)draw, s->first_row + (uint64_t)row, s->radius, s->p, u,
                     s->free);
}

static void climb(
    const fa_steps *s, const fa_inner *inner, double prediction, double y, ptrdiff_t row, fa_climb *c)
{
    size_t bytes = (size_t)s->free * sizeof(double);
    for (ptrdiff_t step = 0; step <= s->n_steps; step++) {
        double move = dot_of(s->slopes, c->u, s->free), change = 0.0, side;
        double value = worth(inner, prediction + move, y, row, &side);
        if (value > c->value) {
            c->value = value;
            memcpy(c->best, c->u, bytes);
        }
        for (ptrdiff_t k = 0; k < s->free; k++)
            c->trial[k] = c->u[k] + side * s->step * c->direction[k];
        project_row(c->trial, s->free, s->radius, s->p, c->scratch, c->moved);
        for (ptrdiff_t k = 0; k < s->free; k++)
            change = fmax(change, fabs(c->moved[k] - c->u[k]));
        memcpy(c->u, c->moved, bytes);
        if (change <= STILL * s->radius)
            return; /* a fixed point: every further step would end here again */
    }
}

int FA_NAME(fa_linear_pgd)(
    const double *prediction, const double *y, ptrdiff_t n, const fa_inner *inner,
    const fa_steps *steps, double *out)
{
    ptrdiff_t m = steps->free;
    double *memory = malloc(5 * (size_t)(m ? m : 1) * sizeof *memory);
    if (!memory)
        return -1;
    fa_climb c = {memory, memory + m, memory + 2 * m, memory + 3 * m, memory + 4 * m, out, 0.0};
    direction_of_row(steps->slopes, m, steps->p, c.direction);
    for (ptrdiff_t i = 0; i < n; i++) {
        c.best = out + i * m;
        double side;
        c.value = worth(inner, prediction[i], y[i], i, &side);
        memset(c.best, 0, (size_t)m * sizeof *out);
        for (ptrdiff_t draw = 0; draw < steps->draws; draw++) {
            start_of_climb(steps, draw, i, c.u);
            climb(steps, inner, prediction[i], y[i], i, &c);
        }
    }
    free(memory);
    return 0;
}

#endif
