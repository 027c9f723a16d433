/* Products of sum c (v, 1)(v, 1)' with vectors for the features v of a built-in basis: the
   counterpart of `basis_products` in numba_ops/hessian_products.py.

   A block of rows lies by columns (columns.h). For the quadratic basis its features are never
   formed: with u the scaled inputs and B the symmetric matrix of a vector's products,
   <v, beta> = u'(beta_1 + B u); and sum t v is made of sum t u and sum t u u', whose lower
   triangle is a product of panels (products.h). */
#ifndef FASTAIF_BASIS_PRODUCTS_H
#define FASTAIF_BASIS_PRODUCTS_H

#include "basis/basis_sums.h"

/* The curvatures of a block's rows; those that fill it up have none. */
static void read_curvatures(
    const double *c, ptrdiff_t start, ptrdiff_t k, ptrdiff_t K, double *out)
{
    for (ptrdiff_t i = 0; i < K; i++)
        out[i] = i < k ? c[start + i] : 0.0;
}

/* --- by features -------------------------------------------------------------------------- */

/* T = c (U'(v, 1)) and out += (v, 1) T' for a block; U and out are (d + 1, count). */
static void add_feature_products(
    const double *v, const double *c, ptrdiff_t d, ptrdiff_t K, const double *U, ptrdiff_t count,
    double *T, double *out)
{
    multiply_columns(U, count, d, 1, count, v, K, T);
    for (ptrdiff_t r = 0; r < count; r++) {
        vd total = splat(0.0);
        for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
            double *at = T + r * K + i;
            vd t = load(c + i) * (load(at) + U[d * count + r]);
            store(at, t);
            total += t;
        }
        out[d * count + r] += sum_of_lanes(total);
    }
    add_row_products(v, d, T, count, K, out, count);
}

static int feature_products(
    const fa_rows *x, const double *c, const fa_basis *basis, const double *U, ptrdiff_t count,
    double *out)
{
    ptrdiff_t m = basis->m, d = basis->d, rows = basis_rows(x->n, d + count, 0);
    ptrdiff_t doubles = (m + d + count + 1) * rows;
    double *u = aligned_alloc(LINE, (size_t)doubles * sizeof(double));
    if (!u)
        return -1;
    double *v = u + m * rows, *T = v + d * rows, *of_rows = T + count * rows;
    for (ptrdiff_t start = 0; start < x->n; start += rows) {
        ptrdiff_t k = x->n - start < rows ? x->n - start : rows, K = filled_up(k);
        load_by_columns(x, start, k, K, basis->shift, basis->inverse_scale, u);
        features_of(basis, u, K, v);
        scale_features(basis, K, v);
        read_curvatures(c, start, k, K, of_rows);
        add_feature_products(v, of_rows, d, K, U, count, T, out);
    }
    free(u);
    return 0;
}

/* --- of the quadratic basis --------------------------------------------------------------- */

/* A vector in the units of u: its linear part, B, and the constant; and what is summed for it. */
typedef struct {
    double *linear, *bend, *first, *tiles; /* (m,), (m, m), (m,) and tiles of (m, m) */
    double constant, total;
} fa_bent;

static void bend_vector(
    const fa_basis *basis, const double *U, ptrdiff_t count, ptrdiff_t r, fa_bent *b)
{
    ptrdiff_t m = basis->m, place = 0;
    b->constant = U[basis->d * count + r];
    for (ptrdiff_t h = 0; basis->out_inverse_scale && h < basis->d; h++)
        b->constant -= U[h * count + r] * basis->out_inverse_scale[h] * basis->out_shift[h];
    for (ptrdiff_t j = -1; j < m; j++)
        for (ptrdiff_t l = j < 0 ? 0 : j; l < m; l++, place++) {
            double scale = basis->out_inverse_scale ? basis->out_inverse_scale[place] : 1.0;
            double beta = scale * U[place * count + r];
            if (j < 0)
                b->linear[l] = beta;
            else
                b->bend[j * m + l] = b->bend[l * m + j] = l == j ? beta : 0.5 * beta;
        }
}

/* Into `out` (d + 1, count): sum t v of the vector, from its sums of t u, t u u' and t. */
static void unfold_sums(
    const fa_basis *basis, const fa_bent *b, ptrdiff_t count, ptrdiff_t r, double *out)
{
    ptrdiff_t m = basis->m, place = 0;
    for (ptrdiff_t j = -1; j < m; j++)
        for (ptrdiff_t l = j < 0 ? 0 : j; l < m; l++, place++) {
            ptrdiff_t I = l / PANEL, J = j / PANEL;
            ptrdiff_t at = (I * (I + 1) / 2 + J) * TILE + l % PANEL * PANEL + j % PANEL;
            double moment = j < 0 ? b->first[l] : b->tiles[at];
            if (basis->out_inverse_scale)
                moment = basis->out_inverse_scale[place]
                    * (moment - basis->out_shift[place] * b->total);
            out[place * count + r] += moment;
        }
    out[basis->d * count + r] += b->total;
}

/* A block by columns and in panels, and room for B u, t and the panels of t u. */
typedef struct {
    double *u, *panels, *bent, *t, *weighted, *ones, *c;
} fa_bent_block;

static void add_bent(const fa_bent_block *s, ptrdiff_t m, ptrdiff_t K, fa_bent *b)
{
    ptrdiff_t panels = panels_of(m);
    fa_ahead nothing = {NULL, 0, LINE};
    vd total = splat(0.0);
    multiply_columns(b->bend, m, m, m, 1, s->u, K, s->bent);
    for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
        vd f = splat(b->constant);
        for (ptrdiff_t j = 0; j < m; j++)
            f += piece(s->u, K, j, i) * (piece(s->bent, K, j, i) + b->linear[j]);
        f *= load(s->c + i);
        store(s->t + i, f);
        total += f;
    }
    b->total += sum_of_lanes(total);
    add_weighted_totals(s->u, m, s->t, K, b->first);
    columns_to_panels(s->u, m, K, s->t, s->weighted);
    for (ptrdiff_t I = 0; I < panels; I++)
        panel_by_panels(s->weighted + I * K * PANEL, s->panels, I + 1, K * PANEL, K,
                        b->tiles + I * (I + 1) / 2 * TILE, &nothing);
}

static void add_bent_rows(
    const fa_rows *x, const double *c, const fa_basis *basis, ptrdiff_t rows, double *scratch,
    fa_bent *bent, ptrdiff_t count)
{
    ptrdiff_t m = basis->m, wide = filled_up(m);
    fa_bent_block s = {0};
    s.panels = take(&scratch, wide * rows);
    s.weighted = take(&scratch, wide * rows);
    s.u = take(&scratch, m * rows);
    s.bent = take(&scratch, m * rows);
    s.t = take(&scratch, rows);
    s.ones = take(&scratch, rows);
    s.c = take(&scratch, rows);
    for (ptrdiff_t i = 0; i < rows; i++)
        s.ones[i] = 1.0;
    for (ptrdiff_t start = 0; start < x->n; start += rows) {
        ptrdiff_t k = x->n - start < rows ? x->n - start : rows, K = filled_up(k);
        load_by_columns(x, start, k, K, basis->shift, basis->inverse_scale, s.u);
        columns_to_panels(s.u, m, K, s.ones, s.panels);
        read_curvatures(c, start, k, K, s.c);
        for (ptrdiff_t r = 0; r < count; r++)
            add_bent(&s, m, K, bent + r);
    }
}

static int quadratic_products(
    const fa_rows *x, const double *c, const fa_basis *basis, const double *U, ptrdiff_t count,
    double *out)
{
    ptrdiff_t m = basis->m, wide = filled_up(m), rows = basis_rows(x->n, 4 * m, 0);
    ptrdiff_t of_vector = 2 * wide + filled_up(m * m) + size_of_tiles(panels_of(m));
    ptrdiff_t of_block = (2 * wide + 2 * m + 3) * rows;
    size_t doubles = (size_t)(of_block + count * of_vector);
    fa_bent *bent = calloc((size_t)count, sizeof *bent);
    double *scratch = aligned_alloc(LINE, doubles * sizeof(double));
    if (!bent || !scratch) {
        free(bent);
        free(scratch);
        return -1;
    }
    double *at = scratch + of_block;
    memset(at, 0, (size_t)(count * of_vector) * sizeof(double));
    for (ptrdiff_t r = 0; r < count; r++) {
        bent[r].linear = take(&at, wide);
        bent[r].first = take(&at, wide);
        bent[r].bend = take(&at, filled_up(m * m));
        bent[r].tiles = take(&at, size_of_tiles(panels_of(m)));
        bend_vector(basis, U, count, r, bent + r);
    }
    add_bent_rows(x, c, basis, rows, scratch, bent, count);
    for (ptrdiff_t r = 0; r < count; r++)
        unfold_sums(basis, bent + r, count, r, out);
    free(bent);
    free(scratch);
    return 0;
}

int FA_NAME(fa_basis_products)(
    const fa_rows *x, const double *c, const fa_basis *basis, const double *U, ptrdiff_t count,
    double *out)
{
    return (basis->kind == QUADRATIC ? quadratic_products : feature_products)(
        x, c, basis, U, count, out);
}

#endif
