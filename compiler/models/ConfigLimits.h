// What a configuration may hold: the largest value of each kind of field.
#ifndef BAMBAC_COMPILER_MODELS_CONFIGLIMITS_H
#define BAMBAC_COMPILER_MODELS_CONFIGLIMITS_H

#include <cstdint>

/// Bounds far beyond any model, so that no product of two fields overflows.
namespace bambac::limits {
inline constexpr int64_t kVocab = int64_t(1) << 24;
inline constexpr int64_t kWidth = int64_t(1) << 22;
inline constexpr int64_t kLayers = 1024;
inline constexpr int64_t kHeads = int64_t(1) << 16;
inline constexpr int64_t kConvTaps = 64;
inline constexpr int64_t kExpand = 256;
inline constexpr int64_t kPositions = (int64_t(1) << 31) - 1;
inline constexpr uint64_t kParameters = uint64_t(1) << 40;
inline constexpr uint64_t kStateBytes = uint64_t(1) << 40;
} // namespace bambac::limits

#endif // BAMBAC_COMPILER_MODELS_CONFIGLIMITS_H
