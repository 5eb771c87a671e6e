// What each loop nest of a linear reads: its operands, where sums start, scales, and weights ahead of their use.
#ifndef BAMBAC_CODEGEN_CPU_EMIT_LINEAROPERANDS_H
#define BAMBAC_CODEGEN_CPU_EMIT_LINEAROPERANDS_H

#include "codegen/cpu/emit/Emitter.h"

namespace bambac::codegen {

class LinearOperands {
public:
  /// How far ahead of its use a weight is asked for.
  static constexpr int64_t kAheadBytes = 3072;

  LinearOperands(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers);

protected:
  /// Where weights are brought that are asked for ahead of their use.
  enum class Cache { Level1, Level2 };

  bool isScaled() const { return static_cast<bool>(weightScales); }
  /// Whether there are several groups of columns, each with scales of its own.
  bool hasGroups() const { return isScaled() && group < depth; }
  /// How many groups so many columns are.
  int64_t countGroups(int64_t columns) const { return static_cast<int64_t>(llvm::divideCeil(columns, group)); }
  /// Columns of a block of the depth: `columns`, or more where a linear of codes would have too many blocks to be
  /// exact.
  int64_t columnsOfBlock(int64_t columns) const;
  /// Groups of a block, likewise.
  int64_t groupsOfBlock(int64_t groups) const;
  /// Columns of a block, in whole groups, where the schedule says how many it should have; all where it does not.
  int64_t getBlock();
  /// The rows that are there, up to a whole number of tiles: a row of the last tile alone would read all weights.
  Value wholeTiles(int64_t rowTile);
  /// The bias, or zeros.
  Value getStart(Value column, Lanes lanes);
  /// What the sums of codes of group `number` are to be multiplied with, times `factor`.
  Value getScale(Value row, Value number, Value column, Lanes lanes, double factor = 1);
  /// Asks for the weights of line `line`, of `elements`, which may lie beyond the last. Weights lie in one stream, but
  /// the processor does not look far enough ahead by itself.
  void prefetch(Value line, int64_t elements, Cache cache = Cache::Level1);
  /// Lines of `elements` that are asked for ahead of their use.
  int64_t linesAhead(int64_t elements, int64_t bytes = kAheadBytes) const;

  Emitter &e;
  Value input, weight, bias, inputScales, weightScales, out;
  Type weightType;
  int64_t group; ///< columns that share scales
  int64_t depth, panelWidth;
  Value rows; ///< of the result that are there
};

inline constexpr int64_t kTileColumns = CpuTargetAttr::kTileColumns; ///< of the input, or of a term of it

/// Loops over panels of pairs of columns, for a processor that multiplies pairs of bf16. With tile registers, a few
/// rows of f32 stream through vectors (PairStream.cpp), and terms and codes are multiplied in tiles (PairTiles.cpp);
/// without, codes are multiplied in vectors (PairDots.cpp).
void emitPairStream(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers);
void emitPairTiles(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers);
void emitPairDots(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_EMIT_LINEAROPERANDS_H
