/* Random numbers by themselves: the counterparts of `standard_normals` and `random_rows` in
   numba_ops/philox.py and of `bootstrap_weights` in numba_ops/bootstrap_sums.py. Attacks start from
   these normal numbers too. */
#ifndef FASTAIF_RANDOM_NUMBERS_H
#define FASTAIF_RANDOM_NUMBERS_H

#include "operations.h"
#include "core/philox.h"

/* The 53 upper bits of two words, as a whole number. */
INLINE double bits_of(uint64_t high, uint64_t low) { return (double)((high << 32 | low) >> 11); }

/* Standard normal numbers of one row (Box and Muller). */
static void fill_normal(
    uint64_t seed, uint32_t purpose, uint64_t draw, uint64_t row, double *out, ptrdiff_t m)
{
    fa_keys keys = keys_of(seed, purpose);
    for (ptrdiff_t k = 0; k < m; k += 2) {
        uint64_t words[4] = {row & LOW_WORD, row >> 32, (uint64_t)k, draw};
        philox(&keys, words);
        double u = (bits_of(words[0], words[1]) + 0.5) * 0x1p-53;
        double v = (bits_of(words[2], words[3]) + 0.5) * 0x1p-53;
        double size = sqrt(-2.0 * log(u)), angle = 2.0 * M_PI * v;
        out[k] = size * cos(angle);
        if (k + 1 < m)
            out[k + 1] = size * sin(angle);
    }
}

void FA_NAME(fa_standard_normals)(
    uint64_t seed, uint64_t draw, uint64_t first_row, double *out, ptrdiff_t n, ptrdiff_t m)
{
    for (ptrdiff_t i = 0; i < n; i++)
        fill_normal(seed, SMOOTHING_NOISE, draw, first_row + (uint64_t)i, out + i * m, m);
}

void FA_NAME(fa_random_rows)(
    uint64_t seed, uint64_t draw, ptrdiff_t n, int64_t *out, ptrdiff_t count)
{
    fa_keys keys = keys_of(seed, HESSIAN_ROWS);
    for (ptrdiff_t k = 0; k < count; k++) {
        uint64_t words[4] = {(uint64_t)k, 0, 0, draw};
        philox(&keys, words);
        int64_t row = (int64_t)(bits_of(words[0], words[1]) * 0x1p-53 * (double)n);
        out[k] = row < n ? row : n - 1;
    }
}

/* The bits that `draw_panel` gives the same draw; here a counter is a lane. */
void FA_NAME(fa_bootstrap_weights)(
    uint64_t seed, uint64_t draw, uint64_t first_row, double *out, ptrdiff_t k)
{
    enum { ROWS = FA_LANES * ROWS_OF_COUNTER };
    fa_keys keys = keys_of(seed, BOOTSTRAP_WEIGHTS);
    ptrdiff_t ahead = (ptrdiff_t)(first_row % ROWS_OF_COUNTER);
    vu number = {0}, four = {0};
    number += draw;
    for (int l = 0; l < FA_LANES; l++)
        four[l] = first_row / ROWS_OF_COUNTER + (uint64_t)l;
    for (ptrdiff_t row = -ahead; row < k; row += ROWS, four += FA_LANES) {
        vd fresh[ROWS_OF_COUNTER];
        exponentials(&keys, four, number, fresh);
        for (ptrdiff_t i = 0; i < ROWS; i++)
            if (row + i >= 0 && row + i < k)
                out[row + i] = fresh[i % ROWS_OF_COUNTER][i / ROWS_OF_COUNTER];
    }
}

#endif
