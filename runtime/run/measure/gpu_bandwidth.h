// Measures how fast a CUDA device's memory can be read and copied.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_GPU_BANDWIDTH_H
#define BAMBAC_RUNTIME_RUN_MEASURE_GPU_BANDWIDTH_H

#include "runtime/run/measure/gpu.h"
#include "runtime/run/measure/read_bandwidth.h"

namespace bambac::measure {

struct GpuBandwidth {
  Bandwidth read;
  Bandwidth copy; ///< bytes read and bytes written, both counted
};

/// Streams through a buffer of 4 GiB, or of half of what is free: the best of several passes. The kernel is PTX text
/// that the driver compiles, so no toolkit is needed.
GpuBandwidth measureGpuBandwidth(const Gpu &gpu);

} // namespace bambac::measure

#endif // BAMBAC_RUNTIME_RUN_MEASURE_GPU_BANDWIDTH_H
