/* Extremes of a quadratic over Euclidean balls, a small problem a row: the counterparts of
   numba_ops/trust_region.py (exact) and numba_ops/smooth_trust_region.py (with a barrier), where
   the mathematics is told.

   Both look for the distance tau of the multiplier from its bound, at which the length of the
   attack is the radius, by Newton's method on a function that is concave and nearly linear, from
   the left, where it cannot overshoot; bounds keep rounding out. */
#ifndef FASTAIF_TRUST_REGIONS_H
#define FASTAIF_TRUST_REGIONS_H

#include "core/row_geometry.h"

#define SMALLEST_NORMAL 2.2250738585072014e-308
#define MOST_NEWTON_STEPS 100

/* --- exact -------------------------------------------------------------------------------- */

typedef struct {
    double norm, fall; /* |z(tau)| and - |z(tau)|' */
} fa_length;

/* Entries with h_k = 0 are zero whatever their width. */
static fa_length length_at(const double *h, const double *gaps, ptrdiff_t m, double tau)
{
    double scale = 0.0, square = 0.0, fall = 0.0;
    for (ptrdiff_t k = 0; k < m; k++)
        if (h[k] != 0.0)
            scale = fmax(scale, fabs(h[k]) / (2.0 * (tau + gaps[k])));
    if (scale == 0.0)
        return (fa_length){0.0, 0.0};
    for (ptrdiff_t k = 0; k < m; k++)
        if (h[k] != 0.0) {
            double width = tau + gaps[k], ratio = h[k] / (2.0 * width) / scale;
            square += ratio * ratio;
            fall += ratio * ratio / width;
        }
    double norm = sqrt(square);
    return (fa_length){scale * norm, scale * (fall / norm)};
}

/* The least tau >= floor with |z(tau)| <= radius. */
static double multiplier_of(
    const double *h, const double *gaps, ptrdiff_t m, double floor, double radius)
{
    double low = floor;
    for (ptrdiff_t k = 0; k < m; k++) /* there the k-th entry alone is as long as the radius */
        low = fmax(low, fabs(h[k]) / (2.0 * radius) - gaps[k]);
    double high = low + norm_of_row(h, m, 2.0) / (2.0 * radius), tau = low;
    if (high == low) /* h is zero, or too small to have a length */
        return low;
    for (int step = 0; step < MOST_NEWTON_STEPS; step++) {
        fa_length at = length_at(h, gaps, m, tau);
        if (at.norm <= radius) {
            if (tau == floor)
                return floor;
            high = fmin(high, tau);
        } else {
            low = tau;
        }
        double next = tau + (at.norm / radius - 1.0) * (at.norm / at.fall);
        if (!(low <= next && next <= high))
            next = 0.5 * (low + high);
        if (fabs(next - tau) <= 2e-16 * tau)
            return next;
        tau = next;
    }
    return tau;
}

/* The maximiser of h z + sum lambda_k z_k^2 over |z| <= radius, and the maximum. */
static double extreme_of_row(
    const double *h, const double *values, const double *gaps, ptrdiff_t m, double radius,
    double *z)
{
    double top = values[0];
    double tau = multiplier_of(h, gaps, m, top < 0.0 ? -top : 0.0, radius), gain = 0.0;
    if (tau < SMALLEST_NORMAL) /* digits of h along the top eigenvector are lost */
        tau = 0.0;
    for (ptrdiff_t k = 0; k < m; k++) {
        double width = 2.0 * (tau + gaps[k]);
        z[k] = width > 0.0 ? h[k] / width : 0.0;
    }
    double norm = norm_of_row(z, m, 2.0), shrink = norm > radius ? radius / norm : 1.0;
    if (tau == 0.0 && top > 0.0 && norm < radius) {
        double rest = sqrt((radius - norm) * (radius + norm));
        z[0] += h[0] >= 0.0 ? rest : -rest;
    }
    for (ptrdiff_t k = 0; k < m; k++) {
        z[k] *= shrink;
        gain += z[k] * (h[k] + values[k] * z[k]);
    }
    return gain;
}

/* gaps = top - values. */
static double *gaps_of(const double *values, ptrdiff_t m, double top)
{
    double *gaps = malloc((size_t)m * sizeof *gaps);
    for (ptrdiff_t k = 0; gaps && k < m; k++)
        gaps[k] = top - values[k];
    return gaps;
}

int FA_NAME(fa_ball_ascent)(
    const double *h, const double *values, ptrdiff_t n, ptrdiff_t m, double radius, double *z,
    double *gains)
{
    double *gaps = gaps_of(values, m, values[0]);
    if (!gaps)
        return -1;
    for (ptrdiff_t i = 0; i < n; i++)
        gains[i] = extreme_of_row(h + i * m, values, gaps, m, radius, z + i * m);
    free(gaps);
    return 0;
}

/* --- with a barrier ----------------------------------------------------------------------- */

/* The positive width s at which square^2 / s^2 + linear / s = radius^2. */
static double width_at(double linear, double square, double radius)
{
    double half = 0.5 * linear / radius;
    return (half + hypot(half, square)) / radius;
}

typedef struct {
    double total, fall; /* psi(tau), which is to be radius^2, and - psi' */
} fa_moment;

static fa_moment moment_at(
    const double *h, const double *gaps, ptrdiff_t m, double slack, double nu, double tau)
{
    double width = tau + slack, total = nu / width, fall = total / width;
    for (ptrdiff_t k = 0; k < m; k++) {
        width = tau + gaps[k];
        double t = h[k] / (2.0 * width), spread = nu / width;
        total += t * t + spread;
        fall += (2.0 * t * t + spread) / width;
    }
    return (fa_moment){total, fall};
}

static double distance_of(
    const double *h, const double *gaps, ptrdiff_t m, double slack, double nu, double radius)
{
    double size = 0.0, low = width_at(nu, 0.0, radius) - slack;
    for (ptrdiff_t k = 0; k < m; k++) {
        size = hypot(size, 0.5 * h[k]);
        /* Where one term alone is as large as the square of the radius. */
        low = fmax(low, width_at(nu, 0.5 * fabs(h[k]), radius) - gaps[k]);
    }
    double high = width_at(((double)m + 1.0) * nu, size, radius), tau = low;
    for (int step = 0; step < MOST_NEWTON_STEPS; step++) {
        fa_moment at = moment_at(h, gaps, m, slack, nu, tau);
        if (at.total > radius * radius)
            low = tau;
        else
            high = fmin(high, tau);
        double next = tau + 2.0 * (sqrt(at.total) / radius - 1.0) * (at.total / at.fall);
        if (!(low <= next && next <= high))
            next = 0.5 * (low + high);
        if (fabs(next - tau) <= 4e-16 * tau)
            return next;
        tau = next;
    }
    return tau;
}

int FA_NAME(fa_smooth_ball_ascent)(
    const double *h, const double *values, ptrdiff_t n, ptrdiff_t m, double radius, double nu,
    double unit, double *t, double *widths, double *gains)
{
    double top = 0.0;
    for (ptrdiff_t k = 0; k < m; k++)
        top = fmax(top, values[k]);
    double *gaps = gaps_of(values, m, top);
    if (!gaps)
        return -1;
    for (ptrdiff_t i = 0; i < n; i++, h += m, t += m, widths += m + 1, gains += 2) {
        double tau = distance_of(h, gaps, m, top, nu, radius), mean = 0.0;
        widths[m] = tau + top;
        double logarithms = log(widths[m] / unit);
        for (ptrdiff_t k = 0; k < m; k++) {
            double width = widths[k] = tau + gaps[k], z = t[k] = h[k] / (2.0 * width);
            mean += h[k] * z + values[k] * (z * z + nu / width);
            logarithms += log(width / unit);
        }
        gains[0] = mean + nu * ((double)m + 1.0) - nu * logarithms;
        gains[1] = mean;
    }
    free(gaps);
    return 0;
}

#endif
