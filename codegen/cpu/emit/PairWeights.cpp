// Codes as tiles of bf16, and loads of tiles.
#include "codegen/cpu/emit/PairWeights.h"
#include "codegen/cpu/emit/PairCodes.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {

/// Room for tiles that are written out one at a time: none is written over soon after it was loaded.
static constexpr int64_t kTilesAhead = 4;
/// How far ahead of its use such a tile's codes are asked for, in bytes.
static constexpr int64_t kStreamAheadBytes = 8192;

PairWeights::PairWeights(Emitter &emitter, LinearOp op, LinearOp::Adaptor buffers, bool decodesAhead)
    : LinearOperands(emitter, op, buffers), b(e.getBuilder()), loc(e.getLoc()),
      linesOfPanel(cast<MemRefType>(weight.getType()).getDimSize(1)), decodesAhead(decodesAhead),
      lines(memref::CollapseShapeOp::create(b, loc, weight, ArrayRef<ReassociationIndices>{{0}, {1}, {2, 3}})) {}

void PairWeights::allocate(int64_t tilesOfBlock) {
  if (isScaled())
    tiles = e.scratch({(decodesAhead ? kTilesAhead : tilesOfBlock) * kTileRows, 2 * panelWidth}, b.getBF16Type());
}

Value PairWeights::placeOf(PairPart at, Value deep) {
  Value tile = decodesAhead ? b.createOrFold<arith::RemUIOp>(loc, deep, e.index(kTilesAhead)) : e.add(at.place, deep);
  return e.mul(tile, kTileRows);
}

void PairWeights::decodeLine(PairPart at, Value panel, Value line, Value to) {
  Value from = e.min(e.add(at.line, line), e.index(linesOfPanel - 1));
  int64_t ahead = linesAhead(2 * panelWidth, decodesAhead ? kStreamAheadBytes : kAheadBytes);
  prefetch(e.add(e.add(e.mul(panel, linesOfPanel), from), ahead), 2 * panelWidth,
           decodesAhead ? Cache::Level2 : Cache::Level1);
  Value codes = vector::LoadOp::create(b, loc, VectorType::get(2 * panelWidth, weightType), lines,
                                       ValueRange{panel, from, e.index(0)});
  auto [first, second] = decodePairs(e, codes);
  vector::StoreOp::create(b, loc, first, tiles, ValueRange{to, e.index(0)});
  vector::StoreOp::create(b, loc, second, tiles, ValueRange{to, e.index(panelWidth)});
}

void PairWeights::decodeAll(PairPart at, Value panel) {
  Value half = e.mul(at.tiles, kTileRows / 2), place = placeOf(at, e.index(0));
  e.loop(half, [&](Value number) {
    // From two places at a time, which gives more bandwidth than one.
    for (Value line : {number, e.add(number, half)})
      decodeLine(at, panel, line, e.add(place, line));
  });
}

void PairWeights::decode(PairPart at, Value panel, Value deep) {
  Value first = e.mul(deep, kTileRows), place = placeOf(at, deep);
  for (int64_t line = 0; line < kTileRows; ++line)
    decodeLine(at, panel, e.add(first, line), e.add(place, line));
}

Value PairWeights::load(PairPart at, Value panel, Value deep, int64_t number) {
  auto type = amx::TileType::get({kTileRows, kTileColumns}, b.getBF16Type());
  Value column = e.index(number * kTileColumns);
  if (isScaled())
    return amx::TileLoadOp::create(b, loc, type, tiles, ValueRange{placeOf(at, deep), column});
  Value line = e.add(at.line, e.mul(deep, kTileRows));
  return amx::TileLoadOp::create(b, loc, type, lines, ValueRange{panel, line, column});
}

} // namespace bambac::codegen
