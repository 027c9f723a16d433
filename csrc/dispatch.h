/* The operations of the instruction set that was chosen at run time. */
#ifndef FASTAIF_DISPATCH_H
#define FASTAIF_DISPATCH_H

#include "operations.h"

typedef struct {
    const char *name;
    int (*linear_sums)(
        const fa_rows *, const fa_predictor *, const fa_norm_of *, const fa_inner *, int,
        const fa_sums *);
    int (*sparse_sums)(
        const fa_sparse_rows *, const fa_predictor *, double, const fa_inner *, int,
        const fa_sums *);
    int (*linear_batch)(
        const fa_rows *, const int64_t *, ptrdiff_t, const fa_batch_model *,
        const fa_batch_attack *, const fa_batch_found *);
    int (*quadratic_moments)(
        const fa_rows *, const double *, const double *, const double *, double *);
    int (*bootstrap_start)(
        const fa_rows *, const double *, const fa_predictor *, const fa_inner *, const fa_draws *,
        const double *, ptrdiff_t, const fa_draw_sums *);
    int (*bootstrap_sums)(
        const fa_rows *, const double *, const fa_predictor *, const fa_inner *, const fa_draws *,
        const double *, ptrdiff_t, const fa_draw_sums *);
    int (*kernel_tile)(const fa_pairs *, ptrdiff_t *);
    void (*weighted_slopes)(
        const fa_kernel_rows *, const double *, const double *, double *, double *);
    void (*directional_tile)(const fa_kernel_rows *, const double *, double *);
    void (*directional_sums)(
        const double *, ptrdiff_t, ptrdiff_t, const double *, const double *, double *, double *);
    void (*mirror)(const double *, ptrdiff_t, ptrdiff_t, ptrdiff_t, double *, ptrdiff_t);
    int (*attack_directions)(
        const double *, ptrdiff_t, ptrdiff_t, double, const double *, double *, double *, double *);
    int (*ascend_rows)(
        const double *, const double *, ptrdiff_t, ptrdiff_t, const double *, double, double, int,
        double *, double *);
    void (*random_points)(
        uint64_t, uint64_t, uint64_t, double, double, double *, ptrdiff_t, ptrdiff_t);
    int (*linear_pgd)(
        const double *, const double *, ptrdiff_t, const fa_inner *, const fa_steps *, double *);
    int (*solve_draws)(double *, double *, double *, ptrdiff_t, ptrdiff_t);
    int (*linear_products)(
        const fa_rows *, const double *, const double *, const double *, const double *, ptrdiff_t,
        double *);
    int (*basis_sums)(
        const fa_rows *, const fa_basis *, const fa_predictor *, const fa_norm_of *,
        const fa_attack *, const fa_inner *, int, const fa_sums *);
    int (*block_sums)(
        const fa_given_block *, const fa_inner *, int, double *, const fa_sums *, double *);
    int (*basis_moments)(const fa_rows *, const fa_basis *, const double *, double *);
    int (*basis_parts)(
        const fa_basis *, int, const double *, const double *, ptrdiff_t, double *);
    int (*network_sums)(
        const fa_rows *, const fa_network *, const fa_norm_of *, const fa_attack *,
        const fa_inner *, int, const fa_sums *);
    int (*network_predictions)(const fa_rows *, const fa_network *, double *);
    int (*network_moves)(
        const fa_rows *, const fa_network *, const fa_network *, double *, double *, double *);
    int (*network_shares)(
        const fa_rows *, const fa_network *, const fa_attack *, const fa_inner *, double *);
    int (*network_ascent)(
        const fa_rows *, const fa_network *, const double *, const fa_inner *, const fa_steps *,
        double *, double *);
    int (*basis_products)(
        const fa_rows *, const double *, const fa_basis *, const double *, ptrdiff_t, double *);
    int (*ball_ascent)(
        const double *, const double *, ptrdiff_t, ptrdiff_t, double, double *, double *);
    int (*smooth_ball_ascent)(
        const double *, const double *, ptrdiff_t, ptrdiff_t, const fa_barrier *, double *,
        double *, double *);
    int (*project_ball)(const double *, ptrdiff_t, double, double, double *);
    double (*raise_peak)(double, double, const fa_sums *, ptrdiff_t);
    void (*standard_normals)(uint64_t, uint64_t, uint64_t, double *, ptrdiff_t, ptrdiff_t);
    void (*random_rows)(uint64_t, uint64_t, int64_t, int64_t *, ptrdiff_t);
    void (*bootstrap_weights)(uint64_t, uint64_t, uint64_t, double *, ptrdiff_t);
    void (*exp)(const double *, double *, ptrdiff_t);
    void (*negative_log)(const double *, double *, ptrdiff_t);
    void (*log1p)(const double *, double *, ptrdiff_t);
    void (*normal_share)(const double *, double *, ptrdiff_t);
} fa_table;

/* Those in use; the widest that this processor has, until another is chosen. */
extern const fa_table *fa_chosen;

/* Choose by name, or the widest where the name is null; -1 if this machine has no such set. */
int fa_choose(const char *name);

/* The name of the i-th set that this machine has, widest first; null after the last. */
const char *fa_available(int i);

#endif
