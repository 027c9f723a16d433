/* Every operation for AVX2 with FMA, whatever the rest of the program is compiled for. */
#if defined(__x86_64__)
#define FA_LANES 4
#define FA_TILE_ROWS 4
#define FA_TILE_PANELS 1
#define FA_NAME(name) name##_avx2
#define FA_TARGET "avx2,fma"
#include "all.h"
#endif
