// The phases between a configuration and a library. Every tool, option and dump uses these names.
#ifndef BAMBAC_COMPILER_PIPELINE_PHASE_H
#define BAMBAC_COMPILER_PIPELINE_PHASE_H

#include "dialects/LLVM.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

namespace bambac {

enum class Phase {
  Model,     ///< the model's ops on tensors
  Fused,     ///< kernels and their launches
  Scheduled, ///< kernels with schedules, and the memory plan
  Kernels,   ///< machine code of the kernels (their LLVM IR in dumps)
  Library    ///< the shared library
};

inline constexpr Phase kPhases[] = {Phase::Model, Phase::Fused, Phase::Scheduled, Phase::Kernels, Phase::Library};

StringRef stringifyPhase(Phase phase);
std::optional<Phase> symbolizePhase(StringRef name);

} // namespace bambac

#endif // BAMBAC_COMPILER_PIPELINE_PHASE_H
