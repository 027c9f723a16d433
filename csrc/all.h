/* Included once by each isa_*.c: switches the compiler to its instruction set, and compiles
   every operation. The headers of the C library come first: they are nobody's instruction set. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "operations.h"

#ifdef FA_TARGET
#define FA_PRAGMA(text) _Pragma(#text)
#define FA_TEXT(...) FA_PRAGMA(__VA_ARGS__)
#if defined(__clang__)
FA_TEXT(clang attribute push(__attribute__((target(FA_TARGET))), apply_to = function))
#else
#pragma GCC push_options
FA_TEXT(GCC target(FA_TARGET))
#endif
#endif

#include "linear/linear_sums.h"
#include "linear/sparse_sums.h"
#include "linear/bounded_sums.h"
#include "basis/quadratic_moments.h"
#include "linear/bootstrap_start.h"
#include "linear/bootstrap_sums.h"
#include "kernel/kernel_tiles.h"
#include "kernel/kernel_contractions.h"
#include "attack/attacks.h"
#include "attack/bounded_moves.h"
#include "attack/bounded_attacks.h"
#include "attack/rows_inside.h"
#include "attack/trust_regions.h"
#include "linear/solve_draws.h"
#include "linear/kink_descent.h"
#include "linear/squares_search.h"
#include "linear/kink_settle.h"
#include "linear/end_slopes.h"
#include "linear/hessian_products.h"
#include "basis/basis_sums.h"
#include "basis/basis_parts.h"
#include "basis/basis_products.h"
#include "linear/linear_batch.h"
#include "network/network_sums.h"
#include "network/network_rows.h"
#include "network/network_ascent.h"
#include "layered/bounded_ascent.h"
#include "softmax/contrasted_pairs.h"
#include "softmax/softmax_sums.h"
#include "tested_parts.h"

#ifdef FA_TARGET
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
