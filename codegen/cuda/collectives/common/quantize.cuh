// Rows as codes and scales, after the norm or the gate before them. A block has a row.
#pragma once
#include "common/quantize_row.cuh"

namespace bambac {

/// Shape: kRows; what QuantizeRow asks for; kThreadVectors, what a thread takes of a row
/// (geometry::quantizeVectors()).
template <class Shape> class Quantize {
  static constexpr int kMostVectors = geometry::mostQuantizeVectors(Shape::kVector);

public:
  static constexpr int kThreads = geometry::quantizeThreads(Shape::kColumns / Shape::kVector, Shape::kThreadVectors);
  /// With the most vectors a few less, since more spill where chips do not convert to codes.
  static constexpr int kMinBlocks = maxOf(1, (Shape::kThreadVectors < kMostVectors ? 1024 : 896) / kThreads);
  static constexpr Launch kLaunch = {Shape::kRows, 1, 1, kThreads, 1, 0, 1, 0};

  template <class Source, class Codes>
  static __device__ __forceinline__ void run(const Source &source, const float *fixedScales, Codes codes, float *scales,
                                             const int *rows = nullptr) {
    launchDependents();
    QuantizeRow<Shape, BlockTeam<kThreads>, geometry::kKeptColumns> row;
    row.begin(source);
    const int count = rowCount<Shape::kRows>(rows);
    waitForPredecessors();
    if (blockIdx.x < count)
      row.run(source, blockIdx.x, fixedScales, codes, scales);
  }
};

} // namespace bambac
