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

/// Rows that a linear makes to codes for all of its blocks, at most (common/shared_codes.cuh).
inline constexpr int kMostSharedRows = 1024;
static_assert(kMostSharedRows <= kMostSharedParts);

/// Parts of a row that blocks of a linear make to codes: so many that all blocks have one, but few, since each reads
/// all of the row (measured in codegen/cuda/NOTEBOOK.md), and no more than the `vectors` of a thread.
BAMBAC_HOST_DEVICE constexpr int sharedParts(int rows, int blocks, int vectors) {
  constexpr int kMost = 2;
  return maxOf(1, minOf(minOf(kMost, vectors), minOf(blocks, kMostSharedParts) / rows));
}

/// Static shared memory of a linear whose rows become codes in its kernel (common/shared_codes.cuh): a magnitude for
/// each warp, or for each `group` of the columns (0: all are one), and a barrier and a number.
BAMBAC_HOST_DEVICE constexpr int sharedCodesBytes(int columns, int group) {
  return 4 * maxOf(32, group ? ceilDiv(columns, group) : 1) + 16;
}

} // namespace bambac::geometry
