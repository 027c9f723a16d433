/* Every operation for AVX-512, whatever the rest of the program is compiled for. */
#if defined(__x86_64__)
#define FA_LANES 8
#define FA_TILE_ROWS 8
#define FA_TILE_PANELS 3
#define FA_NAME(name) name##_avx512
#define FA_TARGET "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"
#include "all.h"
#endif
