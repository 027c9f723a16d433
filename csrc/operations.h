/* What operations are handed, and their names on every instruction set.

   The structures mirror fastaif/_compute/_types.py, where their fields are explained. A null
   pointer stands for an empty array: no weights (ones), no shift and scale, no multipliers. */
#ifndef FASTAIF_OPERATIONS_H
#define FASTAIF_OPERATIONS_H

#include <stddef.h>
#include <stdint.h>

enum { SQUARED_ERROR, LOGISTIC, POISSON, HUBER };

enum {
    NEED_GRADIENT = 1,
    NEED_HESSIAN = 2,
    NEED_NORM = 4,
    NEED_LOSS = 8,
    NEED_YARDSTICK = 16,
    NEED_MIXED = 32
};

enum {
    S_WEIGHT, S_LOSS, S_F, S_K, S_FK, S_FF, S_KK, S_NORM, S_YARDSTICK, S_F2, S_W2, S_ZERO,
    S_WRONG, S_SLOPE, S_MIXED, S_TIES, S_PEAK, S_POWER, N_SCALARS
};

enum { V_F, V_FK, V_FF, V_MIXED, N_VECTORS };

typedef struct {
    const double *doubles; /* (n, m), C order; null where the inputs are single */
    const float *singles;
    ptrdiff_t n, m;
    const double *y;
    const double *weight;
} fa_rows;

typedef struct {
    const double *beta;
    double intercept;
    const double *shift;
    const double *inverse_scale;
} fa_predictor;

typedef struct {
    double p;
    const double *shift;
    const double *inverse_scale;
} fa_norm_of;

typedef struct {
    int loss;
    double delta, kappa, smoothing;
    const double *multiplier;
    double exponent;
} fa_inner;

typedef struct {
    double *hessian; /* (m, m): its lower triangle is added to */
    double *vectors; /* (N_VECTORS, m) */
    double *scalars;
} fa_sums;

enum { D_WEIGHT, D_NORM, D_SLOPE, D_YARDSTICK, N_DRAW_SCALARS };

typedef struct {
    uint64_t seed;
    const int64_t *numbers, *places; /* (count,) */
    ptrdiff_t count, first_row;
    double *kept;                    /* weights of n_kept rows for 8 draws, and so on; or null */
    ptrdiff_t n_kept;
} fa_draws;

typedef struct {
    double *hessian; /* (count, d, d): lower triangles are added to; null where not needed */
    double *gradient, *mixed, *scalars;
} fa_draw_sums;

/* Every operation returns 0, or -1 where memory ran out. */
#define FA_OPERATIONS(isa)                                                                       \
    int fa_linear_sums_##isa(                                                                    \
        const fa_rows *, const fa_predictor *, const fa_norm_of *, const fa_inner *, int need,   \
        const fa_sums *);                                                                        \
    int fa_add_gram_of_columns_##isa(                                                            \
        const double *v, ptrdiff_t d, ptrdiff_t k, double *hessian);                             \
    int fa_quadratic_moments_##isa(                                                              \
        const fa_rows *, const double *shift, const double *inverse_scale,                       \
        const double *weights, double *moments);                                                 \
    int fa_bootstrap_start_##isa(                                                                \
        const fa_rows *, const double *norms, const fa_predictor *, const fa_inner *,            \
        const fa_draws *, const double *theta, ptrdiff_t d, const fa_draw_sums *);               \
    int fa_bootstrap_sums_##isa(                                                                 \
        const fa_rows *, const double *norms, const fa_predictor *, const fa_inner *,            \
        const fa_draws *, const double *thetas, ptrdiff_t d, const fa_draw_sums *);              \
    void fa_exp_##isa(const double *x, double *out, ptrdiff_t n);                                \
    void fa_negative_log_##isa(const double *x, double *out, ptrdiff_t n);                       \
    void fa_log1p_##isa(const double *x, double *out, ptrdiff_t n);

FA_OPERATIONS(baseline)
FA_OPERATIONS(avx2)
FA_OPERATIONS(avx512)

#endif
