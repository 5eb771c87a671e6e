// Static memory planning by liveness: see PlanMemory in Passes.td.
#include "passes/Passes.h"
#include "passes/memory/TensorBytes.h"

namespace bambac {
#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"

namespace {

/// Where the module names no target.
constexpr int64_t kCacheLine = 64;

/// An intermediate: alive from the launch that makes it to the last that reads it, both included.
struct Interval {
  OpResult value;
  int64_t first, last, bytes, offset = 0;

  bool overlaps(const Interval &other) const { return first <= other.last && other.first <= last; }
};

/// True for a result that is computed into a state pool, not into fresh memory.
bool isState(OpResult result) {
  auto launch = cast<LaunchOp>(result.getOwner());
  return !isFresh(launch.getInits()[result.getResultNumber()]);
}

bool isReturned(OpResult result) {
  return llvm::any_of(result.getUsers(), [](Operation *user) { return isa<func::ReturnOp>(user); });
}

struct PlanMemory : impl::PlanMemoryBase<PlanMemory> {
  using impl::PlanMemoryBase<PlanMemory>::PlanMemoryBase;

  void runOnOperation() override {
    if (!getOperation()->hasAttr(attr::kEntry))
      return;
    SmallVector<Interval> intervals = collectIntervals();
    TargetInterface target = getTarget(getOperation());
    int64_t align = alignment ? alignment : target ? target.getBufferAlignment() : kCacheLine;
    int64_t size = place(intervals, align);
    annotate(intervals);
    getOperation()->setAttr(attr::kArenaBytes, OpBuilder(&getContext()).getI64IntegerAttr(size));
  }

  SmallVector<Interval> collectIntervals() {
    DenseMap<Operation *, int64_t> position;
    for (Operation &op : getOperation().getBody().front())
      position[&op] = position.size();
    SmallVector<Interval> intervals;
    getOperation().walk([&](LaunchOp launch) {
      for (OpResult result : launch->getResults()) {
        if (isState(result) || isReturned(result))
          continue;
        int64_t last = position[launch];
        for (Operation *user : result.getUsers())
          last = std::max(last, position[user]);
        intervals.push_back({result, position[launch], last, bytesOf(result.getType())});
      }
    });
    return intervals;
  }

  /// Gives each interval the lowest free offset, largest first; returns the bytes needed.
  static int64_t place(SmallVector<Interval> &intervals, int64_t align) {
    llvm::sort(intervals, [](const Interval &left, const Interval &right) {
      auto key = [](const Interval &it) { return std::tuple(-it.bytes, it.first, it.value.getResultNumber()); };
      return key(left) < key(right);
    });
    int64_t size = 0;
    SmallVector<const Interval *> placed; // by offset
    for (Interval &interval : intervals) {
      for (const Interval *other : placed) {
        if (!interval.overlaps(*other))
          continue;
        if (interval.offset + interval.bytes <= other->offset)
          break;
        interval.offset = std::max<int64_t>(interval.offset, llvm::alignTo(other->offset + other->bytes, align));
      }
      size = std::max(size, interval.offset + interval.bytes);
      placed.insert(llvm::upper_bound(placed, interval.offset,
                                      [](int64_t offset, const Interval *other) { return offset < other->offset; }),
                    &interval);
    }
    return size;
  }

  void annotate(ArrayRef<Interval> intervals) {
    DenseMap<Value, const Interval *> planned;
    for (const Interval &interval : intervals)
      planned[interval.value] = &interval;
    OpBuilder builder(&getContext());
    getOperation().walk([&](LaunchOp launch) {
      SmallVector<Attribute> buffers;
      for (Value result : launch.getResults()) {
        const Interval *interval = planned.lookup(result);
        buffers.push_back(interval ? Attribute(BufferAttr::get(&getContext(), interval->offset, interval->bytes))
                                   : builder.getUnitAttr());
      }
      launch.setBuffersAttr(builder.getArrayAttr(buffers));
    });
  }
};

} // namespace
} // namespace bambac
