// One rule for each kind of op: linears, scans, and all else.
#include "passes/schedule/CpuSchedules.h"
#include "dialects/bamba/Kernel.h"
#include "passes/memory/TensorBytes.h"
#include "runtime/contract/entry_points.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

namespace bambac {
namespace {

/// Workgroups that a launch should have so that no thread waits long for the last.
constexpr int64_t kWantedWorkgroups = 64;
/// The least work of a workgroup, in bytes moved, that makes the cost of taking it small.
constexpr int64_t kLeastBytes = int64_t{64} * 1024;
/// What one block of a panel may fill. It streams from the level-2 cache for a tile of rows, which takes less time than
/// their products; with shorter blocks there would be more sums to add up, and more rounding.
constexpr int64_t kBlockBytes = int64_t{64} * 1024;

/// Rows of codes with which weights are multiplied once, as they come from memory.
constexpr int64_t kStreamedRowsOfCodes = CpuTargetAttr::kTileRows;
/// Of linears in tile registers: rows and depth of the input that are multiplied at a time, up to 768 KiB.
constexpr int64_t kTileRows = 256, kTileDepth = 512;
/// Where a workgroup reads its input more than once: the least columns; the most, where that leaves enough workgroups
/// and there are more rows than memory takes time for.
constexpr int64_t kWideColumns = 128, kMostColumns = 512, kLeastTiles = 16, kFewRows = 32;

/// Heads of a scan that share a workgroup at most, and the workgroups that this leaves at least.
constexpr int64_t kMostHeads = 4, kLeastScans = 16;

int64_t getHeadsPerGroup(SsmScanOp scan) { return scan.getNumHeads() / scan.getNumGroups(); }

/// The largest divisor of `value` up to `limit`.
int64_t largestDivisor(int64_t value, int64_t limit) {
  for (int64_t divisor = std::min(value, limit); divisor > 1; --divisor)
    if (value % divisor == 0)
      return divisor;
  return 1;
}

/// Items of one dimension in a tile: enough work each, yet as many tiles as wanted.
int64_t chooseTile(int64_t size, int64_t bytesPerItem, int64_t granule) {
  int64_t forWork = llvm::divideCeil(kLeastBytes, std::max<int64_t>(bytesPerItem, 1));
  int64_t forBalance = std::max<int64_t>(size / kWantedWorkgroups, 1);
  int64_t tile = llvm::alignTo(std::max(forWork, forBalance), granule);
  return tile >= size ? 0 : tile;
}

/// Of the logits that an op writes or reads there is memory for those of the rows that are kept, rounded up to the
/// granule or to all `rows`: no tile of rows may reach from one granule into the next.
bool staysInGranules(Operation *op, int64_t rows) {
  return rows > BAMBA_RT_KEPT_GRANULE && op->getParentOfType<func::FuncOp>()->hasAttr(attr::kMayBeEmpty);
}

/// Registers left for accumulators, two a row, in addition to two of weights and one broadcast.
int64_t chooseRows(LinearOp linear, int64_t rows, CpuTargetAttr target) {
  if (staysInGranules(linear, rows))
    rows = std::gcd(rows, int64_t{BAMBA_RT_KEPT_GRANULE});
  return largestDivisor(rows, std::max<int64_t>((target.getVectorRegisters() - 4) / 2, 1));
}

bool hasPairs(LinearOp linear, CpuTargetAttr target) {
  Type element = cast<ShapedType>(linear.getWeight().getType()).getElementType();
  return cast<TargetInterface>(Attribute(target)).getWeightPanel(element).getGroup() > 1;
}

bool multipliesTiles(LinearOp linear, CpuTargetAttr target) {
  return target.multipliesTiles() && hasPairs(linear, target);
}

/// Columns of a linear's workgroup, whose weights stream through it.
int64_t chooseColumns(LinearOp linear, CpuTargetAttr target) {
  auto weight = cast<RankedTensorType>(linear.getWeight().getType());
  return chooseTile(weight.getDimSize(0), weight.getDimSize(1) * elementBytesOf(weight), 2 * target.getLanes());
}

/// The same where a workgroup reads all of the input for each block of the depth, which is more than the weights where
/// columns are few: it should have as many as make that cheap.
int64_t chooseWideColumns(LinearOp linear, int64_t rows, CpuTargetAttr target) {
  int64_t all = cast<ShapedType>(linear.getWeight().getType()).getDimSize(0), columns = chooseColumns(linear, target);
  if (columns > 0 && columns < kWideColumns)
    columns = all > kWideColumns ? kWideColumns : 0;
  for (int64_t wide = kMostColumns; rows > kFewRows && columns > 0 && wide > columns; wide /= 2)
    if (llvm::divideCeilSigned(all, wide) >= kLeastTiles)
      columns = wide;
  return columns;
}

/// A linear, alone or with an epilogue: all rows and some panels of columns. The weights of a tile stream through once;
/// with more rows than one register tile, the depth is cut so that a block of a panel stays in cache meanwhile. In tile
/// registers the input is cut too, and copied where it fills no tile.
CpuScheduleAttr scheduleLinear(LinearOp linear, CpuTargetAttr target) {
  int64_t rows = cast<ShapedType>(linear.getInput().getType()).getDimSize(0);
  bool hasCodes = linear.isScaled() && hasPairs(linear, target), isWide = hasCodes && rows > kStreamedRowsOfCodes;
  int64_t columns =
      linear.getTermsAttr() || isWide ? chooseWideColumns(linear, rows, target) : chooseColumns(linear, target);
  auto schedule = [&](int64_t tileRows, int64_t depth) {
    return CpuScheduleAttr::get(linear.getContext(), {0, columns}, tileRows, depth, 0);
  };
  if (linear.getTermsAttr() || (isWide && target.multipliesTiles()))
    return schedule(std::min(rows, kTileRows), kTileDepth);
  int64_t registerRows = hasCodes && target.multipliesTiles() ? rows : chooseRows(linear, rows, target);
  int64_t lineBytes = 2 * target.getLanes() * int64_t(hasCodes ? sizeof(uint16_t) : sizeof(float));
  return schedule(registerRows, rows > registerRows ? kBlockBytes / lineBytes : 0);
}

/// A scan: a few heads of a group a workgroup, which share B and its products with C, in chunks of as many tokens as
/// four registers have lanes.
CpuScheduleAttr scheduleScan(SsmScanOp scan, CpuTargetAttr target) {
  int64_t wanted = std::clamp<int64_t>(scan.getNumHeads() / kLeastScans, 1, kMostHeads);
  int64_t heads = largestDivisor(getHeadsPerGroup(scan), wanted);
  // The chunk's own product C B^T grows with its square, while products with the state are the same for each token.
  int64_t chunk = std::min({scan.getNumRows(), static_cast<int64_t>(scan.getChunk()), 4 * target.getLanes()});
  return CpuScheduleAttr::get(scan.getContext(), {heads}, 1, 0, chunk);
}

/// Any other op: tiles of the last dimension that it can be cut along, or one item of the first where that is enough.
CpuScheduleAttr scheduleGeneric(TilingInterface op) {
  OpBuilder builder(op.getContext());
  auto result = cast<ShapedType>(op->getResult(0).getType());
  int64_t bytes = elementBytesOf(result);
  SmallVector<int64_t> workgroup(op.getLoopIteratorTypes().size(), 0);
  int64_t rows = result.getDimSize(0);
  if (workgroup.size() == 2) { // rows and columns
    workgroup[0] = 1;
    workgroup[1] = chooseTile(result.getDimSize(1), bytes, 64);
  } else if (isa<CausalConv1dOp>(op)) { // columns
    workgroup[0] = chooseTile(result.getDimSize(1), bytes * rows * 8, 64);
  } else { // rows
    int64_t width = result.getRank() > 1 ? result.getDimSize(1) : 1;
    if (auto argmax = dyn_cast<ArgmaxOp>(*op))
      width = cast<ShapedType>(argmax.getInput().getType()).getDimSize(1);
    int64_t wanted = std::max<int64_t>(kLeastBytes / 4 / std::max<int64_t>(bytes * width, 1), 1);
    workgroup[0] = staysInGranules(op, rows) ? largestDivisor(BAMBA_RT_KEPT_GRANULE, wanted) : std::min(rows, wanted);
  }
  return CpuScheduleAttr::get(op.getContext(), workgroup, 1, 0, 0);
}

} // namespace

static LinearOp findLinear(func::FuncOp kernel) {
  LinearOp linear;
  kernel.walk([&](LinearOp op) { linear = op; });
  return linear;
}

SmallVector<StringRef> getCpuFields(func::FuncOp kernel) {
  if (findLinear(kernel))
    return {"workgroup", "rows", "depth"};
  if (isa<SsmScanOp>(getTiledOp(kernel)))
    return {"workgroup", "chunk"};
  return {"workgroup"};
}

/// "expected 2 sizes, found 1" for the field `workgroup` and the like.
template <typename... Args>
static llvm::Error makeFieldError(StringRef field, const char *format, const Args &...args) {
  return llvm::createStringError(llvm::formatv("field '{0}': {1}", field, llvm::formatv(format, args...)).str());
}

/// Where a workgroup has all rows, a linear leaves out those that are not there: in tile registers all of them, else
/// all after the last tile of rows. Other ops compute all rows of a workgroup.
static llvm::Error checkKeptRows(Operation *root, CpuScheduleAttr schedule, CpuTargetAttr target) {
  if (!staysInGranules(root, cast<ShapedType>(root->getResult(0).getType()).getDimSize(0)))
    return llvm::Error::success();
  auto check = [](StringRef field, int64_t rows) -> llvm::Error {
    if (rows > 0 && BAMBA_RT_KEPT_GRANULE % rows == 0)
      return llvm::Error::success();
    return makeFieldError(field, "expected a divisor of {0}, the rows of logits that there is memory for, found {1}",
                          BAMBA_RT_KEPT_GRANULE, rows);
  };
  auto linear = dyn_cast<LinearOp>(root);
  if (!linear || schedule.getWorkgroup().front() > 0)
    return check("workgroup", schedule.getWorkgroup().front());
  return multipliesTiles(linear, target) ? llvm::Error::success() : check("rows", schedule.getRows());
}

/// Rows that are so few that they are not split stream through vectors, as many at a time as code generation knows.
static llvm::Error checkFewRows(LinearOp linear, CpuScheduleAttr schedule, CpuTargetAttr target) {
  if (!linear || !multipliesTiles(linear, target) || linear.isScaled() || linear.getTermsAttr())
    return llvm::Error::success();
  if (schedule.getDepth() > 0)
    return makeFieldError("depth",
                          "expected 0, since so few rows are not split into terms for tile registers, found {0}",
                          schedule.getDepth());
  int64_t rows = linear.getInput().getType().getDimSize(0), part = schedule.getWorkgroup().front();
  if (part > 0 && rows % part != 0)
    return makeFieldError("workgroup", "expected a divisor of {0}, the rows, found {1}", rows, part);
  return llvm::Error::success();
}

llvm::Error checkCpuSchedule(func::FuncOp kernel, CpuScheduleAttr schedule, CpuTargetAttr target) {
  Operation *root = getTiledOp(kernel);
  ArrayRef<int64_t> workgroup = schedule.getWorkgroup();
  size_t rank = cast<TilingInterface>(root).getLoopIteratorTypes().size();
  if (workgroup.size() != rank)
    return makeFieldError("workgroup", "expected {0} sizes, found {1}", rank, workgroup.size());
  int64_t panel = 2 * target.getLanes();
  LinearOp linear = findLinear(kernel);
  if (linear && workgroup.back() % panel != 0)
    return makeFieldError("workgroup", "expected a multiple of {0} columns, found {1}", panel, workgroup.back());
  if (llvm::Error error = checkFewRows(linear, schedule, target))
    return error;
  if (isa<SsmStepOp>(root) && workgroup[0] != 1)
    return makeFieldError("workgroup", "expected 1 head, found {0}", workgroup[0]);
  if (auto scan = dyn_cast<SsmScanOp>(root)) {
    if (workgroup[0] <= 0 || getHeadsPerGroup(scan) % workgroup[0] != 0)
      return makeFieldError("workgroup", "expected a divisor of {0}, the heads of a group, found {1}",
                            getHeadsPerGroup(scan), workgroup[0]);
    int64_t rows = scan.getNumRows(), chunk = schedule.getChunk();
    if (chunk <= 0 || chunk > rows)
      return makeFieldError("chunk", "expected a size from 1 to {0}, the rows, found {1}", rows, chunk);
  }
  return checkKeptRows(root, schedule, target);
}

CpuScheduleAttr chooseCpuSchedule(func::FuncOp kernel, CpuTargetAttr target) {
  if (LinearOp linear = findLinear(kernel))
    return scheduleLinear(linear, target);
  Operation *root = getTiledOp(kernel);
  return llvm::TypeSwitch<Operation *, CpuScheduleAttr>(root)
      .Case<SsmScanOp>([&](SsmScanOp op) { return scheduleScan(op, target); })
      .Case<SsmStepOp, KvAppendOp, SampleOp>(
          [](Operation *op) { return CpuScheduleAttr::get(op->getContext(), {1}, 1, 0, 0); })
      .Case<AttentionOp>([](Operation *op) { return CpuScheduleAttr::get(op->getContext(), {1, 1}, 1, 0, 0); })
      .Default([](Operation *op) { return scheduleGeneric(cast<TilingInterface>(op)); });
}

} // namespace bambac
