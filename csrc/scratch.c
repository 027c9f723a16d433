/* Blocks that are kept: a place holds one or null, and is only ever exchanged as a whole, so that a
   block is one thread's alone. No more are kept than places, and none that is large. */
#include "scratch.h"

#include <stdlib.h>

#define LINE 64
#define PLACES 8
#define LARGEST ((size_t)4 << 20)

/* What the checkers of memory should see is who works where, not who did before. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS 0
#endif
#endif
#ifndef KEEPS
#define KEEPS 1
#endif

static void *kept[PLACES];

/* The size of a block stands in the line before it. */
static size_t *size_of(void *block) { return (size_t *)((char *)block - LINE); }

void *fa_borrow(size_t bytes)
{
    for (int i = 0; KEEPS && bytes <= LARGEST && i < PLACES; i++) {
        void *block = __atomic_exchange_n(&kept[i], NULL, __ATOMIC_ACQ_REL);
        if (block && *size_of(block) >= bytes)
            return block;
        if (block)
            free(size_of(block)); /* the next one will do for both */
    }
    size_t lines = (bytes + LINE - 1) / LINE + 1;
    char *memory = aligned_alloc(LINE, lines * LINE);
    if (!memory)
        return NULL;
    *(size_t *)memory = (lines - 1) * LINE;
    return memory + LINE;
}

void fa_give_back(void *block)
{
    for (int i = 0; KEEPS && block && *size_of(block) <= LARGEST && i < PLACES; i++) {
        void *nothing = NULL;
        if (__atomic_compare_exchange_n(&kept[i], &nothing, block, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return;
    }
    if (block)
        free(size_of(block));
}
