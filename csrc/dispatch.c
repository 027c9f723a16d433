/* Which instruction set runs: the widest that the processor (and the compiler) knows. */
#include "dispatch.h"

#include <string.h>

#define FA_ENTRY(isa, result, name, arguments) fa_##name##_##isa,
#define TABLE(isa) {#isa, FA_OPERATIONS(FA_ENTRY, isa)}

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
