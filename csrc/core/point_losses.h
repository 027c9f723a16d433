/* The losses at one prediction: l, l' and l'', and at which end of an interval l is larger.

   The same formulas, for the same reasons, as numba_ops/point_losses.py. `delta` is the loss's
   parameter: the pseudo-Huber loss's transition, the Tweedie power, the negative binomial
   dispersion, the expectile. */
#ifndef FASTAIF_POINT_LOSSES_H
#define FASTAIF_POINT_LOSSES_H

#include <math.h>

/* All losses, in the order of `code` of the classes in fastaif/losses. Only this file and losses.h
   tell them apart: others take the loss as a constant, FA_LOSSES(CASE) within a switch. */
#define FA_LOSSES(X)                                                                               \
    X(SQUARED_ERROR) X(LOGISTIC) X(POISSON) X(HUBER) X(GAMMA) X(TWEEDIE) X(NEGATIVE_BINOMIAL)      \
    X(PROBIT) X(CLOGLOG) X(SQUARED_HINGE) X(EXPECTILE)
#define FA_COMMA(loss) loss,
enum { FA_LOSSES(FA_COMMA) N_LOSSES };

typedef struct {
    double value, first, second;
} fa_point;

/* Losses that fall towards zero in y f: the worse end of an interval is always -y's. */
static inline int is_monotone(int loss)
{
    return loss == LOGISTIC || loss == PROBIT || loss == CLOGLOG || loss == SQUARED_HINGE;
}

static inline double sinh_over(double kappa)
{
    return kappa > 1e-4 ? sinh(kappa) / kappa : 1.0 + kappa * kappa / 6.0;
}

/* log(1 + exp(t)). */
static double softplus(double t) { return log1p(exp(-fabs(t))) + (t > 0.0 ? t : 0.0); }

/* -log Phi(t), h = phi / Phi and h (t + h). Below -3, 1/h and what h is above -t are continued
   fractions: t + h would cancel. */
static fa_point normal_margin(double t)
{
    const double log_root = 0.91893853320467274178, root = 0.39894228040143267794;
    if (t <= -3.0) {
        double z = -t, rest = 0.0;
        for (int k = 60; k >= 1; k--)
            rest = k / (z + rest);
        return (fa_point){0.5 * t * t + log_root + log(z + rest), z + rest, (z + rest) * rest};
    }
    double tail = 0.5 * erfc(fabs(t) * 0.70710678118654752440);
    double share = t < 0.0 ? tail : 1.0 - tail, h = root * exp(-0.5 * t * t) / share;
    return (fa_point){t < 0.0 ? -log(share) : -log1p(-tail), h, h * (t + h)};
}

/* -log(1 - exp(-mu)) at mu = exp(f), and its derivatives in f. */
static fa_point log_log_margin(double f)
{
    double mean = exp(f);
    if (f < -36.0)
        return (fa_point){0.5 * mean - f, 0.5 * mean - 1.0, 0.5 * mean};
    if (mean > 700.0)
        return (fa_point){0.0, 0.0, 0.0};
    double g = mean / expm1(mean), above = mean + g - 1.0;
    if (mean < 0.5) { /* mean + g - 1 by its series */
        double q = mean * mean;
        above = q * (-1.0 / 720.0
            + q * (1.0 / 30240.0 + q * (-1.0 / 1209600.0 + q * (1.0 / 47900160.0))));
        above = mean * (0.5 + mean * (1.0 / 12.0 + above));
    }
    double value = mean < 0.5 ? -log(-expm1(-mean)) : -log1p(-exp(-mean));
    return (fa_point){value, -g, g * above};
}

/* exp(a f) / a + y exp(-b f) / b, a = 2 - power, b = power - 1. */
static fa_point tweedie(double power, double f, double y)
{
    double a = 2.0 - power, b = power - 1.0, up = exp(a * f), down = y > 0.0 ? y * exp(-b * f) : 0.0;
    return (fa_point){up / a + down / b, up - down, a * up + b * down};
}

/* (y + 1/a) log(1 + a exp(f)) - y f; beyond t = 0 y f would cancel. */
static fa_point negative_binomial(double a, double f, double y)
{
    double t = f + log(a), count = y + 1.0 / a;
    double e = exp(-fabs(t)), inverse = 1.0 / (1.0 + e), small = e * inverse;
    double share = t > 0.0 ? inverse : small, rest = t > 0.0 ? small : inverse;
    double beyond = t > 0.0 ? y * log(a) + t / a : -y * f;
    double of_f = exp(-fabs(f)); /* (exp(f) - y)/(1 + a exp(f)) without overflow */
    double slope = f > 0.0 ? (1.0 - y * of_f) * (share / a) : (of_f - y) * rest;
    return (fa_point){count * log1p(e) + beyond, slope, count * share * rest};
}

static fa_point rarer_loss(int loss, double delta, double f, double y)
{
    if (loss == GAMMA) {
        double ratio = y > 0.0 ? y * exp(-f) : 0.0;
        return (fa_point){ratio + f, 1.0 - ratio, ratio};
    }
    if (loss == TWEEDIE)
        return tweedie(delta, f, y);
    if (loss == NEGATIVE_BINOMIAL)
        return negative_binomial(delta, f, y);
    if (loss == PROBIT) {
        fa_point at = normal_margin(y * f);
        return (fa_point){at.value, -y * at.first, at.second};
    }
    if (loss == CLOGLOG) {
        double mean = exp(f);
        return y > 0.0 ? log_log_margin(f) : (fa_point){mean, mean, mean};
    }
    if (loss == SQUARED_HINGE) {
        double short_of = 1.0 - y * f;
        if (!(short_of > 0.0))
            return (fa_point){0.0, 0.0, 0.0};
        return (fa_point){short_of * short_of, -2.0 * y * short_of, 2.0};
    }
    double r = f - y, side = r > 0.0 ? 1.0 - delta : delta; /* EXPECTILE */
    return (fa_point){side * r * r, 2.0 * side * r, 2.0 * side};
}

static fa_point point_loss(int loss, double delta, double f, double y)
{
    if (loss == SQUARED_ERROR)
        return (fa_point){(f - y) * (f - y), 2.0 * (f - y), 2.0};
    if (loss == LOGISTIC) {
        double t = y * f, e = exp(-fabs(t)), inverse = 1.0 / (1.0 + e), small = e * inverse;
        double s = t > 0.0 ? small : inverse;
        return (fa_point){log1p(e) + (t < 0.0 ? -t : 0.0), -y * s, small * inverse};
    }
    if (loss == POISSON) {
        double mean = exp(f);
        return (fa_point){mean - y * f, mean - y, mean};
    }
    if (loss != HUBER)
        return rarer_loss(loss, delta, f, y);
    double r = f - y, u = fabs(r / delta);
    double inverse = 1.0 / (u < 1e150 ? sqrt(1.0 + u * u) : u);
    return (fa_point){
        r * inverse * (r / (1.0 + inverse)), r * inverse, inverse * inverse * inverse};
}

/* (exp(a (f + kappa)) - exp(a (f - kappa))) / (2 a kappa), of either sign of a. */
static double exp_gap(double a, double f, double kappa)
{
    double reach = fabs(a) * kappa;
    if (reach > 1.0) /* exp(f) sinh(kappa) could be 0 times infinity */
        return (exp(a * f + reach) - exp(a * f - reach)) / (2.0 * reach);
    return exp(a * f) * sinh_over(reach);
}

/* (log(1 + exp(t + kappa)) - log(1 + exp(t - kappa))) / 2 kappa for t <= 0. */
static double softplus_gap(double t, double kappa)
{
    if (kappa > 1.0)
        return (softplus(t + kappa) - softplus(t - kappa)) / (2.0 * kappa);
    double slope = exp_gap(1.0, t, kappa) / (1.0 + exp(t - kappa));
    return kappa > 1e-150 ? log1p(2.0 * kappa * slope) / (2.0 * kappa) : slope;
}

static double rarer_end_gap(int loss, double delta, double f, double y, double kappa)
{
    if (loss == GAMMA)
        return 1.0 - (y > 0.0 ? y * exp_gap(-1.0, f, kappa) : 0.0);
    if (loss == TWEEDIE)
        return exp_gap(2.0 - delta, f, kappa)
            - (y > 0.0 ? y * exp_gap(1.0 - delta, f, kappa) : 0.0);
    if (loss == NEGATIVE_BINOMIAL) {
        double t = f + log(delta), count = y + 1.0 / delta;
        double gap = count * softplus_gap(-fabs(t), kappa);
        return t > 0.0 ? 1.0 / delta - gap : gap - y;
    }
    double r = f - y, low = r - kappa, high = r + kappa; /* EXPECTILE */
    if (low >= 0.0 || high <= 0.0)
        return 2.0 * (r > 0.0 ? 1.0 - delta : delta) * r;
    return ((1.0 - delta) * high * high - delta * low * low) / (2.0 * kappa);
}

/* (l(f + kappa) - l(f - kappa)) / 2 kappa without cancellation, l'(f) at kappa = 0; of a loss whose
   worse end never changes that sign alone. */
static double end_gap(int loss, double delta, double f, double y, double kappa)
{
    if (is_monotone(loss))
        return -y;
    if (loss == SQUARED_ERROR)
        return 2.0 * (f - y);
    if (loss == HUBER) {
        double r = f - y, plus = (r + kappa) / delta, minus = (r - kappa) / delta;
        return 2.0 * r / (hypot(1.0, plus) + hypot(1.0, minus));
    }
    if (loss != POISSON)
        return rarer_end_gap(loss, delta, f, y, kappa);
    if (kappa > 1.0)
        return (exp(f + kappa) - exp(f - kappa)) / (2.0 * kappa) - y;
    return exp(f) * sinh_over(kappa) - y;
}

/* --- what passes over many small problems ask ------------------------------------------------- */

static inline int is_quadratic(int loss) { return loss == SQUARED_ERROR; }

static inline int of_residuals(int loss)
{
    return loss == SQUARED_ERROR || loss == HUBER || loss == EXPECTILE;
}

/* Whether f is the logarithm of a mean. */
static inline int has_log_link(int loss)
{
    return loss == POISSON || loss == GAMMA || loss == TWEEDIE || loss == NEGATIVE_BINOMIAL;
}

/* b from which Newton's method starts, for targets of this mean. */
static inline double starting_intercept(int loss, double mean)
{
    return has_log_link(loss) && mean > 0.0 ? log(mean) : 0.0;
}

/* Whether Newton's method follows ever smaller parameters delta to the loss's own. */
static inline int starts_wider(int loss) { return loss == HUBER; }

#endif
