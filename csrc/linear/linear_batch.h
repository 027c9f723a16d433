/* Fits and influences of many small problems of linear predictors: the counterpart of
   numba_ops/linear_batch.py, which tells what is computed.

   A problem is worked on by itself, by columns (columns.h): its inputs are turned once into columns,
   which are centred and scaled, and stay in the cache through all steps. */
#ifndef FASTAIF_LINEAR_BATCH_H
#define FASTAIF_LINEAR_BATCH_H

#include "basis/basis_blocks.h"
#include "linear/solve_draws.h"

#define BATCH_TOL 1e-12   /* of the gradient, relative to its yardstick */
#define BATCH_EXACT 1e-14
#define BATCH_ROUNDING 1e-13 /* of the value */
#define MOST_STEPS 60


/* Room for the largest problem, and what is known of the one at work. */
typedef struct {
    const fa_batch_model *model;
    const fa_batch_attack *attack;
    ptrdiff_t m, d, K, n_iter;
    double *z, *scaled;                          /* (m, K) */
    fa_block rows;                               /* f, y, w, norms and derivatives */
    double *roots;                               /* (K,) */
    double *means, *scales, *beta, *turn, *row;  /* (m,) */
    double *theta, *trial, *step, *diagonal;     /* (d,), of z; and the factor's scales */
    double *gradient, *mixed;                    /* (d,), means of sums */
    double *natural, *factor;                    /* (d, d) */
    int has_factor;
    double weight, value, slope, residual, radius, target_size;
    double sum_of_mixed, sum_of_second;          /* of w l'' sgn l' and w l'' */
} fa_problem;

/* --- rows and columns --------------------------------------------------------------------- */

/* E |x / c|_p row by row, for any p and whatever the size of numbers. */
static double mean_norm_with_care(fa_problem *s)
{
    double total = 0.0;
    for (ptrdiff_t i = 0; i < s->K; i++) {
        if (!(s->rows.w[i] > 0.0))
            continue;
        for (ptrdiff_t j = 0; j < s->m; j++)
            s->row[j] = s->attack->inverse[j] * s->z[j * s->K + i];
        total += s->rows.w[i] * norm_of_row(s->row, s->m, s->attack->p);
    }
    return total / s->weight;
}

/* E |x / c|_p, before the columns are centred. */
static double mean_norm_of_columns(fa_problem *s)
{
    const double *inverse = s->attack->inverse, p = s->attack->p;
    vd total = splat(0.0);
    vl extreme = {0};
    if (!(p == 1.0 || p == 2.0 || isinf(p)))
        return mean_norm_with_care(s);
    for (ptrdiff_t i = 0; i < s->K; i += FA_LANES) {
        vd norm = splat(0.0);
        for (ptrdiff_t j = 0; j < s->m; j++) {
            vd u = magnitude(inverse[j] * piece(s->z, s->K, j, i));
            norm = p == 2.0 ? norm + u * u : p == 1.0 ? norm + u : larger(u, norm);
        }
        extreme |= ~((norm > TINY_SQUARE) & (norm < HUGE_SQUARE));
        total += load(s->rows.w + i) * (p == 2.0 ? root(norm) : norm);
    }
    return any(extreme) ? mean_norm_with_care(s) : sum_of_lanes(total) / s->weight;
}

/* z = (x - mean) / deviation; without an intercept x over its root mean square. Scales need not be
   exact: what is found does not depend on them. */
static void standardise(fa_problem *s)
{
    for (ptrdiff_t j = 0; j < s->m; j++) {
        double *column = s->z + j * s->K, first = column[0];
        vd total = splat(0.0), square = splat(0.0);
        for (ptrdiff_t i = 0; i < s->K; i += FA_LANES) {
            vd apart = load(column + i) - first, part = load(s->rows.w + i) * apart;
            total += part;
            square += part * apart;
        }
        double from_first = sum_of_lanes(total) / s->weight, mean = first + from_first;
        double spread = sum_of_lanes(square) / s->weight - from_first * from_first;
        double deviation = sqrt(fmax(spread, 0.0));
        if (!s->model->fit_intercept) {
            deviation = hypot(mean, deviation);
            mean = 0.0;
        }
        /* Columns that are constant but for rounding are the intercept's over again. */
        if (!(deviation > 1e-14 * fabs(mean)))
            deviation = 1.0;
        s->means[j] = mean;
        s->scales[j] = deviation;
        double inverse = 1.0 / deviation;
        for (ptrdiff_t i = 0; i < s->K; i += FA_LANES)
            store(column + i, (load(column + i) - mean) * inverse);
    }
}

/* Targets and weights of the rows; what fills up the last vector weighs nothing. */
static void read_rows(fa_problem *s, const fa_rows *x, ptrdiff_t start, ptrdiff_t n)
{
    vd weight = splat(0.0), largest = splat(0.0);
    memcpy(s->rows.y, x->y + start, (size_t)n * sizeof(double));
    for (ptrdiff_t i = 0; i < n; i++)
        s->rows.w[i] = x->weight ? x->weight[start + i] : 1.0;
    for (ptrdiff_t i = n; i < s->K; i++)
        s->rows.y[i] = s->rows.w[i] = 0.0;
    for (ptrdiff_t i = 0; i < s->K; i += FA_LANES) {
        weight += load(s->rows.w + i);
        largest = larger(magnitude(load(s->rows.y + i)), largest);
    }
    s->weight = sum_of_lanes(weight);
    s->target_size = largest_lane(largest);
}

static void read_problem(fa_problem *s, const fa_rows *x, ptrdiff_t start, ptrdiff_t n)
{
    s->K = filled_up(n);
    load_by_columns(x, start, n, s->K, NULL, NULL, s->z);
    read_rows(s, x, start, n);
    s->radius = s->attack->radius > 0.0 ? s->attack->radius : mean_norm_of_columns(s);
    standardise(s);
    for (ptrdiff_t i = 0; i < s->K; i += FA_LANES) {
        vd square = splat(0.0);
        for (ptrdiff_t j = 0; j < s->m; j++)
            square += piece(s->z, s->K, j, i) * piece(s->z, s->K, j, i);
        store(s->rows.norms + i, root(square));
    }
    s->has_factor = 0;
    s->n_iter = 0;
}

/* --- the objective ------------------------------------------------------------------------ */

/* Means of w a (z, 1), by weights a of the rows; the last is their sum. */
static void means_of_columns(const fa_problem *s, const double *a, double sum, double *out)
{
    memset(out, 0, (size_t)s->d * sizeof *out);
    add_weighted_totals(s->z, s->m, a, s->K, out);
    if (s->model->fit_intercept)
        out[s->m] = sum;
    for (ptrdiff_t j = 0; j < s->d; j++)
        out[j] /= s->weight;
}

/* Value and gradient at theta, penalty included; d1, d12 and d2 of the rows stay where they are. */
static void evaluate_problem(fa_problem *s, const fa_inner *inner, const double *theta)
{
    const int need = NEED_GRADIENT | NEED_LOSS | NEED_YARDSTICK;
    double scalars[N_SCALARS] = {0.0}, alpha = s->model->alpha, norm = 0.0;
    double intercept = s->model->fit_intercept ? theta[s->m] : 0.0;
    fa_totals totals;
    memset(&totals, 0, sizeof totals);
    multiply_columns(theta, 1, s->m, 1, 1, s->z, s->K, s->rows.f);
    for (ptrdiff_t i = 0; i < s->K; i++)
        s->rows.f[i] += intercept;
    slopes(&s->rows, 0, s->K, inner, need, &totals, scalars);
    add_rows(&s->rows, s->K, need, &totals);
    add_totals(&totals, inner, need, scalars);
    means_of_columns(s, s->rows.d1, scalars[S_F], s->gradient);
    s->value = scalars[S_LOSS] / s->weight;
    s->slope = scalars[S_K] / s->weight;
    s->sum_of_mixed = scalars[S_FK];
    s->sum_of_second = scalars[S_FF];
    for (ptrdiff_t j = 0; alpha > 0.0 && j < s->m; j++) {
        double ridge = alpha / (s->scales[j] * s->scales[j]);
        s->value += ridge * theta[j] * theta[j];
        s->gradient[j] += 2.0 * ridge * theta[j];
    }
    for (ptrdiff_t j = 0; j < s->d; j++)
        norm += s->gradient[j] * s->gradient[j];
    double yardstick = scalars[S_YARDSTICK] / s->weight;
    s->residual = sqrt(norm) / (yardstick > 0.0 ? yardstick : 1.0);
}

/* The natural Hessian of the rows' d2, both triangles. */
static void form_natural(fa_problem *s)
{
    ptrdiff_t m = s->m, d = s->d;
    for (ptrdiff_t i = 0; i < s->K; i += FA_LANES)
        store(s->roots + i, root(load(s->rows.d2 + i)));
    weigh(NULL, s->z, s->roots, m, s->K, s->scaled);
    memset(s->natural, 0, (size_t)(d * d) * sizeof *s->natural);
    for (ptrdiff_t j = 0; j < m; j += 2) { /* two rows up to their diagonal */
        ptrdiff_t rows = m - j < 2 ? 1 : 2;
        add_row_products(s->scaled + j * s->K, rows, s->scaled, j + rows, s->K, s->natural + j * d, d);
    }
    for (ptrdiff_t j = 0; j < m; j++)
        for (ptrdiff_t l = 0; l <= j; l++)
            s->natural[j * d + l] = s->natural[l * d + j] = s->natural[j * d + l] / s->weight;
    if (!s->model->fit_intercept)
        return;
    means_of_columns(s, s->rows.d2, s->sum_of_second, s->trial);
    for (ptrdiff_t j = 0; j < d; j++)
        s->natural[j * d + m] = s->natural[m * d + j] = s->trial[j];
}

/* Add lambda |theta|^2 of raw inputs' theta = (beta / scale, b - mean . beta / scale). */
static void add_damping(const fa_problem *s, double damping, double *hessian)
{
    ptrdiff_t m = s->m, d = s->d;
    for (ptrdiff_t j = 0; j < m; j++) {
        hessian[j * d + j] += damping / (s->scales[j] * s->scales[j]);
        if (!s->model->fit_intercept)
            continue;
        double bent = s->means[j] / s->scales[j];
        hessian[m * d + j] -= damping * bent;
        for (ptrdiff_t l = 0; l <= j; l++)
            hessian[j * d + l] += damping * bent * s->means[l] / s->scales[l];
    }
    if (s->model->fit_intercept)
        hessian[m * d + m] += damping;
}

/* The factor of H; 0 where H is not definite. The squared error's is the same everywhere. */
static int factor_hessian(fa_problem *s, double damping)
{
    ptrdiff_t d = s->d;
    if (s->has_factor && damping == 0.0)
        return 1;
    form_natural(s);
    memcpy(s->factor, s->natural, (size_t)(d * d) * sizeof *s->factor);
    for (ptrdiff_t j = 0; s->model->alpha > 0.0 && j < s->m; j++)
        s->factor[j * d + j] += 2.0 * s->model->alpha / (s->scales[j] * s->scales[j]);
    if (damping > 0.0)
        add_damping(s, damping, s->factor);
    double pivot = factor_one(s->factor, d, s->diagonal);
    int definite = pivot > 16.0 * 2.220446049250313e-16 * (double)d;
    s->has_factor = definite && damping == 0.0 && is_quadratic(s->model->loss);
    return definite;
}

/* --- Newton's method ---------------------------------------------------------------------- */

static double length_of(const double *a, ptrdiff_t n) { return sqrt(dot_of(a, a, n)); }

/* The first of theta - step, theta - step / 2, ... with enough descent; 0 where there is none. */
static int descend(fa_problem *s, const fa_inner *inner)
{
    double before = s->residual, value = s->value, rounding = BATCH_ROUNDING * fabs(value);
    double slope = dot_of(s->gradient, s->step, s->d), size = 1.0;
    int near = slope <= rounding; /* values differ by rounding alone: the gradient decides */
    for (int halving = 0; halving < (near ? 3 : MOST_STEPS); halving++, size *= 0.5) {
        for (ptrdiff_t j = 0; j < s->d; j++)
            s->trial[j] = s->theta[j] - size * s->step[j];
        evaluate_problem(s, inner, s->trial);
        int falls = s->value <= value - 1e-4 * size * slope;
        int close = near && s->value <= value + rounding && s->residual < before;
        if (isfinite(s->value) && isfinite(s->residual) && (falls || close)) {
            memcpy(s->theta, s->trial, (size_t)s->d * sizeof *s->theta);
            return 1;
        }
    }
    evaluate_problem(s, inner, s->theta);
    return 0;
}

static int newton(fa_problem *s, const fa_inner *inner)
{
    size_t bytes = (size_t)s->d * sizeof(double);
    s->has_factor = 0;
    evaluate_problem(s, inner, s->theta);
    for (int step = 0; step < MOST_STEPS; step++) {
        if (!(isfinite(s->value) && isfinite(s->residual)))
            return NOT_FINITE;
        int met = s->residual <= BATCH_TOL;
        if (s->residual <= BATCH_EXACT)
            return FOUND;
        if (!factor_hessian(s, 0.0))
            return SINGULAR;
        memcpy(s->step, s->gradient, bytes);
        solve_one(s->factor, s->d, s->diagonal, s->step);
        double reach = length_of(s->step, s->d), size = length_of(s->theta, s->d);
        if (reach <= 1e-15 * size) /* rounding: of fits without residuals all that is left */
            return FOUND;
        if (!descend(s, inner)) /* no smaller value can be told apart */
            return met || reach <= 1e-9 * size ? FOUND : NOT_CONVERGED;
        s->n_iter++;
        if (met) /* the one more step */
            return FOUND;
    }
    return NOT_CONVERGED;
}

/* theta to start from: the log of the mean count, from which no step overflows; the fit of a wider
   Huber loss, for far from its minimum a narrow one is nearly flat. */
static int fit_problem(fa_problem *s)
{
    fa_inner inner = {.loss = s->model->loss, .delta = s->model->delta};
    double mean = dot_of(s->rows.w, s->rows.y, s->K) / s->weight, delta = 0.0;
    memset(s->theta, 0, (size_t)s->d * sizeof *s->theta);
    int wide = starts_wider(inner.loss);
    if (s->model->fit_intercept)
        s->theta[s->m] = starting_intercept(inner.loss, mean);
    for (ptrdiff_t i = 0; wide && i < s->K; i++)
        delta += s->rows.w[i] * fabs(s->rows.y[i] - mean) / s->weight;
    for (; wide && delta > 3.0 * s->model->delta; delta *= 0.1) {
        fa_inner wider = {.loss = inner.loss, .delta = delta};
        newton(s, &wider);
    }
    return newton(s, &inner);
}

/* --- the influence ------------------------------------------------------------------------ */

/* Coefficients of z, or steps in them, as those of raw inputs. */
static void leave(const fa_problem *s, const double *inner, double sign, double *out)
{
    double shift = 0.0;
    for (ptrdiff_t j = 0; j < s->m; j++) {
        out[j] = sign * inner[j] / s->scales[j];
        shift += s->means[j] * out[j];
    }
    if (s->model->fit_intercept)
        out[s->m] = sign * inner[s->m] - shift;
}

/* I = -H^-1 Phi with Phi = s (|D beta|_q E l'' sgn l' (z, 1) + E |l'| (D phi(D beta), 0)), and
   the numbers 1/2 I'H_e I and s E |grad_x l|_q. */
static int influence_of_problem(fa_problem *s, double *influence, double *numbers)
{
    const double *weights = s->attack->weights;
    double gain = 0.0, curved = 0.0;
    double least = of_residuals(s->model->loss) ? 1e-13 : 0.0;
    for (ptrdiff_t j = 0; j < s->m; j++)
        s->beta[j] = weights[j] * s->theta[j] / s->scales[j];
    direction_of_row(s->beta, s->m, s->attack->p, s->turn);
    for (ptrdiff_t j = 0; j < s->m; j++)
        gain += s->beta[j] * s->turn[j];
    if (!(s->radius > 0.0))
        return NO_RADIUS;
    if (!(gain > 0.0 && s->slope > least * s->target_size))
        return NO_GRADIENT;
    means_of_columns(s, s->rows.d12, s->sum_of_mixed, s->mixed);
    for (ptrdiff_t j = 0; j < s->d; j++) {
        s->step[j] = s->radius * gain * s->mixed[j];
        if (j < s->m)
            s->step[j] += s->radius * s->slope * weights[j] * s->turn[j] / s->scales[j];
    }
    if (!factor_hessian(s, s->model->damping))
        return FLAT;
    solve_one(s->factor, s->d, s->diagonal, s->step);
    for (ptrdiff_t j = 0; j < s->d; j++)
        curved += s->step[j] * dot_of(s->natural + j * s->d, s->step, s->d);
    leave(s, s->step, -1.0, influence);
    numbers[0] = 0.5 * curved;
    numbers[1] = s->radius * gain * s->slope;
    numbers[2] = s->radius;
    return FOUND;
}

/* --- all problems ------------------------------------------------------------------------- */

static double *make_problem(fa_problem *s, ptrdiff_t m, ptrdiff_t most)
{
    ptrdiff_t K = filled_up(most), d = s->d, wide = filled_up(d), doubles;
    doubles = 2 * m * K + 8 * K + 11 * wide + 2 * filled_up(d * d);
    double *memory = aligned_alloc(LINE, (size_t)doubles * sizeof(double)), *at = memory;
    if (!memory)
        return NULL;
    s->z = take(&at, m * K);
    s->scaled = take(&at, m * K);
    double **of_rows[] = {&s->rows.f, &s->rows.y, &s->rows.w, &s->rows.norms, &s->rows.d1,
                          &s->rows.d12, &s->rows.d2, &s->roots};
    for (int i = 0; i < 8; i++)
        *of_rows[i] = take(&at, K);
    double **of_entries[] = {&s->means, &s->scales, &s->beta, &s->turn, &s->row, &s->diagonal,
                             &s->theta, &s->trial, &s->step, &s->gradient, &s->mixed};
    for (int i = 0; i < 11; i++)
        *of_entries[i] = take(&at, wide);
    s->natural = take(&at, d * d);
    s->factor = take(&at, d * d);
    return memory;
}

int FA_NAME(fa_linear_batch)(
    const fa_rows *x, const int64_t *spans, ptrdiff_t count, const fa_batch_model *model,
    const fa_batch_attack *attack, const fa_batch_found *found)
{
    ptrdiff_t m = x->m, d = m + (model->fit_intercept ? 1 : 0), most = 1;
    for (ptrdiff_t b = 0; b < count; b++)
        most = spans[2 * b + 1] - spans[2 * b] > most ? spans[2 * b + 1] - spans[2 * b] : most;
    fa_problem s = {.model = model, .attack = attack, .m = m, .d = d};
    double *memory = make_problem(&s, m, most);
    if (!memory)
        return -1;
    for (ptrdiff_t b = 0; b < count; b++) {
        double *influence = found->influence + b * d, *numbers = found->numbers + 3 * b;
        for (ptrdiff_t j = 0; j < d; j++)
            found->params[b * d + j] = influence[j] = NAN;
        numbers[0] = numbers[1] = numbers[2] = NAN;
        read_problem(&s, x, spans[2 * b], spans[2 * b + 1] - spans[2 * b]);
        int64_t status = fit_problem(&s);
        if (status == FOUND && model->wants_influence)
            status = influence_of_problem(&s, influence, numbers);
        if (status == FOUND)
            leave(&s, s.theta, 1.0, found->params + b * d);
        found->status[2 * b] = status;
        found->status[2 * b + 1] = s.n_iter;
    }
    free(memory);
    return 0;
}

#endif
