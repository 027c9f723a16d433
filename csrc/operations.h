/* What operations are handed, and their names on every instruction set.

   The structures mirror types.py, where their fields are explained. A null
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
    NEED_MIXED = 32,
    NEED_GAUSS_NEWTON = 64,
    NEED_MOMENTS = 128
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

/* Rows of which only the entries that are not zero are there, columns ascending in each. */
typedef struct {
    const double *doubles; /* null where the entries are single */
    const float *singles;
    const int32_t *columns;
    const int64_t *starts; /* (n + 1,) */
    ptrdiff_t n, m;
    const double *y, *weight;
} fa_sparse_rows;

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

/* Many small problems: what they share, the attack (a radius of 0 asks for mean norms), results. */
typedef struct {
    int loss;
    double delta, alpha, damping;
    int fit_intercept;
} fa_batch_model;

typedef struct {
    double p, radius;
    const double *weights, *inverse; /* (m,): c, and 1 / c of what may be attacked */
} fa_batch_attack;

typedef struct {
    double *theta, *influence, *numbers; /* (count, d) twice, (count, 3) */
    int64_t *status;                     /* (count, 2) */
    int wants_influence;
} fa_batch_found;

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

enum { RBF, MATERN_3_2, MATERN_5_2, POLYNOMIAL, NTK };

typedef struct {
    int kind, degree, output_layer;
    double gamma, coef0;
} fa_kernel;

/* A tile of pairs: inner products in `values`, of which kernels are made; `slopes` may be null. */
typedef struct {
    const fa_kernel *kernel;
    const double *x, *z; /* (n_rows, m), (n_columns, m) */
    ptrdiff_t n_rows, n_columns, m;
    const double *x_squares, *z_squares;
    ptrdiff_t offset;
    double *values, *slopes;
    ptrdiff_t value_stride, slope_stride;
} fa_pairs;

/* K and a of a tile in rows that may be longer. */
typedef struct {
    const double *slopes, *values;
    ptrdiff_t slope_stride, value_stride, n_rows, n_columns;
} fa_kernel_rows;

enum { QUADRATIC, POWERS, FOURIER };
enum { FEATURES, GRADIENTS, MOVES };

typedef struct {
    int kind, degree;
    ptrdiff_t m, d;
    const double *frequencies, *phases; /* (d, m) and (d,), Fourier's */
    const double *shift, *inverse_scale, *out_shift, *out_inverse_scale;
} fa_basis;

typedef struct {
    double p;
    const double *weights;
} fa_attack;

enum { TANH, SOFTPLUS, GELU };

typedef struct {
    int activation;
    ptrdiff_t m, h;
    const double *w1, *b1, *w2; /* (m, h), (h,) and (h,) */
    double b2;
    const double *shift, *inverse_scale;
} fa_network;

/* A block of k rows with its features by columns, (d, k); no gains and ties without NEED_MIXED. */
typedef struct {
    ptrdiff_t d, k;
    const double *v, *f, *norms, *gains, *ties, *y, *w;
} fa_given_block;

/* The smooth extremes of a quadratic: the ball, the barrier's weight, the unit of widths. */
typedef struct {
    double radius, nu, unit;
} fa_barrier;

/* Projected gradient ascent in the units of the ball. */
typedef struct {
    double p, radius;
    const double *slopes; /* (free,), a linear predictor's */
    ptrdiff_t free, n_steps, draws;
    double step;
    uint64_t seed, first_row;
} fa_steps;

/* Operations that return something return 0, or -1 where memory ran out. */
#define FA_OPERATIONS(isa)                                                                       \
    int fa_linear_sums_##isa(                                                                    \
        const fa_rows *, const fa_predictor *, const fa_norm_of *, const fa_inner *, int need,   \
        const fa_sums *);                                                                        \
    int fa_sparse_sums_##isa(                                                                    \
        const fa_sparse_rows *, const fa_predictor *, double p, const fa_inner *, int need,      \
        const fa_sums *);                                                                        \
    int fa_linear_batch_##isa(                                                                   \
        const fa_rows *, const int64_t *spans, ptrdiff_t count, const fa_batch_model *,          \
        const fa_batch_attack *, const fa_batch_found *);                                        \
    int fa_quadratic_moments_##isa(                                                              \
        const fa_rows *, const double *shift, const double *inverse_scale,                       \
        const double *weights, double *moments);                                                 \
    int fa_bootstrap_start_##isa(                                                                \
        const fa_rows *, const double *norms, const fa_predictor *, const fa_inner *,            \
        const fa_draws *, const double *theta, ptrdiff_t d, const fa_draw_sums *);               \
    int fa_bootstrap_sums_##isa(                                                                 \
        const fa_rows *, const double *norms, const fa_predictor *, const fa_inner *,            \
        const fa_draws *, const double *thetas, ptrdiff_t d, const fa_draw_sums *);              \
    int fa_kernel_tile_##isa(const fa_pairs *, ptrdiff_t *kinks);                                \
    void fa_weighted_slopes_##isa(                                                               \
        const fa_kernel_rows *, const double *left, const double *right, double *tile,           \
        double *sums);                                                                           \
    void fa_directional_tile_##isa(                                                              \
        const fa_kernel_rows *, const double *shifts, double *tile);                             \
    void fa_directional_sums_##isa(                                                              \
        const double *tile, ptrdiff_t n_rows, ptrdiff_t n_columns, const double *right,          \
        const double *left, double *rows, double *columns);                                      \
    void fa_mirror_##isa(                                                                        \
        const double *rows, ptrdiff_t stride, ptrdiff_t start, ptrdiff_t stop, double *out,      \
        ptrdiff_t out_stride);                                                                   \
    int fa_attack_directions_##isa(                                                              \
        const double *g, ptrdiff_t m, ptrdiff_t n, double p, const double *weights, double *out, \
        double *gains, double *ties);                                                            \
    int fa_ascend_rows_##isa(                                                                    \
        const double *t, const double *g, ptrdiff_t n, ptrdiff_t m, const double *step,          \
        double radius, double p, int steepest, double *moved, double *largest);                  \
    void fa_random_points_##isa(                                                                 \
        uint64_t seed, uint64_t draw, uint64_t first_row, double radius, double p, double *u,    \
        ptrdiff_t n, ptrdiff_t m);                                                               \
    int fa_linear_pgd_##isa(                                                                     \
        const double *prediction, const double *y, ptrdiff_t n, const fa_inner *,                \
        const fa_steps *, double *out);                                                          \
    int fa_solve_draws_##isa(                                                                    \
        double *matrices, double *vectors, double *pivots, ptrdiff_t count, ptrdiff_t d);        \
    int fa_linear_products_##isa(                                                                \
        const fa_rows *, const double *c, const double *shift, const double *inverse_scale,      \
        const double *U, ptrdiff_t count, double *out);                                          \
    int fa_basis_sums_##isa(                                                                     \
        const fa_rows *, const fa_basis *, const fa_predictor *, const fa_norm_of *,             \
        const fa_attack *, const fa_inner *, int need, const fa_sums *);                         \
    int fa_block_sums_##isa(                                                                     \
        const fa_given_block *, const fa_inner *, int need, double *rates, const fa_sums *,      \
        double *factor);                                                                         \
    int fa_basis_moments_##isa(                                                                  \
        const fa_rows *, const fa_basis *, const double *origin, double *totals);                \
    int fa_basis_parts_##isa(                                                                    \
        const fa_basis *, int part, const double *u, const double *with, ptrdiff_t k,            \
        double *out);                                                                            \
    int fa_network_sums_##isa(                                                                   \
        const fa_rows *, const fa_network *, const fa_norm_of *, const fa_attack *,              \
        const fa_inner *, int need, const fa_sums *);                                            \
    int fa_network_predictions_##isa(const fa_rows *, const fa_network *, double *f);            \
    int fa_network_moves_##isa(                                                                  \
        const fa_rows *, const fa_network *, const fa_network *step, double *speed,              \
        double *bend, double *slopes);                                                           \
    int fa_network_shares_##isa(                                                                 \
        const fa_rows *, const fa_network *, const fa_attack *, const fa_inner *, double *out);  \
    int fa_network_ascent_##isa(                                                                 \
        const fa_rows *, const fa_network *, const double *moves, const fa_inner *,              \
        const fa_steps *, double *out, double *f);                                               \
    int fa_basis_products_##isa(                                                                 \
        const fa_rows *, const double *, const fa_basis *, const double *, ptrdiff_t,            \
        double *);                                                                               \
    int fa_ball_ascent_##isa(                                                                    \
        const double *, const double *, ptrdiff_t, ptrdiff_t, double, double *, double *);       \
    int fa_smooth_ball_ascent_##isa(                                                             \
        const double *, const double *, ptrdiff_t, ptrdiff_t, const fa_barrier *, double         \
        *, double *, double *);                                                                  \
    int fa_project_ball_##isa(const double *, ptrdiff_t, double, double, double *);              \
    double fa_raise_peak_##isa(double, double, const fa_sums *, ptrdiff_t);                      \
    void fa_standard_normals_##isa(                                                              \
        uint64_t, uint64_t, uint64_t, double *, ptrdiff_t, ptrdiff_t);                           \
    void fa_random_rows_##isa(uint64_t, uint64_t, int64_t, int64_t *, ptrdiff_t);                \
    void fa_bootstrap_weights_##isa(uint64_t, uint64_t, uint64_t, double *, ptrdiff_t);          \
    void fa_exp_##isa(const double *x, double *out, ptrdiff_t n);                                \
    void fa_negative_log_##isa(const double *x, double *out, ptrdiff_t n);                       \
    void fa_log1p_##isa(const double *x, double *out, ptrdiff_t n);                              \
    void fa_normal_share_##isa(const double *z, double *out, ptrdiff_t n);

FA_OPERATIONS(baseline)
FA_OPERATIONS(avx2)
FA_OPERATIONS(avx512)

#endif
