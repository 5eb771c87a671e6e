// Ops that move or combine elements one by one: swiglu, embedding, take_rows, kv_append; and argmax.
#include "codegen/cpu/emit/Ops.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/contract/quantization.h"
#include <limits>
#include <numeric>

namespace bambac::codegen {

/// Registers that a pass over a row works on side by side.
static constexpr int64_t kRegisters = 2;

LogicalResult emitOp(Emitter &e, SwigluOp, SwigluOp::Adaptor buffers) {
  Value gate = buffers.getGate();
  e.loop(e.rowsThere(gate), [&](Value row) {
    e.columns(e.dim(gate, 1), kRegisters * e.getLanes(), [&](Value column, Lanes lanes) {
      Value value = e.mulf(e.silu(e.load(gate, {row, column}, lanes)), e.load(buffers.getUp(), {row, column}, lanes));
      e.store(value, buffers.getInit(), {row, column}, lanes);
    });
  });
  return success();
}

/// Copies `size` elements along the last dimension, each divided by `scale` where there is one.
static void copyRow(Emitter &e, Value source, ArrayRef<Value> from, Value target, ArrayRef<Value> to, Value size,
                    Value scale = {}) {
  e.columns(size, kRegisters * e.getLanes(), [&](Value column, Lanes lanes) {
    SmallVector<Value> readAt(from), writeAt(to);
    readAt.back() = e.add(readAt.back(), column);
    writeAt.back() = e.add(writeAt.back(), column);
    Value value = e.load(source, readAt, lanes);
    e.store(scale ? e.divf(value, e.broadcast(scale, lanes.width)) : value, target, writeAt, lanes);
  });
}

LogicalResult emitOp(Emitter &e, EmbeddingOp, EmbeddingOp::Adaptor buffers) {
  Value out = buffers.getInit(), zero = e.index(0);
  e.loop(e.dim(out, 0), [&](Value row) {
    Value token = e.loadIndex(buffers.getTokens(), {row});
    copyRow(e, buffers.getTable(), {token, zero}, out, {row, zero}, e.dim(out, 1));
  });
  return success();
}

LogicalResult emitOp(Emitter &e, TakeRowsOp, TakeRowsOp::Adaptor buffers) {
  Value out = buffers.getInit(), zero = e.index(0);
  e.loop(e.dim(out, 0), [&](Value row) {
    Value number = e.loadIndex(buffers.getRows(), {row});
    copyRow(e, buffers.getInput(), {number, zero}, out, {row, zero}, e.dim(out, 1));
  });
  return success();
}

LogicalResult emitOp(Emitter &e, KvAppendOp, KvAppendOp::Adaptor buffers) {
  Value keys = buffers.getK(), pages = buffers.getPages(), cache = buffers.getKCache(), zero = e.index(0);
  Value pieces = buffers.getPieces();
  Value pageTokens = e.dim(cache, 2), headDim = e.dim(cache, 3), scales = buffers.getScales();
  e.loop(e.dim(keys, 0), [&](Value row) {
    Value position = e.loadIndex(buffers.getPositions(), {row});
    e.when(e.less(e.index(-1), position), [&] {
      Value block = e.div(position, pageTokens);
      Value page = e.loadIndex(pages, {pieces ? e.loadIndex(pieces, {row}) : row, block});
      Value place = e.sub(position, e.mul(block, pageTokens));
      e.loop(e.dim(cache, 1), [&](Value head) {
        Value column = e.mul(head, headDim);
        auto append = [&](Value rows, Value cache, contract::CacheScale number) {
          Value scale = scales ? e.load(scales, {e.index(number)}) : Value();
          copyRow(e, rows, {row, column}, cache, {page, head, place, zero}, headDim, scale);
        };
        append(keys, cache, contract::kScaleOfKeys);
        append(buffers.getV(), buffers.getVCache(), contract::kScaleOfValues);
      });
    });
  });
  return success();
}

/// Each lane keeps the largest element it saw and its column; then the lanes are compared.
LogicalResult emitOp(Emitter &e, ArgmaxOp, ArgmaxOp::Adaptor buffers) {
  OpBuilder &b = e.getBuilder();
  Location loc = e.getLoc();
  Value input = buffers.getInput();
  int64_t width = kRegisters * e.getLanes();
  auto columnsType = VectorType::get(width, b.getI32Type());
  Value lowest = e.splat(-std::numeric_limits<double>::infinity(), width);
  Value noColumns = arith::ConstantOp::create(b, loc, b.getZeroAttr(columnsType));
  SmallVector<int32_t> numbers(static_cast<size_t>(width));
  std::iota(numbers.begin(), numbers.end(), 0);
  Value steps = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(columnsType, ArrayRef(numbers)));
  Value found = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(columnsType, int32_t{-1}));
  auto isNan = [&](Value x) { return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x); };
  e.loop(e.dim(input, 0), [&](Value row) {
    SmallVector<Value> best =
        e.columns(e.dim(input, 1), width, {lowest, noColumns}, [&](Value column, Lanes lanes, ValueRange values) {
          Value loaded = e.load(input, {row, column}, lanes);
          if (lanes.mask)
            loaded = e.select(lanes.mask, loaded, lowest);
          Value first = arith::IndexCastOp::create(b, loc, b.getI32Type(), column);
          Value places = arith::AddIOp::create(b, loc, vector::BroadcastOp::create(b, loc, columnsType, first), steps);
          // Once there is a NaN, no number is larger: it stays.
          Value larger = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, loaded, values[0]);
          larger = arith::OrIOp::create(b, loc, larger, isNan(loaded));
          return SmallVector<Value>{e.select(larger, loaded, values[0]), e.select(larger, places, values[1])};
        });
    Value largest = e.broadcast(e.largest(best[0]), width);
    Value isLargest = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, best[0], largest);
    Value none =
        arith::ConstantOp::create(b, loc, DenseElementsAttr::get(columnsType, std::numeric_limits<int32_t>::max()));
    Value places = e.select(isNan(best[0]), found, e.select(isLargest, best[1], none));
    Value first = vector::ReductionOp::create(b, loc, vector::CombiningKind::MINSI, places);
    memref::StoreOp::create(b, loc, first, buffers.getInit(), row);
  });
  return success();
}

} // namespace bambac::codegen
