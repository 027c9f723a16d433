/* exp, log and log1p of vectors, at most 2 units in the last place from the true values.

   exp: x = n ln 2 + r with |r| <= ln(2)/2, e^r by its Taylor polynomial of degree 13 (remainder
   4e-18 of the value), and 2^n in two factors, so that results may be subnormal. NaN stays NaN.

   log1p, for arguments from 0 to 1 only: above sqrt(2) - 1, 1 + e = 2 (1 + z) with z = (e - 1)/2;
   log(1 + z) = 2 artanh(s), s = z / (2 + z), |s| <= .172, by the series up to s^23.

   -log, for normal numbers above 0: u = 2^n t with t from sqrt(1/2) to sqrt(2), and log t as log1p
   has it. */
#ifndef FASTAIF_ELEMENTARY_H
#define FASTAIF_ELEMENTARY_H

#include "core/vectors.h"

/* 2^n for whole numbers n from -1022 to 1023. */
INLINE vd power_of_two(vd n)
{
    /* Adding 1.5 * 2^52 leaves n in the low bits; what is above them is shifted out. */
    vl bits = (vl)(n + 6755399441055744.0);
    return (vd)((bits + 1023) << 52);
}

INLINE vd rounded(vd a)
{
    const double shifter = 6755399441055744.0; /* 1.5 * 2^52 */
    return (a + shifter) - shifter;
}

/* What is left of x once n ln 2 are taken off: ln 2 comes in two parts, the first of which has 21
   zero bits at its end, so that its multiples are exact. */
INLINE vd less_multiples_of_ln2(vd x, vd n)
{
    return (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
}

/* e^r - 1 for |r| <= ln(2)/2. */
INLINE vd exp_less_one(vd r)
{
    vd s = r * r;
    vd even = s * (1.0 / 479001600.0) + 1.0 / 3628800.0;
    even = even * s + 1.0 / 40320.0;
    even = even * s + 1.0 / 720.0;
    even = even * s + 1.0 / 24.0;
    even = even * s + 0.5;
    vd odd = s * (1.0 / 6227020800.0) + 1.0 / 39916800.0;
    odd = odd * s + 1.0 / 362880.0;
    odd = odd * s + 1.0 / 5040.0;
    odd = odd * s + 1.0 / 120.0;
    odd = odd * s + 1.0 / 6.0;
    return r + s * (even + r * odd);
}

INLINE vd exp_vector(vd x)
{
    /* Beyond these bounds the result is 0 or infinite, and n would leave its range. */
    vd y = choose(x < -746.0, splat(-746.0), choose(x > 710.0, splat(710.0), x));
    vd n = rounded(y * 1.4426950408889634);
    vd series = 1.0 + exp_less_one(less_multiples_of_ln2(y, n));
    vd half = rounded(0.5 * n);
    return series * power_of_two(half) * power_of_two(n - half);
}

typedef struct {
    vd value, less_one;
} fa_decay;

/* e^-a and e^-a - 1 for a >= 0, both to 2 units in the last place; of a = 708 beyond that and for
   NaN. */
INLINE fa_decay decay(vd a)
{
    vd x = choose(a < 708.0, -a, splat(-708.0)), n = rounded(x * 1.4426950408889634);
    vd series = exp_less_one(less_multiples_of_ln2(x, n)), power = power_of_two(n);
    return (fa_decay){power + power * series, power * series + (power - 1.0)};
}

/* log(1 + z) for z from sqrt(1/2) - 1 to sqrt(2) - 1. */
INLINE vd log1p_near_zero(vd z)
{
    vd s = z / (2.0 + z);
    vd q = s * s;
    vd series = q * (1.0 / 23.0) + 1.0 / 21.0;
    series = series * q + 1.0 / 19.0;
    series = series * q + 1.0 / 17.0;
    series = series * q + 1.0 / 15.0;
    series = series * q + 1.0 / 13.0;
    series = series * q + 1.0 / 11.0;
    series = series * q + 1.0 / 9.0;
    series = series * q + 1.0 / 7.0;
    series = series * q + 1.0 / 5.0;
    series = series * q + 1.0 / 3.0;
    /* 2 s = z - s z, so that 2 artanh(s) = 2 s + 2 s q series is z, which is exact, less a
       small term. */
    return z - s * (z - 2.0 * q * series);
}

INLINE vd log1p_of_unit(vd e)
{
    vl large = e > 0.41421356237309503;
    vd value = log1p_near_zero(choose(large, 0.5 * (e - 1.0), e));
    return choose(large, 0.69314718055994531 + value, value);
}

INLINE vd negative_log(vd u)
{
    const double two52 = 4503599627370496.0;
    vl bits = (vl)u;
    /* The exponent, which is positive, in the low bits of 2^52 + n. */
    vd n = (vd)((bits >> 52) | 0x4330000000000000) - (two52 + 1023.0);
    vd t = (vd)((bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000);
    vl large = t > 1.4142135623730951;
    t = choose(large, 0.5 * t, t);
    n = choose(large, n + 1.0, n);
    return -(n * 0.693147180369123816490
             + (n * 1.90821492927058770002e-10 + log1p_near_zero(t - 1.0)));
}

#endif
