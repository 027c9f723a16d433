/* Norms, directions of attack and projections of one row: the counterpart of
   numba_ops/pointwise.py, where the mathematics is told. */
#ifndef FASTAIF_ROW_GEOMETRY_H
#define FASTAIF_ROW_GEOMETRY_H

#include <stdlib.h>

#include "core/row_tails.h"

#define TINY_SQUARE 1e-290
#define HUGE_SQUARE 1e290

static double sum_of_magnitudes(const double *v, ptrdiff_t m)
{
    vd total = splat(0.0);
    for (ptrdiff_t k = 0; k < m; k += FA_LANES)
        total += magnitude(load_some(v + k, m - k));
    return sum_of_lanes(total);
}

/* A NaN comes out. */
static double largest_magnitude(const double *v, ptrdiff_t m)
{
    double largest = 0.0;
    for (ptrdiff_t k = 0; k < m; k++)
        if (fabs(v[k]) > largest || isnan(v[k]))
            largest = fabs(v[k]);
    return largest;
}

static double sign_of(double a) { return a > 0.0 ? 1.0 : a < 0.0 ? -1.0 : a; }

/* |v|_p, scaled by the largest entry where powers could over- or underflow. */
static double norm_of_row(const double *v, ptrdiff_t m, double p)
{
    if (p == 1.0)
        return sum_of_magnitudes(v, m);
    if (p == 2.0) {
        double total = dot_of(v, v, m);
        if ((TINY_SQUARE < total && total < HUGE_SQUARE) || isnan(total))
            return sqrt(total);
    }
    double largest = largest_magnitude(v, m), total = 0.0;
    if (isinf(p) || largest == 0.0 || !(largest < INFINITY))
        return largest;
    for (ptrdiff_t k = 0; k < m; k++) {
        double u = v[k] / largest;
        total += p == 2.0 ? u * u : pow(fabs(u), p);
    }
    return largest * (p == 2.0 ? sqrt(total) : pow(total, 1.0 / p));
}

/* phi(g), the vector of unit lp norm with <g, phi> = |g|_q: zero at g = 0, and for p = 1 the first
   of the largest entries. */
static void direction_of_row(const double *g, ptrdiff_t m, double p, double *out)
{
    double largest = largest_magnitude(g, m);
    if (largest == 0.0 || p == 1.0) {
        memset(out, 0, (size_t)m * sizeof *out);
        for (ptrdiff_t k = 0; k < m && largest != 0.0; k++)
            if (fabs(g[k]) == largest) {
                out[k] = sign_of(g[k]);
                return;
            }
        return;
    }
    if (isinf(p)) {
        for (ptrdiff_t k = 0; k < m; k++)
            out[k] = sign_of(g[k]);
    } else if (p == 2.0) {
        for (ptrdiff_t k = 0; k < m; k++)
            out[k] = g[k] / largest;
        double inverse = 1.0 / sqrt(dot_of(out, out, m));
        for (ptrdiff_t k = 0; k < m; k++)
            out[k] *= inverse;
    } else {
        double q = p / (p - 1.0), total = 0.0;
        for (ptrdiff_t k = 0; k < m; k++) {
            out[k] = fabs(g[k] / largest);
            total += pow(out[k], q);
        }
        double norm = pow(total, 1.0 / q);
        for (ptrdiff_t k = 0; k < m; k++)
            out[k] = sign_of(g[k]) * pow(out[k] / norm, q - 1.0);
    }
}

/* --- projections -------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

/* On the l1 ball: a soft threshold, from sorted distances to the largest magnitude, so that nothing
   cancels where the ball is small. `scratch` has room for m. */
static void project_simplex(
    const double *v, ptrdiff_t m, double radius, double *scratch, double *out)
{
    double largest = largest_magnitude(v, m), total = 0.0, level = radius;
    for (ptrdiff_t k = 0; k < m; k++)
        scratch[k] = largest - fabs(v[k]);
    qsort(scratch, (size_t)m, sizeof *scratch, ascending);
    for (ptrdiff_t k = 0; k < m && (k == 0 || scratch[k] < level); k++) {
        total += scratch[k];
        level = (radius + total) / (double)(k + 1);
    }
    for (ptrdiff_t k = 0; k < m; k++)
        out[k] = sign_of(v[k]) * fmax(level - (largest - fabs(v[k])), 0.0);
}

/* The root u in [0, a] of u + mu u^(p - 1) = a: Newton's method in a variable in which it falls to
   the root without overshooting. */
static double shrunk(double a, double mu, double p)
{
    if (a == 0.0 || mu == 0.0)
        return a;
    int high = p >= 2.0;
    double power = high ? p - 1.0 : 1.0 / (p - 1.0), linear = high ? 1.0 : mu;
    double curved = high ? mu : 1.0;
    double x = high ? fmin(a, pow(a / mu, 1.0 / power)) : fmin(pow(a, p - 1.0), a / mu);
    if (x == 0.0) /* underflow of a subnormal entry */
        return 0.0;
    for (int i = 0; i < 60; i++) {
        double bent = curved * pow(x, power);
        double step = (linear * x + bent - a) / (linear + power * bent / x);
        x -= step;
        if (step <= 4e-16 * x)
            break;
    }
    return high ? x : pow(x, power);
}

/* On the lp ball, 1 < p < infinity: safeguarded Newton for the multiplier, on 1 / |u|_p, which is
   nearly linear in it. */
static void project_general(const double *v, ptrdiff_t m, double radius, double p, double *out)
{
    double largest = largest_magnitude(v, m) / radius;
    double low = fmax(largest - 1.0, 0.0), high = largest * pow((double)m, 1.0 - 1.0 / p);
    double mu = low;
    for (int i = 0; i < 100; i++) {
        double total = 0.0, slope = 0.0;
        for (ptrdiff_t k = 0; k < m; k++) {
            double u = shrunk(fabs(v[k]) / radius, mu, p);
            if (u > 0.0) {
                double power = pow(u, p - 1.0);
                total += power * u;
                slope -= power * power / (1.0 + mu * (p - 1.0) * power / u);
            }
        }
        double norm = pow(total, 1.0 / p);
        if (fabs(norm - 1.0) <= 1e-15)
            break;
        *(norm > 1.0 ? &low : &high) = mu;
        double next = mu + (1.0 - 1.0 / norm) / (-slope * pow(norm, -p - 1.0));
        if (!(low < next && next < high))
            next = 0.5 * (low + high);
        if (fabs(next - mu) <= 1e-15 * mu)
            break;
        mu = next;
    }
    for (ptrdiff_t k = 0; k < m; k++)
        out[k] = sign_of(v[k]) * radius * shrunk(fabs(v[k]) / radius, mu, p);
}

/* The nearest point of the lp ball of that radius; `scratch` has room for m. */
static void project_row(
    const double *v, ptrdiff_t m, double radius, double p, double *scratch, double *out)
{
    double norm = norm_of_row(v, m, p);
    if (norm <= radius) {
        memcpy(out, v, (size_t)m * sizeof *out);
    } else if (radius == 0.0) {
        memset(out, 0, (size_t)m * sizeof *out);
    } else if (p == 2.0) {
        double share = radius / norm;
        for (ptrdiff_t k = 0; k < m; k++)
            out[k] = v[k] * share;
    } else if (isinf(p)) {
        for (ptrdiff_t k = 0; k < m; k++)
            out[k] = v[k] > radius ? radius : v[k] < -radius ? -radius : v[k];
    } else {
        if (p == 1.0)
            project_simplex(v, m, radius, scratch, out);
        else
            project_general(v, m, radius, p, out);
        norm = norm_of_row(out, m, p);
        if (norm > radius) /* rounding */
            for (ptrdiff_t k = 0; k < m; k++)
                out[k] *= radius / norm;
    }
}

#endif
