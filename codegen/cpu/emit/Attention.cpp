// attention: some queries of one KV head at a time against one page of keys and values after the other.
//
// The queries of a tile, all heads of the group for some tokens, share the transposition of a page of keys. Each query
// keeps the largest score, the sum of weights and the weighted sum of values so far; a page rescales them. Pages
// beyond the largest position of the tile are not touched.
#include "codegen/cpu/emit/Ops.h"
#include "codegen/cpu/emit/RegisterTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "runtime/contract/quantization.h"

namespace bambac::codegen {
namespace {

/// Queries of a tile.
constexpr int64_t kQueries = 32;
/// Below every score, and finite, so that differences are numbers.
constexpr double kLowest = -1e30;

class AttentionEmitter {
public:
  AttentionEmitter(Emitter &emitter, AttentionOp op, AttentionOp::Adaptor buffers)
      : e(emitter), op(op), buffers(buffers), group(op.getGroupSize()), headDim(op.getHeadDim()),
        pageTokens(op.getPageTokens()),
        tileTokens(op.hasRuns() ? std::min(op.getNumRows(), std::max<int64_t>(kQueries / group, 1)) : 1),
        queries(tileTokens * group), keyWidth(std::min(2 * e.getLanes(), e.roundUp(pageTokens))),
        keys((pageTokens + keyWidth - 1) / keyWidth * keyWidth), zero(e.index(0)) {
    query = e.scratch({queries, headDim});
    sums = e.scratch({queries, headDim});
    scores = e.scratch({queries, keys});
    transposedKeys = e.scratch({e.roundUp(headDim), keys});
    largest = e.scratch({queries});
    total = e.scratch({queries});
    rescale = e.scratch({queries});
  }

  void emit() {
    if (!op.hasRuns()) {
      Value one = e.index(1);
      e.loop(e.dim(buffers.getPages(), 0), [&](Value sequence) {
        e.loop(op.getNumKvHeads(), [&](Value head) { emitTile({sequence, sequence, one}, head); });
      });
      return;
    }
    e.pieces(buffers.getStarts(), [&](Value piece, Value firstRow, Value count) {
      e.loop(op.getNumKvHeads(), [&](Value head) {
        e.loop(zero, count, tileTokens, [&](Value first) {
          emitTile({piece, e.add(firstRow, first), e.min(e.index(tileTokens), e.sub(count, first))}, head);
        });
      });
    });
  }

private:
  /// Up to `tileTokens` rows of one sequence.
  struct Tile {
    Value sequence, firstRow, count;
  };

  /// Runs over the queries of the tile that exist: the body gets the query, its row and its first column.
  void forQueries(const Tile &tile, Value head, llvm::function_ref<void(Value query, Value row, Value column)> body) {
    e.loop(tile.count, [&](Value token) {
      Value row = e.add(tile.firstRow, token);
      e.loop(group, [&](Value member) {
        body(e.add(e.mul(token, group), member), row, e.mul(e.add(e.mul(head, group), member), headDim));
      });
    });
  }

  void emitTile(const Tile &tile, Value head) {
    // Queries beyond the last token are zero; what they compute is never stored.
    e.loop(queries, [&](Value q) {
      e.store(e.f32(kLowest), largest, {q});
      e.store(e.f32(0.0), total, {q});
      e.columns(e.index(headDim), e.getLanes(), [&](Value d, Lanes lanes) {
        e.store(e.splat(0.0, lanes.width), sums, {q, d}, lanes);
        e.store(e.splat(0.0, lanes.width), query, {q, d}, lanes);
      });
    });
    Value scale = scaledBy(e.f32(op.getScale().convertToDouble()), contract::kScaleOfKeys);
    forQueries(tile, head, [&](Value q, Value row, Value column) {
      e.columns(e.index(headDim), e.getLanes(), [&](Value d, Lanes lanes) {
        Value value = e.load(buffers.getQuery(), {row, e.add(column, d)}, lanes);
        e.store(e.mulf(value, e.broadcast(scale, lanes.width)), query, {q, d}, lanes);
      });
    });
    Value context = countKeys(tile);
    Value blocks = e.div(e.add(context, pageTokens - 1), e.index(pageTokens));
    e.loop(blocks, [&](Value block) {
      prefetch(e.loadIndex(buffers.getPages(), {tile.sequence, e.min(e.add(block, 1), e.add(blocks, -1))}), head);
      Value page = e.loadIndex(buffers.getPages(), {tile.sequence, block});
      multiplyKeys(page, head);
      weigh(tile, block);
      addValues(page, head, e.min(e.index(pageTokens), e.sub(context, e.mul(block, pageTokens))));
    });
    forQueries(tile, head, [&](Value q, Value row, Value column) {
      Value sum = e.load(total, {q});
      // A padding row has seen no key.
      Value factor = scaledBy(e.divf(e.f32(1.0), e.maxf(sum, e.f32(1e-30))), contract::kScaleOfValues);
      e.columns(e.index(headDim), e.getLanes(), [&](Value d, Lanes lanes) {
        Value value = e.mulf(e.load(sums, {q, d}, lanes), e.broadcast(factor, lanes.width));
        e.store(value, buffers.getInit(), {row, e.add(column, d)}, lanes);
      });
    });
  }

  /// `factor` times a scale of the cache, where it has some.
  Value scaledBy(Value factor, contract::CacheScale number) {
    Value scales = buffers.getCacheScales();
    return scales ? e.mulf(factor, e.load(scales, {e.index(number)})) : factor;
  }

  /// The position of a token of the tile; those beyond the last have that of the last.
  Value getPosition(const Tile &tile, Value token) {
    Value row = e.add(tile.firstRow, e.min(token, e.add(tile.count, -1)));
    return e.loadIndex(buffers.getPositions(), {row});
  }

  /// Keys up to the largest position of the tile.
  Value countKeys(const Tile &tile) {
    SmallVector<Value> positions =
        e.loop(zero, e.index(tileTokens), 1, {e.index(-1)}, [&](Value token, ValueRange values) {
          return SmallVector<Value>{e.max(values[0], getPosition(tile, token))};
        });
    return e.add(positions[0], 1);
  }

  /// Asks for the keys and values of the page that comes next: pages lie anywhere, which no processor foresees.
  void prefetch(Value page, Value head) {
    constexpr int64_t kCacheLine = 64;
    int64_t step = kCacheLine * 8 / cast<MemRefType>(buffers.getKCache().getType()).getElementTypeBitWidth();
    e.loop(pageTokens, [&](Value j) {
      e.loop(zero, e.index(headDim), step, [&](Value d) {
        for (Value cache : {buffers.getKCache(), buffers.getVCache()})
          memref::PrefetchOp::create(e.getBuilder(), e.getLoc(), cache, ValueRange{page, head, j, d},
                                     /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
      });
    });
  }

  /// scores[q, j] = query[q] . K[j]
  void multiplyKeys(Value page, Value head) {
    e.transpose(buffers.getKCache(), {page, head, zero, zero}, e.index(pageTokens), e.index(headDim), transposedKeys);
    e.loop(zero, e.index(keys), keyWidth, [&](Value j) {
      e.rowTiles(zero, e.index(queries), e.getTileRows(), [&](Value q, int64_t count) {
        SmallVector<Value> tile(count, e.splat(0.0, keyWidth));
        tile = accumulate(e, tile, zero, e.index(headDim),
                          {[&](int64_t r, Value d) { return e.load(query, {e.add(q, r), d}); },
                           [&](Value d) { return e.load(transposedKeys, {d, j}, {keyWidth, Value()}); }});
        for (auto [r, value] : llvm::enumerate(tile))
          e.store(value, scores, {e.add(q, r), j}, {keyWidth, Value()});
      });
    });
  }

  /// Turns the scores of a page into weights, and says by how much what was summed before must shrink.
  void weigh(const Tile &tile, Value block) {
    e.loop(tileTokens, [&](Value token) {
      Value position = getPosition(tile, token);
      // Keys of this page that the token sees: none, some or all.
      Value seen = e.sub(e.add(position, 1), e.mul(block, pageTokens));
      seen = e.max(e.min(seen, e.index(pageTokens)), zero);
      e.loop(group, [&](Value member) { weighQuery(e.add(e.mul(token, group), member), seen); });
    });
  }

  void weighQuery(Value q, Value seen) {
    Value before = e.load(largest, {q});
    auto getMask = [&](Value j) {
      OpBuilder &b = e.getBuilder();
      return vector::CreateMaskOp::create(b, e.getLoc(), VectorType::get(keyWidth, b.getI1Type()), e.sub(seen, j));
    };
    Value lowest = e.splat(kLowest, keyWidth);
    SmallVector<Value> highest = e.loop(zero, e.index(keys), keyWidth, {lowest}, [&](Value j, ValueRange values) {
      Value score = e.load(scores, {q, j}, {keyWidth, Value()});
      return SmallVector<Value>{e.maxf(values[0], e.select(getMask(j), score, lowest))};
    });
    Value now = e.maxf(before, e.largest(highest[0]));
    Value shift = e.broadcast(now, keyWidth);
    SmallVector<Value> added =
        e.loop(zero, e.index(keys), keyWidth, {e.splat(0.0, keyWidth)}, [&](Value j, ValueRange values) {
          // Unseen keys are replaced before the exponential: theirs would overflow.
          Value score = e.select(getMask(j), e.load(scores, {q, j}, {keyWidth, Value()}), shift);
          Value weight = e.select(getMask(j), e.exp(e.subf(score, shift)), e.splat(0.0, keyWidth));
          e.store(weight, scores, {q, j}, {keyWidth, Value()});
          return SmallVector<Value>{e.addf(values[0], weight)};
        });
    Value factor = e.exp(e.subf(before, now));
    e.store(factor, rescale, {q});
    e.store(now, largest, {q});
    e.store(e.fma(e.load(total, {q}), factor, e.sum(added[0])), total, {q});
  }

  /// sums[q] = sums[q] * rescale[q] + weights[q] V, over the keys that are there: what else the page holds is no number
  /// to multiply by zero.
  void addValues(Value page, Value head, Value seen) {
    int64_t width = std::min(2 * e.getLanes(), e.roundUp(headDim));
    e.columns(e.index(headDim), width, [&](Value d, Lanes lanes) {
      e.rowTiles(zero, e.index(queries), e.getTileRows(), [&](Value q, int64_t count) {
        SmallVector<Value> tile;
        for (int64_t r = 0; r < count; ++r) {
          Value at = e.add(q, r);
          tile.push_back(e.mulf(e.load(sums, {at, d}, lanes), e.broadcast(e.load(rescale, {at}), width)));
        }
        tile = accumulate(e, tile, zero, seen,
                          {[&](int64_t r, Value j) { return e.load(scores, {e.add(q, r), j}); },
                           [&](Value j) { return e.load(buffers.getVCache(), {page, head, j, d}, lanes); }});
        for (auto [r, value] : llvm::enumerate(tile))
          e.store(value, sums, {e.add(q, r), d}, lanes);
      });
    });
  }

  Emitter &e;
  AttentionOp op;
  AttentionOp::Adaptor buffers;
  int64_t group, headDim, pageTokens, tileTokens, queries, keyWidth, keys;
  Value zero;
  // Scratch.
  Value query, sums, scores, transposedKeys, largest, total, rescale;
};

} // namespace

LogicalResult emitOp(Emitter &emitter, AttentionOp op, AttentionOp::Adaptor buffers) {
  if (!op.getQuery().getType().hasStaticShape() || !op.getPages().getType().hasStaticShape())
    return op.emitOpError() << "expected a workgroup that divides the sequences and KV heads";
  AttentionEmitter(emitter, op, buffers).emit();
  return success();
}

} // namespace bambac::codegen
