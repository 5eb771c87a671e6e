// The warpgroup matrix instruction of operands of bf16, in shared memory.
#pragma once
#include "wgmma/wgmma_text.cuh"

namespace bambac {

BAMBAC_WGMMA_ALL(bf16, 16, ", 0, 0")

} // namespace bambac
