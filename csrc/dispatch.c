/* Which instruction set runs: the widest that the processor (and the compiler) knows. */
#include "dispatch.h"

#include <string.h>

#define TABLE(isa)                                                                              \
    {#isa, fa_linear_sums_##isa, fa_sparse_sums_##isa, fa_linear_batch_##isa,                    \
     fa_quadratic_moments_##isa,                                                                 \
     fa_bootstrap_start_##isa, fa_bootstrap_sums_##isa, fa_kernel_tile_##isa,                    \
     fa_weighted_slopes_##isa, fa_directional_tile_##isa, fa_directional_sums_##isa,             \
     fa_mirror_##isa, fa_attack_directions_##isa, fa_ascend_rows_##isa, fa_random_points_##isa,  \
     fa_linear_pgd_##isa, fa_solve_draws_##isa, fa_linear_products_##isa,                        \
     fa_basis_sums_##isa, fa_block_sums_##isa, fa_basis_moments_##isa, fa_basis_parts_##isa,     \
     fa_network_sums_##isa, fa_network_predictions_##isa, fa_network_moves_##isa,                \
     fa_network_shares_##isa, fa_network_ascent_##isa, fa_basis_products_##isa,                  \
     fa_ball_ascent_##isa, fa_smooth_ball_ascent_##isa, fa_project_ball_##isa,                   \
     fa_raise_peak_##isa, fa_standard_normals_##isa, fa_random_rows_##isa,    \
     fa_bootstrap_weights_##isa,                                                                 \
     fa_exp_##isa, fa_negative_log_##isa, fa_log1p_##isa, fa_normal_share_##isa}

static const fa_table tables[] = {
#if defined(__x86_64__)
    TABLE(avx512),
    TABLE(avx2),
#endif
    TABLE(baseline),
};

#define N_TABLES (int)(sizeof tables / sizeof *tables)

const fa_table *fa_chosen = &tables[N_TABLES - 1];

static int supported(const fa_table *table)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (strcmp(table->name, "avx512") == 0)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    if (strcmp(table->name, "avx2") == 0)
        return avx2;
#endif
    return strcmp(table->name, "baseline") == 0;
}

int fa_choose(const char *name)
{
    for (int i = 0; i < N_TABLES; i++)
        if (supported(&tables[i]) && (!name || strcmp(name, tables[i].name) == 0)) {
            fa_chosen = &tables[i];
            return 0;
        }
    return -1;
}

const char *fa_available(int i)
{
    for (int j = 0; j < N_TABLES; j++)
        if (supported(&tables[j]) && i-- == 0)
            return tables[j].name;
    return NULL;
}
