/* H of a softmax model over contrasts of its classes, of the matrices of its pairs: the counterpart
   of numba_ops/contrasted_pairs.py. Of a cell of H, and of a pair's matrix, the lower triangle is
   read or made; a few cells are made at a time, which share what they are made of. Sums are kept in
   registers over all pairs: CELLS cells by ACROSS vectors of a row. */
#ifndef FASTAIF_CONTRASTED_PAIRS_H
#define FASTAIF_CONTRASTED_PAIRS_H

#include "operations.h"
#include "scratch.h"
#include "core/products.h"
#include "core/row_tails.h"

#define CELLS 4
#define ACROSS 2

/* What each pair counts for in each cell, (groups, count, CELLS): the products of its moves. */
static void squares_of_moves(
    const double *moves, ptrdiff_t count, ptrdiff_t J, double share, double *squares)
{
    ptrdiff_t cell = 0;
    for (ptrdiff_t a = 0; a < J; a++)
        for (ptrdiff_t b = 0; b <= a; b++, cell++)
            for (ptrdiff_t p = 0; p < count; p++)
                squares[(cell / CELLS * count + p) * CELLS + cell % CELLS]
                    = share * moves[p * J + a] * moves[p * J + b];
    for (; cell % CELLS; cell++)
        for (ptrdiff_t p = 0; p < count; p++)
            squares[(cell / CELLS * count + p) * CELLS + cell % CELLS] = 0.0;
}

/* ACROSS vectors of a row of CELLS cells, `apart` doubles from one another as the pairs' are. */
INLINE void combine_vectors(
    const double *pairs, ptrdiff_t count, ptrdiff_t apart, const double *squares, double *cells)
{
    vd sums[CELLS][ACROSS];
    for (int t = 0; t < CELLS; t++)
        for (int v = 0; v < ACROSS; v++)
            sums[t][v] = splat(0.0);
    for (ptrdiff_t p = 0; p < count; p++) {
        vd right[ACROSS];
        for (int v = 0; v < ACROSS; v++)
            right[v] = load(pairs + p * apart + v * FA_LANES);
#pragma GCC unroll 4
        for (int t = 0; t < CELLS; t++)
            for (int v = 0; v < ACROSS; v++)
                sums[t][v] += squares[p * CELLS + t] * right[v];
    }
    for (int t = 0; t < CELLS; t++)
        for (int v = 0; v < ACROSS; v++)
            store(cells + t * apart + v * FA_LANES, sums[t][v]);
}

/* A number of each cell. */
static void combine_entry(
    const double *pairs, ptrdiff_t count, ptrdiff_t apart, const double *squares, double *cells)
{
    double sums[CELLS] = {0.0};
    for (ptrdiff_t p = 0; p < count; p++)
        for (int t = 0; t < CELLS; t++)
            sums[t] += squares[p * CELLS + t] * pairs[p * apart];
    for (int t = 0; t < CELLS; t++)
        cells[t * apart] = sums[t];
}

/* The lower triangles of CELLS cells (c, c), and what a whole vector holds beyond them. */
static void combine_pairs(
    const double *pairs, ptrdiff_t count, ptrdiff_t c, const double *squares, double *cells)
{
    enum { STEP = ACROSS * FA_LANES };
    for (ptrdiff_t i = 0; i < c; i++) {
        ptrdiff_t j = 0;
        for (; j <= i && j + STEP <= c; j += STEP)
            combine_vectors(pairs + i * c + j, count, c * c, squares, cells + i * c + j);
        for (; j <= i; j++)
            combine_entry(pairs + i * c + j, count, c * c, squares, cells + i * c + j);
    }
}

/* A cell into its two places in H, (width, width). */
static void place_cell(double *cell, ptrdiff_t c, ptrdiff_t width, double *down, double *across)
{
    for (ptrdiff_t i = 0; i < c; i++)
        for (ptrdiff_t j = 0; j < i; j++)
            cell[j * c + i] = cell[i * c + j];
    for (ptrdiff_t i = 0; i < c; i++) {
        memcpy(down + i * width, cell + i * c, (size_t)c * sizeof(double));
        if (across != down)
            memcpy(across + i * width, cell + i * c, (size_t)c * sizeof(double));
    }
}

int FA_NAME(fa_contrasted_pairs)(
    const double *pairs, const double *moves, double share, double *out, ptrdiff_t count,
    ptrdiff_t c, ptrdiff_t J)
{
    ptrdiff_t n_cells = J * (J + 1) / 2, groups = (n_cells + CELLS - 1) / CELLS, width = J * c;
    ptrdiff_t of_squares = filled_up(groups * count * CELLS), of_cells = filled_up(CELLS * c * c);
    double *squares = fa_borrow((size_t)(of_squares + of_cells) * sizeof(double));
    if (!squares)
        return -1;
    double *cells = squares + of_squares;
    squares_of_moves(moves, count, J, share, squares);
    for (ptrdiff_t a = 0, cell = 0; a < J; a++)
        for (ptrdiff_t b = 0; b <= a; b++, cell++) {
            if (cell % CELLS == 0)
                combine_pairs(pairs, count, c, squares + cell * count, cells);
            place_cell(cells + cell % CELLS * c * c, c, width, out + a * c * width + b * c,
                       out + b * c * width + a * c);
        }
    fa_give_back(squares);
    return 0;
}

#endif
