/* Stage 3: the symmetric product of a block in panels, V'V, a register tile at a time.

   H is kept while rows are read as tiles of 8 x 8 doubles, tile (I, J) with J <= I at
   I (I + 1) / 2 + J: a tile is eight cache lines, and the tiles of one row of tiles follow one
   another. Its last rows and columns are those of the zeros that fill up the last panel.

   The innermost loop takes a row of the block: FA_TILE_ROWS numbers of panel I, each spread over a
   vector, times FA_TILE_PANELS panels J, J + 1, ... All sums stay in registers for as many rows as
   the block has. Both panels are read straight through, a cache line a row. */
#ifndef FASTAIF_PRODUCTS_H
#define FASTAIF_PRODUCTS_H

#include "core/vectors.h"

#define TILE (PANEL * PANEL)

/* What the next block will read, fetched into the second-level cache while this block's product
   keeps the arithmetic busy: `pace` bytes for each row of a tile, at most a cache line, so that
   memory is read all the time and not all at once. */
#define LINE 64
typedef struct {
    const char *next;
    ptrdiff_t bytes, pace;
} fa_ahead;

/* The number of tiles that `add_product` goes through. */
static ptrdiff_t count_tiles(ptrdiff_t panels)
{
    ptrdiff_t count = 0;
    for (ptrdiff_t I = 0; I < panels; I++)
        count += (I + FA_TILE_PANELS) / FA_TILE_PANELS * (PANEL / FA_TILE_ROWS);
    return count;
}

static fa_ahead paced(const char *next, ptrdiff_t bytes, ptrdiff_t panels, ptrdiff_t k)
{
    ptrdiff_t pace = bytes / (count_tiles(panels) * k) + 1;
    return (fa_ahead){next, bytes, pace < LINE ? pace : LINE};
}

INLINE void tile(
    const double *a, const double *b, ptrdiff_t stride, ptrdiff_t k, double *h, int panels, int top,
    fa_ahead *ahead)
{
    enum { ROWS = FA_TILE_ROWS, MOST = FA_TILE_PANELS * VECTORS_OF_PANEL };
    const int width = panels * VECTORS_OF_PANEL;
    vd sums[ROWS][MOST];
#pragma GCC unroll 8
    for (int t = 0; t < ROWS; t++)
#pragma GCC unroll 8
        for (int c = 0; c < width; c++)
            sums[t][c] = splat(0.0);
    const char *fetch = (const char *)a; /* where nothing is left: what is there already */
    const ptrdiff_t pace = ahead->pace;
    if (pace * k <= ahead->bytes) {
        fetch = ahead->next;
        ahead->next += pace * k;
        ahead->bytes -= pace * k;
    }
    for (ptrdiff_t r = 0; r < k; r++) {
        __builtin_prefetch(fetch + pace * r, 0, 2);
        vd right[MOST];
#pragma GCC unroll 8
        for (int c = 0; c < width; c++)
            right[c] = load(
                b + c / VECTORS_OF_PANEL * stride + r * PANEL + c % VECTORS_OF_PANEL * FA_LANES);
#pragma GCC unroll 8
        for (int t = 0; t < ROWS; t++) {
            vd left = splat(a[r * PANEL + top + t]);
#pragma GCC unroll 8
            for (int c = 0; c < width; c++)
                sums[t][c] += left * right[c];
        }
    }
#pragma GCC unroll 8
    for (int t = 0; t < ROWS; t++)
#pragma GCC unroll 8
        for (int c = 0; c < width; c++) {
            double *out = h + c / VECTORS_OF_PANEL * TILE + (top + t) * PANEL
                + c % VECTORS_OF_PANEL * FA_LANES;
            store(out, load(out) + sums[t][c]);
        }
}

#define TILES(panels)                                                                              \
    static __attribute__((noinline)) void tiles_of_##panels(                                       \
        const double *a, const double *b, ptrdiff_t stride, ptrdiff_t k, double *h,                \
        fa_ahead *ahead)                                                                           \
    {                                                                                              \
        for (int top = 0; top < PANEL; top += FA_TILE_ROWS)                                        \
            tile(a, b, stride, k, h, panels, top, ahead);                                          \
    }

TILES(1)
#if FA_TILE_PANELS >= 3
TILES(2)
TILES(3)
#endif

/* How many of `count` panels to take at once: threes, and no single one where two twos will do. */
static ptrdiff_t group_of_panels(ptrdiff_t count)
{
#if FA_TILE_PANELS >= 3
    return count >= 3 && count != 4 ? 3 : count >= 2 ? 2 : 1;
#else
    (void)count;
    return 1;
#endif
}

/* A panel by `count` others, their tiles one after the other. */
static void panel_by_panels(
    const double *a, const double *b, ptrdiff_t count, ptrdiff_t stride, ptrdiff_t k, double *out,
    fa_ahead *ahead)
{
    while (count > 0) {
        ptrdiff_t some = group_of_panels(count);
#if FA_TILE_PANELS >= 3
        if (some == 3)
            tiles_of_3(a, b, stride, k, out, ahead);
        else if (some == 2)
            tiles_of_2(a, b, stride, k, out, ahead);
        else
#endif
            tiles_of_1(a, b, stride, k, out, ahead);
        b += some * stride;
        out += some * TILE;
        count -= some;
    }
}

/* h += V'V for a block of `panels` panels, `stride` doubles apart, of k rows each. */
static void add_product(
    const double *v, ptrdiff_t panels, ptrdiff_t stride, ptrdiff_t k, double *h, fa_ahead ahead)
{
    for (ptrdiff_t I = 0; I < panels; I++)
        panel_by_panels(
            v + I * stride, v, I + 1, stride, k, h + I * (I + 1) / 2 * TILE, &ahead);
}

/* tiles (n_left, n_right) += panels on the left by panels on the right, where a group of them stays
   in the first-level cache meanwhile. Panels are `apart` and `stride` doubles from one another. */
static void multiply_panels(
    const double *left, ptrdiff_t n_left, ptrdiff_t apart, const double *right, ptrdiff_t n_right,
    ptrdiff_t stride, ptrdiff_t k, double *tiles)
{
    fa_ahead nothing = {NULL, 0, LINE};
    for (ptrdiff_t j = 0, some; j < n_right; j += some) {
        some = group_of_panels(n_right - j);
        for (ptrdiff_t i = 0; i < n_left; i++)
            panel_by_panels(left + i * apart, right + j * stride, some, stride, k,
                            tiles + (i * n_right + j) * TILE, &nothing);
    }
}

/* A row's numbers into its place in the panels. */
static void into_panels(
    const double *from, ptrdiff_t panels, ptrdiff_t stride, ptrdiff_t row, double *to)
{
    for (ptrdiff_t i = 0; i < panels; i++)
        for (ptrdiff_t c = 0; c < PANEL; c += FA_LANES)
            store(to + i * stride + row * PANEL + c, load(from + i * PANEL + c));
}

static ptrdiff_t panels_of(ptrdiff_t entries) { return (entries + PANEL - 1) / PANEL; }

static ptrdiff_t size_of_tiles(ptrdiff_t panels)
{
    return panels * (panels + 1) / 2 * TILE;
}

/* Add the tiles to the lower triangle of an (m, m) array, whose rows are `stride` apart. */
static void add_tiles(const double *h, ptrdiff_t m, ptrdiff_t stride, double *hessian)
{
    for (ptrdiff_t i = 0; i < m; i++) {
        ptrdiff_t I = i / PANEL;
        const double *from = h + I * (I + 1) / 2 * TILE + i % PANEL * PANEL;
        double *to = hessian + i * stride;
        for (ptrdiff_t j = 0; j < I * PANEL; j += PANEL, from += TILE)
            for (ptrdiff_t c = 0; c < PANEL; c += FA_LANES)
                store(to + j + c, load(to + j + c) + load(from + c));
        for (ptrdiff_t j = I * PANEL; j <= i; j++)
            to[j] += from[j - I * PANEL];
    }
}

#endif
