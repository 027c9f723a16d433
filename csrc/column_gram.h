/* H += V V' for features stored by columns, as basis models have them: (d, k), C order.

   The block is turned into panels in stretches of rows that fit the second-level cache, and
   multiplied there (products.h). */
#ifndef FASTAIF_COLUMN_GRAM_H
#define FASTAIF_COLUMN_GRAM_H

#include "linear_sums.h"

/* Rows `first` to `first + k` of all features into panels of `capacity` rows. */
static void turn(
    const double *v, ptrdiff_t d, ptrdiff_t ld, ptrdiff_t first, ptrdiff_t k, ptrdiff_t capacity,
    double *out)
{
    for (ptrdiff_t panel = 0; panel * PANEL < d; panel++) {
        double *to = out + panel * capacity * PANEL;
        ptrdiff_t width = d - panel * PANEL < PANEL ? d - panel * PANEL : PANEL;
        for (ptrdiff_t r = 0; r < k; r++)
            for (ptrdiff_t c = 0; c < width; c++)
                to[r * PANEL + c] = v[(panel * PANEL + c) * ld + first + r];
    }
}

int FA_NAME(fa_add_gram_of_columns)(const double *v, ptrdiff_t d, ptrdiff_t k, double *hessian)
{
    ptrdiff_t panels = (d + PANEL - 1) / PANEL, capacity = rows_of_block(k, panels * PANEL);
    size_t bytes = (size_t)(capacity * panels * PANEL + size_of_tiles(panels)) * sizeof(double);
    double *block = aligned_alloc(64, bytes);
    if (!block)
        return -1;
    memset(block, 0, bytes);
    double *tiles = block + capacity * panels * PANEL;
    fa_ahead nothing = {NULL, 0, LINE};
    for (ptrdiff_t first = 0; first < k; first += capacity) {
        ptrdiff_t rows = k - first < capacity ? k - first : capacity;
        turn(v, d, k, first, rows, capacity, block);
        add_product(block, panels, capacity * PANEL, rows, tiles, nothing);
    }
    add_tiles(tiles, d, hessian);
    free(block);
    return 0;
}

#endif
