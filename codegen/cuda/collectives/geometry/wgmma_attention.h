// Attention of runs of tokens on wgmma: wgmma/attention_prefill.
#pragma once
#include "geometry/attention.h"

namespace bambac::geometry::wgmma {

/// Neighbouring tokens times the query heads of a KV head over tiles of keys; a multiplying warpgroup has 64 of these
/// rows, and another one brings keys and values.
struct Prefill {
  int tileQueries; ///< query rows of a block
  int tileKeys;    ///< keys that are loaded, and multiplied, at a time
  int singleSplits = 0, singleTileHeads = 0;

  using Shape = AttentionShape;
  static constexpr const char *kCollective = "wgmma/attention_prefill";
  static constexpr Field<Prefill> kFields[] = {{"tile_queries", &Prefill::tileQueries},
                                               {"tile_keys", &Prefill::tileKeys},
                                               {"single_splits", &Prefill::singleSplits, /*least=*/0},
                                               {"single_tile_heads", &Prefill::singleTileHeads,
                                                /*least=*/0}};
  static constexpr int kWarpgroupRows = 64, kMaxConsumers = 3;
  static constexpr int kMaxColumns = 256; ///< of one instruction: keys, and then elements of a head
  static constexpr int kPanel = 64;       ///< dimensions of a head whose 128 bytes are swizzled
  static constexpr int minBlocks = 1;     ///< of a multiprocessor

  /// Warpgroups that multiply, and all of a block's warps.
  BAMBAC_HOST_DEVICE constexpr int consumers() const { return tileQueries / kWarpgroupRows; }
  BAMBAC_HOST_DEVICE constexpr int warps(const AttentionShape &) const { return 4 * (1 + consumers()); }
  /// Registers of a thread that brings, and of one that multiplies; all have the same where there is one warpgroup
  /// each.
  static constexpr int kBringRegisters = 72;
  BAMBAC_HOST_DEVICE constexpr bool sharesRegisters() const { return consumers() > 1; }
  BAMBAC_HOST_DEVICE constexpr int registers() const {
    return sharesRegisters() ? consumerRegisters(consumers(), minBlocks, kBringRegisters)
                             : registersPerThread(128 * 2, minBlocks);
  }
  /// Tokens of a tile; the rows left over are empty.
  BAMBAC_HOST_DEVICE constexpr int tileTokens(const AttentionShape &shape) const { return tileQueries / shape.group(); }
  BAMBAC_HOST_DEVICE constexpr int queryBytes(const AttentionShape &shape) const {
    return tileQueries * shape.headDim * 2;
  }
  /// Queries, keys and values, the position of each row, and two barriers a stage of keys or values.
  BAMBAC_HOST_DEVICE constexpr int sharedBytes(const AttentionShape &shape) const {
    return queryBytes(shape) + kPrefillStages * 2 * tileKeys * shape.headDim * 2 + tileQueries * 4 +
           kPrefillStages * 2 * kStageBarrierBytes;
  }
  /// Scores of the next tile are computed while the weights of this one, two in a register, are multiplied. Wide heads
  /// take some more beside them (seen by NVRTC's log).
  BAMBAC_HOST_DEVICE constexpr int threadRegisters(const AttentionShape &shape) const {
    return attentionTileRegisters(1, shape.headDim, tileKeys) + tileKeys / 4 + kAttentionOtherRegisters +
           maxOf(shape.headDim - 128, 0) / 4;
  }

  BAMBAC_HOST_DEVICE constexpr Fault legal(const AttentionShape &shape, const Limits &limits) const {
    Check check;
    check.exactly("operands 'starts'", 1, shape.hasRuns)
        .multipleOf("elements of a head", kPanel, shape.headDim)
        .atMost("elements of a head", kMaxColumns, shape.headDim)
        .multipleOf("tile_queries", kWarpgroupRows, tileQueries)
        .atLeast("tile_queries", shape.group(), tileQueries)
        .atMost("tile_queries", kMaxConsumers * kWarpgroupRows, tileQueries)
        .multipleOf("tile_keys", kMmaDepth, tileKeys)
        .atMost("tile_keys", kMaxColumns, tileKeys)
        .multipleOf("tokens of a page", kMmaRows, shape.pageTokens);
    if (!check.isLegal())
      return check.result();
    check.atMost(kSharedBytesText, limits.sharedBytes, sharedBytes(shape))
        .atMost(kRegistersText, registers(), threadRegisters(shape));
    return check.isLegal() ? checkSingles(*this, shape, limits) : check.result();
  }
};

} // namespace bambac::geometry::wgmma
