// Enumerates the candidates of each main op; those of linears are in CudaLinears.cpp.
#include "passes/schedule/CudaSchedules.h"
#include "passes/schedule/CudaCandidates.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bambac {
namespace {

using geometry::alignTo;

// --- attention ------------------------------------------------------------------------------------------------------

/// One token of each sequence, in an order of preference: splits of a sequence by its own length, as many as fill the
/// device when sequences are few; all query heads of a KV head in one tile, so that its keys are read once; four warps;
/// the most stages; two blocks a multiprocessor, or three of the most warps where codes of the cache leave shared
/// memory for them. Fewer of each where that does not fit, and no splits where the counters do not reach.
void addDecodeAttentions(Candidates &candidates, AttentionOp attention) {
  geometry::AttentionShape shape = shapeOf(attention);
  const geometry::Limits &limits = candidates.getLimits();
  int heads = shape.pieces * shape.kvHeads;
  int wanted = std::min(heads <= 16 ? 2 * limits.multiprocessors / heads : heads < 512 ? 16 : 8, 64);
  int minSplitTokens = heads <= 16 ? 64 : heads <= 512 ? 512 : 1024;
  const int warps = 4, stages = candidates.isHopper() ? 3 : 2;
  for (int splits : {wanted, 1})
    for (int tileHeads = shape.group(); tileHeads >= 1; --tileHeads) {
      if (shape.group() % tileHeads != 0)
        continue;
      const geometry::AttentionDecode three = {splits, minSplitTokens, tileHeads, warps, stages, 3};
      if (shape.keepsCodes() && three.areHeld(shape, limits))
        candidates.addNext(three, shape);
      for (int someWarps : {warps, 2, 1})
        for (int someStages : {stages, 2})
          candidates.addNext(geometry::AttentionDecode{splits, minSplitTokens, tileHeads, someWarps, someStages, 2},
                             shape);
    }
}

/// Runs of tokens on wgmma, in an order of preference: two warpgroups, or one where there are no more rows, and the
/// most keys at a time. Where there may be pieces of one row, schedules that leave them room come first: without it
/// each of them would be a tile of rows.
void addWgmmaPrefills(Candidates &candidates, const geometry::AttentionShape &shape, int highest) {
  for (bool hasSingles : {true, false})
    for (int rows : {highest, 64})
      for (int tileKeys : {128, 64, 32}) {
        auto prefill = withSingles(geometry::wgmma::Prefill{rows, tileKeys}, shape, candidates.getLimits());
        if ((prefill.singleSplits > 0) == (hasSingles && shape.pieces > 1))
          candidates.addNext(prefill, shape);
      }
}

/// Runs of tokens, in an order of preference: wgmma where the chip has it; then mma.sync with the highest tile, since
/// its rows share the keys that it loads, of 64 rows where there are no more; two blocks a multiprocessor, one of which
/// multiplies while the other waits; the most keys at a time. Wide heads leave registers for less of each.
void addPrefillAttentions(Candidates &candidates, AttentionOp attention) {
  geometry::AttentionShape shape = shapeOf(attention);
  int highest = std::max(shape.rows * shape.group() <= 64 ? 64 : 128, alignTo(shape.group(), 16));
  if (candidates.hasWgmma())
    addWgmmaPrefills(candidates, shape, alignTo(highest, 64));
  int keys = candidates.isHopper() ? 64 : 32;
  for (int tile : {highest, 128, 64, 48, 32, 16})
    for (int minBlocks : {2, 1})
      for (int tileKeys : {keys, 32, 16})
        for (int stepKeys : {32, 16})
          if (tile <= highest && stepKeys <= tileKeys)
            candidates.addNext(
                withSingles(geometry::mma::Prefill{tile, tileKeys, stepKeys, minBlocks}, shape, candidates.getLimits()),
                shape);
}

// --- the state space recurrence -------------------------------------------------------------------------------------

/// One token, or a state and what waits in its ring, in an order of preference: some heads a block, which share what is
/// computed of B and C, a head, or a part of one; more threads for a tile of more bytes. Two heads where all
/// multiprocessors have a block nevertheless; four, with few threads, where each has kManyBlocks to do, and room
/// for kHeldBlocks at a time. Tiles of more than kMostBytes leave little room for other blocks. Codes are few
/// bytes but many instructions: two heads and more threads where all blocks run at once (measured on Hopper only).
template <typename Geometry, typename Op> void addSteps(Candidates &candidates, Op op) {
  constexpr int kMostBytes = 64 * 1024, kFewBytes = 32 * 1024, kManyBlocks = 16, kHeldBlocks = 5;
  constexpr int kFewThreads = 128, kThreads = 256, kManyThreads = 512;
  geometry::SsmShape shape = shapeOf(op);
  const geometry::Limits &limits = candidates.getLimits();
  auto bytesOf = [&](int channels) { return channels * shape.stateSize * shape.stateBytes; };
  auto blocksOf = [&](int heads) { return shape.pieces * shape.heads / heads; };
  auto add = [&](int channels, int threads) {
    if (channels == 1 || bytesOf(channels) <= kMostBytes)
      candidates.addNext(Geometry{threads, channels}, shape);
  };
  auto threadsFor = [&](int channels) { return bytesOf(channels) < kFewBytes ? kFewThreads : kThreads; };
  const Geometry four{kFewThreads, 4 * shape.headDim};
  if (isa<SsmStepOp>(op) && blocksOf(4) >= kManyBlocks * limits.multiprocessors &&
      four.residents(shape, limits) >= kHeldBlocks)
    candidates.addNext(four, shape);
  const Geometry two{kThreads, 2 * shape.headDim};
  if (isa<SsmStepOp>(op) && candidates.isHopper() && shape.stateBytes == 1 &&
      blocksOf(2) <= two.roundBlocks(shape, limits))
    add(2 * shape.headDim, kThreads);
  if (isa<SsmStepOp>(op) && blocksOf(2) >= limits.multiprocessors)
    add(2 * shape.headDim, threadsFor(2 * shape.headDim));
  for (int channels = shape.headDim; channels >= 1; channels /= 2)
    add(channels, threadsFor(channels));
  // Inputs of wide states and long convolutions want more threads to hold them.
  for (int channels = shape.headDim; channels >= 1; channels /= 2)
    add(channels, kManyThreads);
}

/// A run of tokens, in an order of preference: wgmma, which pays from 32 channels on; then chunks of 64 tokens or
/// fewer. The chunk's own product grows with its square, and at 64 balances those with the state. Wide states leave
/// shared memory for chunks of 32.
void addScans(Candidates &candidates, SsmScanOp scan) {
  constexpr int kLeastChannels = 32, kWideState = 128;
  geometry::SsmShape shape = shapeOf(scan);
  if (candidates.hasWgmma() && shape.headDim >= kLeastChannels)
    candidates.addNext(geometry::wgmma::Scan{}, shape);
  int longest = geometry::mma::Scan::paddedState(shape) > kWideState ? 32 : geometry::kMaxChunk;
  for (int chunk = std::min(longest, alignTo(shape.rows, geometry::kMmaRows)); chunk >= geometry::kMmaRows;
       chunk -= geometry::kMmaRows)
    candidates.addNext(geometry::mma::Scan{chunk}, shape);
}

/// Ops whose collective has nothing to choose.
StringRef getPlainCollective(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<RmsNormOp>([](auto) { return "common/rms_norm"; })
      .Case<QuantizeOp>([](auto) { return "common/quantize"; })
      .Case<EmbeddingOp>([](auto) { return "common/embedding"; })
      .Case<TakeRowsOp>([](auto) { return "common/take_rows"; })
      .Case<KvAppendOp>([](auto) { return "common/kv_append"; })
      .Case<CausalConv1dOp>([](auto) { return "common/causal_conv1d"; })
      .Case<ArgmaxOp>([](auto) { return "common/argmax"; })
      .Case<SampleOp>([](auto) { return "common/sample"; })
      .Case<RopeOp>([](auto) { return "common/rope_rows"; })
      .Default([](auto) { return "common/elementwise"; });
}

} // namespace

FailureOr<SmallVector<CudaScheduleAttr>> enumerateCudaSchedules(func::FuncOp kernel, CudaTargetAttr target) {
  Operation *main = getMainOp(kernel.front());
  Candidates candidates(main, target);
  llvm::TypeSwitch<Operation *>(main)
      .Case<LinearOp>([&](LinearOp op) { addLinears(candidates, op); })
      .Case<AttentionOp>([&](AttentionOp op) {
        if (op.hasRuns())
          addPrefillAttentions(candidates, op);
        else
          addDecodeAttentions(candidates, op);
      })
      .Case<SsmStepOp>([&](SsmStepOp op) { addSteps<geometry::SsmStep>(candidates, op); })
      .Case<SsmFoldOp>([&](SsmFoldOp op) { addSteps<geometry::SsmFold>(candidates, op); })
      .Case<SsmScanOp>([&](SsmScanOp op) { addScans(candidates, op); })
      .Default([&](Operation *op) { candidates.addPlain(getPlainCollective(op)); });
  return candidates.take(kernel);
}

} // namespace bambac
