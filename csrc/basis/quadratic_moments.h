/* Fourth moments of quadratic models: sums of w u_p u_q u_r u_s, p <= q <= r <= s and u_0 = 1.

   A block of rows becomes two sets of panels: the weighted pairs (p, q), ordered by q, and the
   pairs (r, s), ordered by r. The values of r are cut into parts, each of which begins a panel of
   its own; a part that ends before `stop` is multiplied with the pairs of q < stop, a prefix of the
   others, so that hardly a product is made that another part has too. Where to cut is chosen so
   that the products' register tiles, panels filled up included, are fewest.

   The moments are handed over as numba_ops/quadratic_moments.py lays them out: a matrix for
   each MOMENT_GROUP of values of r, of all pairs of q up to the group's end by the group's pairs. */
#ifndef FASTAIF_QUADRATIC_MOMENTS_H
#define FASTAIF_QUADRATIC_MOMENTS_H

#include "linear/linear_sums.h"

#define MOST_MOMENT_ROWS 88

typedef struct {
    ptrdiff_t first, stop;   /* values of r */
    ptrdiff_t left, right;   /* panels */
    ptrdiff_t place, tiles;  /* of the first right panel, and of the first tile */
} fa_part;

typedef struct {
    ptrdiff_t count, n_parts; /* m + 1 */
    ptrdiff_t left, right, tiles;
    fa_part *parts;
} fa_plan;

static ptrdiff_t pairs_before(ptrdiff_t stop) { return stop * (stop + 1) / 2; }
/* The place of (r, r) among pairs ordered by their smaller index. */
static ptrdiff_t row_of_pairs(ptrdiff_t r, ptrdiff_t count) { return r * count - r * (r - 1) / 2; }

/* The cheapest cuts of 0 .. count: cost[b] and before[b] of a part that ends at b. */
static void cut(ptrdiff_t count, ptrdiff_t *cost, ptrdiff_t *before)
{
    cost[0] = 0;
    for (ptrdiff_t b = 1; b <= count; b++) {
        cost[b] = PTRDIFF_MAX;
        for (ptrdiff_t a = b - 1; a >= 0; a--) {
            ptrdiff_t columns = row_of_pairs(b, count) - row_of_pairs(a, count);
            ptrdiff_t now = cost[a] + panels_of(pairs_before(b)) * panels_of(columns);
            if (now < cost[b]) {
                cost[b] = now;
                before[b] = a;
            }
        }
    }
}

static int make_plan(fa_plan *plan, ptrdiff_t m)
{
    ptrdiff_t count = m + 1;
    ptrdiff_t *scratch = malloc(2 * (size_t)(count + 1) * sizeof *scratch);
    plan->parts = malloc((size_t)count * sizeof *plan->parts);
    if (!scratch || !plan->parts) {
        free(scratch);
        free(plan->parts);
        return -1;
    }
    ptrdiff_t *before = scratch + count + 1;
    cut(count, scratch, before);
    plan->count = count;
    plan->n_parts = plan->right = plan->tiles = 0;
    for (ptrdiff_t b = count; b > 0; b = before[b])
        plan->n_parts++;
    for (ptrdiff_t b = count, i = plan->n_parts; b > 0; b = before[b]) {
        plan->parts[--i].first = before[b];
        plan->parts[i].stop = b;
    }
    for (fa_part *p = plan->parts; p < plan->parts + plan->n_parts; p++) {
        p->left = panels_of(pairs_before(p->stop));
        p->right = panels_of(row_of_pairs(p->stop, count) - row_of_pairs(p->first, count));
        p->place = plan->right;
        p->tiles = plan->tiles;
        plan->right += p->right;
        plan->tiles += p->left * p->right;
    }
    plan->left = panels_of(pairs_before(count));
    free(scratch);
    return 0;
}

/* 1 and the scaled inputs of a row; what fills up the last vector stays zero. */
static void load_row(
    const fa_rows *x, ptrdiff_t row, const double *shift, const double *inverse_scale, double *u)
{
    u[0] = 1.0;
    for (ptrdiff_t j = 0; j < x->m; j++) {
        ptrdiff_t at = row * x->m + j;
        u[1 + j] = x->singles ? (double)x->singles[at] : x->doubles[at];
        if (shift)
            u[1 + j] = (u[1 + j] - shift[j]) * inverse_scale[j];
    }
}

/* Products of u[q] with vectors of u: what is written beyond an end is overwritten by the next. */
static void pairs_of_row(const fa_plan *plan, const double *u, double w, double *left, double *right)
{
    ptrdiff_t count = plan->count;
    for (ptrdiff_t q = 0; q < count; q++) {
        double *out = left + pairs_before(q);
        vd first = splat(w * u[q]);
        for (ptrdiff_t p = 0; p <= q; p += FA_LANES)
            store(out + p, first * load(u + p));
    }
    for (const fa_part *part = plan->parts; part < plan->parts + plan->n_parts; part++) {
        double *out = right + part->place * PANEL;
        for (ptrdiff_t r = part->first; r < part->stop; r++) {
            vd first = splat(u[r]);
            for (ptrdiff_t s = r; s < count; s += FA_LANES)
                store(out + s - r, first * load(u + s));
            out += count - r;
        }
    }
}

static void multiply_parts(
    const fa_plan *plan, const double *left, const double *right, ptrdiff_t stride, ptrdiff_t k,
    double *tiles)
{
    fa_ahead nothing = {NULL, 0, LINE};
    for (const fa_part *p = plan->parts; p < plan->parts + plan->n_parts; p++)
        for (ptrdiff_t i = 0; i < p->left; i++)
            panel_by_panels(
                left + i * stride, right + p->place * stride, p->right, stride, k,
                tiles + (p->tiles + i * p->right) * TILE, &nothing);
}

/* Add the tiles to the moments, group by group of their layout. */
static void add_moments(const fa_plan *plan, const double *tiles, double *moments)
{
    ptrdiff_t count = plan->count, offset = 0;
    const fa_part *part = plan->parts;
    for (ptrdiff_t start = 0; start < count; start += MOMENT_GROUP) {
        ptrdiff_t stop = start + MOMENT_GROUP < count ? start + MOMENT_GROUP : count;
        ptrdiff_t columns = row_of_pairs(stop, count) - row_of_pairs(start, count);
        for (ptrdiff_t r = start; r < stop; r++) {
            while (r >= part->stop)
                part++;
            ptrdiff_t from = row_of_pairs(r, count) - row_of_pairs(part->first, count);
            ptrdiff_t to = row_of_pairs(r, count) - row_of_pairs(start, count);
            /* With q > r a product is another group's, or part's. */
            for (ptrdiff_t left = 0; left < pairs_before(r + 1); left++) {
                const double *row = tiles
                    + (part->tiles + left / PANEL * part->right) * TILE + left % PANEL * PANEL;
                double *out = moments + offset + left * columns + to;
                for (ptrdiff_t s = 0; s < count - r; s++)
                    out[s] += row[(from + s) / PANEL * TILE + (from + s) % PANEL];
            }
        }
        offset += pairs_before(stop) * columns;
    }
}

int FA_NAME(fa_quadratic_moments)(
    const fa_rows *x, const double *shift, const double *inverse_scale, const double *weights,
    double *moments)
{
    fa_plan plan;
    if (make_plan(&plan, x->m))
        return -1;
    /* Not a power of two of bytes between panels: their lines would share a few sets of the cache. */
    ptrdiff_t rows = x->n < MOST_MOMENT_ROWS ? filled_up(x->n) : MOST_MOMENT_ROWS;
    ptrdiff_t stride = rows * PANEL, panels = plan.left + plan.right;
    ptrdiff_t doubles = panels * stride + plan.tiles * TILE + (panels + 2) * PANEL
        + filled_up(plan.count) + PANEL;
    double *memory = aligned_alloc(LINE, (size_t)doubles * sizeof(double));
    if (!memory) {
        free(plan.parts);
        return -1;
    }
    memset(memory, 0, (size_t)doubles * sizeof(double));
    double *left = memory, *right = left + plan.left * stride, *tiles = right + plan.right * stride;
    double *first = tiles + plan.tiles * TILE, *second = first + (plan.left + 1) * PANEL;
    double *u = second + (plan.right + 1) * PANEL;
    for (ptrdiff_t start = 0; start < x->n; start += rows) {
        ptrdiff_t k = x->n - start < rows ? x->n - start : rows;
        for (ptrdiff_t i = 0; i < k; i++) {
            load_row(x, start + i, shift, inverse_scale, u);
            pairs_of_row(&plan, u, weights[start + i], first, second);
            into_panels(first, plan.left, stride, i, left);
            into_panels(second, plan.right, stride, i, right);
        }
        multiply_parts(&plan, left, right, stride, k, tiles);
    }
    add_moments(&plan, tiles, moments);
    free(memory);
    free(plan.parts);
    return 0;
}

#endif
