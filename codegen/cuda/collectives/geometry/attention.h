// The attention collectives: common/attention_decode (one token of each sequence), mma/attention_prefill (runs of
// tokens) and what wgmma/attention_prefill shares with it.
#pragma once
#include "geometry/geometry.h"

namespace bambac::geometry {

struct AttentionShape {
  int pieces, rows; ///< in all
  bool hasRuns;     ///< rows are runs of tokens; else each is a piece
  int heads, kvHeads, headDim, pageTokens;
  int cachedBytes;                                                           ///< of an element of the cache
  BAMBAC_HOST_DEVICE constexpr int group() const { return heads / kvHeads; } ///< query heads that share a KV head
  /// Whether decode leaves codes of the cache what they are in shared memory, two in a word. Others become f16 on their
  /// way.
  BAMBAC_HOST_DEVICE constexpr bool keepsCodes() const { return cachedBytes == 1 && headDim % (2 * kMmaDepth) == 0; }
};

/// How vectors of one head lie in shared memory: padded to the depth of an mma, and 8 elements apart beyond that, so
/// that the eight rows which ldmatrix reads lie in different banks.
BAMBAC_HOST_DEVICE constexpr int paddedHead(int headDim) { return alignTo(headDim, kMmaDepth); }
BAMBAC_HOST_DEVICE constexpr int headStride(int headDim) { return paddedHead(headDim) + 8; }
BAMBAC_HOST_DEVICE constexpr int headBytes(int headDim) { return headStride(headDim) * 2; }

/// Registers of a warp's tile of `rowTiles` x 16 query rows: weighted sums of the values, and scores of `keys` keys.
BAMBAC_HOST_DEVICE constexpr int attentionTileRegisters(int rowTiles, int headDim, int keys) {
  return rowTiles * (paddedHead(headDim) / 2 + keys / 2);
}
/// Registers for addresses, fragments of operands, maxima and weights: with fewer the assembler spills (seen by NVRTC's
/// log for head sizes from 64 to 256).
/// Codes of a cache that become f16 on their way to shared memory, up to 16 registers, are not counted: they are stored
/// before fragments are loaded.
inline constexpr int kAttentionOtherRegisters = 32;

/// Registers of the queries of a tile as operands of an mma. A warp that multiplies codes holds them if they are few,
/// and else reads them from shared memory again and again.
BAMBAC_HOST_DEVICE constexpr int heldQueries(int rowTiles, int headDim) { return rowTiles * headDim / 4; }
BAMBAC_HOST_DEVICE constexpr bool holdsQueries(int rowTiles, int headDim) {
  return heldQueries(rowTiles, headDim) <= 32;
}

/// Shared memory that a block takes for itself.
inline constexpr int kReservedBytes = 1024;

/// Checks that a tile leaves room for what else a thread holds.
BAMBAC_HOST_DEVICE constexpr void checkTileRegisters(Check &check, int threads, int minBlocks, int tileRegisters) {
  check.atMost(kRegistersText, registersPerThread(threads, minBlocks), tileRegisters + kAttentionOtherRegisters);
}

/// A KV head of a split of a sequence's keys at a time, with some of its query heads as the rows of a tile.
struct AttentionDecode {
  int splits;         ///< the most parts that a sequence's keys are cut into; 1: a block for each KV head
  int minSplitTokens; ///< keys that are worth a part of their own
  int tileHeads;      ///< query heads of a tile: all that share a KV head, or an even part of them
  int warps;          ///< of a block
  int stages;         ///< tiles of 16 keys under way in each warp
  int minBlocks;      ///< blocks of a multiprocessor

  using Shape = AttentionShape;
  static constexpr const char *kCollective = "common/attention_decode";
  static constexpr Field<AttentionDecode> kFields[] = {
      {"splits", &AttentionDecode::splits},        {"min_split_tokens", &AttentionDecode::minSplitTokens, 1, kAnySize},
      {"tile_heads", &AttentionDecode::tileHeads}, {"warps", &AttentionDecode::warps},
      {"stages", &AttentionDecode::stages},        {"min_blocks", &AttentionDecode::minBlocks}};
  static constexpr int kTileKeys = 16; ///< of a warp

  BAMBAC_HOST_DEVICE constexpr int threads() const { return warps * 32; }
  BAMBAC_HOST_DEVICE constexpr int rowTiles() const { return ceilDiv(tileHeads, kMmaRows); }
  /// Tiles of query heads that read the same KV head.
  BAMBAC_HOST_DEVICE constexpr int tilesOfGroup(const AttentionShape &shape) const { return shape.group() / tileHeads; }
  /// Tiles of query heads of all sequences.
  BAMBAC_HOST_DEVICE constexpr int headTiles(const AttentionShape &shape) const {
    return shape.pieces * (shape.heads / tileHeads);
  }
  BAMBAC_HOST_DEVICE constexpr int items(const AttentionShape &shape) const { return headTiles(shape) * splits; }
  /// Without splits a block takes one item. Otherwise blocks that are done take further ones.
  BAMBAC_HOST_DEVICE constexpr int blocks(const AttentionShape &shape, const Limits &limits) const {
    return splits == 1 ? items(shape) : minOf(items(shape), limits.multiprocessors * minBlocks);
  }
  /// One for the items handed out, one for each tile of query heads.
  BAMBAC_HOST_DEVICE constexpr int counters(const AttentionShape &shape) const {
    return splits == 1 ? 0 : 1 + headTiles(shape);
  }

  /// Keys and values, and later the sums of a tile.
  BAMBAC_HOST_DEVICE constexpr int warpBytes(const AttentionShape &shape) const {
    const int vector = headBytes(shape.keepsCodes() ? shape.headDim / 2 : shape.headDim);
    return maxOf(stages * 2 * kTileKeys * vector, alignTo(tileHeads * shape.headDim * 4, 16));
  }
  /// Weighted sums and scores, and where codes are multiplied the queries, as far as they are held: of those that are
  /// not, as many are on their way (seen by NVRTC's log).
  BAMBAC_HOST_DEVICE constexpr int tileRegisters(const AttentionShape &shape) const {
    return attentionTileRegisters(rowTiles(), shape.headDim, kTileKeys) +
           (shape.keepsCodes() ? heldQueries(rowTiles(), shape.headDim) : 0);
  }
  /// Queries, keys and values, the next item, and whether a split is the last.
  BAMBAC_HOST_DEVICE constexpr int fixedBytes(const AttentionShape &shape) const {
    return rowTiles() * kMmaRows * headBytes(shape.headDim) + warps * warpBytes(shape) + 2 * 4;
  }
  /// Maxima, or weights, of the parts that are added up at once: those of warps, or of up to `most` splits.
  BAMBAC_HOST_DEVICE constexpr int partFactors(int most) const { return maxOf(warps, most) * tileHeads; }
  /// After what is fixed, both of these, and the first split of each sequence.
  BAMBAC_HOST_DEVICE constexpr int sharedBytes(const AttentionShape &shape) const {
    return fixedBytes(shape) + 2 * partFactors(splits) * 4 + (shape.pieces + 1) * 4;
  }

  /// Whether a multiprocessor has shared memory for `minBlocks` at a time.
  BAMBAC_HOST_DEVICE constexpr bool areHeld(const AttentionShape &shape, const Limits &limits) const {
    return minBlocks * (sharedBytes(shape) + kReservedBytes) <= limits.sharedBytes + kReservedBytes;
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const AttentionShape &shape, const Limits &limits) const {
    Check check;
    check.exactly("operands 'starts'", 0, shape.hasRuns)
        .atLeast("splits", 1, splits)
        .atLeast("min_split_tokens", 1, minSplitTokens)
        .divisorOf("tile_heads", shape.group(), tileHeads)
        .atLeast("warps", 1, warps)
        .atMost("warps", 16, warps)
        .atLeast("stages", 2, stages)
        .atLeast("min_blocks", 1, minBlocks)
        .atMost("min_blocks", 16, minBlocks)
        .multipleOf("tokens of a page", kTileKeys, shape.pageTokens);
    if (!check.isLegal())
      return check.result();
    check.atMost(kCountersText, limits.counters, counters(shape))
        .atMost(kSharedBytesText, limits.sharedBytes, sharedBytes(shape));
    checkTileRegisters(check, threads(), minBlocks, tileRegisters(shape));
    return check.result();
  }
};

// --- runs of tokens -------------------------------------------------------------------------------------------------
// Pieces of one row that come first are computed as AttentionDecode does, by blocks of their own: of a geometry for
// runs `singleSplits` are the most parts of such a piece's keys, 0 where they are pieces as others, and
// `singleTileHeads` the query heads of a tile.

/// The most splits of pieces of one row, and the keys of one at least.
inline constexpr int kSingleSplits = 16, kSingleMinSplitTokens = 512;
/// Tiles of keys under way, of runs and of single rows.
inline constexpr int kPrefillStages = 2;

/// What computes the pieces of one row: a decode of as many sequences as there are pieces.
template <class Runs>
BAMBAC_HOST_DEVICE constexpr AttentionDecode singlesOf(const Runs &prefill, const AttentionShape &shape) {
  return {prefill.singleSplits, kSingleMinSplitTokens, prefill.singleTileHeads,
          prefill.warps(shape), kPrefillStages,        prefill.minBlocks};
}
BAMBAC_HOST_DEVICE constexpr AttentionShape shapeOfSingles(const AttentionShape &shape) {
  return {shape.pieces,     shape.pieces,     false, shape.heads, shape.kvHeads, shape.headDim,
          shape.pageTokens, shape.cachedBytes};
}

/// Whether they fit where the other pieces' tiles are, or in a block's share of a multiprocessor.
template <class Runs>
BAMBAC_HOST_DEVICE constexpr Fault checkSingles(const Runs &prefill, const AttentionShape &shape,
                                                const Limits &limits) {
  Check check;
  if (prefill.singleSplits == 0 ||
      !check.divisorOf("single_tile_heads", shape.group(), prefill.singleTileHeads).isLegal())
    return check.result();
  const AttentionShape rows = shapeOfSingles(shape);
  const AttentionDecode singles = singlesOf(prefill, shape);
  const Fault fault = singles.legal(rows, limits);
  if (!fault.isLegal())
    return fault;
  check.atMost("bytes of shared memory of pieces of one row",
               maxOf(prefill.sharedBytes(shape), limits.sharedBytes / prefill.minBlocks - kReservedBytes),
               singles.sharedBytes(rows));
  return check.result();
}

/// With blocks for the pieces of one row: with splits, all query heads of a KV head at once, or less where that does
/// not fit beside the tiles of the other pieces; without any where nothing fits, or there is one piece only.
template <class Runs>
BAMBAC_HOST_DEVICE constexpr Runs withSingles(Runs prefill, const AttentionShape &shape, const Limits &limits) {
  for (int splits = kSingleSplits; splits >= 1; splits -= kSingleSplits - 1)
    for (int tileHeads = shape.group(); tileHeads >= 1 && shape.pieces > 1; --tileHeads) {
      prefill.singleSplits = splits, prefill.singleTileHeads = tileHeads;
      if (prefill.legal(shape, limits).isLegal())
        return prefill;
    }
  prefill.singleSplits = prefill.singleTileHeads = 0;
  return prefill;
}

namespace mma {

/// Neighbouring tokens times the query heads of a KV head over tiles of keys.
struct Prefill {
  int tileQueries; ///< query rows of a block
  int tileKeys;    ///< keys that are loaded at a time
  int stepKeys;    ///< keys that are multiplied at a time
  int minBlocks;   ///< blocks of a multiprocessor
  int singleSplits = 0, singleTileHeads = 0;

  using Shape = AttentionShape;
  static constexpr const char *kCollective = "mma/attention_prefill";
  static constexpr Field<Prefill> kFields[] = {{"tile_queries", &Prefill::tileQueries},
                                               {"tile_keys", &Prefill::tileKeys},
                                               {"step_keys", &Prefill::stepKeys},
                                               {"min_blocks", &Prefill::minBlocks},
                                               {"single_splits", &Prefill::singleSplits, /*least=*/0},
                                               {"single_tile_heads", &Prefill::singleTileHeads,
                                                /*least=*/0}};
  static constexpr int kMaxWarps = 16;
  /// Wider heads leave a warp registers for one tile of 16 rows only.
  static constexpr int kWidestOfTwoTiles = 128;

  BAMBAC_HOST_DEVICE constexpr int rowTiles(const AttentionShape &shape) const {
    return shape.headDim <= kWidestOfTwoTiles && tileQueries % (2 * kMmaRows) == 0 ? 2 : 1;
  }
  BAMBAC_HOST_DEVICE constexpr int warps(const AttentionShape &shape) const {
    return tileQueries / (kMmaRows * rowTiles(shape));
  }
  /// Tokens of a tile; the rows left over are empty.
  BAMBAC_HOST_DEVICE constexpr int tileTokens(const AttentionShape &shape) const { return tileQueries / shape.group(); }
  BAMBAC_HOST_DEVICE constexpr int queryBytes(const AttentionShape &shape) const {
    return tileQueries * headBytes(shape.headDim);
  }
  /// Queries, keys and values, and the position of each row.
  BAMBAC_HOST_DEVICE constexpr int sharedBytes(const AttentionShape &shape) const {
    return queryBytes(shape) + kPrefillStages * 2 * tileKeys * headBytes(shape.headDim) + tileQueries * 4;
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const AttentionShape &shape, const Limits &limits) const {
    Check check;
    check.exactly("operands 'starts'", 1, shape.hasRuns)
        .multipleOf("tile_queries", kMmaRows, tileQueries)
        .atLeast("tile_queries", shape.group(), tileQueries)
        .multipleOf("step_keys", kMmaRows, stepKeys)
        .multipleOf("tile_keys", maxOf(stepKeys, 1), tileKeys)
        .atLeast("min_blocks", 1, minBlocks)
        .atMost("min_blocks", 16, minBlocks)
        .multipleOf("tokens of a page", kMmaRows, shape.pageTokens);
    if (!check.isLegal())
      return check.result();
    check.atMost("warps of a block", kMaxWarps, warps(shape))
        .atMost(kSharedBytesText, limits.sharedBytes, sharedBytes(shape));
    checkTileRegisters(check, warps(shape) * 32, minBlocks,
                       attentionTileRegisters(rowTiles(shape), shape.headDim, stepKeys));
    return check.isLegal() ? checkSingles(*this, shape, limits) : check.result();
  }
};

} // namespace mma

} // namespace bambac::geometry
