/* Stage 2: the derivatives of the inner maximum psi(f, kappa) = max l(f +- kappa), row by row.

   What is computed, and why for every pass the same, is told in numba_ops/losses.py;
   d1 = w psi_f, d12 = w psi_fk and d2 = w psi_ff go to the block, scalar sums to `scalars`. All
   losses of plain arithmetic and exponentials are vectors at a hard end, others go lane by lane. The
   mixtures of both ends, which robust fits ask for, are computed a row at a time. */
#ifndef FASTAIF_LOSSES_H
#define FASTAIF_LOSSES_H

#include "core/blocks.h"
#include "core/elementary.h"
#include "core/point_losses.h"

#define NEAR_FLAT 1e-9 /* as in _compute/types.py */

typedef struct {
    vd value, first, side, second;
} fa_end;

/* The loss and its derivatives at the end of [f - kappa, f + kappa] where it is larger, and
   that end's side: +1 where both are as bad, but 0 without an attack. */
INLINE fa_end logistic_end(vd f, vd y, double kappa, int with_value)
{
    vd t = y * f - kappa;
    vd e = exp_vector(-magnitude(t));
    vd inverse = 1.0 / (1.0 + e), small = e * inverse;
    fa_end end;
    end.first = -y * choose(t > 0.0, small, inverse);
    end.second = small * inverse;
    end.side = -y;
    end.value = splat(0.0);
    if (with_value)
        end.value = log1p_of_unit(e) + choose(t > 0.0, splat(0.0), -t);
    return end;
}

INLINE vd side_of(vd gap, double kappa)
{
    vd side = with_sign_of(splat(1.0), gap);
    return choose(gap == 0.0, splat(kappa > 0.0 ? 1.0 : 0.0), side);
}

INLINE fa_end squared_end(vd f, vd y, double kappa)
{
    vd r = f - y, reach = magnitude(r) + kappa;
    fa_end end;
    end.side = side_of(r, kappa);
    end.value = reach * reach;
    end.first = 2.0 * end.side * reach;
    end.second = splat(2.0);
    return end;
}

INLINE fa_end huber_end(vd f, vd y, double kappa, double delta)
{
    fa_end end;
    end.side = side_of(f - y, kappa);
    vd r = f - y + end.side * kappa, u = magnitude(r / delta);
    vd inverse = 1.0 / choose(u < 1e150, root(1.0 + u * u), u);
    end.value = r * inverse * (r / (1.0 + inverse));
    end.first = r * inverse;
    end.second = inverse * inverse * inverse;
    return end;
}

/* (l(f + kappa) - l(f - kappa)) / 2 kappa without cancellation; sinhc = sinh(kappa) / kappa. */
INLINE vd poisson_gap(vd f, vd y, double kappa, double sinhc)
{
    if (kappa > 1.0) /* exp(f) sinh(kappa) could be 0 times infinity */
        return (exp_vector(f + kappa) - exp_vector(f - kappa)) / (2.0 * kappa) - y;
    return exp_vector(f) * sinhc - y;
}

INLINE fa_end poisson_end(vd f, vd y, double kappa, double sinhc)
{
    fa_end end;
    vd mean;
    if (kappa == 0.0) {
        mean = exp_vector(f);
        end.side = side_of(mean - y, 0.0);
    } else {
        end.side = side_of(poisson_gap(f, y, kappa, sinhc), kappa);
        f += end.side * kappa;
        mean = exp_vector(f);
    }
    end.value = mean - y * f;
    end.first = mean - y;
    end.second = mean;
    return end;
}

INLINE fa_end gamma_end(vd f, vd y, double kappa)
{
    fa_end end;
    vd none = splat(0.0), slope = kappa > 1.0
        ? (exp_vector(kappa - f) - exp_vector(-kappa - f)) / (2.0 * kappa)
        : exp_vector(-f) * sinh_over(kappa);
    end.side = side_of(1.0 - choose(y > 0.0, y * slope, none), kappa);
    f += end.side * kappa;
    vd ratio = choose(y > 0.0, y * exp_vector(-f), none);
    end.value = ratio + f;
    end.first = 1.0 - ratio;
    end.second = ratio;
    return end;
}

INLINE fa_end squared_hinge_end(vd f, vd y, double kappa)
{
    fa_end end;
    vd reach = 1.0 - (y * f - kappa);
    vl counts = reach > 0.0;
    reach = keep(counts, reach);
    end.side = -y;
    end.value = reach * reach;
    end.first = -2.0 * y * reach;
    end.second = keep(counts, splat(2.0));
    return end;
}

INLINE fa_end expectile_end(vd f, vd y, double kappa, double tau)
{
    fa_end end;
    /* The larger end is the upper one where sqrt(1 - tau) (r + kappa) > sqrt(tau) (kappa - r). */
    vd r = f - y;
    double up = sqrt(1.0 - tau), down = sqrt(tau);
    end.side = side_of(choose(magnitude(r) < kappa, up * (r + kappa) - down * (kappa - r), r), kappa);
    r += end.side * kappa;
    vd slope = 2.0 * choose(r > 0.0, splat(1.0 - tau), splat(tau));
    end.value = 0.5 * slope * r * r;
    end.first = slope * r;
    end.second = slope;
    return end;
}

static fa_point hard_point(int loss, double delta, double f, double y, double kappa, double *side)
{
    if (is_monotone(loss)) {
        *side = -y;
    } else {
        double gap = end_gap(loss, delta, f, y, kappa);
        *side = gap > 0.0 ? 1.0 : gap < 0.0 ? -1.0 : kappa > 0.0 ? 1.0 : 0.0;
    }
    return point_loss(loss, delta, f + *side * kappa, y);
}

INLINE fa_end end_by_lanes(int loss, vd f, vd y, double kappa, double delta)
{
    double value[FA_LANES], first[FA_LANES], second[FA_LANES], side[FA_LANES];
    for (int l = 0; l < FA_LANES; l++) {
        fa_point at = hard_point(loss, delta, f[l], y[l], kappa, &side[l]);
        value[l] = at.value;
        first[l] = at.first;
        second[l] = at.second;
    }
    fa_end end;
    end.value = load(value);
    end.first = load(first);
    end.second = load(second);
    end.side = load(side);
    return end;
}

/* The hard end of any loss; `sinhc` is sinh_over(kappa). */
INLINE fa_end hard_end_of(
    int loss, vd f, vd y, double kappa, double delta, double sinhc, int with_value)
{
    return loss == LOGISTIC     ? logistic_end(f, y, kappa, with_value)
        : loss == SQUARED_ERROR ? squared_end(f, y, kappa)
        : loss == POISSON       ? poisson_end(f, y, kappa, sinhc)
        : loss == HUBER         ? huber_end(f, y, kappa, delta)
        : loss == GAMMA         ? gamma_end(f, y, kappa)
        : loss == SQUARED_HINGE ? squared_hinge_end(f, y, kappa)
        : loss == EXPECTILE     ? expectile_end(f, y, kappa, delta)
                                : end_by_lanes(loss, f, y, kappa, delta);
}

/* Sums of all strips so far, a lane each: taken together once, at the end. */
typedef struct {
    vd loss, carry, f, k, fk, ff, kk, f2, zero, wrong;
    vd weight, weight2, norm, yardstick;
} fa_totals;

/* A loss that is flat beyond its corner has rows of no slope that are no kinks. */
INLINE vl near_flat(int loss, fa_end end, vd f, vd y)
{
    vd reach = has_log_link(loss) ? splat(1.0) : magnitude(y);
    vl flat = magnitude(end.first) <= NEAR_FLAT * end.second * (magnitude(f) + reach);
    return loss == SQUARED_HINGE ? flat & (end.second > 0.0) : flat;
}

INLINE void add_end(
    fa_totals *t, int loss, fa_end end, vd f, vd y, vd w, double *d1, double *d12, double *d2,
    int with_value)
{
    vl counts = w > 0.0; /* rows of no weight: 0 times infinity is no number */
    vd first = keep(counts, w * end.first), second = keep(counts, w * end.second);
    vd mixed = end.side * second, steep = end.side * first;
    store(d1, first);
    store(d2, second);
    store(d12, mixed);
    t->f += first;
    t->k += steep;
    t->ff += second;
    t->fk += mixed;
    t->kk += second;
    t->f2 += keep(counts, first * end.first);
    t->zero += keep(counts & near_flat(loss, end, f, y), splat(1.0));
    t->wrong += keep(counts & ~(y * f > 0.0), splat(1.0));
    if (with_value) { /* compensated: solvers compare values that differ by little */
        vd term = keep(counts, w * end.value) - t->carry;
        vd longer = t->loss + term;
        t->carry = (longer - t->loss) - term;
        t->loss = longer;
    }
}

INLINE void hard_ends(
    const fa_block *b, ptrdiff_t k, const fa_inner *inner, int loss, int with_value, fa_totals *t)
{
    double kappa = inner->kappa, sinhc = loss == POISSON ? sinh_over(kappa) : 1.0;
    for (ptrdiff_t i = 0; i < k; i += FA_LANES) {
        vd f = load(b->f + i), y = load(b->y + i), w = load(b->w + i);
        fa_end end = hard_end_of(loss, f, y, kappa, inner->delta, sinhc, with_value);
        /* The margin that counts as wrong is the attacked one. */
        vd attacked = is_monotone(loss) ? f - y * kappa : f;
        add_end(t, loss, end, attacked, y, w, b->d1 + i, b->d12 + i, b->d2 + i, with_value);
    }
}

/* --- mixtures of both ends ---------------------------------------------------------------- */

/* What an ascent on a row's loss raises, at one prediction; *side is where it points to. Where the
   multiplier gives +-1 for each row, +-f takes the loss's place. */
static double worth(const fa_inner *inner, double f, double y, ptrdiff_t row, double *side)
{
    if (inner->multiplier) {
        *side = inner->multiplier[row];
        return *side * f;
    }
    fa_point at = point_loss(inner->loss, inner->delta, f, y);
    *side = at.first < 0.0 ? -1.0 : 1.0;
    return at.value;
}

typedef struct {
    double value, f, k, ff, fk, kk;
} fa_psi;

static fa_psi hard_end(const fa_inner *inner, double f, double y)
{
    double side;
    fa_point at = hard_point(inner->loss, inner->delta, f, y, inner->kappa, &side);
    return (fa_psi){at.value, at.first, side * at.first, at.second, side * at.second, at.second};
}

/* With both ends: lambda given (a kink's multiplier), or lambda = c / sqrt(c^2 + mu^2). */
static fa_psi mixture(const fa_inner *inner, double f, double y, double given)
{
    double kappa = inner->kappa;
    fa_point plus = point_loss(inner->loss, inner->delta, f + kappa, y);
    fa_point minus = point_loss(inner->loss, inner->delta, f - kappa, y);
    double weight = given, extra = 0.0, curvature = 0.0;
    if (isnan(given)) {
        double c = kappa * end_gap(inner->loss, inner->delta, f, y, kappa);
        double root_of = hypot(c, inner->smoothing);
        weight = c / root_of;
        /* sqrt(c^2 + mu^2) lies above lambda c by mu^2 / sqrt(...), and curves. */
        extra = inner->smoothing * (inner->smoothing / root_of);
        curvature = extra / root_of / root_of;
    }
    double up = 0.5 * (1.0 + weight), down = 0.5 * (1.0 - weight);
    double c_f = 0.5 * (plus.first - minus.first), c_k = 0.5 * (plus.first + minus.first);
    return (fa_psi){
        up * plus.value + down * minus.value + extra,
        up * plus.first + down * minus.first,
        up * plus.first - down * minus.first,
        up * plus.second + down * minus.second + curvature * c_f * c_f,
        up * plus.second - down * minus.second + curvature * c_f * c_k,
        up * plus.second + down * minus.second + curvature * c_k * c_k,
    };
}

static void mixed_ends(
    const fa_block *b, ptrdiff_t first_row, ptrdiff_t k, const fa_inner *inner, double *scalars)
{
    int smooth = inner->smoothing > 0.0 && !is_monotone(inner->loss) && inner->kappa > 0.0;
    double total = 0.0, carry = 0.0;
    for (ptrdiff_t i = 0; i < k; i++) {
        double w = b->w[i], given = inner->multiplier ? inner->multiplier[first_row + i] : NAN;
        if (w == 0.0) {
            b->d1[i] = b->d12[i] = b->d2[i] = 0.0;
            continue;
        }
        fa_psi psi = smooth || !isnan(given) ? mixture(inner, b->f[i], b->y[i], given)
                                             : hard_end(inner, b->f[i], b->y[i]);
        b->d1[i] = w * psi.f;
        b->d12[i] = w * psi.fk;
        b->d2[i] = w * psi.ff;
        double term = w * psi.value - carry, longer = total + term;
        carry = (longer - total) - term;
        total = longer;
        scalars[S_F] += w * psi.f;
        scalars[S_K] += w * psi.k;
        scalars[S_FF] += w * psi.ff;
        scalars[S_FK] += w * psi.fk;
        scalars[S_KK] += w * psi.kk;
        scalars[S_F2] += w * psi.f * psi.f;
        double reach = has_log_link(inner->loss) ? 1.0 : fabs(b->y[i]);
        int flat = fabs(psi.k) <= NEAR_FLAT * psi.ff * (fabs(b->f[i]) + reach);
        scalars[S_ZERO] += flat && (psi.ff > 0.0 || inner->loss != SQUARED_HINGE);
    }
    scalars[S_LOSS] += total;
}

static void add_totals(const fa_totals *t, const fa_inner *inner, int need, double *scalars)
{
    scalars[S_WEIGHT] += sum_of_lanes(t->weight);
    scalars[S_W2] += sum_of_lanes(t->weight2);
    scalars[S_NORM] += sum_of_lanes(t->norm);
    scalars[S_YARDSTICK] += sum_of_lanes(t->yardstick);
    scalars[S_F] += sum_of_lanes(t->f);
    scalars[S_K] += sum_of_lanes(t->k);
    scalars[S_FF] += sum_of_lanes(t->ff);
    scalars[S_FK] += sum_of_lanes(t->fk);
    scalars[S_KK] += sum_of_lanes(t->kk);
    scalars[S_F2] += sum_of_lanes(t->f2);
    scalars[S_ZERO] += sum_of_lanes(t->zero);
    scalars[S_LOSS] += sum_of_lanes(t->loss) - sum_of_lanes(t->carry);
    if (is_monotone(inner->loss) && !(need & NEED_LOSS))
        scalars[S_WRONG] += sum_of_lanes(t->wrong);
}

static void slopes(
    const fa_block *b, ptrdiff_t first_row, ptrdiff_t k, const fa_inner *inner, int need,
    fa_totals *totals, double *scalars)
{
    if (inner->multiplier || (inner->smoothing > 0.0 && inner->kappa > 0.0)) {
        mixed_ends(b, first_row, k, inner, scalars);
        return;
    }
    fa_totals t = *totals;
    if (inner->loss == LOGISTIC && !(need & NEED_LOSS)) {
        hard_ends(b, k, inner, LOGISTIC, 0, &t);
    } else {
#define CASE(loss_) case loss_: hard_ends(b, k, inner, loss_, 1, &t); break;
        switch (inner->loss) { FA_LOSSES(CASE) }
#undef CASE
    }
    *totals = t;
}

/* Sums over rows that no loss enters, except the yardstick's |psi_f|. */
static void add_rows(const fa_block *b, ptrdiff_t k, int need, fa_totals *totals)
{
    fa_totals t = *totals;
    for (ptrdiff_t i = 0; i < k; i += FA_LANES) {
        vd w = load(b->w + i), norm = load(b->norms + i);
        t.weight += w;
        t.weight2 += w * w;
        if (need & NEED_NORM)
            t.norm += w * norm;
        if (need & NEED_YARDSTICK)
            t.yardstick += magnitude(load(b->d1 + i)) * root(1.0 + norm * norm);
    }
    *totals = t;
}

#endif
