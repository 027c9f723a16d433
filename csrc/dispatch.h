/* The operations of the instruction set that was chosen at run time. */
#ifndef FASTAIF_DISPATCH_H
#define FASTAIF_DISPATCH_H

#include "operations.h"

typedef struct {
    const char *name;
    int (*linear_sums)(
        const fa_rows *, const fa_predictor *, const fa_norm_of *, const fa_inner *, int,
        const fa_sums *);
    int (*add_gram_of_columns)(const double *, ptrdiff_t, ptrdiff_t, double *);
    int (*quadratic_moments)(
        const fa_rows *, const double *, const double *, const double *, double *);
    int (*bootstrap_start)(
        const fa_rows *, const double *, const fa_predictor *, const fa_inner *, const fa_draws *,
        const double *, ptrdiff_t, const fa_draw_sums *);
    int (*bootstrap_sums)(
        const fa_rows *, const double *, const fa_predictor *, const fa_inner *, const fa_draws *,
        const double *, ptrdiff_t, const fa_draw_sums *);
    void (*exp)(const double *, double *, ptrdiff_t);
    void (*negative_log)(const double *, double *, ptrdiff_t);
    void (*log1p)(const double *, double *, ptrdiff_t);
} fa_table;

/* Those in use; the widest that this processor has, until another is chosen. */
extern const fa_table *fa_chosen;

/* Choose by name, or the widest where the name is null; -1 if this machine has no such set. */
int fa_choose(const char *name);

/* The name of the i-th set that this machine has, widest first; null after the last. */
const char *fa_available(int i);

#endif
