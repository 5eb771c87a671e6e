// The warpgroup matrix instruction with one operand in registers, for 128, 192 and 256 columns: apart, since a compiler
// takes long to read them.
#pragma once
#include "wgmma/wgmma_registers.cuh"

namespace bambac {

BAMBAC_WGMMA_OF_REGISTERS(128, bf16)
BAMBAC_WGMMA_OF_REGISTERS(128, f16)
BAMBAC_WGMMA_OF_REGISTERS(192, bf16)
BAMBAC_WGMMA_OF_REGISTERS(192, f16)
BAMBAC_WGMMA_OF_REGISTERS(256, bf16)
BAMBAC_WGMMA_OF_REGISTERS(256, f16)

} // namespace bambac
