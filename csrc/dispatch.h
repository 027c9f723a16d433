/* The operations of the instruction set that was chosen at run time. */
#ifndef FASTAIF_DISPATCH_H
#define FASTAIF_DISPATCH_H

#include "operations.h"

#define FA_MEMBER(isa, result, name, arguments) result(*name) arguments;

typedef struct {
    const char *name;
    FA_OPERATIONS(FA_MEMBER, any)
} fa_table;

/* How many losses were compiled. */
extern const int fa_n_losses;

/* Those in use; the widest that this processor has, until another is chosen. */
extern const fa_table *fa_chosen;

/* Choose by name, or the widest where the name is null; -1 if this machine has no such set. */
int fa_choose(const char *name);

/* The name of the i-th set that this machine has, widest first; null after the last. */
const char *fa_available(int i);

#endif
