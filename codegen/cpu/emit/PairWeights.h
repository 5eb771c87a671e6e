// Weights in panels of pairs of columns as tiles of 16 pairs and 16 outputs, two side by side.
#ifndef BAMBAC_CODEGEN_CPU_EMIT_PAIRWEIGHTS_H
#define BAMBAC_CODEGEN_CPU_EMIT_PAIRWEIGHTS_H

#include "codegen/cpu/emit/LinearOperands.h"

namespace bambac::codegen {

/// Rows of a tile of the input, and pairs of columns of a tile of weights.
inline constexpr int64_t kTileRows = CpuTargetAttr::kTileRows;
static_assert(2 * kTileRows == kTileColumns);
/// Tiles of weights side by side: those of a panel.
inline constexpr int64_t kWideTiles = 2;

/// Columns of the input whose products are summed in tiles: a block, or a group of one.
struct PairPart {
  Value first, size;
  Value skipped; ///< 1 where the first column is the second of a pair
  Value line;    ///< the pair of the first column
  Value tiles;
  Value place; ///< of its first tile among those of the block
};

/// Weights in bf16 are tiles already. Codes are written out: all of a block before it is multiplied with many rows, a
/// tile at a time, one ahead of its use, where rows are so few that a panel is multiplied with them once.
class PairWeights : protected LinearOperands {
protected:
  PairWeights(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers, bool decodesAhead);

  /// Makes room for the tiles of a block.
  void allocate(int64_t tilesOfBlock);
  /// Writes out all codes of a panel and a part. Beyond the part are other codes: the input has zeros there.
  void decodeAll(PairPart at, Value panel);
  /// Writes out those at a depth of so many tiles.
  void decode(PairPart at, Value panel, Value deep);
  /// A tile of the panel's weights, `number` of two, at a depth of so many tiles.
  Value load(PairPart at, Value panel, Value deep, int64_t number);

  OpBuilder &b;
  Location loc;
  int64_t linesOfPanel;    ///< a line is a pair of columns
  const bool decodesAhead; ///< codes, a tile at a time

private:
  /// The first line in memory of the tiles at a depth.
  Value placeOf(PairPart at, Value deep);
  void decodeLine(PairPart at, Value panel, Value line, Value to);

  Value lines, tiles;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_EMIT_PAIRWEIGHTS_H
