/* Robust fits with the squared error to a few digits, of rows in memory: the counterpart of
   numba_ops/squares_search.py, which tells what is computed. */
#ifndef FASTAIF_SQUARES_SEARCH_H
#define FASTAIF_SQUARES_SEARCH_H

#include "linear/squares_steps.h"

#define SQUARES_FIRST 0.1
#define SQUARES_MEETS 1e-2
#define SQUARES_BACK 10
#define SQUARES_STEPS 25
#define SQUARES_PATIENT 60
#define SQUARES_SOON 6
#define SQUARES_LATELY 3
#define SQUARES_CLOSE 1e-3
#define SQUARES_SLOW 0.9
#define SQUARES_SHRINKS 0.2
#define SQUARES_INNER 0.2
#define SQUARES_MET 0.3
#define SQUARES_STILL 0.1
#define SQUARES_VANISHED 1e-3
#define SQUARES_ROUNDING 1e-15
#define SQUARES_RARE 4
#define SQUARES_NEARLY 0.1
#define SQUARES_TRIALS 12

/* J at t f, of predictions f of theta whose norm is kappa. */
static double value_between(const fa_squares_search *s, const double *f, double t)
{
    double total = 0.0;
    for (ptrdiff_t i = 0; i < s->n; i++) {
        double worst = fabs(t * f[i] - s->at->r[i]) + t * s->kappa;
        total += s->w[i] * worst * worst;
    }
    for (ptrdiff_t j = 0; j < s->d; j++)
        total += s->form->push[j] * t * t * s->at->theta[j] * s->at->theta[j];
    return total;
}

/* From a start that (nearly) meets the targets to the best point between it and zero, where a
   share is kept of the predictions f. */
static double draw_back(fa_squares_search *s, double *f)
{
    double best = INFINITY, share = 1.0;
    for (int k = 1; k <= SQUARES_BACK; k++) {
        double t = (double)k / SQUARES_BACK, value = value_between(s, f, t);
        share = value < best ? t : share;
        best = value < best ? value : best;
    }
    for (ptrdiff_t i = 0; i < s->d; i++)
        s->at->right[i] -=
            0.5 * (1.0 - share) * dot_of(s->form->twice + i * s->d, s->at->theta, s->d);
    for (ptrdiff_t j = 0; j < s->d; j++)
        s->at->theta[j] *= share;
    return share;
}

/* Residuals in place of the targets, and the first mu. */
static void start_squares(fa_squares_search *s)
{
    double *f = s->dr, *r = s->at->r, square = 0.0, power = 0.0, share = 1.0;
    for (ptrdiff_t i = 0; i < s->n; i++) {
        f[i] = dot_of(s->z + i * s->d, s->at->theta, s->d);
        square += s->w[i] * (f[i] - r[i]) * (f[i] - r[i]);
        power += s->w[i] * r[i] * r[i];
    }
    s->products += (double)s->n;
    s->kappa = norm_and_gradient(s, s->at->theta, s->at->theta);
    s->patient = square <= SQUARES_MEETS * power;
    if (s->patient) {
        share = draw_back(s, f);
        square = 0.0;
    }
    for (ptrdiff_t i = 0; i < s->n; i++) {
        r[i] = share * f[i] - r[i];
        square += s->patient ? s->w[i] * r[i] * r[i] : 0.0;
    }
    s->mu = SQUARES_FIRST * fmax(sqrt(square), SQUARES_FIRST * share * s->kappa);
}

/* J where theta is zero (`wary` 1), or all of it but a constant (2). */
static double value_at_zero(const fa_squares_search *s, int wary)
{
    double mean = 0.0, total = 0.0;
    for (ptrdiff_t i = 0; wary == 2 && i < s->n; i++)
        mean += s->w[i] * s->at->r[i];
    for (ptrdiff_t i = 0; i < s->n; i++)
        total += s->w[i] * (s->at->r[i] - mean) * (s->at->r[i] - mean);
    return wary ? total : INFINITY;
}

/* The balance at the present residuals, and what it pulls. */
static void rebalance_squares(fa_squares_search *s)
{
    double *balance = s->at->balance, *h = s->at->pull, *change = s->dr;
    ptrdiff_t turned = 0;
    for (ptrdiff_t i = 0; i < s->n; i++) {
        s->shifted[i] = s->about[i] + s->at->r[i] / s->mu;
        double new = clipped(s->shifted[i], 1.0);
        change[i] = new - balance[i];
        turned += change[i] != 0.0;
        balance[i] = new;
    }
    int rare = SQUARES_RARE * turned <= s->n;
    s->products += (double)(rare ? turned : s->n);
    if (!rare)
        memset(h, 0, (size_t)s->d * sizeof *h);
    for (ptrdiff_t i = 0; i < s->n; i++) {
        double pulled = s->w[i] * (rare ? change[i] : balance[i]);
        const double *z = s->z + i * s->d;
        for (ptrdiff_t j = 0; pulled != 0.0 && j < s->d; j++)
            h[j] += pulled * z[j];
    }
}

/* What the multipliers prove here; it stays where that is less. */
static void prove_squares(fa_squares_search *s)
{
    const double *h = s->at->pull;
    for (ptrdiff_t j = 0; j < s->d; j++) {
        s->slope[j] = 2.0 * (s->at->right[j] + s->kappa * h[j] + (s->x + s->kappa) * s->k[j]);
        s->move[j] = -s->slope[j];
    }
    choose_all(s);
    if (!solve_bent(s, s->form->twice, 2.0, NULL, s->d, s->move))
        return;
    double along = dot_of(h, s->move, s->d) + dot_of(s->k, s->move, s->d);
    if (s->x + s->kappa + along >= 0.0) {
        double bound = (1.0 - SQUARES_ROUNDING) * s->value - s->split
            + 0.5 * dot_of(s->slope, s->move, s->d);
        s->bound = bound > s->bound ? bound : s->bound;
    }
}

/* What the rows that turn along the line add to the soft mean at t, and to its slope. */
static void soften(const fa_squares_search *s, double t, double *mean, double *along)
{
    const double *w = s->turning, *r = w + s->n, *dr = r + s->n, *about = dr + s->n;
    const double *start = about + s->n;
    vd total = splat(0.0), slope = splat(0.0), one = splat(1.0);
    for (ptrdiff_t i = 0; i < s->n_turning; i += FA_LANES) {
        ptrdiff_t left = s->n_turning - i;
        vd d = load_some(dr + i, left), balance = load_some(start + i, left) + t / s->mu * d;
        balance = choose(balance > 1.0, one, choose(balance < -1.0, -one, balance));
        vd off = balance - load_some(about + i, left), weight = load_some(w + i, left);
        total += weight
            * (balance * (load_some(r + i, left) + t * d) - (0.5 * s->mu) * (off * off));
        slope += weight * balance * d;
    }
    *mean = sum_of_lanes(total);
    *along = sum_of_lanes(slope);
}

/* The augmented Lagrangian's slope at t along the move. */
static double rise_of_squares(fa_squares_search *s, double t)
{
    double mean, along, leans = 0.0;
    soften(s, t, &mean, &along);
    mean += s->base + t * s->still;
    along += s->still;
    for (ptrdiff_t j = 0; j < s->d; j++)
        s->there[j] = s->at->theta[j] + t * s->move[j];
    double kappa = norm_and_gradient(s, s->there, s->side);
    for (ptrdiff_t j = 0; j < s->d; j++)
        leans += s->u[j] * s->form->scale[j] * s->move[j];
    return s->slope_at_0 + 2.0 * (t * s->bend + leans * (mean + kappa) + kappa * along);
}

/* Rows that are, or come to be, not cut, and what the others add all along. */
static void collect_turning(fa_squares_search *s)
{
    double *w = s->turning, *r = w + s->n, *dr = r + s->n, *about = dr + s->n;
    double *start = about + s->n, base, steep;
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < s->n; i++) {
        double from = s->shifted[i], to = from + s->dr[i] / s->mu;
        if (!(fmin(from, to) < 1.0 && fmax(from, to) > -1.0))
            continue;
        w[count] = s->w[i];
        r[count] = s->at->r[i];
        dr[count] = s->dr[i];
        about[count] = s->about[i];
        start[count++] = from;
    }
    s->n_turning = count;
    soften(s, 0.0, &base, &steep);
    s->base = s->soft - base;
    s->still = dot_of(s->at->pull, s->move, s->d) - steep;
}

/* Where a slope that increases, and is negative at 0, has (nearly) reached zero, at most 1. */
static double length_of_move(fa_squares_search *s)
{
    double low = 0.0, high = 1.0, below = rise_of_squares(s, low);
    if (!(below < 0.0))
        return 0.0;
    double above = rise_of_squares(s, high), enough = SQUARES_NEARLY * fabs(below), t = high;
    if (above <= enough)
        return high;
    for (int trial = 0, side = 0; trial < SQUARES_TRIALS; trial++) {
        t = low - below * (high - low) / (above - below);
        double slope = rise_of_squares(s, t);
        if (fabs(slope) <= enough)
            break;
        if (slope < 0.0) {
            low = t;
            below = slope;
            above *= side < 0 ? 0.5 : 1.0;
            side = -1;
        } else {
            high = t;
            above = slope;
            below *= side > 0 ? 0.5 : 1.0;
            side = 1;
        }
    }
    return t;
}

static int take_move(fa_squares_search *s)
{
    const ptrdiff_t d = s->d;
    double *theta = s->at->theta;
    for (ptrdiff_t i = 0; i < s->n; i++)
        s->dr[i] = dot_of(s->z + i * d, s->move, d);
    s->products += (double)s->n;
    for (ptrdiff_t j = 0; j < d; j++) {
        s->turned[j] = 0.5 * dot_of(s->form->twice + j * d, s->move, d);
        s->side[j] = theta[j] != 0.0 ? theta[j] : s->move[j];
    }
    s->slope_at_0 = 2.0 * dot_of(s->at->right, s->move, d);
    s->bend = dot_of(s->move, s->turned, d);
    collect_turning(s);
    double t = length_of_move(s);
    if (!(t > 0.0))
        return 0;
    for (ptrdiff_t j = 0; j < d; j++) {
        theta[j] += t * s->move[j];
        s->at->right[j] += t * s->turned[j];
    }
    for (ptrdiff_t i = 0; i < s->n; i++)
        s->at->r[i] += t * s->dr[i];
    rebalance_squares(s);
    refresh_squares(s);
    return 1;
}

static int newton_of_squares(fa_squares_search *s, double *fall)
{
    *fall = INFINITY;
    curve_squares(s);
    return s->form->q == 1.0 ? split_step(s, fall) : smooth_step(s, fall);
}

/* One Newton step; 0 where there is none. */
static int step_of_squares(fa_squares_search *s)
{
    double enough = s->tol * s->value, fall;
    if (s->split <= enough) {
        prove_squares(s);
        if (s->value - s->bound <= enough)
            return 1;
    }
    int found = newton_of_squares(s, &fall), met = s->split <= SQUARES_MET * enough;
    if (fall <= (met ? SQUARES_STILL * enough : SQUARES_INNER * s->split)) {
        memcpy(s->about, s->at->balance, (size_t)s->n * sizeof(double));
        s->mu *= met ? 1.0 : SQUARES_SHRINKS;
        rebalance_squares(s);
        refresh_squares(s);
        found = newton_of_squares(s, &fall);
    }
    return found && take_move(s);
}

/* Whether few steps lead to the gap that is asked for. */
static int search_squares(fa_squares_search *s)
{
    const int patient = s->patient;
    double lacked[SQUARES_PATIENT];
    for (int step = 0; step < (patient ? SQUARES_PATIENT : SQUARES_STEPS); step++) {
        if (!step_of_squares(s))
            return 0;
        double enough = s->tol * s->value;
        if (s->value - s->bound <= enough)
            return 1;
        lacked[step] = s->split;
        if (!patient && step + 1 == SQUARES_SOON && s->split > SQUARES_CLOSE * s->value)
            return 0;
        int late = !patient && step >= SQUARES_SOON + SQUARES_LATELY && s->split > enough;
        if (late && s->split > SQUARES_SLOW * lacked[step - SQUARES_LATELY])
            return 0;
        if (s->form->q > 1.0 && s->kappa < SQUARES_VANISHED * s->begun)
            return 0;
    }
    return 0;
}

/* A subgradient of J, relative to what it is small or large against. */
static double residual_of_squares(fa_squares_search *s)
{
    double yardstick = 0.0;
    s->products += (double)s->n;
    memcpy(s->slope, s->at->pull, (size_t)s->d * sizeof(double));
    for (ptrdiff_t i = 0; i < s->n; i++) {
        const double *z = s->z + i * s->d;
        double pulled = s->w[i] * (sign_of(s->at->r[i]) - s->at->balance[i]);
        yardstick += s->w[i] * (fabs(s->at->r[i]) + s->kappa) * sqrt(dot_of(z, z, s->d));
        for (ptrdiff_t j = 0; pulled != 0.0 && j < s->d; j++)
            s->slope[j] += pulled * z[j];
    }
    for (ptrdiff_t j = 0; j < s->d; j++)
        s->slope[j] = s->at->right[j] + s->kappa * s->slope[j] + (s->size + s->kappa) * s->k[j];
    return sqrt(dot_of(s->slope, s->slope, s->d)) / (yardstick > 0.0 ? yardstick : 1.0);
}

int FA_NAME(fa_squares_search)(const double *z, const double *w, const fa_squares *form, double tol,
    int wary, const fa_squares_point *point, ptrdiff_t n, ptrdiff_t d)
{
    fa_squares_search s = {.n = n, .d = d, .z = z, .w = w, .form = form, .at = point, .tol = tol,
        .bound = -INFINITY};
    size_t doubles = (size_t)(8 * n + 10 * d + 2 * d * d), most = (size_t)(n > d ? n : d);
    double *memory = calloc(doubles, sizeof *memory), *free_from = memory;
    s.which = malloc(most * sizeof *s.which);
    if (!memory || !s.which) {
        free(memory);
        free(s.which);
        return -1;
    }
    double **of_rows[] = {&s.about, &s.shifted, &s.dr};
    double **of_entries[] = {&s.k, &s.u, &s.side, &s.slope, &s.move, &s.turned, &s.there, &s.bends,
        &s.unit, &s.packed};
    for (int i = 0; i < 3; i++, free_from += n)
        *of_rows[i] = free_from;
    for (int i = 0; i < 10; i++, free_from += d)
        *of_entries[i] = free_from;
    s.matrix = free_from;
    s.system = s.matrix + d * d;
    s.turning = s.system + d * d;
    double at_zero = value_at_zero(&s, wary);
    start_squares(&s);
    rebalance_squares(&s);
    refresh_squares(&s);
    s.begun = s.kappa;
    if (!(s.kappa > 0.0 && s.value < at_zero))
        point->numbers[Q_PROVEN] = s.kappa > 0.0 ? -1.0 : 0.0;
    else
        point->numbers[Q_PROVEN] = search_squares(&s);
    point->numbers[Q_VALUE] = s.value;
    point->numbers[Q_BOUND] = s.bound;
    point->numbers[Q_RESIDUAL] = residual_of_squares(&s);
    point->numbers[Q_READ] = s.read;
    point->numbers[Q_PRODUCTS] = s.products;
    free(memory);
    free(s.which);
    return 0;
}

#endif
