/* The one-pass sums of basis models: the counterpart of numba_ops/basis_sums.py, where the
   mathematics is told. Blocks of a built-in basis are filled here; given ones come from outside. */
#ifndef FASTAIF_BASIS_SUMS_H
#define FASTAIF_BASIS_SUMS_H

#include "scratch.h"
#include "attack/attacks.h"
#include "basis/basis_blocks.h"
#include "basis/basis_features.h"

#define BASIS_DOUBLES 49152 /* 384 KiB */
#define FEWEST_BASIS_ROWS 256
#define FEWEST_WITHOUT_HESSIAN 32
#define MOST_BASIS_ROWS 2048

/* --- blocks of a built-in basis ----------------------------------------------------------- */

/* f = intercept + beta v, and the lengths of v if they are wanted. */
static void predict_block(
    fa_basis_block *b, const double *beta, double intercept, int with_lengths)
{
    for (ptrdiff_t i = 0; i < b->K; i += FA_LANES) {
        vd f = splat(intercept), square = splat(0.0);
        for (ptrdiff_t h = 0; h < b->d; h++) {
            vd v = load(b->v + h * b->K + i);
            f += beta[h] * v;
            if (with_lengths)
                square += v * v;
        }
        store(b->rows.f + i, f);
        if (with_lengths)
            store(b->rows.norms + i, square);
    }
}

/* Roots of squares; columns whose squares are not to be relied upon anew, with care. */
static void lengths_from_squares(
    const double *columns, ptrdiff_t count, ptrdiff_t K, double *buffer, double *norms)
{
    for (ptrdiff_t i = 0; i < K; i++) {
        if (TINY_SQUARE < norms[i] && norms[i] < HUGE_SQUARE) {
            norms[i] = sqrt(norms[i]);
            continue;
        }
        for (ptrdiff_t j = 0; j < count; j++)
            buffer[j] = columns[j * K + i];
        norms[i] = norm_of_row(buffer, count, 2.0);
    }
}

/* Norms of the scaled inputs u (m, K), or of the rows in other units. */
static void norms_of_block(
    const fa_rows *x, ptrdiff_t start, ptrdiff_t k, ptrdiff_t K, const double *u,
    const fa_norm_of *norm_of, double *buffer, double *norms)
{
    int own = !norm_of->inverse_scale;
    if (own && norm_of->p == 2.0) {
        for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
            vd square = splat(0.0);
            for (ptrdiff_t j = 0; j < x->m; j++)
                square += piece(u, K, j, i) * piece(u, K, j, i);
            store(norms + i, square);
        }
        lengths_from_squares(u, x->m, K, buffer, norms);
        return;
    }
    for (ptrdiff_t i = 0; i < k; i++) {
        for (ptrdiff_t j = 0; j < x->m; j++) {
            ptrdiff_t place = (start + i) * x->m + j;
            double input = x->singles ? (double)x->singles[place] : x->doubles[place];
            buffer[j] = own ? u[j * K + i]
                            : (input - norm_of->shift[j]) * norm_of->inverse_scale[j];
        }
        norms[i] = norm_of_row(buffer, x->m, norm_of->p);
    }
}

static void scale_features(const fa_basis *basis, ptrdiff_t K, double *v)
{
    for (ptrdiff_t h = 0; basis->out_inverse_scale && h < basis->d; h++)
        for (ptrdiff_t i = 0; i < K; i++)
            v[h * K + i] = (v[h * K + i] - basis->out_shift[h]) * basis->out_inverse_scale[h];
}

/* Rows of a block: a multiple of 8. */
static ptrdiff_t basis_rows(ptrdiff_t n, ptrdiff_t d, int need)
{
    ptrdiff_t fewest = need & NEED_HESSIAN ? FEWEST_BASIS_ROWS : FEWEST_WITHOUT_HESSIAN;
    ptrdiff_t rows = between(fewest, BASIS_DOUBLES / d, MOST_BASIS_ROWS);
    return rows < filled_up(n) ? rows : filled_up(n);
}

/* What a pass over blocks of a built-in basis works with. */
typedef struct {
    const fa_rows *x;
    const fa_basis *basis;
    const fa_predictor *predictor;
    const fa_norm_of *norm_of;
    const fa_attack *attack;
    int need;
    double *u, *g, *p, *scratch, *slope, *moved, *buffer;
    fa_basis_block block;
} fa_basis_pass;

/* Features, predictions, norms and directions of the k rows from `start` on. */
static int fill_basis_block(fa_basis_pass *s, ptrdiff_t start, ptrdiff_t k)
{
    fa_basis_block *b = &s->block;
    ptrdiff_t K = b->K = filled_up(k);
    load_by_columns(s->x, start, k, K, s->basis->shift, s->basis->inverse_scale, s->u);
    features_of(s->basis, s->u, K, b->v);
    scale_features(s->basis, K, b->v);
    predict_block(b, s->predictor->beta, s->predictor->intercept, s->need & NEED_YARDSTICK);
    if (s->need & NEED_YARDSTICK)
        lengths_from_squares(b->v, b->d, K, s->buffer, b->rows.norms);
    else if (s->need & NEED_NORM)
        norms_of_block(s->x, start, k, K, s->u, s->norm_of, s->buffer, b->rows.norms);
    else
        memset(b->rows.norms, 0, (size_t)K * sizeof(double));
    read_targets(s->x, start, k, b);
    if (!(s->need & NEED_MIXED))
        return 0;
    gradients_of(s->basis, s->u, K, s->slope, s->scratch, s->g);
    return FA_NAME(fa_attack_directions)(
        s->g, s->basis->m, K, s->attack->p, s->attack->weights, s->p, b->gains, b->ties);
}

static int run_basis_pass(
    fa_basis_pass *s, ptrdiff_t rows, const fa_inner *inner, double *weights, const fa_sums *sums,
    double *tiles)
{
    fa_totals totals;
    memset(&totals, 0, sizeof totals);
    for (ptrdiff_t start = 0; start < s->x->n; start += rows) {
        ptrdiff_t k = s->x->n - start < rows ? s->x->n - start : rows;
        if (fill_basis_block(s, start, k))
            return -1;
        double factor = add_basis_block(&s->block, k, inner, s->need, &totals, sums, tiles);
        for (ptrdiff_t h = 0; factor != 1.0 && h < s->basis->d; h++)
            s->moved[h] *= factor;
        if (s->need & NEED_MIXED) /* the features have been used */
            add_weighted_moves(s->basis, s->u, s->p, s->block.rates, s->block.K, s->scratch,
                               s->block.v, s->moved);
        if (weights)
            memcpy(weights + start, s->block.rows.d2, (size_t)k * sizeof(double));
    }
    add_totals(&totals, inner, s->need, sums->scalars);
    return 0;
}

/* `sums->hessian` receives w l'' of each row instead of H for NEED_MOMENTS. */
int FA_NAME(fa_basis_sums)(
    const fa_rows *x, const fa_basis *basis, const fa_predictor *predictor,
    const fa_norm_of *norm_of, const fa_attack *attack, const fa_inner *inner, int need,
    const fa_sums *sums)
{
    double *weights = need & NEED_MOMENTS ? sums->hessian : NULL;
    need &= weights ? ~NEED_HESSIAN : ~0;
    ptrdiff_t d = basis->d, m = basis->m, rows = basis_rows(x->n, d, need);
    ptrdiff_t tiles = need & NEED_HESSIAN ? size_of_tiles(panels_of(d)) : 0;
    ptrdiff_t scratch = size_of_scratch(basis, rows), widest = filled_up(d > m ? d : m);
    ptrdiff_t doubles = size_of_block(d, rows, need) + 3 * m * rows + scratch + 3 * widest + tiles;
    double *memory = fa_borrow((size_t)doubles * sizeof(double)), *at = memory;
    if (!memory)
        return -1;
    fa_basis_pass s = {
        .x = x, .basis = basis, .predictor = predictor, .norm_of = norm_of, .attack = attack,
        .need = need};
    take_block(&s.block, d, rows, need, &at);
    double **of_inputs[] = {&s.u, &s.g, &s.p};
    for (int i = 0; i < 3; i++)
        *of_inputs[i] = take(&at, m * rows);
    s.scratch = take(&at, scratch);
    double **of_columns[] = {&s.slope, &s.moved, &s.buffer};
    for (int i = 0; i < 3; i++)
        *of_columns[i] = take(&at, widest);
    memset(at, 0, (size_t)tiles * sizeof(double));
    for (ptrdiff_t h = 0; h < d; h++) {
        s.slope[h] = predictor->beta[h]
            * (basis->out_inverse_scale ? basis->out_inverse_scale[h] : 1.0);
        s.moved[h] = 0.0;
    }
    int failed = run_basis_pass(&s, rows, inner, weights, sums, at);
    for (ptrdiff_t h = 0; h < d; h++)
        sums->vectors[V_MIXED * d + h] +=
            s.moved[h] * (basis->out_inverse_scale ? basis->out_inverse_scale[h] : 1.0);
    if (tiles)
        add_tiles(at, d, d, sums->hessian);
    fa_give_back(memory);
    return failed;
}

/* --- blocks of given features ------------------------------------------------------------- */

/* Add one block of given features v (d, k); *factor as of `add_basis_block`, and rates (2, k). */
int FA_NAME(fa_block_sums)(
    double *v, const double *f, const double *norms, const double *gains, const double *ties,
    const double *y, const double *w, ptrdiff_t d, ptrdiff_t k, const fa_inner *inner, int need,
    double *rates, const fa_sums *sums, double *factor)
{
    ptrdiff_t K = filled_up(k);
    ptrdiff_t tiles = need & NEED_HESSIAN ? size_of_tiles(panels_of(d)) : 0;
    size_t bytes = (size_t)(size_of_block(d, K, need) + tiles) * sizeof(double), row;
    double *memory = fa_borrow(bytes), *at = memory;
    if (!memory)
        return -1;
    memset(memory, 0, bytes);
    fa_basis_block b;
    fa_totals totals;
    memset(&totals, 0, sizeof totals);
    take_block(&b, d, K, need, &at);
    row = (size_t)k * sizeof(double);
    for (ptrdiff_t h = 0; h < d; h++)
        memcpy(b.v + h * K, v + h * k, row);
    memcpy(b.rows.f, f, row);
    memcpy(b.rows.y, y, row);
    memcpy(b.rows.w, w, row);
    if (norms)
        memcpy(b.rows.norms, norms, row);
    if (need & NEED_MIXED) {
        memcpy(b.gains, gains, row);
        memcpy(b.ties, ties, row);
    }
    *factor = add_basis_block(&b, k, inner, need, &totals, sums, at);
    memcpy(rates, b.rates, row);
    memcpy(rates + k, b.rows.d2, row);
    add_totals(&totals, inner, need, sums->scalars);
    if (tiles)
        add_tiles(at, d, d, sums->hessian);
    fa_give_back(memory);
    return 0;
}

#endif
