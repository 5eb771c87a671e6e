// ssm_scan in matrix form, a chunk of tokens and a head at a time; a piece of one token, as there may be where pieces
// are several, is a step of the recurrence.
//
// With B transposed, the products C B^T of a chunk serve all heads of a group. For each head the masked and decayed
// products M = (C B^T) exp(a[t] - a[s]) delta[s] multiply the inputs, the transposed state gives what came before the
// chunk, and the state takes what the chunk adds. Vectors run over tokens s, channels p and state indices n in turn.
//
// What vectors of a product are loaded from is written to scratch in panels as wide as a tile of sums first: rows of
// the operands lie thousands of bytes apart, where few of them fit the level-1 cache together.
#include "codegen/cpu/emit/Ops.h"
#include "codegen/cpu/emit/RegisterTile.h"
#include "codegen/cpu/emit/Ssm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {
namespace {

/// A decay below 2^-100 is zero: what it leaves is lost in the rounding of any sum, and products that are subnormal
/// take a hundred cycles each on some processors.
constexpr double kLeastExponent = -69.3;

class ScanEmitter {
public:
  ScanEmitter(Emitter &emitter, SsmScanOp op, SsmScanOp::Adaptor buffers, int64_t chunk)
      : e(emitter), op(op), buffers(buffers), state(buffers.getState()), out(buffers.getInit()), chunk(chunk),
        headDim(op.getHeadDim()), stateSize(op.getStateSize()), tokenWidth(chooseWidth(chunk)),
        channelWidth(chooseWidth(headDim)), indexWidth(chooseWidth(stateSize)), zero(e.index(0)) {
    int64_t tokens = e.roundUp(chunk), channels = e.roundUp(headDim), indices = e.roundUp(stateSize);
    delta = e.scratch({tokens});
    sums = e.scratch({tokens});
    lowSums = e.scratch({tokens});
    weights = e.scratch({tokens});
    growths = e.scratch({tokens});
    transposedB = e.scratch({llvm::divideCeilSigned(tokens, tokenWidth), indices, tokenWidth});
    panelsOfB = e.scratch({llvm::divideCeilSigned(indices, indexWidth), tokens, indexWidth});
    products = e.scratch({tokens, tokens});
    masked = e.scratch({tokens, tokens});
    transposedState = e.scratch({llvm::divideCeilSigned(channels, channelWidth), indices, channelWidth});
    inputs = e.scratch({llvm::divideCeilSigned(channels, channelWidth), tokens, channelWidth});
    weighted = e.scratch({tokens, channels});
  }

  void emit() {
    Value perGroup = getHeadsPerGroup(e, op, state);
    e.pieces(buffers.getStarts(), [&](Value piece, Value start, Value count) {
      slot = e.loadIndex(buffers.getSlots(), {piece});
      Value chunked = count; // tokens that are computed in chunks
      if (op.getSlots().getType().getDimSize(0) > 1) {
        Value isRun = e.less(e.index(1), count);
        e.when(e.less(count, e.index(2)), [&] { emitStep(e, op, buffers, start, slot); });
        chunked = e.select(isRun, count, zero);
      }
      e.loop(zero, chunked, chunk, [&](Value first) {
        firstRow = e.add(start, first);
        length = e.min(e.index(chunk), e.sub(count, first));
        e.loop(op.getNumGroups(), [&](Value group) {
          groupColumn = e.mul(group, stateSize);
          e.transpose(buffers.getB(), {firstRow, groupColumn}, length, e.index(stateSize), transposedB);
          copyB();
          multiplyCB();
          e.loop(e.mul(group, perGroup), e.mul(e.add(group, 1), perGroup), 1, [&](Value head) { emitHead(head); });
        });
      });
    });
  }

private:
  /// Two registers side by side, or as many as hold `size`.
  int64_t chooseWidth(int64_t size) const { return std::min(2 * e.getLanes(), e.roundUp(size)); }

  void emitHead(Value head) {
    Value firstChannel = e.mul(head, headDim);
    computeDeltas(head);
    maskProducts();
    copyInputs(firstChannel);
    e.transpose(state, {slot, head, zero, zero}, e.index(headDim), e.index(stateSize), transposedState);
    multiplyInputs(head, firstChannel);
    updateState(head);
  }

  /// exp of a vector or scalar of numbers up to zero.
  Value getDecay(Value exponent) {
    Value isLost = arith::CmpFOp::create(e.getBuilder(), e.getLoc(), arith::CmpFPredicate::OLT, exponent,
                                         e.constantLike(exponent, kLeastExponent));
    return e.select(isLost, e.constantLike(exponent, 0.0), e.exp(exponent));
  }

  void copyB() {
    e.columns(e.index(stateSize), indexWidth, [&](Value n, Lanes lanes) {
      e.loop(length, [&](Value t) {
        Value b = e.load(buffers.getB(), {e.add(firstRow, t), e.add(groupColumn, n)}, lanes);
        e.store(b, panelsOfB, {e.div(n, e.index(indexWidth)), t, zero}, {indexWidth, Value()});
      });
    });
  }

  /// products[t, s] = C[t] . B[s] for s up to t, and a little more.
  void multiplyCB() {
    int64_t tokens = e.roundUp(chunk);
    e.loop(zero, e.index(tokens / tokenWidth * tokenWidth), tokenWidth, [&](Value s) { multiplyCB(s, tokenWidth); });
    if (int64_t rest = tokens % tokenWidth)
      multiplyCB(e.index(tokens - rest), rest);
  }

  void multiplyCB(Value s, int64_t width) {
    Value panel = e.div(s, e.index(tokenWidth));
    e.rowTiles(e.min(s, length), length, e.getTileRows(), [&](Value row, int64_t count) {
      SmallVector<Value> tile(count, e.splat(0.0, width));
      tile = accumulate(e, tile, zero, e.index(stateSize),
                        {[&](int64_t r, Value n) {
                           return e.load(buffers.getC(), {e.add(firstRow, e.add(row, r)), e.add(groupColumn, n)});
                         },
                         [&](Value n) { return e.load(transposedB, {panel, n, zero}, {width, Value()}); }});
      for (auto [r, value] : llvm::enumerate(tile))
        e.store(value, products, {e.add(row, r), s}, {width, Value()});
    });
  }

  /// delta; the sums of delta*A; and what each token weighs in the new state.
  void computeDeltas(Value head) {
    Value bias = e.load(buffers.getDtBias(), {head});
    e.loop(length,
           [&](Value t) { e.store(e.addf(e.load(buffers.getDt(), {e.add(firstRow, t), head}), bias), delta, {t}); });
    e.columns(length, e.getLanes(),
              [&](Value t, Lanes lanes) { e.store(emitDelta(e, op, e.load(delta, {t}, lanes)), delta, {t}, lanes); });
    Value decay = emitDecay(e, buffers.getALog(), head);
    sumDeltas(decay);
    Value last = e.add(length, -1);
    total = e.load(sums, {last});
    e.columns(length, e.getLanes(), [&](Value t, Lanes lanes) {
      Value weight = e.mulf(getDecay(getDifference(last, t, lanes)), e.load(delta, {t}, lanes));
      e.store(weight, weights, {t}, lanes);
      e.store(getDecay(e.load(sums, {t}, lanes)), growths, {t}, lanes);
    });
  }

  /// a[t] in two f32 parts: after a token with a huge delta, differences of the following sums would be lost in the
  /// rounding of one.
  void sumDeltas(Value decay) {
    OpBuilder &b = e.getBuilder();
    Location loc = e.getLoc();
    Type f64 = b.getF64Type(), f32 = b.getF32Type();
    Value wideDecay = arith::ExtFOp::create(b, loc, f64, decay);
    Value start = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(0.0));
    e.loop(zero, length, 1, {start}, [&](Value t, ValueRange sum) {
      Value step = arith::MulFOp::create(b, loc, arith::ExtFOp::create(b, loc, f64, e.load(delta, {t})), wideDecay);
      Value next = arith::AddFOp::create(b, loc, sum[0], step);
      Value high = arith::TruncFOp::create(b, loc, f32, next);
      Value low = arith::SubFOp::create(b, loc, next, arith::ExtFOp::create(b, loc, f64, high));
      e.store(high, sums, {t});
      e.store(arith::TruncFOp::create(b, loc, f32, low), lowSums, {t});
      return SmallVector<Value>{next};
    });
  }

  /// a[t] - a[s] for a vector of s.
  Value getDifference(Value t, Value s, Lanes lanes) {
    Value high = e.subf(e.broadcast(e.load(sums, {t}), lanes.width), e.load(sums, {s}, lanes));
    Value low = e.subf(e.broadcast(e.load(lowSums, {t}), lanes.width), e.load(lowSums, {s}, lanes));
    return e.addf(high, low);
  }

  /// masked[t, s] = products[t, s] exp(a[t] - a[s]) delta[s] for s <= t, zero for s above up to a whole register.
  void maskProducts() {
    int64_t width = e.getLanes();
    Lanes all{width, Value()};
    e.loop(zero, length, width, [&](Value s) {
      // What is there after the last token is not kept.
      Value deltas = e.load(delta, {s}, all);
      auto multiply = [&](Value t) {
        return e.mulf(e.mulf(e.load(products, {t, s}, all), getDecay(getDifference(t, s, all))), deltas);
      };
      Value end = e.min(e.add(s, width), length);
      e.loop(s, end, 1, [&](Value t) {
        Value isBefore = e.lanesBefore(e.add(e.sub(t, s), 1), width).mask;
        e.store(e.select(isBefore, multiply(t), e.splat(0.0, width)), masked, {t, s}, all);
      });
      e.loop(end, length, 1, [&](Value t) { e.store(multiply(t), masked, {t, s}, all); });
    });
  }

  /// The inputs of a head, and what they add to the state.
  void copyInputs(Value firstChannel) {
    e.columns(e.index(headDim), channelWidth, [&](Value p, Lanes lanes) {
      e.loop(length, [&](Value t) {
        Value x = e.load(buffers.getX(), {e.add(firstRow, t), e.add(firstChannel, p)}, lanes);
        e.store(x, inputs, {e.div(p, e.index(channelWidth)), t, zero}, {channelWidth, Value()});
        e.store(e.mulf(x, e.broadcast(e.load(weights, {t}), channelWidth)), weighted, {t, p}, lanes);
      });
    });
  }

  /// y = exp(a) C S^T + D x + M x
  void multiplyInputs(Value head, Value firstChannel) {
    Value skip = e.load(buffers.getD(), {head});
    Lanes all{channelWidth, Value()};
    e.columns(e.index(headDim), channelWidth, [&](Value p, Lanes lanes) {
      Value panel = e.div(p, e.index(channelWidth));
      auto loadInput = [&](Value t) { return e.load(inputs, {panel, t, zero}, all); };
      e.rowTiles(zero, length, e.getTileRows(), [&](Value row, int64_t count) {
        SmallVector<Value> tile(count, e.splat(0.0, channelWidth));
        tile = accumulate(e, tile, zero, e.index(stateSize),
                          {[&](int64_t r, Value n) {
                             return e.load(buffers.getC(), {e.add(firstRow, e.add(row, r)), e.add(groupColumn, n)});
                           },
                           // The padding of the transposed state is a whole register only.
                           [&](Value n) { return e.load(transposedState, {panel, n, zero}, lanes); }});
        for (auto [r, value] : llvm::enumerate(tile)) {
          Value t = e.add(row, r), skipped = e.mulf(e.broadcast(skip, channelWidth), loadInput(t));
          value = e.fma(value, e.broadcast(e.load(growths, {t}), channelWidth), skipped);
        }
        tile = accumulate(e, tile, zero, e.add(row, count),
                          {[&](int64_t r, Value s) { return e.load(masked, {e.add(row, r), s}); }, loadInput});
        for (auto [r, value] : llvm::enumerate(tile))
          e.store(value, out, {e.add(firstRow, e.add(row, r)), e.add(firstChannel, p)}, lanes);
      });
    });
  }

  /// S = exp(a[last]) S + (weights x)^T B
  void updateState(Value head) {
    Value decay = getDecay(total);
    e.columns(e.index(stateSize), indexWidth, [&](Value n, Lanes lanes) {
      Value panel = e.div(n, e.index(indexWidth));
      e.rowTiles(zero, e.index(headDim), e.getTileRows(), [&](Value p, int64_t count) {
        SmallVector<Value> tile;
        for (int64_t r = 0; r < count; ++r)
          tile.push_back(e.mulf(e.load(state, {slot, head, e.add(p, r), n}, lanes), e.broadcast(decay, indexWidth)));
        tile = accumulate(e, tile, zero, length,
                          {[&](int64_t r, Value t) { return e.load(weighted, {t, e.add(p, r)}); },
                           [&](Value t) { return e.load(panelsOfB, {panel, t, zero}, {indexWidth, Value()}); }});
        for (auto [r, value] : llvm::enumerate(tile))
          e.store(value, state, {slot, head, e.add(p, r), n}, lanes);
      });
    });
  }

  Emitter &e;
  SsmScanOp op;
  SsmScanOp::Adaptor buffers;
  Value state, out;
  int64_t chunk, headDim, stateSize;
  int64_t tokenWidth, channelWidth, indexWidth; ///< of a panel
  Value zero;
  // Scratch.
  Value delta, sums, lowSums, weights, growths, transposedB, panelsOfB, products, masked, transposedState, inputs,
      weighted;
  // The place at which code is being written.
  Value slot, firstRow, length, groupColumn, total;
};

} // namespace

LogicalResult emitOp(Emitter &emitter, SsmScanOp op, SsmScanOp::Adaptor buffers) {
  int64_t chunk = emitter.getSchedule() ? emitter.getSchedule().getChunk() : 0;
  ScanEmitter(emitter, op, buffers, chunk > 0 ? chunk : op.getChunk()).emit();
  return success();
}

} // namespace bambac::codegen
