/* What each stage of the linear sums costs on rows that are in the cache: see stages.py.

   Prints a line for each number of columns: nanoseconds a row for loading, the loss, scaling and
   the product, and for a whole block. The loss is the logistic one. */
#include <stdio.h>
#include <time.h>

#include FA_ISA_FILE

enum { TRIALS = 101, PARTS = 5 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, TRIALS, sizeof *values, by_size);
    return values[TRIALS / 2];
}

/* A stage, many times over the block's strips: one strip alone is too short for the clock. */
#define TIMED(part, call)                                                                          \
    do {                                                                                           \
        double begin = now();                                                                      \
        for (b->top = 0; b->top < k; b->top += b->rows_of_strip) {                                 \
            ptrdiff_t rows_of = k - b->top < b->rows_of_strip ? k - b->top : b->rows_of_strip;     \
            call;                                                                                  \
        }                                                                                          \
        times[part][trial] = (now() - begin) / (double)k;                                          \
    } while (0)

static void run(ptrdiff_t m)
{
    fa_space space;
    make_space(&space, 4096, m, NEED_GRADIENT | NEED_HESSIAN | NEED_NORM);
    fa_block *b = &space.block;
    ptrdiff_t k = b->capacity;
    double *x = calloc((size_t)(k * m + 8), sizeof *x), *y = calloc((size_t)k, sizeof *y);
    double *beta = calloc((size_t)m, sizeof *beta);
    for (ptrdiff_t i = 0; i < k * m; i++)
        x[i] = (double)rand() / RAND_MAX - 0.5;
    for (ptrdiff_t i = 0; i < k; i++)
        y[i] = rand() & 1 ? 1.0 : -1.0;
    for (ptrdiff_t j = 0; j < m; j++)
        beta[j] = 0.1;
    fa_rows rows = {x, NULL, k, m, y, NULL};
    fa_predictor predictor = {beta, 0.1, NULL, NULL};
    fa_norm_of norm_of = {2.0, NULL, NULL};
    fa_inner inner = {LOGISTIC, 1.0, 0.0, 0.0, NULL, 0.0};
    double scalars[N_SCALARS] = {0.0};
    fa_sums sums = {NULL, NULL, scalars};
    int need = NEED_GRADIENT | NEED_HESSIAN | NEED_NORM;
    fa_pass pass = {&rows, &predictor, &norm_of, &inner, need, &sums};
    fa_totals totals;
    memset(&totals, 0, sizeof totals);
    fa_ahead nothing = {NULL, 0, LINE};
    fill_predictor(b, &predictor);
    static double times[PARTS][TRIALS];
    for (int trial = 0; trial < TRIALS; trial++) {
        fill_block(&pass, 0, k, &space, &totals);
        TIMED(0, predict(&rows, b->top, rows_of, 0.1, &norm_of, 1, b, space.buffer));
        TIMED(1, slopes(b, b->top, rows_of, &inner, need, &totals, scalars));
        TIMED(2, use_strip(&space, &rows, b->top, filled_up(rows_of), need));
        double begin = now();
        fill_block(&pass, 0, k, &space, &totals);
        double filled = now();
        add_product(b->v, b->panels, b->capacity * PANEL, k, space.tiles, nothing);
        times[3][trial] = (now() - filled) / (double)k;
        times[4][trial] = (now() - begin) / (double)k;
    }
    printf("%d", (int)m);
    for (int part = 0; part < PARTS; part++)
        printf(" %.2f", median(times[part]));
    printf("\n");
    free(x);
    free(y);
    free(beta);
    free(space.memory);
}

int main(void)
{
    const ptrdiff_t widths[] = {16, 64, 100, 128, 256, 512};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        run(widths[i]);
    return 0;
}
