/* What operations are handed, and their names on every instruction set.

   The enumeration, the structures and FA_OPERATIONS are made of fastaif/_compute/operations.py and
   codes.py when the extension is built; types.py explains the structures' fields. A null pointer
   stands for an empty array: no weights (ones), no shift and scale, no multipliers. Operations
   that return something return 0, or -1 where memory ran out. Shapes have been checked. */
#ifndef FASTAIF_OPERATIONS_H
#define FASTAIF_OPERATIONS_H

#include "operation_table.h"

#define FA_DECLARATION(isa, result, name, arguments) result fa_##name##_##isa arguments;

FA_OPERATIONS(FA_DECLARATION, baseline)
FA_OPERATIONS(FA_DECLARATION, avx2)
FA_OPERATIONS(FA_DECLARATION, avx512)

#endif
