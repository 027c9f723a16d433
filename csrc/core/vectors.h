/* Vectors of doubles by the compiler's own vector types: one source for every instruction set.

   A file isa_*.c says how many lanes there are (FA_LANES), how many rows of a product are kept
   in registers (FA_TILE_ROWS) and how many panels beside them (FA_TILE_PANELS), switches the
   compiler to its instruction set and includes the operations. Nothing here is an intrinsic:
   the same lines become AVX-512, AVX2, SSE2 or NEON.

   Blocks of rows are stored in *panels*: 8 columns, a row after the other (64 bytes, a cache line
   each), the last panel filled up with zeros. Every loop then runs over whole vectors. */
#ifndef FASTAIF_VECTORS_H
#define FASTAIF_VECTORS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PANEL 8
#define VECTORS_OF_PANEL (PANEL / FA_LANES)
#define INLINE static inline __attribute__((always_inline))

INLINE ptrdiff_t filled_up(ptrdiff_t count)
{
    return (count + PANEL - 1) / PANEL * PANEL;
}

typedef double vd __attribute__((vector_size(8 * FA_LANES)));
typedef int64_t vl __attribute__((vector_size(8 * FA_LANES)));
/* The same, wherever it lies in memory. */
typedef double vd_anywhere __attribute__((vector_size(8 * FA_LANES), aligned(8), may_alias));
typedef float vf_anywhere __attribute__((vector_size(4 * FA_LANES), aligned(4), may_alias));

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vl){__VA_ARGS__})
#endif

INLINE vd splat(double a) { return a - (vd){0.0}; }
INLINE vd load(const double *p) { return *(const vd_anywhere *)p; }
INLINE void store(double *p, vd a) { *(vd_anywhere *)p = a; }
INLINE vd load_single(const float *p)
{
    return __builtin_convertvector(*(const vf_anywhere *)p, vd);
}

INLINE vd choose(vl mask, vd yes, vd no)
{
    return (vd)((mask & (vl)yes) | (~mask & (vl)no));
}
INLINE vd keep(vl mask, vd a) { return (vd)(mask & (vl)a); }
INLINE vd magnitude(vd a) { return (vd)((vl)a & INT64_MAX); }
INLINE vd with_sign_of(vd a, vd sign)
{
    return (vd)(((vl)a & INT64_MAX) | ((vl)sign & INT64_MIN));
}
/* Not the instruction max: a NaN in either must come out. */
INLINE vd larger(vd a, vd b) { return choose((a <= b) | (b != b), b, a); }

/* No compiler has a root for its vector types, but every one turns this loop into one. */
INLINE vd root(vd a)
{
    vd out;
    for (int l = 0; l < FA_LANES; l++)
        out[l] = sqrt(a[l]);
    return out;
}

INLINE double sum_of_lanes(vd a)
{
    double lanes[FA_LANES];
    store(lanes, a);
    for (int half = FA_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

INLINE double largest_lane(vd a)
{
    double largest = a[0];
    for (int l = 1; l < FA_LANES; l++)
        if (a[l] > largest || isnan(a[l]))
            largest = a[l];
    return largest;
}

/* FA_LANES vectors, whose lanes become vectors. */
INLINE void transpose(vd *a)
{
#if FA_LANES == 2
    vd first = SHUFFLE(a[0], a[1], 0, 2);
    a[1] = SHUFFLE(a[0], a[1], 1, 3);
    a[0] = first;
#elif FA_LANES == 4
    vd b[4];
    for (int i = 0; i < 4; i += 2) {
        b[i] = SHUFFLE(a[i], a[i + 1], 0, 4, 2, 6);
        b[i + 1] = SHUFFLE(a[i], a[i + 1], 1, 5, 3, 7);
    }
    for (int i = 0; i < 2; i++) {
        a[i] = SHUFFLE(b[i], b[i + 2], 0, 1, 4, 5);
        a[i + 2] = SHUFFLE(b[i], b[i + 2], 2, 3, 6, 7);
    }
#elif FA_LANES == 8
    vd b[8], c[8];
    for (int i = 0; i < 8; i += 2) {
        b[i] = SHUFFLE(a[i], a[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        b[i + 1] = SHUFFLE(a[i], a[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = i; j < i + 2; j++) {
            c[j] = SHUFFLE(b[j], b[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            c[j + 2] = SHUFFLE(b[j], b[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int i = 0; i < 4; i++) {
        a[i] = SHUFFLE(c[i], c[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        a[i + 4] = SHUFFLE(c[i], c[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#endif
}

/* The vector whose lane l is the sum of the lanes of a[l]: a transposition that adds. */
INLINE vd sums_of_rows(const vd *a)
{
#if FA_LANES == 2
    return SHUFFLE(a[0], a[1], 0, 2) + SHUFFLE(a[0], a[1], 1, 3);
#elif FA_LANES == 4
    vd b[2];
    for (int i = 0; i < 2; i++)
        b[i] = SHUFFLE(a[2 * i], a[2 * i + 1], 0, 4, 2, 6)
            + SHUFFLE(a[2 * i], a[2 * i + 1], 1, 5, 3, 7);
    return SHUFFLE(b[0], b[1], 0, 1, 4, 5) + SHUFFLE(b[0], b[1], 2, 3, 6, 7);
#elif FA_LANES == 8
    vd b[4], c[2];
    for (int i = 0; i < 4; i++)
        b[i] = SHUFFLE(a[2 * i], a[2 * i + 1], 0, 8, 2, 10, 4, 12, 6, 14)
            + SHUFFLE(a[2 * i], a[2 * i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    for (int i = 0; i < 2; i++)
        c[i] = SHUFFLE(b[2 * i], b[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13)
            + SHUFFLE(b[2 * i], b[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    return SHUFFLE(c[0], c[1], 0, 1, 2, 3, 8, 9, 10, 11)
        + SHUFFLE(c[0], c[1], 4, 5, 6, 7, 12, 13, 14, 15);
#endif
}

#endif
