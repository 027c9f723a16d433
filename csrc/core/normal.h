/* The standard normal distribution, for the GELU: Phi(z) and its density, of vectors.

   Below zero Phi(-a) = e^(-a^2/2) m(a), m the Mills ratio over sqrt(2 pi), so that the tail keeps its
   relative accuracy. (1 + a) m(a) is smooth in u = ((s - 1) a - 5) / (a + 5), s = 9/4, which takes
   [0, 40] to [-1, 1]: its Chebyshev series of 23 terms, here by powers of u, is true to 1.4e-16; the
   product to 1e-15. Beyond a = 40 all is zero. */
#ifndef FASTAIF_NORMAL_H
#define FASTAIF_NORMAL_H

#include "core/elementary.h"

#define END_OF_TAIL 40.0
#define LOWER_HALF 0x7FFFFFF /* of a number's digits */
#define N_MILLS 23

static const double mills[N_MILLS] = {
    0.47205320650984467, -0.08703312959387328, 0.020043017086170845, 0.0177113932737479,
    -0.0269526765016292, 0.020238004449505416, -0.01026846876644399, 0.0035001388433221594,
    -0.0006124350988543067, -7.872437976811691e-05, 7.276570398295345e-05,
    -8.74012576841676e-06, -5.4092175760271364e-06, 1.6109018260677874e-06,
    4.0551413146584106e-07, -2.0364522036042798e-07, -3.805852203733844e-08,
    2.4015705306247578e-08, 4.765991070186536e-09, -2.5597483933866776e-09,
    -6.310047788458453e-10, 1.8044858224057155e-10, 5.4086176569977306e-11,
};

typedef struct {
    vd share, density; /* Phi and its derivative */
} fa_normal;

/* e^(-a^2/2): the square of the upper half of a's digits is exact, and the rest is small. */
INLINE vd bell(vd a)
{
    vd upper = (vd)((vl)a & ~(int64_t)LOWER_HALF);
    vd rest = 0.5 * (a - upper) * (a + upper);
    return exp_vector(-0.5 * upper * upper) * (1.0 - rest * (1.0 - rest * (0.5 - rest / 6.0)));
}

INLINE fa_normal normal_at(vd z)
{
    vd a = magnitude(z);
    a = choose(a < END_OF_TAIL, a, splat(END_OF_TAIL)); /* a NaN as well, whose z is used again */
    vd u = (1.25 * a - 5.0) / (a + 5.0), height = bell(a), series = splat(mills[N_MILLS - 1]);
#pragma GCC unroll 22
    for (int k = N_MILLS - 2; k >= 0; k--)
        series = series * u + mills[k];
    vd tail = height * series / (1.0 + a);
    return (fa_normal){choose(z > 0.0, 1.0 - tail, tail), 0.3989422804014327 * height};
}

#endif
