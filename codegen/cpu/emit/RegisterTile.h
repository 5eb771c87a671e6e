// The inner kernel of everything that multiplies matrices: a tile of sums that stays in registers.
#ifndef BAMBAC_CODEGEN_CPU_EMIT_REGISTERTILE_H
#define BAMBAC_CODEGEN_CPU_EMIT_REGISTERTILE_H

#include "codegen/cpu/emit/Emitter.h"

namespace bambac::codegen {

/// Where the factors of a tile of sums come from.
struct TileFactors {
  /// The scalar of a row at a depth.
  llvm::function_ref<Value(int64_t row, Value depth)> scalar;
  /// The vector at a depth.
  llvm::function_ref<Value(Value depth)> vector;
};

/// Adds what belongs to a depth to some sums.
using TileStep = llvm::function_ref<void(MutableArrayRef<Value> sums, Value depth)>;

/// Runs `step` on `sums` over the depths from `begin` to `end`. A few sums run over several depths side by side,
/// because each waits for the one before it.
SmallVector<Value> accumulate(Emitter &emitter, ArrayRef<Value> sums, Value begin, Value end, TileStep step);

/// Depths that accumulateParts() sums one after the other at most. Errors of rounding grow with their number.
inline constexpr int64_t kLongestPart = 1024;

/// The same in parts of kLongestPart depths, each summed by itself, where the depths' number is known.
SmallVector<Value> accumulateParts(Emitter &emitter, ArrayRef<Value> sums, Value begin, Value end, TileStep step);

/// Adds to each of `sums`, a vector for each row, the products of its scalars and the vector at a depth.
void addProducts(Emitter &emitter, MutableArrayRef<Value> sums, Value depth, TileFactors factors);

/// Adds to each of `sums`, a vector for each row, the products of its scalars and the vectors over the depths from
/// `begin` to `end`.
SmallVector<Value> accumulate(Emitter &emitter, ArrayRef<Value> sums, Value begin, Value end, TileFactors factors);

/// Sums that are added up one after another at most where sumInTree() is free to choose.
inline constexpr int64_t kLongestChain = 16;

/// `sums` and what `step` adds for each number from `begin` to `end`, of which there are at most `most`: in a tree,
/// with chains of kLongestChain sums, since errors of rounding grow with the length of a chain.
SmallVector<Value> sumInTree(Emitter &emitter, ArrayRef<Value> sums, Value begin, Value end, int64_t most,
                             TileStep step);

/// How many numbers each sum of the outermost chain of such a tree has.
int64_t partOfTree(int64_t most);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_EMIT_REGISTERTILE_H
