/* The one-pass sums of softmax models: the counterpart of numba_ops/softmax_sums.py, where the
   mathematics is told. Blocks of rows go by columns (columns.h): (u, 1) is (entries, K), and what a
   class has of each row (classes, K). The rows that fill up a block repeat its last one and weigh
   nothing: their residuals are as they are, so that their directions of attack are none that ask for
   care, and every sum has their weight in it. */
#ifndef FASTAIF_SOFTMAX_SUMS_H
#define FASTAIF_SOFTMAX_SUMS_H

#include "scratch.h"
#include "attack/attacks.h"
#include "basis/basis_sums.h"
#include "core/columns.h"
#include "core/elementary.h"

#define SOFTMAX_DOUBLES 65536 /* 512 KiB */

typedef struct {
    const fa_rows *x;
    const double *coef, *shift, *inverse_scale;
    const fa_norm_of *norm_of;
    const fa_attack *attack;
    const fa_sums *sums;
    ptrdiff_t classes, entries, width, K; /* `width` columns are in panels */
    double exponent, carry; /* what the sum of losses has left over */
    int need;
    double *z, *phi, *g;        /* (u, 1), its directions (phi, 0), and gradients in u */
    double *pi, *a, *q; /* of the classes; q is scratch */
    double *y, *w, *norms, *losses, *slopes, *wrong, *gains, *ties, *rates;
    double *panels, *tiles, *buffer;
    double *pairs, *pair_panels, *plain, *last; /* of an intercept that is in no panel */
} fa_softmax_pass;

/* --- the loss ------------------------------------------------------------------------------ */

/* FA_LANES rows' losses: log(1 + others) relative to each row's own class, or top + log(total). */
INLINE vd losses_of(vd top, vd others, vd total)
{
    vl few = others < 1.0;
    vd near = log1p_of_unit(choose(few, others, splat(1.0)));
    vd value = choose((top > 0.0) | ~few, top - negative_log(total), near);
    return value + (total - total); /* NaN where something is not finite */
}

/* Logits of FA_LANES rows become shares; residuals, losses and what is made of them beside. */
INLINE void softmax_rows(fa_softmax_pass *s, ptrdiff_t i, vd *bends, vd *squares)
{
    ptrdiff_t K = s->K, classes = s->classes;
    vd y = load(s->y + i), w = load(s->w + i), own, most = splat(-INFINITY);
    for (int l = 0; l < FA_LANES; l++)
        own[l] = s->pi[(ptrdiff_t)y[l] * K + i + l];
    for (ptrdiff_t k = 0; k < classes; k++)
        most = larger(most, choose(y == (double)k, splat(-INFINITY), load(s->pi + k * K + i) - own));
    vd top = choose(most > 0.0, most, splat(0.0)), others = splat(0.0);
    for (ptrdiff_t k = 0; k < classes; k++) {
        vd e = exp_vector(load(s->pi + k * K + i) - own - top);
        others += keep(~(y == (double)k), e);
        store(s->pi + k * K + i, e);
    }
    vd mine = exp_vector(-top), total = others + mine, inverse = 1.0 / total;
    vl counts = (w > 0.0) | ((total - total) == 0.0); /* what weighs nothing may overflow */
    vd left = others * inverse, square = splat(0.0), bend = splat(0.0);
    for (ptrdiff_t k = 0; k < classes; k++) {
        vl is_own = y == (double)k;
        vd part = keep(counts, load(s->pi + k * K + i) * inverse);
        vd residual = keep(counts, choose(is_own, -left, part));
        square += residual * residual;
        bend += part * choose(is_own, left, 1.0 - part);
        store(s->pi + k * K + i, part);
        store(s->a + k * K + i, residual);
    }
    store(s->losses + i, losses_of(top, others, total));
    store(s->slopes + i, w * root(square));
    store(s->wrong + i, choose(most < 0.0, splat(0.0), splat(1.0)));
    *bends += w * keep(counts, bend);
    *squares += w * square;
}

static void add_softmax_losses(fa_softmax_pass *s, ptrdiff_t k)
{
    double *scalars = s->sums->scalars;
    vd bends = splat(0.0), squares = splat(0.0), slopes = splat(0.0);
    for (ptrdiff_t i = 0; i < s->K; i += FA_LANES) {
        softmax_rows(s, i, &bends, &squares);
        slopes += load(s->slopes + i);
    }
    scalars[S_K] += sum_of_lanes(slopes);
    scalars[S_F2] += sum_of_lanes(squares);
    scalars[S_FF] += sum_of_lanes(bends);
    for (ptrdiff_t i = 0; i < k; i++) {
        double w = s->w[i];
        scalars[S_WEIGHT] += w;
        scalars[S_W2] += w * w;
        if (!(w > 0.0))
            continue;
        scalars[S_WRONG] += s->wrong[i];
        double term = w * s->losses[i] - s->carry, longer = scalars[S_LOSS] + term;
        s->carry = (longer - scalars[S_LOSS]) - term;
        scalars[S_LOSS] = longer;
    }
    for (ptrdiff_t i = 0; i < k && s->need & NEED_NORM; i++)
        scalars[S_NORM] += s->w[i] * s->norms[i];
    for (ptrdiff_t i = 0; i < k && s->need & NEED_YARDSTICK; i++)
        scalars[S_YARDSTICK] += s->slopes[i] * sqrt(1.0 + s->norms[i] * s->norms[i]);
}

/* --- the mixed derivative ------------------------------------------------------------------ */

/* w t of each row, t its share of the budget; the scalar sums of gains. */
static void rates_of_rows(fa_softmax_pass *s, ptrdiff_t k)
{
    double *scalars = s->sums->scalars, peak = 0.0;
    for (ptrdiff_t i = 0; i < s->K; i++)
        s->rates[i] = s->w[i];
    for (ptrdiff_t i = 0; i < k; i++) {
        if (!(s->w[i] > 0.0))
            continue;
        peak = s->gains[i] > peak ? s->gains[i] : peak;
        scalars[S_SLOPE] += s->w[i] * s->gains[i];
        scalars[s->gains[i] == 0.0 ? S_ZERO : S_TIES] += s->gains[i] == 0.0 ? 1.0 : s->ties[i];
    }
    if (!(s->exponent > 0.0))
        return;
    raise_peak(peak, s->exponent, s->sums, NULL, s->classes * s->entries, 0);
    peak = scalars[S_PEAK];
    for (ptrdiff_t i = 0; i < k; i++) {
        double ratio = peak > 0.0 && s->w[i] > 0.0 ? s->gains[i] / peak : 0.0;
        double share = share_of(ratio, s->exponent);
        s->rates[i] *= share;
        scalars[S_POWER] += s->w[i] * share * ratio;
    }
}

/* q becomes rates S q: what shares move by where logits move by q. */
static void moved_shares(fa_softmax_pass *s)
{
    ptrdiff_t K = s->K;
    for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
        vd mean = splat(0.0), rate = load(s->rates + i);
        for (ptrdiff_t k = 0; k < s->classes; k++)
            mean += piece(s->pi, K, k, i) * piece(s->q, K, k, i);
        for (ptrdiff_t k = 0; k < s->classes; k++) {
            double *at = s->q + k * K + i;
            store(at, rate * piece(s->pi, K, k, i) * (load(at) - mean));
        }
    }
}

static int add_softmax_mixed(fa_softmax_pass *s, ptrdiff_t k)
{
    ptrdiff_t m = s->x->m, K = s->K, classes = s->classes, entries = s->entries;
    double *mixed = s->sums->vectors + V_MIXED * classes * entries;
    multiply_columns(s->coef, m, classes, 1, entries, s->a, K, s->g);
    if (FA_NAME(fa_attack_directions)(
            s->g, m, K, s->attack->p, s->attack->weights, s->phi, s->gains, s->ties))
        return -1;
    for (ptrdiff_t i = m * K; i < entries * K; i++)
        s->phi[i] = 0.0;
    rates_of_rows(s, k);
    weigh(NULL, s->a, s->rates, classes, K, s->q);
    add_row_products(s->q, classes, s->phi, entries, K, mixed, entries);
    multiply_columns(s->coef, classes, m, entries, 1, s->phi, K, s->q);
    moved_shares(s);
    add_row_products(s->q, classes, s->z, entries, K, mixed, entries);
    return 0;
}

/* --- the Hessian by pairs ------------------------------------------------------------------ */

/* P_kj = A_k'A_j, A_k the rows times √w π_k: a scaled copy a class, and none a pair. */
static void add_pairs(fa_softmax_pass *s)
{
    fa_ahead nothing = {NULL, 0, LINE};
    ptrdiff_t K = s->K, panels = panels_of(s->width), size = size_of_tiles(panels);
    ptrdiff_t stride = K * PANEL, copy = panels * stride;
    double *tiles = s->tiles;
    for (ptrdiff_t i = 0; i < K; i += FA_LANES)
        store(s->rates + i, root(load(s->w + i)));
    for (ptrdiff_t k = 0; k < s->classes; k++) {
        for (ptrdiff_t i = 0; i < K; i += FA_LANES)
            store(s->gains + i, load(s->rates + i) * piece(s->pi, K, k, i));
        columns_to_panels(s->z, s->width, K, s->gains, s->panels + k * copy);
    }
    for (ptrdiff_t k = 1; k < s->classes; k++)
        for (ptrdiff_t j = 0; j < k; j++, tiles += size)
            for (ptrdiff_t I = 0; I < panels; I++)
                panel_by_panels(s->panels + k * copy + I * stride, s->panels + j * copy, I + 1,
                                stride, K, tiles + I * (I + 1) / 2 * TILE, &nothing);
}

/* The last rows of all pairs' matrices, Σ w π_k π_j (u, 1), where the intercept alone would fill a
   panel: the pairs' weights by the plain rows. */
static void add_last_rows(fa_softmax_pass *s)
{
    ptrdiff_t K = s->K, m = s->width, pair = 0;
    for (ptrdiff_t i = 0; i < K; i += FA_LANES)
        store(s->gains + i, splat(1.0));
    for (ptrdiff_t k = 1; k < s->classes; k++)
        for (ptrdiff_t j = 0; j < k; j++, pair++) {
            vd total = splat(0.0);
            for (ptrdiff_t i = 0; i < K; i += FA_LANES) {
                vd rate = load(s->w + i) * piece(s->pi, K, k, i) * piece(s->pi, K, j, i);
                store(s->pairs + pair * K + i, rate);
                total += rate;
            }
            s->sums->hessian[(pair + 1) * s->entries * s->entries - 1] += sum_of_lanes(total);
        }
    columns_to_panels(s->pairs, pair, K, s->gains, s->pair_panels);
    columns_to_panels(s->z, m, K, s->gains, s->plain);
    multiply_panels(s->pair_panels, panels_of(pair), K * PANEL, s->plain, panels_of(m), K * PANEL,
                    K, s->last);
}

/* The Hessian's matrices out of tiles. */
static void finish_pairs(const fa_softmax_pass *s)
{
    ptrdiff_t c = s->entries, width = s->width, size = size_of_tiles(panels_of(width));
    ptrdiff_t across = panels_of(width) * TILE, pairs = s->classes * (s->classes - 1) / 2;
    for (ptrdiff_t pair = 0; pair < pairs; pair++) {
        double *out = s->sums->hessian + pair * c * c;
        add_tiles(s->tiles + pair * size, width, c, out);
        const double *from = s->last + pair / PANEL * across + pair % PANEL * PANEL;
        for (ptrdiff_t j = 0; j < width && width < c; j++)
            out[width * c + j] += from[j / PANEL * TILE + j % PANEL];
    }
}

/* --- blocks -------------------------------------------------------------------------------- */

static void fill_softmax_block(fa_softmax_pass *s, ptrdiff_t start, ptrdiff_t k)
{
    ptrdiff_t m = s->x->m, K = s->K = filled_up(k);
    load_by_columns(s->x, start, k, K, s->shift, s->inverse_scale, s->z);
    for (ptrdiff_t i = m * K; i < s->entries * K; i++)
        s->z[i] = 1.0;
    for (ptrdiff_t i = 0; i < K; i++) {
        ptrdiff_t row = start + (i < k ? i : k - 1);
        s->y[i] = s->x->y[row];
        s->w[i] = i >= k ? 0.0 : s->x->weight ? s->x->weight[row] : 1.0;
    }
    if (s->need & (NEED_NORM | NEED_YARDSTICK))
        norms_of_block(s->x, start, k, K, s->z, s->norm_of, s->buffer, s->norms);
    multiply_columns(s->coef, s->classes, s->entries, s->entries, 1, s->z, K, s->pi);
}

static int run_softmax_pass(fa_softmax_pass *s, ptrdiff_t rows)
{
    ptrdiff_t classes = s->classes, entries = s->entries;
    for (ptrdiff_t start = 0; start < s->x->n; start += rows) {
        ptrdiff_t k = s->x->n - start < rows ? s->x->n - start : rows;
        fill_softmax_block(s, start, k);
        add_softmax_losses(s, k);
        if (s->need & NEED_MIXED && add_softmax_mixed(s, k))
            return -1;
        if (s->need & NEED_HESSIAN) {
            add_pairs(s);
            if (s->width < s->entries)
                add_last_rows(s);
        }
        if (s->need & NEED_GRADIENT) {
            weigh(NULL, s->a, s->w, classes, s->K, s->q);
            add_row_products(s->q, classes, s->z, entries, s->K,
                             s->sums->vectors + V_F * classes * entries, entries);
        }
    }
    return 0;
}

int FA_NAME(fa_softmax_sums)(
    const fa_rows *x, const double *coef, ptrdiff_t classes, ptrdiff_t c, const double *shift,
    const double *inverse_scale, const fa_norm_of *norm_of, const fa_attack *attack,
    double exponent, int need, const fa_sums *sums)
{
    enum { OF_CLASSES = 3, OF_ROWS = 9 };
    ptrdiff_t m = x->m, pairs = need & NEED_HESSIAN ? classes * (classes - 1) / 2 : 0;
    ptrdiff_t width = panels_of(m) < panels_of(c) ? m : c, filled = filled_up(width);
    ptrdiff_t panels = pairs ? classes * filled : 0;
    ptrdiff_t last = pairs && width < c ? filled_up(pairs) : 0;
    ptrdiff_t columns = 2 * c + 3 * classes + (need & NEED_MIXED ? 3 * m : 0) + panels;
    ptrdiff_t rows = between(64, SOFTMAX_DOUBLES / columns, 1024);
    rows = rows < filled_up(x->n) ? rows : filled_up(x->n);
    ptrdiff_t tiles = pairs * size_of_tiles(panels_of(width)) + last * filled;
    ptrdiff_t of_last = last ? 2 * last + filled : 0;
    ptrdiff_t doubles = (2 * c + m + OF_CLASSES * classes + OF_ROWS + panels + of_last) * rows
        + filled_up(m) + tiles;
    double *memory = fa_borrow((size_t)doubles * sizeof(double)), *at = memory;
    if (!memory)
        return -1;
    fa_softmax_pass s = {
        .x = x, .coef = coef, .shift = shift, .inverse_scale = inverse_scale, .norm_of = norm_of,
        .attack = attack, .sums = sums, .classes = classes, .entries = c, .width = width,
        .exponent = exponent, .need = need};
    s.z = take(&at, c * rows);
    s.phi = take(&at, c * rows);
    s.g = take(&at, m * rows);
    double **of_classes[OF_CLASSES] = {&s.pi, &s.a, &s.q};
    for (int i = 0; i < OF_CLASSES; i++)
        *of_classes[i] = take(&at, classes * rows);
    double **of_rows[OF_ROWS] = {&s.y, &s.w, &s.norms, &s.losses, &s.slopes, &s.wrong, &s.gains,
                                 &s.ties, &s.rates};
    for (int i = 0; i < OF_ROWS; i++)
        *of_rows[i] = take(&at, rows);
    s.buffer = take(&at, m);
    s.panels = take(&at, panels * rows);
    if (last) {
        s.pairs = take(&at, last * rows);
        s.pair_panels = take(&at, last * rows);
        s.plain = take(&at, filled * rows);
    }
    s.tiles = at;
    s.last = at + tiles - last * filled;
    memset(at, 0, (size_t)tiles * sizeof(double));
    int failed = run_softmax_pass(&s, rows);
    if (pairs)
        finish_pairs(&s);
    fa_give_back(memory);
    return failed;
}

#endif
