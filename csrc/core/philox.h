/* Random numbers: the counterpart of numba_ops/philox.py, whose numbers these are.

   The weights of the Bayesian bootstrap come in vectors, a draw or a counter a lane: Philox 4x32
   with ten rounds gives the numbers of four rows for one counter (row / 4, 0, draw). Starts of
   attacks are few, and come one by one. */
#ifndef FASTAIF_PHILOX_H
#define FASTAIF_PHILOX_H

#include "core/elementary.h"

#define ROWS_OF_COUNTER 4
#define ATTACK_STARTS 1 /* the purposes, of numba_ops/philox.py */
#define SMOOTHING_NOISE 3
#define HESSIAN_ROWS 4
#define BOOTSTRAP_WEIGHTS 8

typedef uint64_t vu __attribute__((vector_size(8 * FA_LANES)));

#define LOW_WORD 0xFFFFFFFFu

/* The high and low words of a product of words. */
INLINE vu high_word(vu product) { return product >> 32; }
INLINE vu low_word(vu product) { return product & (uint64_t)LOW_WORD; }

/* -log of the uniform number (word + 1/2) / 2^32. */
INLINE vd exponential_of(vu word)
{
    /* The word in the low bits of 2^52 + word. */
    vd whole = (vd)(word | (uint64_t)0x4330000000000000) - 4503599627370496.0;
    return negative_log((whole + 0.5) * 0x1p-32);
}

#define ROUNDS 10

/* The two keys of every round; in memory, where vectors find them. */
typedef struct {
    uint64_t first[ROUNDS], second[ROUNDS];
} fa_keys;

static fa_keys keys_of(uint64_t seed, uint32_t purpose)
{
    fa_keys keys;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32) ^ purpose;
    for (int round = 0; round < ROUNDS; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        keys.first[round] = k0;
        keys.second[round] = k1;
    }
    return keys;
}

/* Standard exponential numbers of ROWS_OF_COUNTER rows from row 4 `four` on, lane by lane. */
INLINE void exponentials(const fa_keys *keys, vu four, vu draws, vd *out)
{
    const uint64_t m0 = 0xD2511F53, m1 = 0xCD9E8D57;
    vu c0 = low_word(four), c1 = high_word(four), c2 = draws ^ draws, c3 = draws;
#pragma GCC unroll 10
    for (int round = 0; round < ROUNDS; round++) {
        vu p0 = m0 * c0, p1 = m1 * c2;
        c0 = high_word(p1) ^ c1 ^ keys->first[round];
        c2 = high_word(p0) ^ c3 ^ keys->second[round];
        c1 = low_word(p1);
        c3 = low_word(p0);
    }
    out[0] = exponential_of(c0);
    out[1] = exponential_of(c1);
    out[2] = exponential_of(c2);
    out[3] = exponential_of(c3);
}

/* A counter of four words becomes four random words. */
static void philox(const fa_keys *keys, uint64_t *c)
{
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = 0xD2511F53 * c[0], p1 = 0xCD9E8D57 * c[2];
        c[0] = (p1 >> 32) ^ c[1] ^ keys->first[round];
        c[2] = (p0 >> 32) ^ c[3] ^ keys->second[round];
        c[1] = p1 & LOW_WORD;
        c[3] = p0 & LOW_WORD;
    }
}

#endif
