# What dispatch.h and operations.h declare.

cdef extern from "dispatch.h" nogil:
    ctypedef struct fa_rows:
        const double *doubles
        const float *singles
        ptrdiff_t n
        ptrdiff_t m
        const double *y
        const double *weight

    ctypedef struct fa_sparse_rows:
        const double *doubles
        const float *singles
        const int32_t *columns
        const int64_t *starts
        ptrdiff_t n
        ptrdiff_t m
        const double *y
        const double *weight

    ctypedef struct fa_predictor:
        const double *beta
        double intercept
        const double *shift
        const double *inverse_scale

    ctypedef struct fa_norm_of:
        double p
        const double *shift
        const double *inverse_scale

    ctypedef struct fa_inner:
        int loss
        double delta
        double kappa
        double smoothing
        const double *multiplier
        double exponent

    ctypedef struct fa_sums:
        double *hessian
        double *vectors
        double *scalars

    ctypedef struct fa_batch_model:
        int loss
        double delta
        double alpha
        double damping
        int fit_intercept

    ctypedef struct fa_batch_attack:
        double p
        double radius
        const double *weights
        const double *inverse

    ctypedef struct fa_batch_found:
        double *theta
        double *influence
        double *numbers
        int64_t *status
        int wants_influence

    ctypedef struct fa_draws:
        uint64_t seed
        const int64_t *numbers
        const int64_t *places
        ptrdiff_t count
        ptrdiff_t first_row
        double *kept
        ptrdiff_t n_kept

    ctypedef struct fa_draw_sums:
        double *hessian
        double *gradient
        double *mixed
        double *scalars

    ctypedef struct fa_kernel:
        int kind
        int degree
        int output_layer
        double gamma
        double coef0

    ctypedef struct fa_pairs:
        const fa_kernel *kernel
        const double *x
        const double *z
        ptrdiff_t n_rows
        ptrdiff_t n_columns
        ptrdiff_t m
        const double *x_squares
        const double *z_squares
        ptrdiff_t offset
        double *values
        double *slopes
        ptrdiff_t value_stride
        ptrdiff_t slope_stride

    ctypedef struct fa_kernel_rows:
        const double *slopes
        const double *values
        ptrdiff_t slope_stride
        ptrdiff_t value_stride
        ptrdiff_t n_rows
        ptrdiff_t n_columns

    ctypedef struct fa_barrier:
        double radius
        double nu
        double unit

    ctypedef struct fa_steps:
        double p
        double radius
        const double *slopes
        ptrdiff_t free
        ptrdiff_t n_steps
        ptrdiff_t draws
        double step
        uint64_t seed
        uint64_t first_row

    ctypedef struct fa_basis:
        int kind
        int degree
        ptrdiff_t m
        ptrdiff_t d
        const double *frequencies
        const double *phases
        const double *shift
        const double *inverse_scale
        const double *out_shift
        const double *out_inverse_scale

    ctypedef struct fa_attack:
        double p
        const double *weights

    ctypedef struct fa_given_block:
        ptrdiff_t d
        ptrdiff_t k
        const double *v
        const double *f
        const double *norms
        const double *gains
        const double *ties
        const double *y
        const double *w

    ctypedef struct fa_network:
        int activation
        ptrdiff_t m
        ptrdiff_t h
        const double *w1
        const double *b1
        const double *w2
        double b2
        const double *shift
        const double *inverse_scale

    cdef enum:
        FEATURES
        GRADIENTS
        MOVES

    ctypedef struct fa_table:
        const char *name
        int (*linear_sums)(
            const fa_rows *, const fa_predictor *, const fa_norm_of *, const fa_inner *, int,
            const fa_sums *) noexcept nogil
        int (*sparse_sums)(
            const fa_sparse_rows *, const fa_predictor *, double, const fa_inner *, int,
            const fa_sums *) noexcept nogil
        int (*linear_batch)(
            const fa_rows *, const int64_t *, ptrdiff_t, const fa_batch_model *,
            const fa_batch_attack *, const fa_batch_found *) noexcept nogil
        int (*quadratic_moments)(
            const fa_rows *, const double *, const double *, const double *, double *) noexcept nogil
        int (*bootstrap_start)(
            const fa_rows *, const double *, const fa_predictor *, const fa_inner *,
            const fa_draws *, const double *, ptrdiff_t, const fa_draw_sums *) noexcept nogil
        int (*bootstrap_sums)(
            const fa_rows *, const double *, const fa_predictor *, const fa_inner *,
            const fa_draws *, const double *, ptrdiff_t, const fa_draw_sums *) noexcept nogil
        int (*kernel_tile)(const fa_pairs *, ptrdiff_t *) noexcept nogil
        void (*weighted_slopes)(
            const fa_kernel_rows *, const double *, const double *, double *, double *) noexcept nogil
        void (*directional_tile)(const fa_kernel_rows *, const double *, double *) noexcept nogil
        void (*directional_sums)(
            const double *, ptrdiff_t, ptrdiff_t, const double *, const double *, double *,
            double *) noexcept nogil
        void (*mirror)(
            const double *, ptrdiff_t, ptrdiff_t, ptrdiff_t, double *, ptrdiff_t) noexcept nogil
        int (*attack_directions)(
            const double *, ptrdiff_t, ptrdiff_t, double, const double *, double *, double *, double *) noexcept nogil
        int (*ascend_rows)(
            const double *, const double *, ptrdiff_t, ptrdiff_t, const double *, double, double, int,
            double *, double *) noexcept nogil
        void (*random_points)(
            uint64_t, uint64_t, uint64_t, double, double, double *, ptrdiff_t, ptrdiff_t) noexcept nogil
        int (*linear_pgd)(
            const double *, const double *, ptrdiff_t, const fa_inner *, const fa_steps *, double *) noexcept nogil
        int (*solve_draws)(double *, double *, double *, ptrdiff_t, ptrdiff_t) noexcept nogil
        int (*linear_products)(
            const fa_rows *, const double *, const double *, const double *, const double *, ptrdiff_t,
            double *) noexcept nogil
        int (*basis_sums)(
            const fa_rows *, const fa_basis *, const fa_predictor *, const fa_norm_of *,
            const fa_attack *, const fa_inner *, int, const fa_sums *) noexcept nogil
        int (*block_sums)(
            const fa_given_block *, const fa_inner *, int, double *, const fa_sums *, double *) noexcept nogil
        int (*basis_moments)(const fa_rows *, const fa_basis *, const double *, double *) noexcept nogil
        int (*basis_parts)(
            const fa_basis *, int, const double *, const double *, ptrdiff_t, double *) noexcept nogil
        int (*network_sums)(
            const fa_rows *, const fa_network *, const fa_norm_of *, const fa_attack *,
            const fa_inner *, int, const fa_sums *) noexcept nogil
        int (*network_predictions)(
            const fa_rows *, const fa_network *, double *) noexcept nogil
        int (*network_moves)(
            const fa_rows *, const fa_network *, const fa_network *, double *, double *,
            double *) noexcept nogil
        int (*network_shares)(
            const fa_rows *, const fa_network *, const fa_attack *, const fa_inner *,
            double *) noexcept nogil
        int (*network_ascent)(
            const fa_rows *, const fa_network *, const double *, const fa_inner *,
            const fa_steps *, double *, double *) noexcept nogil
        int (*basis_products)(
            const fa_rows *, const double *, const fa_basis *, const double *, ptrdiff_t,
            double *) noexcept nogil
        int (*ball_ascent)(
            const double *, const double *, ptrdiff_t, ptrdiff_t, double, double *, double *) noexcept nogil
        int (*smooth_ball_ascent)(
            const double *, const double *, ptrdiff_t, ptrdiff_t, const fa_barrier *, double *,
            double *, double *) noexcept nogil
        int (*project_ball)(const double *, ptrdiff_t, double, double, double *) noexcept nogil
        double (*raise_peak)(double, double, const fa_sums *, ptrdiff_t) noexcept nogil
        void (*standard_normals)(
            uint64_t, uint64_t, uint64_t, double *, ptrdiff_t, ptrdiff_t) noexcept nogil
        void (*random_rows)(uint64_t, uint64_t, int64_t, int64_t *, ptrdiff_t) noexcept nogil
        void (*bootstrap_weights)(uint64_t, uint64_t, uint64_t, double *, ptrdiff_t) noexcept nogil
        void (*exp)(const double *, double *, ptrdiff_t) noexcept nogil
        void (*negative_log)(const double *, double *, ptrdiff_t) noexcept nogil
        void (*log1p)(const double *, double *, ptrdiff_t) noexcept nogil
        void (*normal_share)(const double *, double *, ptrdiff_t) noexcept nogil

    const fa_table *fa_chosen
    int fa_choose(const char *name)
    const char *fa_available(int i)
