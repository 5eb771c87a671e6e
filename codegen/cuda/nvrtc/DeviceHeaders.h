// The device headers of codegen/cuda and the contract that they include, built into bambac for NVRTC.
#ifndef BAMBAC_CODEGEN_CUDA_NVRTC_DEVICEHEADERS_H
#define BAMBAC_CODEGEN_CUDA_NVRTC_DEVICEHEADERS_H

#include "dialects/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include <utility>

namespace bambac::codegen {

/// Pairs of a name as in #include ("wgmma/linear_large.cuh", "runtime/contract/launch.h") and a text.
ArrayRef<std::pair<const char *, const char *>> getDeviceHeaders();

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_NVRTC_DEVICEHEADERS_H
