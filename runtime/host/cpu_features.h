// Asks the processor whether it has what compiled kernels need.
#ifndef BAMBA_RUNTIME_HOST_CPU_FEATURES_H
#define BAMBA_RUNTIME_HOST_CPU_FEATURES_H

#include <string_view>

namespace bambac::rt {

/// True where this machine, its operating system included, has the feature of that LLVM name ("avx512f"). False for a
/// name that is not in cpu_features.def. Thread-safe; asks cpuid each time.
bool cpuHasFeature(std::string_view name);

/// True where a kernel with that feature computes in tile registers (AMX), which the system grants a process that asks.
bool cpuFeatureNeedsTiles(std::string_view name);

/// Asks the system to let this process, and those that it forks, use tile registers. False where it refuses. Asking
/// again does no harm. Thread-safe.
bool allowTiles();

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_HOST_CPU_FEATURES_H
