/* The minimum over a box and a simplex from which multipliers are near their bounds there: the
   counterpart of numba_ops/kink_settle.py. */
#ifndef FASTAIF_KINK_SETTLE_H
#define FASTAIF_KINK_SETTLE_H

#include "linear/kink_descent.h"

#define SETTLE_ROUNDS 100  /* ways, and as many more for each dimension and entry */
#define SETTLE_MORE 2
#define SETTLE_FREE 4     /* times the dimensions: of more free entries nothing is settled yet */
#define SETTLE_FEW 40
#define SETTLE_HARD 0.5   /* of the hardest pull: what is pulled less waits */
#define SETTLE_SLACK 1e-11 /* of a slope's natural size: as small is zero */
#define SETTLE_AGAIN 3     /* ways over the same entries, where rounding leaves them slopes */

/* The problem, and room for what is found of it. */
typedef struct {
    const double *columns, *offsets, *start, *first;
    double ridge, length, hardest, steepest, *squares, *held, *pulls, *step, *speed, *shares, *move;
    ptrdiff_t n_box, k, d, *open, n_open, top; /* the last of those that are open, or -1 */
    double *ways, *units, *factor;             /* of the others: how u changes with each */
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

/* The move that goes with the shares, and which entries are free: last that of the simplex, if any,
   which makes up for the others. */
static void move_there(fa_kinks *p)
{
    memcpy(p->move, p->first, (size_t)p->d * sizeof(double));
    p->n_open = 0;
    p->top = -1;
    for (ptrdiff_t i = 0; i < p->k; i++) {
        if (p->shares[i] != p->start[i])
            add_multiple(p->move, p->start[i] - p->shares[i], column_of(p, i), p->d);
        int is_tied = i >= p->n_box && p->held[i] == 0.0;
        if (is_tied && (p->top < 0 || p->shares[i] > p->shares[p->top]))
            p->top = i;
    }
    for (ptrdiff_t i = 0; i < p->k; i++)
        if (i != p->top && p->held[i] == 0.0 && p->squares[i] > 0.0)
            p->open[p->n_open++] = i;
    p->open[p->n_open] = p->top;
}

/* How u changes with each free entry, and the slopes along them: one of the simplex goes at the
   cost of its last. */
static void draw_ways(fa_kinks *p)
{
    for (ptrdiff_t a = 0; a < p->n_open; a++) {
        ptrdiff_t i = p->open[a];
        double *way = p->ways + a * p->d, drawn = p->offsets[i] - spring_of(p, i);
        memcpy(way, column_of(p, i), (size_t)p->d * sizeof(double));
        if (i >= p->n_box) {
            add_multiple(way, -1.0, column_of(p, p->top), p->d);
            drawn -= p->offsets[p->top] - spring_of(p, p->top);
        }
        p->step[a] = dot_of(way, p->move, p->d) + drawn;
    }
}

/* The lower factor of the free entries' matrix, scaled to a diagonal of one; whether it has one. */
static int factor_free(fa_kinks *p)
{
    ptrdiff_t f = p->n_open, d = p->d;
    double shared = p->top >= 0 ? p->ridge * p->squares[p->top] : 0.0;
    for (ptrdiff_t a = 0; a < f; a++) {
        const double *mine = p->ways + a * d;
        double *row = p->factor + a * f, common = p->open[a] >= p->n_box ? shared : 0.0;
        p->units[a] = sqrt(dot_of(mine, mine, d) + p->ridge * p->squares[p->open[a]] + common);
        for (ptrdiff_t b = 0; b < a; b++) {
            const double *theirs = p->factor + b * f;
            double entry = dot_of(mine, p->ways + b * d, d);
            entry += p->open[b] >= p->n_box ? common : 0.0;
            entry /= p->units[a] * p->units[b];
            row[b] = (entry - dot_of(row, theirs, b)) / theirs[b];
        }
        double pivot = 1.0 - dot_of(row, row, a);
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

/* From slopes to the step to the minimum over the free entries; whether there is one. */
static int find_step(fa_kinks *p)
{
    ptrdiff_t f = p->n_open;
    p->step[f] = 0.0;
    if (!factor_free(p))
        return 0;
    for (ptrdiff_t a = 0; a < f; a++)
        p->step[a] /= p->units[a];
    solve_free(p->factor, p->step, f);
    for (ptrdiff_t a = 0; a < f; a++) {
        p->step[a] /= p->units[a];
        p->step[f] -= p->open[a] >= p->n_box ? p->step[a] : 0.0;
    }
    return 1;
}

/* The bound that an entry moves to. */
INLINE double bound_ahead(const fa_kinks *p, ptrdiff_t i, double speed)
{
    if (i < p->n_box)
        return speed > 0.0 ? 1.0 : -1.0;
    return speed > 0.0 ? INFINITY : 0.0;
}

/* What comes next along a way: the first of the moving entries to come to its bound, and when. */
typedef struct {
    ptrdiff_t first;
    double room, slope, bend; /* what offsets and springs add along the way */
} fa_stop;

static fa_stop next_stop(const fa_kinks *p)
{
    fa_stop next = {.first = -1, .room = INFINITY};
    for (ptrdiff_t a = 0; a <= p->n_open; a++) {
        ptrdiff_t i = p->open[a];
        double speed = p->step[a];
        if (speed == 0.0)
            continue;
        double spring = p->ridge * p->squares[i] * speed;
        next.slope += spring * (p->shares[i] - p->start[i]) - speed * p->offsets[i];
        next.bend += spring * speed;
        double room = (bound_ahead(p, i, speed) - p->shares[i]) / speed;
        if (room < next.room) {
            next.first = a;
            next.room = room;
        }
    }
    return next;
}

static void advance_by(fa_kinks *p, double time)
{
    for (ptrdiff_t a = 0; a <= p->n_open; a++) {
        ptrdiff_t i = p->open[a];
        if (p->step[a] == 0.0)
            continue;
        double there = p->shares[i] + time * p->step[a];
        p->shares[i] = fmin(fmax(there, lowest_of(p, i)), bound_ahead(p, i, 1.0));
    }
    add_multiple(p->move, -time, p->speed, p->d);
}

/* Along a step as long as the quadratic falls, without what comes to its bound; how many do. One of
   the simplex ends the way: without it the others do not keep their sum. */
static ptrdiff_t go_there(fa_kinks *p)
{
    memset(p->speed, 0, (size_t)p->d * sizeof(double));
    for (ptrdiff_t a = 0; a < p->n_open; a++)
        add_multiple(p->speed, p->step[a], p->ways + a * p->d, p->d);
    for (ptrdiff_t stopped = 0;;) {
        fa_stop next = next_stop(p);
        double slope = next.slope - dot_of(p->move, p->speed, p->d);
        if (!(slope < 0.0))
            return stopped;
        double bend = next.bend + dot_of(p->speed, p->speed, p->d);
        double wanted = stopped ? -slope / bend : 1.0;
        advance_by(p, fmin(next.room, wanted));
        if (!(next.room < wanted))
            return stopped;
        ptrdiff_t i = p->open[next.first];
        double speed = p->step[next.first];
        stopped++;
        p->held[i] = speed > 0.0 ? 1.0 : -1.0;
        if (i >= p->n_box)
            return stopped;
        add_multiple(p->speed, -speed, p->ways + next.first * p->d, p->d);
        p->step[next.first] = 0.0;
    }
}

/* How strongly each entry is pulled away from its bound, relative to its slope's natural size; the
   hardest, and the steepest slope of those that are free. */
static void find_pulls(fa_kinks *p)
{
    double total = p->length, level = 0.0;
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
    p->hardest = p->steepest = 0.0;
    for (ptrdiff_t i = 0; i < p->k; i++) {
        double size = fabs(p->offsets[i]) + sqrt(p->squares[i]) * total;
        double slope = i >= p->n_box ? p->pulls[i] - level : p->pulls[i];
        slope = size > 0.0 ? slope / size : 0.0;
        p->pulls[i] = p->held[i] * slope;
        p->hardest = isfinite(slope) ? fmax(p->hardest, p->pulls[i]) : INFINITY;
        if (p->held[i] == 0.0 && p->squares[i] > 0.0)
            p->steepest = fmax(p->steepest, fabs(slope));
    }
}

/* Free what is pulled hard; how many that is. */
static ptrdiff_t release_held(fa_kinks *p)
{
    ptrdiff_t freed = 0;
    double hard = fmax(SETTLE_HARD * p->hardest, SETTLE_SLACK);
    for (ptrdiff_t i = 0; i < p->k; i++)
        if (p->held[i] != 0.0 && p->pulls[i] > hard) {
            p->held[i] = 0.0;
            freed++;
        }
    return freed;
}

/* One way to where the quadratic is least over the free entries; how many came to a bound, or -1
   where there is none, -2 without memory. */
static ptrdiff_t go_once(fa_kinks *p)
{
    ptrdiff_t f = p->n_open;
    if (f > SETTLE_FREE * p->d + SETTLE_FEW)
        return -1;
    p->ways = malloc((size_t)(f * (p->d + f + 1) + 1) * sizeof(double));
    if (!p->ways)
        return -2;
    p->factor = p->ways + f * p->d;
    p->units = p->factor + f * f;
    draw_ways(p);
    ptrdiff_t stopped = find_step(p) ? go_there(p) : -1;
    free(p->ways);
    return stopped;
}

/* 1 where nothing is left to free, 0 where that does not come about, -1 without memory. */
static int go_until_settled(fa_kinks *p)
{
    begin_settling(p);
    int again = 0;
    for (ptrdiff_t way = 0; way < SETTLE_ROUNDS + SETTLE_MORE * (p->d + p->k); way++) {
        if (!place_held(p))
            return 0;
        move_there(p);
        ptrdiff_t stopped = go_once(p);
        if (stopped < 0)
            return stopped == -2 ? -1 : 0;
        if (stopped)
            continue;
        find_pulls(p);
        if (!isfinite(p->hardest))
            return 0;
        if (p->steepest > SETTLE_SLACK && again++ < SETTLE_AGAIN)
            continue;
        if (!release_held(p))
            return 1;
        again = 0;
    }
    return 0;
}

int FA_NAME(fa_kink_settle)(const double *columns, const double *offsets, const double *start,
    const double *first, ptrdiff_t n_box, double ridge, double *shares, double *move, ptrdiff_t k,
    ptrdiff_t d, ptrdiff_t *settled)
{
    size_t size = (size_t)(4 * k + d + 1) * sizeof(double) + (size_t)(k + 1) * sizeof(ptrdiff_t);
    double *memory = malloc(size);
    if (!memory)
        return -1;
    fa_kinks p = {.columns = columns, .offsets = offsets, .start = start, .first = first,
        .ridge = ridge, .squares = memory, .held = memory + k, .pulls = memory + 2 * k,
        .step = memory + 3 * k, .speed = memory + 4 * k + 1, .shares = shares, .move = move,
        .n_box = n_box, .k = k, .d = d, .open = (ptrdiff_t *)(memory + 4 * k + d + 1)};
    int found = go_until_settled(&p);
    free(memory);
    *settled = found == 1;
    return found < 0 ? -1 : 0;
}

#endif
