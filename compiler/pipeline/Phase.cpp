// Names of the phases.
#include "compiler/pipeline/Phase.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/ErrorHandling.h"

namespace bambac {

StringRef stringifyPhase(Phase phase) {
  switch (phase) {
  case Phase::Model:
    return "model";
  case Phase::Fused:
    return "fused";
  case Phase::Scheduled:
    return "scheduled";
  case Phase::Kernels:
    return "kernels";
  case Phase::Library:
    return "library";
  }
  llvm_unreachable("all phases have a name");
}

std::optional<Phase> symbolizePhase(StringRef name) {
  for (Phase phase : kPhases)
    if (stringifyPhase(phase) == name)
      return phase;
  return std::nullopt;
}

} // namespace bambac
