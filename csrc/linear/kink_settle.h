/* The minimum over a box and a simplex from which multipliers are near their bounds there: the
   counterpart of numba_ops/kink_settle.py. */
#ifndef FASTAIF_KINK_SETTLE_H
#define FASTAIF_KINK_SETTLE_H

#include "linear/kink_descent.h"

#define SETTLE_ROUNDS 8
#define SETTLE_FREE 4     /* times the dimensions: of more free entries nothing is settled yet */
#define SETTLE_FEW 40
#define SETTLE_HARD 0.5   /* of the hardest pull: what is pulled less waits */
#define SETTLE_SLACK 1e-11 /* of a slope's natural size: as small is zero */

/* The problem, and room for what is found of it. */
typedef struct {
    const double *columns, *offsets, *start, *first;
    double ridge, length, *squares, *held, *pulls, *shares, *move;
    ptrdiff_t n_box, k, d, *open, n_open;
} fa_kinks;

INLINE const double *column_of(const fa_kinks *p, ptrdiff_t i) { return p->columns + i * p->d; }

INLINE double lowest_of(const fa_kinks *p, ptrdiff_t i) { return i < p->n_box ? -1.0 : 0.0; }

INLINE double spring_of(const fa_kinks *p, ptrdiff_t i)
{
    return p->ridge * p->squares[i] * (p->shares[i] - p->start[i]);
}

static void begin_settling(fa_kinks *p)
{
    for (ptrdiff_t i = 0; i < p->k; i++) {
        p->squares[i] = dot_of(column_of(p, i), column_of(p, i), p->d);
        p->held[i] = p->shares[i] <= lowest_of(p, i) ? -1.0
            : i < p->n_box && p->shares[i] >= 1.0    ? 1.0
                                                     : 0.0;
    }
    p->length = sqrt(dot_of(p->first, p->first, p->d));
}

/* What is held at its bound, and a sum of one; whether there is something to bring it about. */
static int place_held(fa_kinks *p)
{
    double total = 0.0;
    ptrdiff_t tied = 0;
    for (ptrdiff_t i = 0; i < p->k; i++) {
        if (p->held[i] != 0.0)
            p->shares[i] = i < p->n_box ? p->held[i] : 0.0;
        if (i >= p->n_box) {
            total += p->shares[i];
            tied += p->held[i] == 0.0;
        }
    }
    for (ptrdiff_t i = p->n_box; i < p->k; i++)
        if (p->held[i] == 0.0)
            p->shares[i] += (1.0 - total) / (double)tied;
    return p->n_box == p->k || tied > 0;
}

/* The move that goes with the shares, and which entries are free. */
static void move_there(fa_kinks *p)
{
    memcpy(p->move, p->first, (size_t)p->d * sizeof(double));
    p->n_open = 0;
    for (ptrdiff_t i = 0; i < p->k; i++) {
        if (p->shares[i] != p->start[i])
            add_multiple(p->move, p->start[i] - p->shares[i], column_of(p, i), p->d);
        if (p->held[i] == 0.0 && p->squares[i] > 0.0)
            p->open[p->n_open++] = i;
    }
}

/* The lower factor of the free entries' matrix, scaled to a diagonal of one; whether it has one. */
static int factor_free(const fa_kinks *p, double *L)
{
    ptrdiff_t f = p->n_open;
    for (ptrdiff_t a = 0; a < f; a++) {
        const double *mine = column_of(p, p->open[a]);
        double *row = L + a * f, square = p->squares[p->open[a]];
        for (ptrdiff_t b = 0; b < a; b++) {
            ptrdiff_t j = p->open[b];
            double entry = dot_of(mine, column_of(p, j), p->d) / sqrt(square * p->squares[j]);
            row[b] = (entry - dot_of(row, L + b * f, b)) / L[b * f + b];
        }
        double pivot = 1.0 + p->ridge - dot_of(row, row, a);
        if (!(pivot > 0.0))
            return 0;
        row[a] = sqrt(pivot);
    }
    return 1;
}

static void solve_free(const double *L, double *x, ptrdiff_t f)
{
    for (ptrdiff_t a = 0; a < f; a++)
        x[a] = (x[a] - dot_of(L + a * f, x, a)) / L[a * f + a];
    for (ptrdiff_t a = f - 1; a >= 0; a--) {
        x[a] /= L[a * f + a];
        add_multiple(x, -x[a], L + a * f, a);
    }
}

/* A step whose entries of the simplex, which come last, sum to zero but for rounding: where others
   span them what is left of their sum is lost in the solves. */
static void keep_sum(const fa_kinks *p, const double *ones, double *step)
{
    ptrdiff_t f = p->n_open, tied = 0;
    for (ptrdiff_t a = 0; a < f; a++)
        tied += p->open[a] >= p->n_box;
    double drift = dot_of(ones, step, f) / (double)tied;
    for (ptrdiff_t a = f - tied; a < f; a++)
        step[a] -= drift * sqrt(p->squares[p->open[a]]);
}

/* To the minimum over the free entries, those of the simplex keeping their sum; whether there is
   one, or -1 without memory. */
static int step_free(fa_kinks *p)
{
    ptrdiff_t f = p->n_open;
    if (f == 0 || f > SETTLE_FREE * p->d + SETTLE_FEW)
        return f == 0;
    double *L = malloc((size_t)(f * f + 3 * f) * sizeof(double));
    if (!L)
        return -1;
    double *step = L + f * f, *ones = step + f, *across = ones + f;
    int found = factor_free(p, L);
    if (found) {
        for (ptrdiff_t a = 0; a < f; a++) {
            ptrdiff_t i = p->open[a];
            double unit = sqrt(p->squares[i]), pulled = dot_of(column_of(p, i), p->move, p->d);
            step[a] = (pulled + p->offsets[i] - spring_of(p, i)) / unit;
            across[a] = ones[a] = i >= p->n_box ? 1.0 / unit : 0.0;
        }
        solve_free(L, step, f);
        if (p->open[f - 1] >= p->n_box) {
            solve_free(L, across, f);
            add_multiple(step, -(dot_of(ones, step, f) / dot_of(ones, across, f)), across, f);
            keep_sum(p, ones, step);
        }
        for (ptrdiff_t a = 0; a < f; a++) {
            ptrdiff_t i = p->open[a];
            double change = step[a] / sqrt(p->squares[i]);
            p->shares[i] += change;
            add_multiple(p->move, -change, column_of(p, i), p->d);
        }
    }
    free(L);
    return found;
}

/* How strongly each entry is pulled away from its bound, relative to its slope's natural size; the
   hardest. */
static double find_pulls(fa_kinks *p)
{
    double total = p->length, level = 0.0, hardest = 0.0;
    ptrdiff_t tied = 0;
    for (ptrdiff_t i = 0; i < p->k; i++) {
        total += sqrt(p->squares[i]) * fabs(p->shares[i] - p->start[i]);
        p->pulls[i] = spring_of(p, i) - dot_of(column_of(p, i), p->move, p->d) - p->offsets[i];
        if (i >= p->n_box && p->held[i] == 0.0) {
            level += p->pulls[i];
            tied++;
        }
    }
    level = tied ? level / (double)tied : 0.0;
    for (ptrdiff_t i = 0; i < p->k; i++) {
        double size = fabs(p->offsets[i]) + sqrt(p->squares[i]) * total;
        double slope = i >= p->n_box ? p->pulls[i] - level : p->pulls[i];
        if (!isfinite(slope))
            return INFINITY;
        p->pulls[i] = size > 0.0 ? p->held[i] * slope / size : 0.0;
        hardest = fmax(hardest, p->pulls[i]);
    }
    return hardest;
}

/* Hold what is out of its range, and free what is pulled hard; how many change. */
static ptrdiff_t exchange_held(fa_kinks *p, double hardest)
{
    ptrdiff_t changed = 0;
    double hard = fmax(SETTLE_HARD * hardest, SETTLE_SLACK);
    for (ptrdiff_t i = 0; i < p->k; i++) {
        double before = p->held[i];
        if (before != 0.0)
            p->held[i] = p->pulls[i] > hard ? 0.0 : before;
        else if (i < p->n_box && p->shares[i] > 1.0)
            p->held[i] = 1.0;
        else if (p->shares[i] < lowest_of(p, i))
            p->held[i] = -1.0;
        changed += p->held[i] != before;
    }
    return changed;
}

/* 1 where the exchange of what is held ends, 0 where it cycles, -1 without memory. */
static int exchange_until_settled(fa_kinks *p)
{
    begin_settling(p);
    for (int round = 0; round < SETTLE_ROUNDS; round++) {
        if (!place_held(p))
            return 0;
        move_there(p);
        int stepped = step_free(p);
        if (stepped != 1)
            return stepped;
        double hardest = find_pulls(p);
        if (!isfinite(hardest))
            return 0;
        if (!exchange_held(p, hardest))
            return 1;
    }
    return 0;
}

int FA_NAME(fa_kink_settle)(const double *columns, const double *offsets, const double *start,
    const double *first, ptrdiff_t n_box, double ridge, double *shares, double *move, ptrdiff_t k,
    ptrdiff_t d, ptrdiff_t *settled)
{
    double *memory = malloc((size_t)k * (3 * sizeof(double) + sizeof(ptrdiff_t)));
    if (!memory)
        return -1;
    fa_kinks p = {.columns = columns, .offsets = offsets, .start = start, .first = first,
        .ridge = ridge, .squares = memory, .held = memory + k, .pulls = memory + 2 * k,
        .shares = shares, .move = move, .n_box = n_box, .k = k, .d = d,
        .open = (ptrdiff_t *)(memory + 3 * k)};
    int found = exchange_until_settled(&p);
    free(memory);
    *settled = found == 1;
    return found < 0 ? -1 : 0;
}

#endif
