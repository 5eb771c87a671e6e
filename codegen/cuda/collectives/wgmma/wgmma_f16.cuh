// The warpgroup matrix instruction of operands of f16, in shared memory.
#pragma once
#include "wgmma/wgmma_text.cuh"

namespace bambac {

BAMBAC_WGMMA_ALL(f16, 16, ", 0, 0")

} // namespace bambac
