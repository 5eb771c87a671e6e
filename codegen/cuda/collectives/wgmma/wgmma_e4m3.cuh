// The warpgroup matrix instruction of codes, e4m3, in shared memory.
#pragma once
#include "wgmma/wgmma_text.cuh"

namespace bambac {

BAMBAC_WGMMA_ALL(e4m3, 32, "")

} // namespace bambac
