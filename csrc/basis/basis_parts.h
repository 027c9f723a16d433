/* What else is asked of a built-in basis: moments of its features for the scaling of columns, and
   features, gradients and moves by themselves. */
#ifndef FASTAIF_BASIS_PARTS_H
#define FASTAIF_BASIS_PARTS_H

#include "basis/basis_sums.h"

/* --- means and mean squares of features --------------------------------------------------- */

/* Sums of w (v - origin) and w (v - origin)^2, and max |v - origin|: rows of `totals` (3, d). */
int FA_NAME(fa_basis_moments)(
    const fa_rows *x, const fa_basis *basis, const double *origin, double *totals)
{
    ptrdiff_t d = basis->d, m = basis->m, rows = basis_rows(x->n, d, 0);
    ptrdiff_t doubles = (m + d + 1) * rows;
    double *u = aligned_alloc(LINE, (size_t)doubles * sizeof(double));
    if (!u)
        return -1;
    double *v = u + m * rows, *w = v + d * rows;
    for (ptrdiff_t start = 0; start < x->n; start += rows) {
        ptrdiff_t k = x->n - start < rows ? x->n - start : rows, K = filled_up(k);
        load_by_columns(x, start, k, K, basis->shift, basis->inverse_scale, u);
        features_of(basis, u, K, v);
        scale_features(basis, K, v);
        for (ptrdiff_t i = 0; i < K; i++)
            w[i] = i >= k ? 0.0 : x->weight ? x->weight[start + i] : 1.0;
        for (ptrdiff_t h = 0; h < d; h++) {
            vd total = splat(0.0), square = splat(0.0), largest = splat(totals[2 * d + h]);
            for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
                vd apart = load(v + h * K + i) - origin[h], part = load(w + i) * apart;
                total += part;
                square += part * apart;
                largest = larger(largest, magnitude(apart));
            }
            totals[h] += sum_of_lanes(total);
            totals[d + h] += sum_of_lanes(square);
            totals[2 * d + h] = largest_lane(largest);
        }
    }
    free(u);
    return 0;
}

/* --- features by themselves --------------------------------------------------------------- */

enum { FEATURES, GRADIENTS, MOVES };

/* What of a basis is asked for: features (d, k), gradients J'beta (m, k) or moves Jp (d, k). */
static int part_of_basis(
    const fa_basis *basis, int part, const double *u, const double *with, ptrdiff_t k, double *out)
{
    ptrdiff_t K = filled_up(k), m = basis->m, d = basis->d, size = part == GRADIENTS ? m : d;
    ptrdiff_t doubles = (2 * m + size) * K + size_of_scratch(basis, K);
    double *inputs = aligned_alloc(LINE, (size_t)doubles * sizeof(double));
    if (!inputs)
        return -1;
    memset(inputs, 0, (size_t)doubles * sizeof(double));
    double *steps = inputs + m * K, *found = steps + m * K, *scratch = found + size * K;
    size_t row = (size_t)k * sizeof(double);
    for (ptrdiff_t j = 0; j < m; j++) {
        memcpy(inputs + j * K, u + j * k, row);
        if (part == MOVES)
            memcpy(steps + j * K, with + j * k, row);
    }
    if (part == FEATURES)
        features_of(basis, inputs, K, found);
    else if (part == GRADIENTS)
        gradients_of(basis, inputs, K, with, scratch, found);
    else
        moves_of(basis, inputs, K, steps, scratch, found);
    for (ptrdiff_t j = 0; j < size; j++)
        memcpy(out + j * k, found + j * K, row);
    free(inputs);
    return 0;
}

int FA_NAME(fa_basis_features)(const fa_basis *basis, const double *u, ptrdiff_t k, double *v)
{
    return part_of_basis(basis, FEATURES, u, NULL, k, v);
}

int FA_NAME(fa_basis_gradients)(
    const fa_basis *basis, const double *u, const double *beta, ptrdiff_t k, double *g)
{
    return part_of_basis(basis, GRADIENTS, u, beta, k, g);
}

int FA_NAME(fa_basis_moves)(
    const fa_basis *basis, const double *u, const double *p, ptrdiff_t k, double *out)
{
    return part_of_basis(basis, MOVES, u, p, k, out);
}

#endif
