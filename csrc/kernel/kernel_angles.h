/* The neural tangent kernel for a stretch of pairs: the counterpart of numba_ops/kernel_angles.py,
   where the recursion over layers is told. */
#ifndef FASTAIF_KERNEL_ANGLES_H
#define FASTAIF_KERNEL_ANGLES_H

#include "operations.h"
#include "core/row_tails.h"

/* A tile of pairs: inner products in `values`, of which kernels are made; `slopes` may be null. */
typedef struct {
    const fa_kernel *kernel;
    const double *x, *z; /* (n_rows, m), (n_columns, m) */
    ptrdiff_t n_rows, n_columns, m;
    const double *x_squares, *z_squares;
    ptrdiff_t offset;
    double *values, *slopes;
    ptrdiff_t value_stride, slope_stride;
} fa_pairs;

#define NARROW 1e-2    /* u below it: an angle within 0.2 of 0 or pi */
#define PARALLEL 1e-15 /* the sine of an angle that rounding alone could make */
#define INVERSE_PI 0.318309886183790671538

/* What is known of the pairs of a stretch: cos, u, tau, tau' and rho'. */
typedef struct {
    double cosine[STRETCH], u[STRETCH], tau[STRETCH], tau_slope[STRETCH], rho_slope[STRETCH];
} fa_angles;

/* The two series interpolate at Chebyshev's points of [0, 1/2], in 60 digits: 1.3e-17 off. */

/* asin(sqrt u) / sqrt u for 0 <= u <= 1/2. */
INLINE vd arcsine_part(vd u)
{
    static const double c[] = {
        0.8387674099544927,    -3.0948547605199717,   5.436384462318588,    -5.883233416999023,
        4.3847119392409954,    -2.3535297860232123,   0.952265420570822,    -0.2809947932275328,
        0.07377343868679113,   -0.0032941927380090922, 0.011310924828955462, 0.01139924601483468,
        0.013975730180211136,  0.017352221539201188,  0.0223721770065477,   0.030381944084994415,
        0.04464285714665563,   0.07499999999998412,   0.16666666666666669,  1.0};
    vd p = splat(c[0]);
#pragma GCC unroll 20
    for (size_t i = 1; i < sizeof c / sizeof *c; i++)
        p = p * u + c[i];
    return p;
}

/* (sin - angle cos) / sin^3(angle / 2) for u = sin^2(angle / 2) <= 1/2: nothing cancels. */
INLINE vd bend_part(vd u)
{
    static const double c[] = {
        0.10253825984004769,  -0.34776084335575425, 0.5667910334148699,    -0.5650092905036888,
        0.3881516193317684,   -0.18834757112208017, 0.0707653874005783,    -0.016332809707131992,
        0.006718668756814519, 0.0031411843787969343, 0.004928589804957095, 0.006566473859191722,
        0.009255100445449433, 0.013767471685575745, 0.022095959838973438,  0.039682539679673466,
        0.08571428571429907,  0.26666666666666666,  2.6666666666666665};
    vd p = splat(c[0]);
#pragma GCC unroll 20
    for (size_t i = 1; i < sizeof c / sizeof *c; i++)
        p = p * u + c[i];
    return p;
}

/* Inner products to cosines and u; whether there are narrow pairs. */
static int cosines(
    const double *row, double inverse, const double *inverses, ptrdiff_t n, fa_angles *a)
{
    vl narrow = {0};
    for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
        vd cosine = load_some(row + j, n - j) * inverse * load_some(inverses + j, n - j);
        vd u = 0.5 - 0.5 * magnitude(cosine);
        narrow |= u <= NARROW;
        store(a->cosine + j, cosine);
        store(a->u + j, u);
    }
    return any(narrow);
}

/* <r, x> and |r|^2 of r = z - factor x, each entry of which is rounded once. */
static void remainder_of(
    const double *x, const double *z, double factor, ptrdiff_t m, double *along, double *square)
{
    vd first = splat(0.0), second = splat(0.0);
    for (ptrdiff_t k = 0; k < m; k += FA_LANES) {
        vd own = load_some(x + k, m - k), r = load_some(z + k, m - k) - factor * own;
        first += r * own;
        second += r * r;
    }
    *along = sum_of_lanes(first);
    *square = sum_of_lanes(second);
}

/* A narrow pair anew; 1 if it is parallel. */
static int mend_pair(
    const double *x, const double *z, ptrdiff_t m, double own, double other_square, double *cosine,
    double *u)
{
    double norm = sqrt(own), other = sqrt(other_square), sign = copysign(1.0, *cosine);
    double factor = sign * other / norm, along, square;
    remainder_of(x, z, factor, m, &along, &square);
    double step = along / own, excess = factor * norm - sign * other;
    square = fmax(square - step * along, 0.0);
    *cosine = sign + (step * norm + excess) / other;
    if (square <= PARALLEL * PARALLEL * other_square) {
        *u = 0.0;
        return 1;
    }
    double adjacent = fabs(factor + step) * norm, hypotenuse = sqrt(square + adjacent * adjacent);
    *u = 0.5 * square / (hypotenuse * (hypotenuse + adjacent));
    return 0;
}

/* The narrow pairs of a stretch, of which column `itself` is x; counts the parallel ones. */
static ptrdiff_t mend_cosines(
    const fa_pairs *p, ptrdiff_t i, ptrdiff_t first, ptrdiff_t n, fa_angles *a)
{
    ptrdiff_t parallel = 0, itself = i + p->offset - first;
    for (ptrdiff_t j = 0; j < n; j++) {
        if (j == itself) {
            a->cosine[j] = 1.0;
            a->u[j] = 0.0;
        } else if (a->u[j] <= NARROW)
            parallel += mend_pair(
                p->x + i * p->m, p->z + (first + j) * p->m, p->m, p->x_squares[i],
                p->z_squares[first + j], a->cosine + j, a->u + j);
    }
    return parallel;
}

/* tau = cos, and the slopes: 0 for parallel pairs, where K has a kink, else 1. */
static void begin_layers(fa_angles *a, ptrdiff_t n)
{
    for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
        vd slope = choose(load(a->u + j) == 0.0, splat(0.0), splat(1.0));
        store(a->tau + j, load(a->cosine + j));
        store(a->tau_slope + j, slope);
        store(a->rho_slope + j, slope);
    }
}

/* From a layer's rho and tau to the next one's. Without a trained output layer the last rho is not
   added. */
INLINE void layer(fa_angles *a, ptrdiff_t n, int first, int last)
{
    for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
        vd u = load(a->u + j), tau = load(a->tau + j), rho_slope = load(a->rho_slope + j);
        vd half = root(u), part = 2.0 * INVERSE_PI * half * arcsine_part(u);
        vd sine = 2.0 * half * root(1.0 - u);
        vd kappa_slope = keep(u != 0.0, INVERSE_PI * rho_slope / sine);
        vl obtuse = load(a->cosine + j) < 0.0;
        vd kappa = first ? choose(obtuse, part, 1.0 - part) : 1.0 - part;
        vd tau_slope = load(a->tau_slope + j) * kappa + tau * kappa_slope;
        vd value = tau * kappa;
        if (!last) {
            vd from = first ? choose(obtuse, splat(0.5), u) : u;
            vd following = from - 0.5 * INVERSE_PI * u * half * bend_part(u);
            rho_slope *= kappa;
            store(a->u + j, following);
            store(a->rho_slope + j, rho_slope);
            tau_slope += rho_slope;
            value += 1.0 - 2.0 * following;
        }
        store(a->tau_slope + j, tau_slope);
        store(a->tau + j, value);
    }
}

/* `norms` are those of z, and their inverses follow. */
static ptrdiff_t angle_stretch(
    const fa_pairs *p, const double *norms, ptrdiff_t i, ptrdiff_t first, ptrdiff_t n,
    double *values, double *slopes)
{
    fa_angles a;
    ptrdiff_t parallel = 0;
    double norm = sqrt(p->x_squares[i]);
    if (cosines(values, 1.0 / norm, norms + p->n_columns + first, n, &a))
        parallel = mend_cosines(p, i, first, n, &a);
    begin_layers(&a, n);
    int layers = p->kernel->degree - 1 + p->kernel->output_layer;
    for (int h = 0; h < layers; h++)
        if (h == 0)
            layer(&a, n, 1, 0);
        else
            layer(&a, n, 0, 0);
    if (!p->kernel->output_layer) {
        if (p->kernel->degree == 1)
            layer(&a, n, 1, 1);
        else
            layer(&a, n, 0, 1);
    }
    for (ptrdiff_t j = 0; j < n; j += FA_LANES) {
        vd both = 0.5 * norm * load_some(norms + first + j, n - j);
        store_some(values + j, both * load(a.tau + j), n - j);
        if (slopes)
            store_some(slopes + j, 0.5 * load(a.tau_slope + j), n - j);
    }
    return parallel;
}

#endif
