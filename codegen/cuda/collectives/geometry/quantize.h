// How many threads take a row that becomes codes (common/quantize.cuh).
#pragma once
#include "geometry/geometry.h"

namespace bambac::geometry {

/// Columns of a vector, at most: 16 bytes of a row's elements, so that neighbouring threads access neighbouring ones.
BAMBAC_HOST_DEVICE constexpr int widestQuantizeVector(int elementBytes) { return 16 / elementBytes; }

/// Columns of a row that a thread of a kernel of its own keeps in registers.
inline constexpr int kKeptColumns = 32;

/// Vectors of a row that a thread takes, at most.
BAMBAC_HOST_DEVICE constexpr int mostQuantizeVectors(int vector) { return maxOf(1, kKeptColumns / vector); }

/// Threads of a block, which has a row of `rowVectors` vectors, where each takes `vectors` of them, or more where a
/// block cannot be as large.
BAMBAC_HOST_DEVICE constexpr int quantizeThreads(int rowVectors, int vectors) {
  return minOf(1024, alignTo(ceilDiv(rowVectors, vectors), 32));
}

/// Vectors of a thread, eight columns or more: as few as let all rows be at work at once, so that a row takes little
/// time; where rows are too many for that, as many as still leave registers for other rows on the same multiprocessor,
/// and a row enough threads. `vector`, the columns of one, divides `columns`.
BAMBAC_HOST_DEVICE constexpr int quantizeVectors(int rows, int columns, int vector, int multiprocessors) {
  constexpr int kLeastColumns = 8, kEnoughThreads = 256;
  int vectors = ceilDiv(kLeastColumns, vector);
  while (vectors < mostQuantizeVectors(vector) && quantizeThreads(columns / vector, 2 * vectors) >= kEnoughThreads &&
         rows > multiprocessors * (1024 / quantizeThreads(columns / vector, vectors)))
    vectors *= 2;
  return vectors;
}

} // namespace bambac::geometry
