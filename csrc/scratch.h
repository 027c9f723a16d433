/* Room to work in that outlives the call. The system hands out memory page by page as it is first
   touched, a microsecond or two each, and an allocator gives large blocks back to it at once: a
   call that works for milliseconds in a megabyte would spend one of them on that. A few blocks are
   therefore kept for whoever asks next, on any thread. */
#ifndef FASTAIF_SCRATCH_H
#define FASTAIF_SCRATCH_H

#include <stddef.h>

/* A block of at least so many bytes, on a cache line, that holds anything; null where memory ran
   out. */
void *fa_borrow(size_t bytes);

/* Back to those that are kept, or to the system; null is no block. */
void fa_give_back(void *block);

#endif
