/* Draws of the Bayesian bootstrap in panels: 8 draws a panel, a row after the other.

   Everything of a draw (weights, predictions, derivatives) lies so: a lane is a draw, the rows of a
   block follow one another, and a panel of draws times the panels of the block's columns is a
   product of products.h. Weights that are kept from pass to pass lie so too, all rows of 8 draws
   before those of the next 8. The lanes that fill up the last panel repeat its last draw, and are
   left out where sums are handed over. */
#ifndef FASTAIF_DRAWS_H
#define FASTAIF_DRAWS_H

#include "operations.h"
#include "core/philox.h"

typedef struct {
    const fa_draws *all;
    ptrdiff_t panels;
} fa_drawn;

static fa_drawn drawn(const fa_draws *all)
{
    return (fa_drawn){all, (all->count + PANEL - 1) / PANEL};
}

/* The draw of a lane, by its place in the list. */
INLINE ptrdiff_t lane(const fa_drawn *d, ptrdiff_t panel, ptrdiff_t l)
{
    ptrdiff_t place = panel * PANEL + l;
    return place < d->all->count ? place : d->all->count - 1;
}

/* Where the weights kept of a panel begin, if they are one panel of those kept; else null. */
static double *kept_panel(const fa_drawn *d, ptrdiff_t panel)
{
    const fa_draws *all = d->all;
    ptrdiff_t first = all->places[panel * PANEL];
    if (first % PANEL)
        return NULL;
    for (ptrdiff_t l = 0; l < PANEL && panel * PANEL + l < all->count; l++)
        if (all->places[panel * PANEL + l] != first + l)
            return NULL;
    return all->kept + first * all->n_kept;
}

/* Random weights of k rows from row `first` on, times the samples' weights, if there are any. */
static void draw_panel(
    const fa_drawn *d, ptrdiff_t panel, ptrdiff_t first, ptrdiff_t k, const double *weight,
    double *out)
{
    ptrdiff_t ahead = first % ROWS_OF_COUNTER;
    vu four = {0};
    four += (uint64_t)(first / ROWS_OF_COUNTER);
    fa_keys keys = keys_of(d->all->seed, BOOTSTRAP_WEIGHTS);
    for (int c = 0; c < PANEL; c += FA_LANES) {
        vu numbers;
        for (int l = 0; l < FA_LANES; l++)
            numbers[l] = (uint64_t)d->all->numbers[lane(d, panel, c + l)];
        for (ptrdiff_t row = -ahead; row < k; row += ROWS_OF_COUNTER) {
            vd fresh[ROWS_OF_COUNTER];
            exponentials(&keys, four + (uint64_t)((row + ahead) / ROWS_OF_COUNTER), numbers, fresh);
            for (ptrdiff_t i = 0; i < ROWS_OF_COUNTER; i++)
                if (row + i >= 0 && row + i < k)
                    store(out + (row + i) * PANEL + c,
                          weight ? fresh[i] * weight[row + i] : fresh[i]);
        }
    }
}

/* New weights of k rows from row `first` on for all draws, in the first pass, which keeps them if
   there is room. Returns where they are, panels `apart` doubles from one another. */
static const double *first_weights(
    const fa_drawn *d, ptrdiff_t first, ptrdiff_t k, const double *weight, double *scratch,
    ptrdiff_t *apart)
{
    const fa_draws *all = d->all;
    double *out = all->kept ? all->kept + first * PANEL : scratch;
    *apart = all->kept ? all->n_kept * PANEL : (k + 1) * PANEL;
    for (ptrdiff_t panel = 0; panel < d->panels; panel++)
        draw_panel(d, panel, first, k, weight, out + panel * *apart);
    return out;
}

/* The weights of a panel in later passes, perhaps of some of the draws. */
static const double *weights_again(
    const fa_drawn *d, ptrdiff_t panel, ptrdiff_t first, ptrdiff_t k, const double *weight,
    double *scratch)
{
    const fa_draws *all = d->all;
    if (!all->kept) {
        draw_panel(d, panel, first, k, weight, scratch);
        return scratch;
    }
    const double *kept = kept_panel(d, panel);
    if (kept)
        return kept + first * PANEL;
    for (ptrdiff_t l = 0; l < PANEL; l++) {
        ptrdiff_t place = all->places[lane(d, panel, l)];
        const double *from = all->kept + place / PANEL * PANEL * all->n_kept + place % PANEL;
        for (ptrdiff_t i = 0; i < k; i++)
            scratch[i * PANEL + l] = from[(first + i) * PANEL];
    }
    return scratch;
}

#endif
