// What a kernel may rely on of its device, for the legality checks of the geometry headers.
#pragma once
#include "common/launch.cuh"
#include "geometry/geometry.h"

namespace bambac {

/// Shape: kSharedLimit (bytes of shared memory that a block may have), kMultiprocessors.
template <class Shape>
inline constexpr geometry::Limits kLimits = {Shape::kSharedLimit, Shape::kMultiprocessors, kWorkspaceCounters};

} // namespace bambac
