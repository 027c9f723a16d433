/* Ascents on a network's inputs within a ball and bounds, p = 2 and infinity: the counterpart of
   numba_ops/bounded_ascent.py, which tells how steps are chosen.

   Some rows climb side by side, a row a lane, in arrays (m, K). Where one has arrived the next row
   takes its lane, so that no lane is idle before the last rows do; then lanes close ranks. */
#ifndef FASTAIF_BOUNDED_ASCENT_H
#define FASTAIF_BOUNDED_ASCENT_H

#include "attack/bounded_moves.h"
#include "layered/layered_slopes.h"
#include "scratch.h"

#define TOGETHER 16 /* rows: two vectors of the widest, so that products are (columns.h) */
#define RISE_ROUNDING 8.8817841970012523e-16
#define SHORTER 0.25
#define LONGER 2.0
#define SHORTEST 1e-9
#define HAS_INVERSE 1e-300
#define QUIET 2.0 /* steps that bring nothing to speak of */

/* Rows on their way: what each is, and where it is. */
typedef struct {
    const double *x, *targets, *sizes;
    const fa_layers *given;
    const fa_box *box;
    const fa_pace *pace;
    fa_stack stack;
    ptrdiff_t n, m, n_targets, next, K;
    double *u, *up, *down;                      /* (m, K): inputs at delta = 0, and rooms */
    double *here, *slopes, *trial, *following;  /* (m, K) */
    double *y;                                  /* (targets, K) */
    double *value, *there, *gain, *size, *part; /* (K,) */
    double *quiet, *left, *fresh, *alive;
    double *v, *rooms; /* (m, lanes) */
    ptrdiff_t *row;
    double *delta, *heights; /* of all rows */
} fa_climbing;

/* --- rows come and go --------------------------------------------------------------------- */

/* The next row into a lane, or none. */
static void enter_lane(fa_climbing *c, ptrdiff_t lane)
{
    ptrdiff_t i = c->next, m = c->m, K = c->K;
    if (i == c->n) {
        c->alive[lane] = 0.0;
        return;
    }
    const double *x = c->x + i * m, *low = c->box->bounds, *high = low + m;
    const double *shift = c->given->shift, *inverse = c->given->inverse_scale;
    double size = c->sizes[i];
    for (ptrdiff_t j = 0; j < m; j++) {
        double scale = c->box->scale[j] > 0.0 ? c->box->scale[j] : 1.0;
        double up = (high[j] - x[j]) / scale, down = (x[j] - low[j]) / scale;
        up = up > 0.0 ? up : 0.0;
        down = down > 0.0 ? down : 0.0;
        c->up[j * K + lane] = up < size ? up : size;
        c->down[j * K + lane] = down < size ? down : size;
        c->u[j * K + lane] = shift ? (x[j] - shift[j]) * inverse[j] : x[j];
        c->trial[j * K + lane] = c->delta[i * m + j];
    }
    for (ptrdiff_t j = 0; j < c->n_targets; j++)
        c->y[j * K + lane] = c->targets[i * c->n_targets + j];
    c->row[lane] = i;
    c->size[lane] = size;
    c->part[lane] = c->pace->part;
    c->left[lane] = (double)c->pace->n_steps;
    c->quiet[lane] = 0.0;
    c->fresh[lane] = c->alive[lane] = 1.0;
    c->next++;
}

static void leave_lane(fa_climbing *c, ptrdiff_t lane)
{
    ptrdiff_t i = c->row[lane];
    c->heights[i] = c->value[lane];
    for (ptrdiff_t j = 0; j < c->m; j++)
        c->delta[i * c->m + j] = c->here[j * c->K + lane];
}

/* Fewer vectors, once there are lanes enough that no row is left for. */
static void close_lanes(fa_climbing *c, ptrdiff_t count)
{
    struct {
        double *values;
        ptrdiff_t columns;
    } arrays[] = {{c->u, c->m}, {c->up, c->m}, {c->down, c->m}, {c->here, c->m}, {c->slopes, c->m},
                  {c->trial, c->m}, {c->y, c->n_targets}, {c->value, 1}, {c->gain, 1},
                  {c->size, 1}, {c->part, 1}, {c->quiet, 1}, {c->left, 1}, {c->fresh, 1}};
    ptrdiff_t K = c->K, closed = filled_up(count), living[TOGETHER], found = 0;
    for (ptrdiff_t r = 0; r < K; r++)
        if (c->alive[r] > 0.0)
            living[found++] = r;
    for (size_t a = 0; a < sizeof arrays / sizeof *arrays; a++)
        for (ptrdiff_t j = 0; j < arrays[a].columns; j++)
            for (ptrdiff_t r = 0; r < closed; r++) /* never ahead of what is read */
                arrays[a].values[j * closed + r]
                    = arrays[a].values[j * K + (r < found ? living[r] : r)];
    for (ptrdiff_t r = 0; r < closed; r++) {
        c->row[r] = c->row[r < found ? living[r] : r];
        c->alive[r] = r < found ? 1.0 : 0.0;
    }
    c->K = closed;
}

/* --- a vector of rows --------------------------------------------------------------------- */

/* Go on to where heights did not fall; the steps of others become shorter. */
static void accept_lanes(fa_climbing *c, ptrdiff_t r)
{
    vl fresh = load(c->fresh + r) > 0.0;
    vd value = load(c->value + r), there = load(c->there + r), part = load(c->part + r);
    vd quiet = load(c->quiet + r), rises = there - value, one = splat(1.0);
    vl up = rises >= -RISE_ROUNDING * magnitude(value), taken = up | fresh;
    vl brings = rises > c->pace->enough * load(c->gain + r);
    vd longer = LONGER * part;
    longer = choose(longer < one, longer, one);
    quiet = keep(~(brings | fresh), quiet + keep(up, one));
    store(c->quiet + r, quiet);
    store(c->part + r, choose(fresh, part, choose(up, longer, SHORTER * part)));
    store(c->value + r, choose(taken, there, value));
    store(c->fresh + r, splat(0.0));
    for (ptrdiff_t at = r; at < c->m * c->K; at += c->K) {
        store(c->here + at, choose(taken, load(c->trial + at), load(c->here + at)));
        store(c->slopes + at, choose(taken, load(c->following + at), load(c->slopes + at)));
    }
}

/* The level of every lane, as level_of_row has it for one, from what it is after the first look. */
static vd levels(const double *v, const double *rooms, ptrdiff_t m, vd level)
{
    for (;;) {
        vd spent = splat(0.0), growing = splat(0.0), one = splat(1.0);
        for (ptrdiff_t at = 0; at < m * FA_LANES; at += FA_LANES) {
            vd slope = load(v + at), room = load(rooms + at);
            vl full = level * slope >= room;
            spent += keep(full, room * room);
            growing += keep(~full, slope * slope);
        }
        vl grows = growing > 0.0;
        vd left = 1.0 - spent, over = choose(grows, growing, one);
        vd next = root(choose(left > 0.0, left, splat(0.0)) / over);
        next = choose(grows, next, splat(INFINITY));
        vl further = next > level;
        if (!any(further))
            return level;
        level = choose(further, next, level);
    }
}

/* Slopes |D g| of a vector of rows, and rooms along them; the largest slopes are returned. */
static vd enter_slopes(fa_climbing *c, ptrdiff_t r)
{
    const double *units = c->box->units;
    vd largest = splat(0.0);
    for (ptrdiff_t j = 0; j < c->m; j++) {
        vd slope = units[j] * piece(c->slopes, c->K, j, r);
        vd room = choose(slope > 0.0, piece(c->up, c->K, j, r), piece(c->down, c->K, j, r));
        slope = magnitude(slope);
        store(c->v + j * FA_LANES, slope);
        store(c->rooms + j * FA_LANES, keep(slope > 0.0, room));
        largest = larger(largest, slope);
    }
    return largest;
}

/* Both in units of the largest slope and of the size, and the level at which what has room is as
   long as the size. */
static vd level_of_lanes(fa_climbing *c, vd largest, vd unit)
{
    vd growing = splat(0.0), by = 1.0 / largest, per = 1.0 / unit;
    int divided = any((largest < HAS_INVERSE) | (unit < HAS_INVERSE));
    for (ptrdiff_t at = 0; at < c->m * FA_LANES; at += FA_LANES) {
        vd v = load(c->v + at), room = load(c->rooms + at);
        v = divided ? v / largest : v * by;
        vl counts = v > NO_SLOPE;
        v = choose(v == v, keep(counts, v), v);
        room = keep(counts, divided ? room / unit : room * per);
        growing += keep(room > 0.0, v * v);
        store(c->v + at, v);
        store(c->rooms + at, room);
    }
    vl grows = growing > 0.0;
    vd first = choose(grows, 1.0 / root(choose(grows, growing, splat(1.0))), splat(INFINITY));
    return levels(c->v, c->rooms, c->m, first);
}

/* The best points of the sets of a vector of rows into `trial`, with their gains; which rows are
   worth a step. */
INLINE vl furthest_lanes(fa_climbing *c, ptrdiff_t r, int euclidean)
{
    vd size = load(c->size + r), part = load(c->part + r), won = splat(0.0), got = splat(0.0);
    vd largest = enter_slopes(c, r), move = splat(0.0), level = move, one = splat(1.0);
    vd unit = euclidean ? choose(size > 0.0, size, one) : one;
    largest = euclidean ? choose((largest > 0.0) & (largest < INFINITY), largest, one) : one;
    if (euclidean)
        level = level_of_lanes(c, largest, unit);
    for (ptrdiff_t j = 0; j < c->m; j++) {
        vd v = load(c->v + j * FA_LANES), t = load(c->rooms + j * FA_LANES);
        vd g = piece(c->slopes, c->K, j, r), here = piece(c->here, c->K, j, r);
        if (euclidean) {
            vd far = level * v;
            t = unit * choose(far < t, far, t);
        }
        vd target = with_sign_of(c->box->units[j] * t, g);
        store(c->trial + j * c->K + r, target);
        won += v * t;
        got += g * here;
        move = larger(move, magnitude(target - here));
    }
    vd gain = largest * won;
    store(c->gain + r, gain);
    vl going = (part > SHORTEST) & (load(c->left + r) > 0.0) & (load(c->alive + r) > 0.0);
    if (c->pace->enough == 0.0)
        return going & (part * move > c->pace->still);
    return going & (gain - got > c->pace->enough * gain) & (load(c->quiet + r) < QUIET);
}

/* Shorten the way of those that go but a part of it. */
static void shorten_lanes(fa_climbing *c, ptrdiff_t r)
{
    vd part = load(c->part + r);
    vl whole = part >= 1.0;
    if (!any(~whole))
        return;
    for (ptrdiff_t at = r; at < c->m * c->K; at += c->K) {
        vd here = load(c->here + at), target = load(c->trial + at);
        store(c->trial + at, choose(whole, target, here + part * (target - here)));
    }
}

/* From where a vector of rows has been tried to where it is tried next; those that have arrived
   make room. */
static void move_lanes(fa_climbing *c, ptrdiff_t r)
{
    accept_lanes(c, r);
    vl going = c->box->p == 2.0 ? furthest_lanes(c, r, 1) : furthest_lanes(c, r, 0);
    shorten_lanes(c, r);
    store(c->left + r, load(c->left + r) - 1.0);
    for (int l = 0; l < FA_LANES; l++)
        if (!going[l] && c->alive[r + l] > 0.0) {
            leave_lane(c, r + l);
            enter_lane(c, r + l);
        }
}

/* --- all rows ----------------------------------------------------------------------------- */

static void climb_all(fa_climbing *c)
{
    for (ptrdiff_t r = 0; r < c->K; r++)
        enter_lane(c, r);
    for (;;) {
        ptrdiff_t count = 0;
        for (ptrdiff_t at = 0; at < c->m * c->K; at += FA_LANES)
            store(c->following + at, load(c->u + at) + load(c->trial + at));
        rise(&c->stack, c->following, c->y, c->K, c->there, c->following);
        for (ptrdiff_t r = 0; r < c->K; r += FA_LANES)
            move_lanes(c, r);
        for (ptrdiff_t r = 0; r < c->K; r++)
            count += c->alive[r] > 0.0;
        if (count == 0)
            return;
        if (filled_up(count) < c->K)
            close_lanes(c, count);
    }
}

int FA_NAME(fa_bounded_ascent)(
    const double *x, const double *targets, const fa_layers *layers, const fa_head *head,
    const fa_box *box, const double *sizes, const fa_pace *pace, double *delta, double *heights,
    ptrdiff_t n, ptrdiff_t m, ptrdiff_t n_targets)
{
    ptrdiff_t K = n < TOGETHER ? filled_up(n) : TOGETHER;
    ptrdiff_t doubles = (7 * m + n_targets + 10) * K + 2 * m * PANEL + size_of_stack(layers, K);
    double *memory = fa_borrow((size_t)doubles * sizeof(double)), *at = memory;
    if (!memory)
        return -1;
    memset(memory, 0, (size_t)doubles * sizeof(double));
    fa_climbing c = {.x = x, .targets = targets, .sizes = sizes, .given = layers, .box = box,
                     .pace = pace, .n = n, .m = m, .n_targets = n_targets, .K = K,
                     .delta = delta, .heights = heights};
    double **of_inputs[] = {&c.u, &c.up, &c.down, &c.here, &c.slopes, &c.trial, &c.following};
    for (int i = 0; i < 7; i++)
        *of_inputs[i] = take(&at, m * K);
    c.y = take(&at, n_targets * K);
    double **of_rows[] = {&c.value, &c.there, &c.gain, &c.size, &c.part,
                          &c.quiet, &c.left, &c.fresh, &c.alive};
    for (int i = 0; i < 9; i++)
        *of_rows[i] = take(&at, K);
    c.row = (ptrdiff_t *)take(&at, K);
    c.v = take(&at, m * PANEL);
    c.rooms = take(&at, m * PANEL);
    c.stack = make_stack(layers, head, K, &at);
    climb_all(&c);
    fa_give_back(memory);
    return 0;
}

#endif
