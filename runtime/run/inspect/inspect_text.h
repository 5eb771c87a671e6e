// What inspect prints of a library, for people: a summary, and on demand its kernels and weights.
#ifndef BAMBAC_RUNTIME_RUN_INSPECT_INSPECT_TEXT_H
#define BAMBAC_RUNTIME_RUN_INSPECT_INSPECT_TEXT_H

#include "runtime/run/library_metadata.h"

#include <string>
#include <vector>

namespace bambac::run {

/// Columns that no line is wider than, unless a single word is.
inline constexpr size_t inspectColumns = 100;

/// Where the library is from, its config, targets, memory and entry points. `models` has one for each target.
std::string describeSummary(const Library &library, const std::vector<Metadata> &models);

/// The kernels of one target with their launches and schedules.
std::string describeKernels(const Metadata &model);

/// The weights of one target with the tensors that they are made of, and its states.
std::string describeWeights(const Metadata &model);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_INSPECT_INSPECT_TEXT_H
