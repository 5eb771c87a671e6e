// Enumerates the candidates of each main op and states what each costs.
//
// A cost is compared with the costs of the same kernel only. Where a formula is not better than an order of preference,
// the cost of a candidate is its place in that order.
#include "passes/schedule/CudaSchedules.h"
#include "dialects/bamba/Kernel.h"
#include "passes/schedule/CudaCollectives.h"
#include "passes/schedule/LinearUse.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bambac {
namespace {

using geometry::alignTo;
using geometry::ceilDiv;

/// Collects the legal candidates of one kernel.
class Candidates {
public:
  Candidates(Operation *main, CudaTargetAttr target) : main(main), target(target), limits(limitsOf(target)) {}

  /// True where the candidate is legal and now in the list.
  template <typename Geometry> bool add(const Geometry &geometry, const typename Geometry::Shape &shape, double cost) {
    CudaScheduleAttr schedule = makeSchedule(target.getContext(), geometry);
    geometry::Fault fault = geometry.legal(shape, limits);
    if (!fault.isLegal()) {
      reason = (schedule.getCollective().getValue() + ": " + describeFault(fault, schedule)).str();
      return false;
    }
    if (llvm::none_of(list, [&](const Candidate &other) { return other.schedule == schedule; }))
      list.push_back({schedule, cost});
    return true;
  }
  /// As the next in an order of preference.
  template <typename Geometry> bool addNext(const Geometry &geometry, const typename Geometry::Shape &shape) {
    return add(geometry, shape, nextPlace++);
  }
  /// A collective that has nothing to choose.
  void addPlain(StringRef collective) {
    MLIRContext *context = target.getContext();
    list.push_back(
        {CudaScheduleAttr::get(context, StringAttr::get(context, collective), DictionaryAttr::get(context)), 0.0});
  }

  /// The schedules, cheapest first; among equal ones in the order of adding.
  FailureOr<SmallVector<CudaScheduleAttr>> take(func::FuncOp kernel) {
    if (list.empty())
      return kernel.emitError() << "kernel '" << kernel.getSymName() << "': expected a schedule that fits "
                                << target.getArch().getValue() << ", found none: " << reason
                                << "; the sizes come from the configuration's " << getConfigFields(main);
    llvm::stable_sort(list, [](const Candidate &left, const Candidate &right) { return left.cost < right.cost; });
    return llvm::map_to_vector(list, [](const Candidate &candidate) { return candidate.schedule; });
  }

  const geometry::Limits &getLimits() const { return limits; }
  CudaTargetAttr getTarget() const { return target; }
  bool hasWgmma() const { return target.hasWgmma(); }
  /// Hopper, with or without its own instructions: most shared memory.
  bool isHopper() const { return target.getArch().getValue().starts_with("sm_90"); }

private:
  struct Candidate {
    CudaScheduleAttr schedule;
    double cost;
  };
  Operation *main;
  CudaTargetAttr target;
  geometry::Limits limits;
  SmallVector<Candidate> list;
  int nextPlace = 0;
  std::string reason; ///< why the last illegal candidate was that
};

/// Candidates of this cost or more come after all others: another family of instructions, which is slower there.
constexpr double kOtherFamily = 1e12;

// --- linears --------------------------------------------------------------------------------------------------------

/// Blocks that a stream of weights takes about to run at its full rate.
constexpr double kEnoughBlocks = 100;

/// Rows of which no linear is faster than the skinny one.
constexpr int kFewRows = 8;

/// Few rows on wgmma, a stream of groups of 8 columns. Of more than kFewRows it takes longer than the middle linear
/// where that has as many blocks:
///
///   cost = kEnoughBlocks / min(groups, kEnoughBlocks) * price
void addSkinnyLinears(Candidates &candidates, const geometry::LinearShape &shape) {
  using geometry::wgmma::LinearSkinny;
  constexpr double kPrice = 1.07;
  double groups = std::min<double>(LinearSkinny::groups(shape), kEnoughBlocks);
  candidates.add(LinearSkinny{12}, shape, shape.rows <= kFewRows ? 0.0 : kEnoughBlocks / groups * kPrice);
}

/// As many stages as wanted, or as fit in addition to `otherBytes`; at least two.
int chooseStages(int wanted, int tileRows, int tileColumns, int otherBytes, const geometry::Limits &limits) {
  int stageBytes = (tileRows + tileColumns) * geometry::kTileDepth * 2 + geometry::kStageBarrierBytes;
  return std::clamp((limits.sharedBytes - otherBytes) / stageBytes, 2, wanted);
}

/// Some rows on wgmma, one tile holds them all. The time is that of the stream of weights:
///
///   cost = kEnoughBlocks / min(blocks, kEnoughBlocks) * price
///
/// The price of a tile of 64 columns breaks ties: it reads the input twice as often as one of 128.
void addMiddleLinears(Candidates &candidates, const geometry::LinearShape &shape) {
  using geometry::wgmma::LinearMiddle;
  constexpr double kNarrowPrice = 1.005;
  constexpr int kWantedStages = 12, kLeastSteps = 4;
  const geometry::Limits &limits = candidates.getLimits();
  LinearMiddle tile{0, 0, geometry::kTileDepth, 2, 1};
  auto add = [&](int tileColumns, int split, double price) {
    tile.tileColumns = tileColumns;
    tile.split = split;
    tile.tileRows = LinearMiddle::fittingRows(shape.rows, tileColumns, shape.promotes());
    // Room for the staging of two warpgroups is left whatever the tile: what was measured.
    LinearMiddle wide{tile.tileRows, 128, geometry::kTileDepth, 2, 1};
    int otherBytes = (split == 1 ? wide.stagingBytes() : 0) + shape.epilogueBytes;
    tile.stages = chooseStages(kWantedStages, tile.tileRows, tileColumns, otherBytes, limits);
    double blocks = std::min<double>(tile.tiles(shape) * split, kEnoughBlocks);
    candidates.add(tile, shape, kEnoughBlocks / blocks * price);
  };
  add(128, 1, 1.0);
  add(64, 1, kNarrowPrice);
  // All blocks of a cluster start together: clusters of more than two do not fill the device.
  for (int split : {2, 3, 4}) {
    int usable = split == 2 ? limits.multiprocessors : limits.multiprocessors * 7 / 8;
    if (ceilDiv(shape.columns, 64) * split <= usable &&
        ceilDiv(shape.words(), geometry::kTileDepth) >= kLeastSteps * split)
      add(64, split, kNarrowPrice);
  }
}

/// Many rows on wgmma. The time is that of the block with the most tiles, for all numbers of rows that are likely:
///
///   cost = sum of LinearLarge::cost * price
///
/// where the price is the measured slowdown of tiles that reuse less of what they load. Tiles of several widths, whose
/// loads are smaller (1%) and which take longer to compile, have to save more than that. Tiles of 256 rows are
/// overestimated. Where sums of codes are taken over into f32 the widest tile has no registers for those that are yet
/// to be; one of 192 columns has. What a step seldom computes is not worth compiling several widths.
void addLargeLinears(Candidates &candidates, LinearOp linear, const geometry::LinearShape &shape) {
  using geometry::wgmma::LinearLarge;
  constexpr int kWantedStages = 6;
  struct Tile {
    int rows, columns, leastColumns;
    double price;
  };
  const geometry::Limits &limits = candidates.getLimits();
  const SmallVector<int> likelyRows = getLikelyRows(linear);
  const bool isRare = isRareShape(linear);
  const Tile tiles[] = {{128, 256, 256, 1.0}, {128, 256, 128, 1.01}, {256, 128, 128, 0.85}, {128, 128, 128, 1.0}};
  const Tile tilesOfCodes[] = {{128, 192, 192, 1.0}, {256, 128, 128, 1.05}, {128, 128, 128, 1.0}};
  for (Tile tile : shape.promotes() ? ArrayRef(tilesOfCodes) : ArrayRef(tiles)) {
    if (isRare && tile.leastColumns < tile.columns)
      continue;
    LinearLarge candidate{tile.rows, tile.columns, 2, tile.leastColumns};
    candidate.stages =
        chooseStages(kWantedStages, tile.rows, tile.columns, LinearLarge::kOtherBytes + shape.epilogueBytes, limits);
    double cost = 0;
    geometry::LinearShape likely = shape;
    for (int rows : likelyRows) {
      likely.rows = rows;
      cost += candidate.cost(likely, limits.multiprocessors, candidate.columnsOf(likely, limits.multiprocessors));
    }
    candidates.add(candidate, shape, tile.price * cost);
  }
}

/// Half of the rows that one tile of a middle linear can hold and more, of many columns: tiles of 128 rows that leave
/// few multiprocessors idle in their last round come before all tiles that hold every row. They take 6% less time,
/// since less of the input is loaded again: 101 us for 107 of 28,672 columns, 60 for 64 of 16,768.
void addWideLinears(Candidates &candidates, const geometry::LinearShape &shape) {
  using geometry::wgmma::LinearLarge;
  constexpr int kTileRows = 128, kWantedStages = 6;
  constexpr double kLeastBusy = 0.93;
  const geometry::Limits &limits = candidates.getLimits();
  if (shape.promotes() || shape.rows <= kTileRows)
    return;
  for (int columns : {256, 224}) {
    int stages =
        chooseStages(kWantedStages, kTileRows, columns, LinearLarge::kOtherBytes + shape.epilogueBytes, limits);
    LinearLarge linear{kTileRows, columns, stages, columns};
    int tiles = linear.tiles(shape, columns), slots = alignTo(tiles, std::max(limits.multiprocessors, 1));
    double busy = static_cast<double>(shape.rows) * shape.columns / (static_cast<double>(slots) * kTileRows * columns);
    if (busy >= kLeastBusy)
      candidates.add(linear, shape, -busy);
  }
}

/// Up to 32 rows on mma.sync: narrow tiles, whose weights pass through registers and whose blocks are many. The time is
/// that of the steps along the depth of all passes; an input that does not fit whole costs two barriers and a copy,
/// about a step, for each chunk of it; fewer stages than four hide less of the memory's latency:
///
///   cost = passes * (steps + chunks) * (1 + 0.1 * (4 - stages))      (no chunks where all of the input fits)
///
/// A tall tile of 64 rows streams as much without chunks, and computes for rows that are not there:
///
///   cost = 1.5 * passes * steps
void addFewRowLinears(Candidates &candidates, const geometry::LinearShape &shape, double family) {
  using geometry::mma::Linear;
  constexpr int kWantedStages = 4, kTallStages = 8, kColumns = 32;
  constexpr double kStagePrice = 0.1, kTallPrice = 1.5;
  const geometry::Limits &limits = candidates.getLimits();
  int tileRows = shape.rows <= geometry::kMmaRows ? geometry::kMmaRows : Linear::kSkinnyTileRows;
  for (int columns : {kColumns, kColumns / 2})
    for (int stages = kWantedStages; stages >= 2; --stages) {
      Linear linear{tileRows, columns, stages};
      int chunks = linear.inputChunks(shape, limits);
      double steps = Linear::skinnySteps(shape) + (chunks > 1 ? chunks : 0);
      double price = 1.0 + kStagePrice * (kWantedStages - stages);
      candidates.add(linear, shape, family + linear.skinnyPasses(shape, limits) * steps * price);
    }
  double passes = Linear{tileRows, kColumns, 2}.skinnyPasses(shape, limits);
  for (int stages = kTallStages; stages >= 2; --stages)
    if (candidates.add(Linear{64, kColumns, stages}, shape, family + kTallPrice * passes * Linear::skinnySteps(shape)))
      break;
}

/// More rows on mma.sync, in an order of preference: the widest tile that still gives each multiprocessor one, since
/// each fragment then serves most products; then narrower and lower ones, which need fewer registers.
void addManyRowLinears(Candidates &candidates, const geometry::LinearShape &shape, double family) {
  using geometry::mma::Linear;
  constexpr int kWantedStages = 3, kNarrow = 32, kNarrowStages = 8;
  const geometry::Limits &limits = candidates.getLimits();
  int place = 0;
  auto add = [&](int rows, int columns, int leastStages) {
    Linear linear{rows, columns, 2};
    linear.stages =
        chooseStages(columns == kNarrow ? kNarrowStages : kWantedStages, rows, columns, shape.epilogueBytes, limits);
    if (linear.stages >= leastStages)
      candidates.add(linear, shape, family + place++);
  };
  auto fills = [&](int rows, int columns) {
    return Linear{rows, columns, 2}.tallTiles(shape) >= limits.multiprocessors;
  };
  bool isLow = shape.rows <= 64;
  // Two stages hide too little of the memory's latency to make up for a wider tile.
  if (!isLow && fills(128, 256))
    add(128, 256, kWantedStages);
  if (!isLow || fills(64, 128))
    add(isLow ? 64 : 128, 128, 2);
  if (isLow)
    add(64, kNarrow, 2);
  for (int rows : {128, 64})
    for (int columns : {64, kNarrow})
      if (rows == 64 || !isLow)
        add(rows, columns, 2);
}

/// A linear on wgmma where the target has it: few, some or many rows. After them the linear on mma.sync, which takes
/// every input.
void addLinears(Candidates &candidates, LinearOp linear) {
  geometry::LinearShape shape = shapeOf(linear);
  double family = 0.0;
  if (candidates.hasWgmma()) {
    family = kOtherFamily;
    if (shape.rows <= geometry::wgmma::LinearSkinny::kMaxRows)
      addSkinnyLinears(candidates, shape);
    if (shape.rows > geometry::wgmma::LinearMiddle::kMaxRows)
      addLargeLinears(candidates, linear, shape);
    else if (shape.rows > kFewRows) {
      addWideLinears(candidates, shape);
      addMiddleLinears(candidates, shape);
      if (shape.rows > geometry::wgmma::kInstructionColumns)
        addLargeLinears(candidates, linear, shape);
    }
  }
  if (shape.rows <= geometry::mma::Linear::kSkinnyTileRows)
    addFewRowLinears(candidates, shape, family);
  else
    addManyRowLinears(candidates, shape, family);
}

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

// --- the state space recurrence
// ---------------------------------------------------------------------------------------

/// One token, or a state and what waits in its ring, in an order of preference: some heads a block, which share what is
/// computed of B and C, a head, or a part of one; more threads for a tile of more bytes. Two heads where all
/// multiprocessors have a block nevertheless; four, with few threads, where each has kManyBlocks to do, and shared
/// memory for kHeldBlocks at a time. Tiles of more than kMostBytes leave little room for other blocks. Codes are few
/// bytes but many instructions: two heads and more threads where multiprocessors have kFewBlocks at most (older chips
/// lack the registers).
template <typename Geometry, typename Op> void addSteps(Candidates &candidates, Op op) {
  constexpr int kMostBytes = 64 * 1024, kFewBytes = 32 * 1024, kManyBlocks = 16, kHeldBlocks = 5, kFewBlocks = 4;
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
  // A block may have all shared memory of a multiprocessor but a KiB.
  const Geometry four{kFewThreads, 4 * shape.headDim};
  bool areHeld = kHeldBlocks * four.sharedBytes(shape) <= limits.sharedBytes;
  if (isa<SsmStepOp>(op) && blocksOf(4) >= kManyBlocks * limits.multiprocessors && areHeld)
    candidates.addNext(four, shape);
  if (isa<SsmStepOp>(op) && candidates.isHopper() && shape.stateBytes == 1 &&
      blocksOf(2) <= kFewBlocks * limits.multiprocessors)
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
