// See CudaCostModel.h.
#include "passes/schedule/CudaCostModel.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

namespace bambac {
namespace {

using Fields = ArrayRef<std::pair<StringRef, int64_t>>;

/// Columns of K that one stage of a product holds: 128 bytes of bf16, what one row of a swizzled TMA box has.
constexpr int64_t kTileDepth = 64;
/// A stage's barriers.
constexpr int64_t kBarrierBytes = 16;

/// Rows up to which a linear is bound by its weights alone: the rows of one mma.sync.
constexpr int64_t kSkinnyRows = 16;
/// Rows that one wgmma takes as its N, with the weights as its M.
constexpr int64_t kMiddleRows = 256;
/// Tiles of weights that draw on nearly all of the memory although some multiprocessors have none.
constexpr int64_t kEnoughTiles = 100;

CudaScheduleAttr makeSchedule(MLIRContext *context, StringRef collective, Fields fields) {
  Builder builder(context);
  NamedAttrList list;
  for (auto [name, value] : fields)
    list.append(name, builder.getI64IntegerAttr(value));
  return CudaScheduleAttr::get(context, builder.getStringAttr(collective), list.getDictionary(context));
}

/// Signed, as all sizes here.
int64_t ceilDiv(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }
int64_t roundUp(int64_t value, int64_t multiple) { return ceilDiv(value, multiple) * multiple; }

int64_t rowsOf(Value value) { return cast<ShapedType>(value.getType()).getDimSize(0); }
int64_t columnsOf(Value value) { return cast<ShapedType>(value.getType()).getDimSize(1); }

/// Shared memory that the epilogue needs: a key for each row where the largest result of each is found beside storing
/// it, in steps of the alignment of stages.
int64_t epilogueSharedBytes(LinearOp linear) {
  bool findsMaxima = llvm::any_of(linear->getUsers(), llvm::IsaPred<ArgmaxOp>);
  return findsMaxima ? roundUp(rowsOf(linear.getInput()) * 8, 1024) : 0;
}

/// As many stages of bf16 tiles as wanted, or as fit beside what else a block needs.
int64_t chooseStages(int64_t wanted, int64_t tileRows, int64_t tileColumns, int64_t otherBytes, CudaTargetAttr target) {
  int64_t stageBytes = (tileRows + tileColumns) * kTileDepth * 2 + kBarrierBytes;
  return std::clamp<int64_t>((target.getSharedBytes() - otherBytes) / stageBytes, 2, wanted);
}

/// Some rows: they are the N of wgmma, so that one tile holds them all, and columns of weights are its M. The weights
/// are streamed once, which takes all multiprocessors: where tiles of 128 columns are too few, tiles of 64 whose depth
/// is split over the blocks of a cluster. Clusters of more than two do not fill the device.
CudaScheduleAttr scheduleMiddleLinear(LinearOp linear, CudaTargetAttr target) {
  int64_t columns = rowsOf(linear.getWeight()), steps = ceilDiv(columnsOf(linear.getWeight()), kTileDepth);
  int64_t tileRows = roundUp(rowsOf(linear.getInput()), 8), tileColumns = 128, split = 1;
  if (ceilDiv(columns, tileColumns) < kEnoughTiles) {
    tileColumns = 64;
    int64_t tiles = ceilDiv(columns, tileColumns);
    constexpr int64_t leastSteps = 4;
    for (int64_t blocks : {2, 3, 4}) {
      int64_t usable = blocks == 2 ? target.getMultiprocessors() : target.getMultiprocessors() * 7 / 8;
      if (tiles * blocks <= usable && steps >= leastSteps * blocks)
        split = blocks;
    }
  }
  // The sums pass through shared memory of their own unless a cluster leaves them where the stages were.
  int64_t otherBytes = (split == 1 ? 17408 : 0) + epilogueSharedBytes(linear);
  return makeSchedule(target.getContext(), "wgmma/linear_middle",
                      {{"tile_rows", tileRows},
                       {"tile_columns", tileColumns},
                       {"tile_depth", kTileDepth},
                       {"stages", chooseStages(12, tileRows, tileColumns, otherBytes, target)},
                       {"split", split}});
}

/// Many rows: the tile for which the slowest block has least to do; smaller tiles reuse less of what they load.
CudaScheduleAttr scheduleLargeLinear(LinearOp linear, CudaTargetAttr target) {
  struct Tile {
    int64_t rows, columns;
    double price;
  };
  Tile best{};
  double least = 0;
  for (Tile tile : {Tile{128, 256, 1.0}, Tile{256, 128, 1.03}, Tile{128, 128, 1.15}}) {
    int64_t tiles = ceilDiv(rowsOf(linear.getInput()), tile.rows) * ceilDiv(rowsOf(linear.getWeight()), tile.columns);
    int64_t rounds = ceilDiv(tiles, std::max<int64_t>(target.getMultiprocessors(), 1));
    double cost = tile.price * static_cast<double>(rounds * tile.rows * tile.columns);
    if (!best.rows || cost < least)
      best = tile, least = cost;
  }
  int64_t epilogueBytes = 32768 + epilogueSharedBytes(linear);
  return makeSchedule(target.getContext(), "wgmma/linear_large",
                      {{"tile_rows", best.rows},
                       {"tile_columns", best.columns},
                       {"tile_depth", kTileDepth},
                       {"stages", chooseStages(6, best.rows, best.columns, epilogueBytes, target)}});
}

/// Up to 32 rows narrow tiles, whose weights pass through registers and whose blocks are many. More rows: wider tiles,
/// each fragment of which serves more products, as long as there is one for each multiprocessor.
CudaScheduleAttr scheduleMmaLinear(LinearOp linear, CudaTargetAttr target) {
  int64_t rows = rowsOf(linear.getInput()), columns = rowsOf(linear.getWeight());
  int64_t tileRows = rows <= 16 ? 16 : rows <= 32 ? 32 : rows <= 64 ? 64 : 128, tileColumns = 32, stages = 4;
  int64_t otherBytes = epilogueSharedBytes(linear);
  if (tileRows > 32) {
    auto fills = [&](int64_t width) {
      return int64_t(ceilDiv(rows, tileRows) * ceilDiv(columns, width)) >= target.getMultiprocessors();
    };
    tileColumns = fills(256) && tileRows == 128 ? 256 : fills(128) || tileRows == 128 ? 128 : 32;
    stages = chooseStages(tileColumns == 32 ? 8 : 3, tileRows, tileColumns, otherBytes, target);
    if (stages < 3 && tileColumns == 256) {
      tileColumns = 128;
      stages = chooseStages(3, tileRows, tileColumns, otherBytes, target);
    }
  }
  return makeSchedule(
      target.getContext(), "mma/linear",
      {{"tile_rows", tileRows}, {"tile_columns", tileColumns}, {"tile_depth", kTileDepth}, {"stages", stages}});
}

/// wgmma takes its operands by tensor maps, whose rows are multiples of 16 bytes of bf16.
CudaScheduleAttr scheduleLinear(LinearOp linear, CudaTargetAttr target) {
  if (target.getArch() != "sm_90a")
    return scheduleMmaLinear(linear, target);
  int64_t rows = rowsOf(linear.getInput());
  if (rows <= kSkinnyRows)
    return makeSchedule(target.getContext(), "wgmma/linear_skinny", {{"stages", 12}});
  bool isMappable = columnsOf(linear.getInput()) % 8 == 0;
  if (!isMappable)
    return scheduleMmaLinear(linear, target);
  return rows <= kMiddleRows ? scheduleMiddleLinear(linear, target) : scheduleLargeLinear(linear, target);
}

/// One token of each sequence: blocks for each KV head and for splits of a sequence by its own length, as many as fill
/// the device when sequences are few.
CudaScheduleAttr scheduleDecodeAttention(AttentionOp attention, CudaTargetAttr target) {
  int64_t heads = rowsOf(attention.getPages()) * attention.getNumKvHeads();
  bool isNewest = target.getArch().getValue().starts_with("sm_90");
  int64_t splits = heads <= 16 ? 2 * target.getMultiprocessors() / heads : heads < 512 ? 16 : 8;
  return makeSchedule(attention.getContext(), "common/attention_decode",
                      {{"splits", std::min<int64_t>(splits, 64)},
                       {"min_split_tokens", heads <= 16    ? 64
                                            : heads <= 512 ? 512
                                                           : 1024},
                       {"warps", 4},
                       {"stages", isNewest ? 3 : 2},
                       {"min_blocks", 2}});
}

/// A run of tokens: tiles of queries times the heads that share a KV head over tiles of keys.
CudaScheduleAttr scheduleAttention(AttentionOp attention, CudaTargetAttr target) {
  if (attention.getNumTokens() == 1)
    return scheduleDecodeAttention(attention, target);
  int64_t queries = attention.getNumTokens() * attention.getGroupSize();
  int64_t tile = std::max<int64_t>(queries <= 64 ? 64 : 128, roundUp(attention.getGroupSize(), 16));
  bool isNewest = target.getArch().getValue().starts_with("sm_90");
  return makeSchedule(
      attention.getContext(), "mma/attention_prefill",
      {{"tile_queries", tile}, {"tile_keys", isNewest ? 64 : 32}, {"step_keys", 32}, {"min_blocks", 2}});
}

/// A block keeps its rows of the state in registers, 32 a thread.
CudaScheduleAttr scheduleStep(SsmStepOp step) {
  constexpr int64_t threads = 256, elementsOfThread = 32;
  int64_t rows = std::max<int64_t>(threads * elementsOfThread / step.getStateSize(), 1);
  if (rows > 8)
    rows = rows / 8 * 8;
  return makeSchedule(step.getContext(), "common/ssm_step",
                      {{"threads", threads}, {"channel_tile", std::min(rows, step.getHeadDim())}});
}

/// Chunks of 64 tokens: the chunk's own product grows with its square and then balances those with the state. wgmma's
/// tiles hold at most 128 columns of the state, and pay from 32 channels on.
CudaScheduleAttr scheduleScan(SsmScanOp scan, CudaTargetAttr target) {
  constexpr int64_t mostState = 128, leastChannels = 32;
  bool fits = scan.getStateSize() <= mostState && scan.getHeadDim() >= leastChannels;
  StringRef collective = target.getArch() == "sm_90a" && fits ? "wgmma/ssm_scan" : "mma/ssm_scan";
  return makeSchedule(scan.getContext(), collective, {{"chunk", 64}});
}

/// Ops whose collective has nothing to choose.
StringRef getPlainCollective(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<RmsNormOp>([](auto) { return "common/rms_norm"; })
      .Case<EmbeddingOp>([](auto) { return "common/embedding"; })
      .Case<LastTokenOp>([](auto) { return "common/last_token"; })
      .Case<KvAppendOp>([](auto) { return "common/kv_append"; })
      .Case<CausalConv1dOp>([](auto) { return "common/causal_conv1d"; })
      .Case<ArgmaxOp>([](auto) { return "common/argmax"; })
      .Case<RopeOp>([](auto) { return "common/rope_rows"; })
      .Default([](auto) { return "common/elementwise"; });
}

} // namespace

CudaScheduleAttr chooseCudaSchedule(func::FuncOp kernel, CudaTargetAttr target) {
  return llvm::TypeSwitch<Operation *, CudaScheduleAttr>(getMainOp(kernel.front()))
      .Case<LinearOp>([&](LinearOp op) { return scheduleLinear(op, target); })
      .Case<AttentionOp>([&](AttentionOp op) { return scheduleAttention(op, target); })
      .Case<SsmStepOp>([](SsmStepOp op) { return scheduleStep(op); })
      .Case<SsmScanOp>([&](SsmScanOp op) { return scheduleScan(op, target); })
      .Default([](Operation *op) { return makeSchedule(op->getContext(), getPlainCollective(op), {}); });
}

} // namespace bambac
