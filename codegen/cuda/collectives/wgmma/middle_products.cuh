// The products of a middle linear: what a warpgroup multiplies of each stage. The weights are the 64 rows of wgmma, the
// rows of x its columns.
#pragma once
#include "geometry/wgmma_linear.h"
#include "wgmma/wgmma_pipeline.cuh"

namespace bambac {

/// Of LinearMiddle, with its parameters. More rows than an instruction takes are parts, which consumers share out.
template <class Shape, class Input, class Epilogue> struct MiddleProducts {
  static constexpr geometry::LinearShape kShape = kLinearShape<Shape, Input, Epilogue>;
  static constexpr geometry::wgmma::LinearMiddle kGeometry = {Shape::kTileRows, Shape::kTileColumns, Shape::kTileDepth,
                                                              Shape::kStages, Shape::kSplit};
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(), "the schedule is legal");
  static constexpr int kTileRows = Shape::kTileRows, kTileDepth = Shape::kTileDepth;
  static constexpr int kColumnBlocks = kGeometry.columnBlocks(); // of 64 columns, of a warpgroup
  static constexpr int kRowParts = kGeometry.rowParts(), kRowsOfPart = kGeometry.partRows();
  static constexpr int kRowGroups = kGeometry.rowGroups(), kParts = kRowParts / kRowGroups; // of a warpgroup
  static constexpr bool kPromotes = kShape.promotes();
  /// Whether registers are left for sums of codes that are yet to be added, and for another kernel's blocks.
  static constexpr bool kHasFewSums = kGeometry.sums() <= 32;

  using Ring = StageRing<Shape::kStages, kGeometry.inputBytes(), kGeometry.weightBytes(), 4 * kGeometry.consumers()>;
  using Sums = float[kColumnBlocks * kParts][kRowsOfPart / 2];
  /// Of columns of the depth that share scales.
  static constexpr int kGroupCount = kShape.hasGroups() ? ceilDiv(Shape::kDepth, kShape.group) : 1;

  static __device__ __forceinline__ int firstColumn(int consumer) { return consumer / kRowGroups * kColumnBlocks * 64; }
  /// Where `count` rows are there, parts may have fewer than they have room for.
  static constexpr int kLeastRows = minOf(geometry::wgmma::kInstructionColumns / 2, kRowsOfPart);
  static constexpr int kSomeRows = minOf(kLeastRows + 8, kRowsOfPart);
  static __device__ __forceinline__ int partRows(int count) {
    if (kPromotes || count <= kRowsOfPart || count > kRowParts * kSomeRows)
      return kRowsOfPart;
    return count > kRowParts * kLeastRows ? kSomeRows : kLeastRows;
  }
  static __device__ __forceinline__ int firstRow(int consumer, int part, int count) {
    return kRowParts == 1 ? 0 : (consumer % kRowGroups * kParts + part) * partRows(count);
  }

  /// The operands of a stage that it reads: its columns of W and rows of x.
  static __device__ __forceinline__ uint64 weightsOf(const Ring &ring, int slot, int consumer) {
    return coreMatrixDescriptor(ring.weights(slot) + firstColumn(consumer) / 8 * kGroupBytes, 128, kGroupBytes);
  }
  static __device__ __forceinline__ uint64 inputOf(const Ring &ring, int slot, int firstRow) {
    return swizzledDescriptor(ring.input(slot) + firstRow * 128);
  }
  static constexpr int kGroupBytes = kTileDepth * 16; // of 8 weight rows

  /// The first `Rows` rows of a part of the sums.
  template <int Rows>
  static __device__ __forceinline__ auto firstRows(float (&sums)[kRowsOfPart / 2]) -> float (&)[Rows / 2] {
    return reinterpret_cast<float (&)[Rows / 2]>(sums);
  }

  /// Multiplies `Rows` rows of `Parts` parts in `steps` stages.
  template <int Rows, int Parts>
  static __device__ __forceinline__ void consumeRows(const Ring &ring, int steps, int consumer, Sums &sums,
                                                     RingPosition<Shape::kStages> &at) {
    ring.consume(sums, steps, at, [&](int slot) {
      uint64 weights = weightsOf(ring, slot, consumer);
      uint64 input = inputOf(ring, slot, consumer % kRowGroups * kParts * Rows);
#pragma unroll
      for (int i = 0; i < kTileDepth / 16 * kColumnBlocks * Parts; ++i) {
        const int part = i % Parts, block = i / Parts % kColumnBlocks, k = i / (Parts * kColumnBlocks);
        Wgmma<Rows, typename Shape::Operand>::run(firstRows<Rows>(sums[block * kParts + part]),
                                                  advance(weights, block * 8 * kGroupBytes + k * 256),
                                                  advance(input, (k / 4 * kTileRows + part * Rows) * 128 + k % 4 * 32));
      }
    });
  }

  // The same of codes, but exact: some rows and 64 words of the depth at a time, whose sums are then added in f32.
  static constexpr int kPromoted = kGeometry.promotedRows(), kPromotions = kGeometry.groupRows() / kPromoted;
  static constexpr int kWords = kTileDepth / 64, kItems = kWords * kColumnBlocks * kPromotions; ///< of a stage
  using Part = float[kPromoted / 2];
  /// Item `i` of a stage: where its rows, its columns and its words of the depth lie among the warpgroup's.
  struct Item {
    int row, block, word;
    __device__ __forceinline__ explicit Item(int i)
        : row(i % kPromotions * kPromoted), block(i / kPromotions % kColumnBlocks),
          word(i / (kPromotions * kColumnBlocks)) {}
  };

  /// Begins to multiply an item of the stage whose rows of x begin with `first`.
  static __device__ __forceinline__ void issueCodes(const Ring &ring, int slot, int consumer, int first,
                                                    const Item &item, Part &part) {
    uint64 weights = weightsOf(ring, slot, consumer), input = inputOf(ring, slot, first);
    fenceSums(part);
    warpgroupArrive();
#pragma unroll
    for (int k = 0; k < 4; ++k)
      Wgmma<kPromoted, e4m3>::run(part, advance(weights, item.block * 8 * kGroupBytes + (item.word * 4 + k) * 256),
                                  advance(input, (item.word * kTileRows + item.row) * 128 + k * 32), k > 0);
    warpgroupCommit();
  }
  /// Adds the sums of an item of step `step`. `row` and `column` are the first ones of the warpgroup, in the linear.
  static __device__ __forceinline__ void addCodes(const Epilogue &epilogue, int step, int row, int column,
                                                  const Item &item, const Part &part, Sums &sums) {
    const int group = (step * kWords + item.word) * geometry::kPromotedCodes / maxOf(kShape.group, 1);
    addSums(epilogue, &sums[item.block * kParts][0] + item.row / 2, part, row + item.row, column + item.block * 64,
            group);
    fenceSums(sums); // before the registers are used anew
  }

  /// A stage of a tile that begins with `row` of the linear; `column` is the first of the warpgroup.
  static __device__ __forceinline__ void multiplyCodes(const Ring &ring, int step, int slot, int consumer, int row,
                                                       int column, const Epilogue &epilogue, int count, Sums &sums) {
    const int first = firstRow(consumer, 0, count);
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const Item item(i);
      const bool exists = kRowParts == 1 || first + item.row < count;
      Part part;
      if (exists) {
        issueCodes(ring, slot, consumer, first, item, part);
        warpgroupWait<0>();
        fenceSums(part);
      }
      if (i + 1 == kItems)
        ring.release(slot);
      if (exists)
        addCodes(epilogue, step, row + first, column, item, part, sums);
    }
  }

  /// Adds sums of rows from `row` and 64 columns from `column` on. A column of y is a row of wgmma.
  template <int Count>
  static __device__ __forceinline__ void addSums(const Epilogue &epilogue, float *totals, const float (&sums)[Count],
                                                 int row, int column, int group) {
#pragma unroll
    for (int i = 0; i < Count; ++i)
      if constexpr (kShape.hasGroups()) {
        const int lane = threadIdx.x % 32, at = column + threadIdx.x / 32 % 4 * 16 + lane / 4 + i / 2 % 2 * 8;
        totals[i] += sums[i] * (epilogue.inputScale(minOf(row + i / 4 * 8 + lane % 4 * 2 + i % 2, Shape::kRows - 1),
                                                    minOf(group, kGroupCount - 1)) *
                                epilogue.weightScale(minOf(at, Shape::kColumns - 1), minOf(group, kGroupCount - 1)));
      } else {
        totals[i] += sums[i];
      }
  }

  /// Multiplies `steps` stages, from step `first` of a tile on, which begins with `row` and `column` of the linear and
  /// has `count` rows.
  static __device__ __forceinline__ void consume(const Ring &ring, int first, int steps, int consumer, int row,
                                                 int column, const Epilogue &epilogue, int count, Sums &sums,
                                                 RingPosition<Shape::kStages> &at) {
    if constexpr (kPromotes && kItems == 1 && kHasFewSums) {
      const int own = firstRow(consumer, 0, count);
      consumeCodesBehind<kPromoted / 2>(
          ring, steps, at, [&](int slot, Part &part) { issueCodes(ring, slot, consumer, own, Item(0), part); },
          [&](int step, Part &part) {
            addCodes(epilogue, first + step, row + own, column + firstColumn(consumer), Item(0), part, sums);
          });
    } else if constexpr (kPromotes) {
      consumeCodes(ring, steps, at, [&](int step, int slot) {
        multiplyCodes(ring, first + step, slot, consumer, row, column + firstColumn(consumer), epilogue, count, sums);
      });
    } else if constexpr (kRowParts == 1) {
      consumeRows<kRowsOfPart, 1>(ring, steps, consumer, sums, at);
    } else {
      if (firstRow(consumer, 0, count) >= count)
        ring.consume(sums, steps, at, [](int) {});
      else if (count <= kRowsOfPart)
        consumeRows<kRowsOfPart, 1>(ring, steps, consumer, sums, at);
      else if (partRows(count) == kLeastRows)
        consumeRows<kLeastRows, kParts>(ring, steps, consumer, sums, at);
      else if (partRows(count) == kSomeRows)
        consumeRows<kSomeRows, kParts>(ring, steps, consumer, sums, at);
      else
        consumeRows<kRowsOfPart, kParts>(ring, steps, consumer, sums, at);
    }
  }
};

} // namespace bambac
