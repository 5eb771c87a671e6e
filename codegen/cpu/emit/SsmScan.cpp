// ssm_scan in matrix form, a chunk of tokens and a head at a time; a piece of one token, as there may be where pieces
// are several, is a step of the recurrence.
//
// With B transposed, the products C B^T of a chunk serve all heads of a group. For each head the masked and decayed
// products M = (C B^T) exp(a[t] - a[s]) delta[s] multiply the inputs, the transposed state gives what came before the
// chunk, and the state takes what the chunk adds. Vectors run over tokens s, channels p and state indices n in turn.
#include "codegen/cpu/emit/Ops.h"
#include "codegen/cpu/emit/RegisterTile.h"
#include "codegen/cpu/emit/Ssm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace bambac::codegen {
namespace {

class ScanEmitter {
public:
  ScanEmitter(Emitter &emitter, SsmScanOp op, SsmScanOp::Adaptor buffers, int64_t chunk)
      : e(emitter), op(op), buffers(buffers), state(buffers.getState()), out(buffers.getInit()), chunk(chunk),
        headDim(op.getHeadDim()), stateSize(op.getStateSize()), zero(e.index(0)) {
    int64_t tokens = e.roundUp(chunk), channels = e.roundUp(headDim), indices = e.roundUp(stateSize);
    delta = e.scratch({tokens});
    sums = e.scratch({tokens});
    lowSums = e.scratch({tokens});
    weights = e.scratch({tokens});
    transposedB = e.scratch({indices, tokens});
    products = e.scratch({tokens, tokens});
    masked = e.scratch({tokens, tokens});
    transposedState = e.scratch({indices, channels});
    inputs = e.scratch({tokens, channels});
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
          multiplyCB();
          e.loop(e.mul(group, perGroup), e.mul(e.add(group, 1), perGroup), 1, [&](Value head) { emitHead(head); });
        });
      });
    });
  }

private:
  void emitHead(Value head) {
    Value firstChannel = e.mul(head, headDim);
    computeDeltas(head);
    maskProducts();
    e.transpose(state, {slot, head, zero, zero}, e.index(headDim), e.index(stateSize), transposedState);
    multiplyInputs(head, firstChannel);
    updateState(head, firstChannel);
  }

  /// products[t, s] = C[t] . B[s] for s up to t, and a little more.
  void multiplyCB() {
    int64_t width = std::min(2 * e.getLanes(), e.roundUp(chunk));
    e.loop(zero, e.index(e.roundUp(chunk) / width * width), width, [&](Value s) { multiplyCB(s, width); });
    if (int64_t rest = e.roundUp(chunk) % width)
      multiplyCB(e.index(e.roundUp(chunk) - rest), rest);
  }

  void multiplyCB(Value s, int64_t width) {
    e.rowTiles(e.min(s, length), length, e.getTileRows(), [&](Value row, int64_t count) {
      SmallVector<Value> tile(count, e.splat(0.0, width));
      tile = accumulate(e, tile, zero, e.index(stateSize),
                        {[&](int64_t r, Value n) {
                           return e.load(buffers.getC(), {e.add(firstRow, e.add(row, r)), e.add(groupColumn, n)});
                         },
                         [&](Value n) { return e.load(transposedB, {n, s}, {width, Value()}); }});
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
      e.store(e.mulf(e.exp(getDifference(last, t, lanes)), e.load(delta, {t}, lanes)), weights, {t}, lanes);
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
    e.loop(length, [&](Value t) {
      Value end = e.add(t, 1);
      e.loop(zero, end, width, [&](Value s) {
        Lanes lanes = e.lanesBefore(e.sub(end, s), width);
        Value decay = e.exp(getDifference(t, s, lanes));
        Value value = e.mulf(e.mulf(e.load(products, {t, s}, lanes), decay), e.load(delta, {s}, lanes));
        e.store(e.select(lanes.mask, value, e.splat(0.0, width)), masked, {t, s}, {width, Value()});
      });
    });
  }

  /// y = exp(a) C S^T + D x + M x
  void multiplyInputs(Value head, Value firstChannel) {
    Value skip = e.load(buffers.getD(), {head});
    int64_t width = std::min(2 * e.getLanes(), e.roundUp(headDim));
    auto scalarOfC = [&](Value row) {
      return [&, row](int64_t r, Value n) {
        return e.load(buffers.getC(), {e.add(firstRow, e.add(row, r)), e.add(groupColumn, n)});
      };
    };
    e.columns(e.index(headDim), width, [&](Value p, Lanes lanes) {
      // The padding of the transposed state is a whole register, of the inputs it is masked.
      Lanes inState = lanes;
      Value channel = e.add(firstChannel, p);
      e.rowTiles(zero, length, e.getTileRows(), [&](Value row, int64_t count) {
        SmallVector<Value> tile(count, e.splat(0.0, width));
        auto scalar = scalarOfC(row);
        tile = accumulate(e, tile, zero, e.index(stateSize),
                          {scalar, [&](Value n) { return e.load(transposedState, {n, p}, inState); }});
        for (auto [r, value] : llvm::enumerate(tile)) {
          Value t = e.add(row, r);
          Value x = e.load(buffers.getX(), {e.add(firstRow, t), channel}, lanes);
          value = e.fma(value, e.broadcast(e.exp(e.load(sums, {t})), width), e.mulf(e.broadcast(skip, width), x));
        }
        tile = accumulate(e, tile, zero, e.add(row, count),
                          {[&](int64_t r, Value s) { return e.load(masked, {e.add(row, r), s}); },
                           [&](Value s) { return e.load(buffers.getX(), {e.add(firstRow, s), channel}, lanes); }});
        for (auto [r, value] : llvm::enumerate(tile))
          e.store(value, out, {e.add(firstRow, e.add(row, r)), channel}, lanes);
      });
    });
  }

  /// S = exp(a[last]) S + (weights x)^T B
  void updateState(Value head, Value firstChannel) {
    e.loop(length, [&](Value t) {
      e.columns(e.index(headDim), e.getLanes(), [&](Value p, Lanes lanes) {
        Value x = e.load(buffers.getX(), {e.add(firstRow, t), e.add(firstChannel, p)}, lanes);
        e.store(e.mulf(x, e.broadcast(e.load(weights, {t}), lanes.width)), inputs, {t, p}, lanes);
      });
    });
    Value decay = e.exp(total);
    int64_t width = std::min(2 * e.getLanes(), e.roundUp(stateSize));
    e.columns(e.index(stateSize), width, [&](Value n, Lanes lanes) {
      e.rowTiles(zero, e.index(headDim), e.getTileRows(), [&](Value p, int64_t count) {
        SmallVector<Value> tile;
        for (int64_t r = 0; r < count; ++r)
          tile.push_back(e.mulf(e.load(state, {slot, head, e.add(p, r), n}, lanes), e.broadcast(decay, width)));
        tile = accumulate(
            e, tile, zero, length,
            {[&](int64_t r, Value t) { return e.load(inputs, {t, e.add(p, r)}); },
             [&](Value t) { return e.load(buffers.getB(), {e.add(firstRow, t), e.add(groupColumn, n)}, lanes); }});
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
  Value zero;
  // Scratch.
  Value delta, sums, lowSums, weights, transposedB, products, masked, transposedState, inputs;
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
