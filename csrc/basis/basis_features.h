/* Features v(u) of the built-in bases by columns, and both products with their Jacobians: the
   counterpart of numba_ops/basis_features.py, which has the formulas and the order of features. */
#ifndef FASTAIF_BASIS_FEATURES_H
#define FASTAIF_BASIS_FEATURES_H

#include "core/columns.h"

static void quadratic_features(const double *u, ptrdiff_t m, ptrdiff_t K, double *v)
{
    memcpy(v, u, (size_t)(m * K) * sizeof *v);
    double *out = v + m * K;
    for (ptrdiff_t j = 0; j < m; j++)
        for (ptrdiff_t l = j; l < m; l++, out += K)
            for (ptrdiff_t i = 0; i < K; i += FA_LANES)
                store(out + i, piece(u, K, j, i) * piece(u, K, l, i));
}

static void power_features(const double *u, ptrdiff_t m, ptrdiff_t K, int degree, double *v)
{
    memcpy(v, u, (size_t)(m * K) * sizeof *v);
    for (int r = 1; r < degree; r++)
        for (ptrdiff_t j = 0; j < m * K; j += FA_LANES)
            store(v + r * m * K + j, load(v + (r - 1) * m * K + j) * load(u + j));
}

/* omega_h u + b_h, (d, K). */
static void angles_of(const fa_basis *b, const double *u, ptrdiff_t K, double *z)
{
    multiply_columns(b->frequencies, b->d, b->m, b->m, 1, u, K, z);
    for (ptrdiff_t h = 0; h < b->d; h++)
        for (ptrdiff_t i = 0; i < K; i++)
            z[h * K + i] += b->phases[h];
}

/* - sqrt(2 / d) sin(omega_h u + b_h) scale_h, (d, K); no scale means 1. */
static void fourier_slopes(
    const fa_basis *b, const double *u, ptrdiff_t K, const double *scale, double *z)
{
    angles_of(b, u, K, z);
    for (ptrdiff_t h = 0; h < b->d; h++) {
        double height = -sqrt(2.0 / (double)b->d) * (scale ? scale[h] : 1.0);
        for (ptrdiff_t i = 0; i < K; i++)
            z[h * K + i] = height * sin(z[h * K + i]);
    }
}

static void features_of(const fa_basis *b, const double *u, ptrdiff_t K, double *v)
{
    if (b->kind == QUADRATIC)
        quadratic_features(u, b->m, K, v);
    else if (b->kind == POWERS)
        power_features(u, b->m, K, b->degree, v);
    else {
        double height = sqrt(2.0 / (double)b->d);
        angles_of(b, u, K, v);
        for (ptrdiff_t j = 0; j < b->d * K; j++)
            v[j] = height * cos(v[j]);
    }
}

/* grad f = beta_1 + B u with B_jj = 2 beta_jj and B_jl = beta_jl; `bend` has room for (m, m). */
static void quadratic_gradients(
    const double *u, ptrdiff_t m, ptrdiff_t K, const double *beta, double *bend, double *g)
{
    ptrdiff_t place = m;
    for (ptrdiff_t j = 0; j < m; j++)
        for (ptrdiff_t l = j; l < m; l++, place++)
            bend[j * m + l] = bend[l * m + j] = l == j ? 2.0 * beta[place] : beta[place];
    multiply_columns(bend, m, m, m, 1, u, K, g);
    for (ptrdiff_t j = 0; j < m; j++)
        for (ptrdiff_t i = 0; i < K; i++)
            g[j * K + i] += beta[j];
}

/* Horner's rule on sum r beta_r u^(r - 1), a feature at a time. */
static void power_gradients(
    const double *u, ptrdiff_t m, ptrdiff_t K, int degree, const double *beta, double *g)
{
    for (ptrdiff_t j = 0; j < m; j++)
        for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
            vd total = splat(degree * beta[(degree - 1) * m + j]);
            for (int r = degree - 1; r > 0; r--)
                total = total * piece(u, K, j, i) + r * beta[(r - 1) * m + j];
            store(g + j * K + i, total);
        }
}

/* J' beta, (m, K). `scratch` has room for (m, m), or for Fourier's (d, K). */
static void gradients_of(
    const fa_basis *b, const double *u, ptrdiff_t K, const double *beta, double *scratch, double *g)
{
    if (b->kind == QUADRATIC)
        quadratic_gradients(u, b->m, K, beta, scratch, g);
    else if (b->kind == POWERS)
        power_gradients(u, b->m, K, b->degree, beta, g);
    else {
        fourier_slopes(b, u, K, beta, scratch);
        multiply_columns(b->frequencies, b->m, b->d, 1, b->m, scratch, K, g);
    }
}

/* J p, (d, K); `scratch` as for gradients. */
static void moves_of(
    const fa_basis *b, const double *u, ptrdiff_t K, const double *p, double *scratch, double *out)
{
    ptrdiff_t m = b->m;
    if (b->kind == QUADRATIC) {
        memcpy(out, p, (size_t)(m * K) * sizeof *out);
        out += m * K;
        for (ptrdiff_t j = 0; j < m; j++)
            for (ptrdiff_t l = j; l < m; l++, out += K)
                for (ptrdiff_t i = 0; i < K; i += FA_LANES)
                    store(out + i, piece(u, K, j, i) * piece(p, K, l, i) + piece(p, K, j, i) * piece(u, K, l, i));
    } else if (b->kind == POWERS) {
        for (ptrdiff_t j = 0; j < m * K; j += FA_LANES) {
            vd power = load(p + j);
            for (int r = 0; r < b->degree; r++) {
                store(out + r * m * K + j, (r + 1) * power);
                power *= load(u + j);
            }
        }
    } else {
        multiply_columns(b->frequencies, b->d, m, m, 1, p, K, out);
        fourier_slopes(b, u, K, NULL, scratch);
        for (ptrdiff_t j = 0; j < b->d * K; j += FA_LANES)
            store(out + j, load(out + j) * load(scratch + j));
    }
}

/* Doubles of scratch that gradients and moves ask for. */
static ptrdiff_t size_of_scratch(const fa_basis *b, ptrdiff_t K)
{
    return b->kind == QUADRATIC ? filled_up(b->m * b->m) : b->kind == POWERS ? PANEL : b->d * K;
}

/* total (d,) += sum w (J p), without the moves where that is cheaper: of u_j p_l + p_j u_l the sums
   are M + M' with M = sum w u p'. `spare` has room for (d, K), which is at least (m, m) and (m, K). */
static void add_weighted_moves(
    const fa_basis *b, const double *u, const double *p, const double *w, ptrdiff_t K,
    double *scratch, double *spare, double *total)
{
    ptrdiff_t m = b->m;
    if (b->kind != QUADRATIC) {
        moves_of(b, u, K, p, scratch, spare);
        add_weighted_totals(spare, b->d, w, K, total);
        return;
    }
    for (ptrdiff_t j = 0; j < m; j++)
        for (ptrdiff_t i = 0; i < K; i += FA_LANES)
            store(spare + j * K + i, piece(u, K, j, i) * load(w + i));
    memset(scratch, 0, (size_t)(m * m) * sizeof *scratch);
    add_row_products(spare, m, p, m, K, scratch, m);
    add_weighted_totals(p, m, w, K, total);
    double *out = total + m;
    for (ptrdiff_t j = 0; j < m; j++)
        for (ptrdiff_t l = j; l < m; l++)
            *out++ += scratch[j * m + l] + scratch[l * m + j];
}

#endif
