/* Projected gradient ascent on the inputs of a one-layer network: the counterpart of
   numba_ops/network_ascent.py, which tells where the starts lie and how steps are chosen.

   A block of samples takes all its steps before the next begins, by columns: t, gradients and units
   are (free, K) and (h, K), a row a lane. Rows that have arrived keep their lanes, but change no
   more; once a quarter of all lanes are such the others move together. What a row gets does not
   depend on its company. */
#ifndef FASTAIF_NETWORK_ASCENT_H
#define FASTAIF_NETWORK_ASCENT_H

#include "attack/attacks.h"
#include "network/network_units.h"

#define ASCENT_DOUBLES 24576 /* 192 KiB */
#define ASCENT_ROUNDING 4e-16
#define ARRIVED 1e-15 /* of the radius */

/* The rows that climb, K with those that fill up the last vector. */
typedef struct {
    const fa_network *network;
    const double *moves; /* (free, h): by how much the units' arguments move with t */
    const fa_steps *steps;
    ptrdiff_t free, K;
    double *t, *g, *trial, *following; /* (free, K): where they are, and where they might go */
    double *base, *z;                  /* (h, K): arguments at t = 0, and w2 sigma' */
    double *f, *there, *sizes;         /* at t, at the trial, and the size of its terms */
    double *side, *alive;              /* the end of f's range that is sought; 1 or 0 */
    double *step, *change, *last;      /* the next step, infinite for a leap; and how far it went */
    ptrdiff_t *row, *living;           /* their places in the block; and who is alive */
    double *scratch;
} fa_climbers;

/* A block of k rows, K filled up, as they are between two climbs. */
typedef struct {
    ptrdiff_t k, K;
    double *u, *base, *t, *f, *side, *best;
} fa_ascent_block;

/* --- f and its slopes --------------------------------------------------------------------- */

INLINE void evaluate_all(fa_climbers *c, ptrdiff_t K, const double *base, double *f, int activation)
{
    const fa_network *n = c->network;
    for (ptrdiff_t r = 0; r < K; r += FA_LANES) {
        vd total = splat(n->b2), size = splat(fabs(n->b2));
        for (ptrdiff_t i = 0; i < n->h; i++) {
            fa_unit unit = unit_at(activation, piece(c->z, K, i, r) + piece(base, K, i, r));
            vd term = n->w2[i] * unit.value;
            total += term;
            size += magnitude(term);
            store(c->z + i * K + r, n->w2[i] * unit.slope);
        }
        store(f + r, total);
        store(c->sizes + r, size);
    }
}

/* f at t (free, K), the sizes of its terms, and z = w2 sigma'. */
static void evaluate(
    fa_climbers *c, const double *t, ptrdiff_t K, const double *base, double *f)
{
    ptrdiff_t h = c->network->h;
    multiply_columns(c->moves, h, c->free, 1, h, t, K, c->z);
    if (c->network->activation == TANH)
        evaluate_all(c, K, base, f, TANH);
    else if (c->network->activation == SOFTPLUS)
        evaluate_all(c, K, base, f, SOFTPLUS);
    else
        evaluate_all(c, K, base, f, GELU);
}

static void slopes_of_climbers(fa_climbers *c, double *g)
{
    ptrdiff_t h = c->network->h;
    multiply_columns(c->moves, c->free, h, h, 1, c->z, c->K, g);
}

/* --- proposals ---------------------------------------------------------------------------- */

/* A leap to radius phi(g) or a projected step along g / |g|_2, for one row of any norm. */
static void propose_row(fa_climbers *c, ptrdiff_t r)
{
    ptrdiff_t free = c->free, K = c->K;
    double *g = c->scratch, *ahead = g + free, *spare = ahead + free, *trial = spare + free;
    double radius = c->steps->radius, change = 0.0;
    int leap = isinf(c->step[r]);
    for (ptrdiff_t j = 0; j < free; j++)
        g[j] = c->g[j * K + r];
    direction_of_row(g, free, leap ? c->steps->p : 2.0, trial);
    if (leap) {
        for (ptrdiff_t j = 0; j < free; j++)
            trial[j] *= c->side[r] * radius;
    } else {
        for (ptrdiff_t j = 0; j < free; j++)
            ahead[j] = c->t[j * K + r] + c->side[r] * c->step[r] * trial[j];
        project_row(ahead, free, radius, c->steps->p, spare, trial);
    }
    for (ptrdiff_t j = 0; j < free; j++) {
        change = fmax(change, fabs(trial[j] - c->t[j * K + r]));
        c->trial[j * K + r] = trial[j];
    }
    c->change[r] = change;
}

INLINE vl unsafe(vd squares) { return ~((squares > TINY_SQUARE) & (squares < HUGE_SQUARE)); }

INLINE vd sign_vector(vd a) { return choose(a == 0.0, a, choose(a == a, with_sign_of(splat(1.0), a), a)); }

/* The same for FA_LANES rows at p = 2 or infinity; those whose squares are not to be relied upon
   are returned. */
INLINE vl propose_vector(fa_climbers *c, ptrdiff_t r, int euclidean)
{
    ptrdiff_t free = c->free, K = c->K;
    vd radius = splat(c->steps->radius), side = load(c->side + r), step = load(c->step + r);
    vd squares = splat(0.0), length = splat(0.0), change = splat(0.0);
    vl leap = step > 1.7976931348623157e308;
    int stepping = any(~leap);
    if (euclidean || stepping)
        for (ptrdiff_t j = 0; j < free; j++)
            squares += piece(c->g, K, j, r) * piece(c->g, K, j, r);
    vl left = euclidean || stepping ? unsafe(squares) : leap & ~leap;
    vd inverse = side / root(squares), along = inverse * step, share = splat(1.0);
    if (euclidean && stepping) {
        for (ptrdiff_t j = 0; j < free; j++) {
            vd ahead = piece(c->t, K, j, r) + along * piece(c->g, K, j, r);
            length += ahead * ahead;
        }
        left |= ~leap & unsafe(length);
        length = root(length);
        share = choose(length > radius, radius / length, share);
    }
    for (ptrdiff_t j = 0; j < free; j++) {
        vd g = piece(c->g, K, j, r), t = piece(c->t, K, j, r);
        vd trial = radius * (euclidean ? inverse * g : side * sign_vector(g));
        if (stepping) {
            vd ahead = t + along * g;
            if (euclidean)
                ahead *= share;
            else
                ahead = choose(ahead > radius, radius, choose(ahead < -radius, -radius, ahead));
            trial = choose(leap, trial, ahead);
        }
        store(c->trial + j * K + r, trial);
        change = larger(magnitude(trial - t), change);
    }
    store(c->change + r, change);
    return left;
}

/* The next points; rows that would not move are alive no longer. Returns how many are. */
static ptrdiff_t propose(fa_climbers *c)
{
    double p = c->steps->p, still = ARRIVED * c->steps->radius;
    ptrdiff_t count = 0;
    for (ptrdiff_t r = 0; r < c->K; r += FA_LANES) {
        vl living = load(c->alive + r) > 0.0, left = living;
        if (!any(living))
            continue;
        if (p == 2.0)
            left &= propose_vector(c, r, 1);
        else if (isinf(p))
            left &= propose_vector(c, r, 0);
        for (int l = 0; any(left) && l < FA_LANES; l++)
            if (left[l])
                propose_row(c, r + l);
        for (int l = 0; l < FA_LANES; l++) {
            c->alive[r + l] = living[l] && c->change[r + l] > still ? 1.0 : 0.0;
            count += c->alive[r + l] > 0.0;
        }
    }
    return count;
}

/* --- steps -------------------------------------------------------------------------------- */

/* Go on to where f rose, and adapt the steps. */
static void accept(fa_climbers *c)
{
    ptrdiff_t K = c->K;
    vd half = splat(0.5 * c->steps->radius), infinite = splat(INFINITY);
    for (ptrdiff_t r = 0; r < K; r += FA_LANES) {
        vl living = load(c->alive + r) > 0.0;
        vd step = load(c->step + r), change = load(c->change + r), last = load(c->last + r);
        vd f = load(c->f + r), there = load(c->there + r);
        vd rise = load(c->side + r) * (there - f);
        vd rounding = ASCENT_ROUNDING * load(c->sizes + r);
        vl rises = living & (rise > rounding);
        /* Where f cannot tell, steps that shrink still converge to the maximum. */
        vl taken = rises | (living & (rise >= -rounding) & (change < 0.9 * last));
        vl leaps = living & ~taken & (step == infinite), falls = living & ~taken & ~leaps;
        step = choose(rises, 2.0 * step, step);
        step = choose(leaps, half, choose(falls, 0.25 * step, step));
        store(c->step + r, step);
        store(c->last + r, choose(taken, change, choose(leaps, infinite, last)));
        if (!any(taken))
            continue;
        store(c->f + r, choose(taken, there, f));
        for (ptrdiff_t j = 0; j < c->free; j++) {
            ptrdiff_t at = j * K + r;
            store(c->t + at, choose(taken, load(c->trial + at), load(c->t + at)));
            store(c->g + at, choose(taken, load(c->following + at), load(c->g + at)));
        }
    }
}

/* A row's t and f back to its place in the block. */
static void bring_home(const fa_climbers *c, const fa_ascent_block *b, ptrdiff_t r)
{
    if (c->row[r] < 0)
        return;
    b->f[c->row[r]] = c->f[r];
    for (ptrdiff_t j = 0; j < c->free; j++)
        b->t[j * b->K + c->row[r]] = c->t[j * c->K + r];
}

/* Move the `count` rows that are alive together, and the others home. */
static void close_ranks(fa_climbers *c, const fa_ascent_block *b, ptrdiff_t count)
{
    struct {
        double *values;
        ptrdiff_t columns;
    } arrays[] = {{c->t, c->free}, {c->g, c->free}, {c->trial, c->free}, {c->base, c->network->h},
                  {c->f, 1}, {c->side, 1}, {c->step, 1}, {c->change, 1}, {c->last, 1}};
    ptrdiff_t K = c->K, closed = filled_up(count), to = 0;
    for (ptrdiff_t r = 0; r < K; r++)
        if (c->alive[r] > 0.0)
            c->living[to++] = r;
        else
            bring_home(c, b, r);
    for (size_t a = 0; a < sizeof arrays / sizeof *arrays; a++)
        for (ptrdiff_t j = 0; j < arrays[a].columns; j++) {
            const double *from = arrays[a].values + j * K;
            double *into = arrays[a].values + j * closed; /* never ahead of what is read */
            for (ptrdiff_t r = 0; r < count; r++)
                into[r] = from[c->living[r]];
        }
    for (ptrdiff_t r = 0; r < count; r++)
        c->row[r] = c->row[c->living[r]];
    for (ptrdiff_t r = 0; r < closed; r++)
        c->alive[r] = r < count ? 1.0 : 0.0;
    for (ptrdiff_t r = count; r < closed; r++)
        c->row[r] = -1;
    c->K = closed;
}

/* Raise side f from b->t, each row for itself; b->t and b->f are written. */
static void climb_block(fa_climbers *c, const fa_ascent_block *b, double first_step)
{
    size_t row = (size_t)b->K * sizeof(double);
    c->K = b->K;
    memcpy(c->t, b->t, (size_t)c->free * row);
    memcpy(c->trial, b->t, (size_t)c->free * row);
    memcpy(c->base, b->base, (size_t)c->network->h * row);
    memcpy(c->side, b->side, row);
    for (ptrdiff_t r = 0; r < b->K; r++) {
        c->step[r] = first_step;
        c->change[r] = 0.0;
        c->last[r] = INFINITY;
        c->alive[r] = r < b->k ? 1.0 : 0.0;
        c->row[r] = r < b->k ? r : -1;
    }
    evaluate(c, c->t, c->K, c->base, c->f);
    slopes_of_climbers(c, c->g);
    for (ptrdiff_t step = 0; step < c->steps->n_steps; step++) {
        ptrdiff_t count = propose(c);
        if (count == 0)
            break;
        if (4 * filled_up(count) <= 3 * c->K)
            close_ranks(c, b, count);
        evaluate(c, c->trial, c->K, c->base, c->there);
        slopes_of_climbers(c, c->following);
        accept(c);
    }
    for (ptrdiff_t r = 0; r < c->K; r++)
        bring_home(c, b, r);
}

/* --- blocks ------------------------------------------------------------------------------- */

/* The samples, then the antipodes of where that led, then random points; sides alternate. */
static void start_block(
    const fa_steps *s, ptrdiff_t draw, ptrdiff_t start, double *point, fa_ascent_block *b)
{
    if (draw == 0) {
        memset(b->t, 0, (size_t)(s->free * b->K) * sizeof *b->t);
        return;
    }
    for (ptrdiff_t r = 0; r < b->K; r++)
        b->side[r] = -b->side[r];
    for (ptrdiff_t j = 0; draw == 1 && j < s->free * b->K; j++)
        b->t[j] = -b->t[j];
    for (ptrdiff_t r = 0; draw > 1 && r < b->k; r++) {
        random_point(s->seed, (uint64_t)draw, s->first_row + (uint64_t)(start + r), s->radius,
                     s->p, point, s->free);
        for (ptrdiff_t j = 0; j < s->free; j++)
            b->t[j * b->K + r] = point[j];
    }
}

/* Leaps from random points would forget where they started. */
static double first_step(const fa_steps *s, ptrdiff_t draw)
{
    return s->step > 0.0 ? s->step : draw < 2 ? INFINITY : 0.1 * s->radius;
}

static void attack_block(
    const fa_rows *x, ptrdiff_t start, const fa_inner *inner, fa_climbers *c, fa_ascent_block *b,
    double *out, double *f)
{
    const fa_network *n = c->network;
    const fa_steps *s = c->steps;
    double side;
    load_by_columns(x, start, b->k, b->K, n->shift, n->inverse_scale, b->u);
    multiply_columns(n->w1, n->h, n->m, 1, n->h, b->u, b->K, b->base);
    for (ptrdiff_t i = 0; i < n->h; i++)
        for (ptrdiff_t r = 0; r < b->K; r++)
            b->base[i * b->K + r] += n->b1[i];
    memset(b->t, 0, (size_t)(s->free * b->K) * sizeof *b->t);
    evaluate(c, b->t, b->K, b->base, b->f);
    for (ptrdiff_t r = 0; r < b->K; r++) {
        ptrdiff_t row = start + (r < b->k ? r : b->k - 1);
        b->best[r] = worth(inner, b->f[r], x->y[row], row, b->side + r);
        if (r < b->k)
            f[row] = b->f[r];
    }
    memset(out + start * s->free, 0, (size_t)(b->k * s->free) * sizeof *out);
    for (ptrdiff_t draw = 0; draw < s->draws; draw++) {
        start_block(s, draw, start, c->scratch, b);
        climb_block(c, b, first_step(s, draw));
        for (ptrdiff_t r = 0; r < b->k; r++) {
            ptrdiff_t row = start + r;
            double value = worth(inner, b->f[r], x->y[row], row, &side);
            /* NaN must not be hidden: it is found in the result. */
            if (value <= b->best[r])
                continue;
            b->best[r] = value;
            f[row] = b->f[r];
            for (ptrdiff_t j = 0; j < s->free; j++)
                out[row * s->free + j] = b->t[j * b->K + r];
        }
    }
}

int FA_NAME(fa_network_ascent)(
    const fa_rows *x, const fa_network *n, const double *moves, const fa_inner *inner,
    const fa_steps *steps, double *out, double *f)
{
    ptrdiff_t free_inputs = steps->free, columns = n->m + 5 * free_inputs + 3 * n->h;
    ptrdiff_t rows = between(16, ASCENT_DOUBLES / columns, 256);
    rows = rows < filled_up(x->n) ? rows : filled_up(x->n);
    ptrdiff_t doubles = (columns + 13) * rows + filled_up(4 * free_inputs);
    double *memory = aligned_alloc(LINE, (size_t)doubles * sizeof(double)), *at = memory;
    if (!memory)
        return -1;
    fa_climbers c = {.network = n, .moves = moves, .steps = steps, .free = free_inputs};
    fa_ascent_block b;
    double **of_inputs[] = {&b.t, &c.t, &c.g, &c.trial, &c.following};
    for (int i = 0; i < 5; i++)
        *of_inputs[i] = take(&at, free_inputs * rows);
    double **of_units[] = {&b.base, &c.base, &c.z};
    for (int i = 0; i < 3; i++)
        *of_units[i] = take(&at, n->h * rows);
    double **of_rows[] = {&b.f, &b.side, &b.best, &c.f, &c.there, &c.sizes,
                          &c.side, &c.alive, &c.step, &c.change, &c.last};
    for (int i = 0; i < 11; i++)
        *of_rows[i] = take(&at, rows);
    b.u = take(&at, n->m * rows);
    c.row = (ptrdiff_t *)take(&at, rows);
    c.living = (ptrdiff_t *)take(&at, rows);
    c.scratch = take(&at, 4 * free_inputs);
    for (ptrdiff_t start = 0; start < x->n; start += rows) {
        b.k = x->n - start < rows ? x->n - start : rows;
        b.K = filled_up(b.k);
        attack_block(x, start, inner, &c, &b, out, f);
    }
    free(memory);
    return 0;
}

#endif
