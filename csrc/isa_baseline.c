/* Every operation for whatever the compiler aims at: SSE2 on any x86-64, NEON on ARM. */
#define FA_LANES 2
#define FA_TILE_ROWS 2
#define FA_TILE_PANELS 1
#define FA_NAME(name) name##_baseline
#include "all.h"

const int fa_n_losses = N_LOSSES;
