/* The iterate of a search on squares, and its Newton step: the counterpart of
   numba_ops/squares_steps.py. */
#ifndef FASTAIF_SQUARES_STEPS_H
#define FASTAIF_SQUARES_STEPS_H

#include "core/row_geometry.h"
#include "linear/solve_draws.h"

#define SQUARES_PIVOTS 30
#define SQUARES_OUT 1e-9      /* a slope that outweighs the norm's by so much lets an entry go */
#define SQUARES_SINGULAR 1e-12 /* a pivot */

typedef struct {
    ptrdiff_t n, d, n_turning;
    const double *z, *w;                     /* (n, d), (n,) */
    const fa_squares *form;
    const fa_squares_point *at;
    int patient;
    double mu, tol, read, products, begun;
    double x, size, soft, kappa, value, split, bound;
    double base, still, slope_at_0, bend;    /* of the line that is searched */
    double *about, *shifted, *dr;            /* (n,) */
    double *turning;                         /* (5, n): w, r, dr, about, shifted of some rows */
    double *k, *u, *side, *slope, *move, *turned, *there, *bends, *unit, *packed; /* (d,) */
    double *matrix, *system;                 /* (d, d), lower triangles */
    ptrdiff_t *which;                        /* (max(n, d),) */
} fa_squares_search;

static double clipped(double a, double most) { return a > most ? most : a < -most ? -most : a; }

/* |scale x|_q and its gradient; of entries at a kink that on the given side. */
static double norm_and_gradient(const fa_squares_search *s, const double *x, const double *side)
{
    const double *scale = s->form->scale, q = s->form->q;
    double *u = s->u;
    for (ptrdiff_t j = 0; j < s->d; j++)
        u[j] = scale[j] * x[j];
    double size = norm_of_row(u, s->d, q), unit = size != 0.0 ? size : 1.0;
    for (ptrdiff_t j = 0; j < s->d; j++) {
        if (q == 1.0)
            u[j] = sign_of(u[j] != 0.0 ? u[j] : side[j]);
        else if (q == 2.0)
            u[j] /= unit;
        else
            u[j] = copysign(pow(fabs(u[j] / unit), q - 1.0), u[j]);
    }
    return size;
}

/* Numbers of the iterate, from r, the balance and what it pulls. */
static void refresh_squares(fa_squares_search *s)
{
    const double *r = s->at->r, *balance = s->at->balance, *theta = s->at->theta;
    const double *scale = s->form->scale;
    vd x = splat(0.0), size = splat(0.0), square = splat(0.0), off = splat(0.0);
    for (ptrdiff_t i = 0; i < s->n; i += FA_LANES) {
        ptrdiff_t left = s->n - i;
        vd w = load_some(s->w + i, left), ri = load_some(r + i, left);
        vd bi = load_some(balance + i, left), apart = bi - load_some(s->about + i, left);
        x += w * bi * ri;
        size += w * magnitude(ri);
        square += w * ri * ri;
        off += w * apart * apart;
    }
    s->x = sum_of_lanes(x);
    s->size = sum_of_lanes(size);
    s->soft = s->x - 0.5 * s->mu * sum_of_lanes(off);
    s->kappa = norm_and_gradient(s, theta, theta);
    s->value = sum_of_lanes(square) + s->kappa * (2.0 * s->size + s->kappa);
    for (ptrdiff_t j = 0; j < s->d; j++) {
        if (s->form->q == 1.0 && theta[j] == 0.0 && scale[j] > 0.0) {
            double pulled = (s->at->right[j] + s->kappa * s->at->pull[j]) / scale[j];
            s->u[j] = clipped(-pulled / (s->x + s->kappa), 1.0);
        }
        s->k[j] = scale[j] * s->u[j];
        s->value += s->form->push[j] * theta[j] * theta[j];
    }
    s->split = fmax(2.0 * s->kappa * (s->size - s->x), 0.0);
}

/* The lower triangle's matrix times x. */
static void times_lower(const double *lower, const double *x, ptrdiff_t d, double *out)
{
    for (ptrdiff_t i = 0; i < d; i++) {
        const double *row = lower + i * d;
        out[i] = dot_of(row, x, i + 1);
        for (ptrdiff_t j = 0; j < i; j++)
            out[j] += row[j] * x[i];
    }
}

/* (B + 2 (h k' + k h') + along k k' + diag(bends)) x = x of the entries in `which`, B's lower
   triangle given; 0 where that is singular. */
static int solve_bent(const fa_squares_search *s, const double *lower, double along,
    const double *bends, ptrdiff_t count, double *x)
{
    const double *h = s->at->pull, *k = s->k;
    for (ptrdiff_t a = 0; a < count; a++) {
        ptrdiff_t i = s->which[a];
        const double *row = lower + i * s->d;
        double *out = s->system + a * count;
        double by_k = 2.0 * h[i] + along * k[i], by_h = 2.0 * k[i];
        if (count == s->d) {
            for (ptrdiff_t j = 0; j <= i; j++)
                out[j] = row[j] + (by_k * k[j] + by_h * h[j]);
        } else {
            for (ptrdiff_t b = 0; b <= a; b++) {
                ptrdiff_t j = s->which[b];
                out[b] = row[j] + (by_k * k[j] + by_h * h[j]);
            }
        }
        if (bends)
            out[a] += bends[i];
    }
    if (!(count == 0 || factor_one(s->system, count, s->unit) > SQUARES_SINGULAR))
        return 0;
    solve_one(s->system, count, s->unit, x);
    return 1;
}

static void choose_all(fa_squares_search *s)
{
    for (ptrdiff_t j = 0; j < s->d; j++)
        s->which[j] = j;
}

/* Twice the Gram matrix, and the square of the rows that are near their kinks. */
static void curve_squares(fa_squares_search *s)
{
    const ptrdiff_t d = s->d;
    ptrdiff_t near = 0;
    memcpy(s->matrix, s->form->twice, (size_t)(d * d) * sizeof(double));
    for (ptrdiff_t i = 0; i < s->n; i++)
        if (fabs(s->shifted[i]) < 1.0)
            s->which[near++] = i;
    s->read += (double)near;
    for (ptrdiff_t a = 0; a < near; a += 4) { /* four rows at once: the matrix is read less often */
        const double *z[4];
        double weight[4];
        for (int c = 0; c < 4; c++) {
            ptrdiff_t i = s->which[a + c < near ? a + c : a];
            z[c] = s->z + i * d;
            weight[c] = a + c < near ? 2.0 * s->kappa / s->mu * s->w[i] : 0.0;
        }
        for (ptrdiff_t i = 0; i < d; i++) {
            double *restrict row = s->matrix + i * d;
            const double *z0 = z[0], *z1 = z[1], *z2 = z[2], *z3 = z[3];
            double c0 = weight[0] * z0[i], c1 = weight[1] * z1[i];
            double c2 = weight[2] * z2[i], c3 = weight[3] * z3[i];
            for (ptrdiff_t j = 0; j <= i; j++)
                row[j] += (c0 * z0[j] + c1 * z1[j]) + (c2 * z2[j] + c3 * z3[j]);
        }
    }
}

/* Newton's step of a smooth norm, and by how much it should lower the model; 0: there is none. */
static int smooth_step(fa_squares_search *s, double *fall)
{
    const double *scale = s->form->scale, *h = s->at->pull, q = s->form->q;
    double level = s->soft + s->kappa;
    if (s->kappa == 0.0)
        return 0;
    double weight = 2.0 * fmax(level, 0.0) * (q - 1.0) / s->kappa;
    for (ptrdiff_t j = 0; j < s->d; j++) {
        double part = fabs(scale[j] * s->at->theta[j] / s->kappa);
        double power = q == 2.0 ? 1.0 : pow(part, q - 2.0);
        s->bends[j] = weight * scale[j] * scale[j] * (isfinite(power) ? power : 0.0);
        s->slope[j] = 2.0 * (s->at->right[j] + s->kappa * h[j] + level * s->k[j]);
        s->move[j] = -s->slope[j];
    }
    choose_all(s);
    if (!solve_bent(s, s->matrix, 2.0 - weight, s->bends, s->d, s->move))
        return 0;
    *fall = -0.5 * dot_of(s->slope, s->move, s->d);
    return 1;
}

/* The minimum's step where u are the signs of entries, and those at zero stay. */
static int step_on_face(fa_squares_search *s)
{
    const double *theta = s->at->theta, *h = s->at->pull, *scale = s->form->scale;
    const ptrdiff_t d = s->d;
    double level = s->soft + s->kappa, rise = -s->kappa, held = 0.0;
    ptrdiff_t count = 0;
    for (ptrdiff_t j = 0; j < d; j++) {
        s->k[j] = scale[j] * s->u[j];
        rise += s->k[j] * theta[j];
        if (scale[j] > 0.0 && s->u[j] == 0.0) {
            s->move[j] = -theta[j];
            held += h[j] * s->move[j];
        } else {
            s->move[j] = 0.0;
            s->which[count++] = j;
        }
    }
    times_lower(s->matrix, s->move, d, s->there);
    for (ptrdiff_t a = 0; a < count; a++) {
        ptrdiff_t j = s->which[a];
        double slope = s->at->right[j] + s->kappa * h[j] + (level + rise) * s->k[j] + rise * h[j];
        s->packed[a] = -2.0 * slope - s->there[j] - 2.0 * held * s->k[j];
    }
    if (!solve_bent(s, s->matrix, 2.0, NULL, count, s->packed))
        return 0;
    for (ptrdiff_t a = 0; a < count; a++)
        s->move[s->which[a]] = s->packed[a];
    return 1;
}

/* Entries that would cross zero are held there: whether there were such. */
static int hold_crossed(fa_squares_search *s)
{
    int crossed = 0;
    for (ptrdiff_t j = 0; j < s->d; j++) {
        double there = s->at->theta[j] + s->move[j];
        if (s->form->scale[j] > 0.0 && s->u[j] != 0.0 && s->u[j] * there <= 0.0) {
            s->u[j] = 0.0;
            s->move[j] = -s->at->theta[j];
            crossed = 1;
        }
    }
    return crossed;
}

/* Entries at zero whose slope outweighs the norm's are let go: whether there were such. */
static int let_go(fa_squares_search *s)
{
    const double *theta = s->at->theta, *h = s->at->pull, *scale = s->form->scale;
    double after = -s->kappa, across = dot_of(h, s->move, s->d);
    int out = 0;
    for (ptrdiff_t j = 0; j < s->d; j++)
        after += scale[j] * s->u[j] * (theta[j] + s->move[j]);
    double weight = 2.0 * (s->soft + s->kappa + after + across);
    times_lower(s->matrix, s->move, s->d, s->there);
    for (ptrdiff_t j = 0; j < s->d; j++) {
        if (!(scale[j] > 0.0 && s->u[j] == 0.0))
            continue;
        double pull = s->there[j] + 2.0 * (s->at->right[j] + (s->kappa + after) * h[j]);
        if (fabs(pull / scale[j]) > (1.0 + SQUARES_OUT) * weight) {
            s->u[j] = -sign_of(pull);
            out = 1;
        }
    }
    return out;
}

/* The step for q = 1: to where no entry crosses zero and none is pulled away, if few turns lead
   there; and by how much it should lower the model. 0: there is none. */
static int split_step(fa_squares_search *s, double *fall)
{
    const double *theta = s->at->theta, *h = s->at->pull, *scale = s->form->scale;
    double more = -s->kappa, square = 0.0;
    for (ptrdiff_t j = 0; j < s->d; j++)
        s->u[j] = scale[j] > 0.0 ? sign_of(theta[j]) : 0.0;
    for (int turn = 0; turn < SQUARES_PIVOTS; turn++) {
        if (!step_on_face(s))
            return 0;
        if (!hold_crossed(s) && !let_go(s))
            break;
    }
    times_lower(s->matrix, s->move, s->d, s->there);
    for (ptrdiff_t j = 0; j < s->d; j++) {
        more += scale[j] * fabs(theta[j] + s->move[j]);
        square += s->move[j] * (2.0 * (s->at->right[j] + s->kappa * h[j]) + 0.5 * s->there[j]);
    }
    double level = s->soft + s->kappa + dot_of(h, s->move, s->d);
    *fall = -square - more * (2.0 * level + more);
    return 1;
}

#endif
