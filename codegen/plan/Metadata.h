// What a library says of itself: its config, kernels, weights, states and costs as JSON.
#ifndef BAMBAC_CODEGEN_PLAN_METADATA_H
#define BAMBAC_CODEGEN_PLAN_METADATA_H

#include "codegen/plan/Plan.h"

namespace bambac::codegen {

/// The compiler that made a library.
struct CompilerInfo {
  std::string version;
  std::string flags; ///< the options that it ran with, as one line
};

/// The metadata of one target's model as one line of JSON.
std::string makeMetadata(const Plan &plan, const CompilerInfo &compiler);

/// The metadata of a library of such models: {"schema_version":1,"models":[...]}.
std::string joinMetadata(ArrayRef<std::string> models);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_PLAN_METADATA_H
