#include "runtime/weights.h"
#include "runtime/checkpoint.h"
#include "runtime/cuda/weight_uploader.h"
#include "runtime/element.h"
#include "runtime/error.h"
#include "runtime/manifest.h"
#include "runtime/memory.h"
#include "runtime/thread_pool.h"
#include <algorithm>
#include <atomic>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace bambac::rt {
namespace {

/// Rows of one weight, packed by one thread in one go, and the bytes that they go to.
struct Task {
  uint32_t weight;
  uint64_t begin, end;
  ByteRange bytes;
};

/// Pieces of about `pieceBytes`. A transposed weight is one piece where its bytes must be packed together.
std::vector<Task> splitWork(std::span<const bamba_rt_weight> weights, uint64_t pieceBytes, bool together) {
  std::vector<Task> tasks;
  for (uint32_t i = 0; i < weights.size(); ++i) {
    const bamba_rt_weight &weight = weights[i];
    bool whole = together && (weight.flags & BAMBA_RT_WEIGHT_TRANSPOSE);
    uint64_t step = whole ? std::max<uint64_t>(weight.rows, 1) : rowsPerTask(weight, pieceBytes);
    for (uint64_t row = 0; row < weight.rows; row += step) {
      uint64_t end = std::min(row + step, weight.rows);
      tasks.push_back({i, row, end, packedRange(weight, row, end)});
    }
  }
  return tasks;
}

/// Asks the system to read rows of a mapped source ahead: it would else do so in small steps. Advice; a refusal does
/// not matter.
void readAhead(const WeightSource &source, uint64_t cols, uint64_t begin, uint64_t end) {
  if (!source.data || begin >= end)
    return;
  if (source.rotaryDim) { // rows come from anywhere in their head
    begin = begin / source.headDim * source.headDim;
    end = std::min((end + source.headDim - 1) / source.headDim * source.headDim, source.rows);
  }
  uint64_t rowBytes = cols * elementBytes(source.dtype), page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  auto first = reinterpret_cast<uintptr_t>(source.data) + begin * rowBytes, inPage = first % page;
  madvise(reinterpret_cast<void *>(first - inPage), (end - begin) * rowBytes + inPage, MADV_WILLNEED);
}

/// The same for all that a task reads.
void readAhead(const bamba_rt_weight &weight, std::span<const WeightSource> sources, const Task &task) {
  if (weight.flags & BAMBA_RT_WEIGHT_INTERLEAVE) {
    for (const WeightSource &source : sources)
      readAhead(source, weight.cols, task.begin / sources.size(), (task.end + sources.size() - 1) / sources.size());
    return;
  }
  uint64_t first = 0;
  for (const WeightSource &source : sources) {
    uint64_t begin = std::max(task.begin, first), end = std::min(task.end, first + source.rows);
    if (begin < end)
      readAhead(source, weight.cols, begin - first, end - first);
    first += source.rows;
  }
}

/// Tells the caller how far the load is; a callback that asks to stop, or throws, stops it.
class Reporter {
public:
  Reporter(Progress progress, uint64_t total) : progress(progress), total(total) {}

  void add(uint64_t bytes) { done.fetch_add(bytes, std::memory_order_relaxed); }
  bool stopped() const { return stop.load(std::memory_order_relaxed); }

  /// On the loading thread only.
  void report() noexcept {
    if (!progress.call || stopped())
      return;
    try {
      if (progress.call(progress.user, done.load(std::memory_order_relaxed), total) != 0)
        stop = true;
    } catch (...) {
      stop = true;
    }
  }

private:
  Progress progress;
  uint64_t total;
  std::atomic<uint64_t> done{0};
  std::atomic<bool> stop{false};
};

/// Packs straight into the weights' memory, which is zeroed.
class HostTarget {
public:
  static constexpr uint64_t pieceBytes = uint64_t{1} << 20;
  static constexpr bool together = false;

  std::byte *begin(unsigned, const bamba_rt_weight &, const Task &, std::byte *to) { return to; }
  void end(unsigned, const Task &, std::byte *) {}
  void finish() {}
};

/// Packs into staging buffers that are then sent to the device.
class CudaTarget {
public:
  static constexpr uint64_t pieceBytes = uint64_t{4} << 20;
  static constexpr bool together = true;

  CudaTarget(const std::shared_ptr<const cuda::Context> &context, unsigned threads, std::span<const Task> tasks)
      : uploader(context, threads, largest(tasks)) {}

  std::byte *begin(unsigned thread, const bamba_rt_weight &weight, const Task &task, std::byte *) {
    std::byte *stage = uploader.stage(thread);
    if (stage && hasPadding(weight))
      std::memset(stage, 0, task.bytes.size());
    return stage;
  }
  void end(unsigned thread, const Task &task, std::byte *to) { uploader.send(thread, to, task.bytes.size()); }
  void finish() { uploader.finish(); }

private:
  static size_t largest(std::span<const Task> tasks) {
    size_t bytes = 0;
    for (const Task &task : tasks)
      bytes = std::max<size_t>(bytes, task.bytes.size());
    return bytes;
  }

  cuda::WeightUploader uploader;
};

/// Packs all weights with the threads of `pool`.
template <typename Target>
void pack(const bamba_rt_model &model, const Weights &weights, std::span<const WeightSource> sources,
          std::span<const Task> tasks, ThreadPool &pool, Progress progress, Target &target) {
  uint64_t total = 0;
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights))
    total += weight.rows * weight.cols * elementBytes(weight.dtype);
  Reporter reporter(progress, total);
  pool.forEach(tasks.size(), [&](uint64_t index, unsigned thread) {
    if (reporter.stopped())
      return;
    const Task &task = tasks[index];
    const bamba_rt_weight &weight = model.weights[task.weight];
    std::byte *place = weights.data(task.weight) + task.bytes.begin;
    std::byte *out = target.begin(thread, weight, task, place);
    if (!out)
      return;
    std::span<const WeightSource> own = sources.subspan(weight.first_source, weight.num_sources);
    readAhead(weight, own, task);
    packRows(weight, own, task.begin, task.end, out);
    target.end(thread, task, place);
    reporter.add((task.end - task.begin) * weight.cols * elementBytes(weight.dtype));
    if (thread == 0)
      reporter.report();
  });
  target.finish();
  reporter.report();
  if (reporter.stopped())
    fail(BAMBA_IO_ERROR, "loading the weights was given up by the progress callback");
}

void packAll(const bamba_rt_model &model, const Weights &weights, std::span<const WeightSource> sources,
             unsigned threads, Progress progress, const std::shared_ptr<const cuda::Context> &context) {
  ThreadPool pool(threads);
  std::span all(model.weights, model.num_weights);
  if (!context) {
    std::vector<Task> tasks = splitWork(all, HostTarget::pieceBytes, HostTarget::together);
    HostTarget target;
    return pack(model, weights, sources, tasks, pool, progress, target);
  }
  std::vector<Task> tasks = splitWork(all, CudaTarget::pieceBytes, CudaTarget::together);
  CudaTarget target(context, threads, tasks);
  pack(model, weights, sources, tasks, pool, progress, target);
}

} // namespace

Weights::Weights(const bamba_rt_model &model, const std::shared_ptr<const cuda::Context> &context) {
  size_t total = 0;
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights)) {
    offsets.push_back(total);
    total = alignUp(checkedAdd(total, weight.bytes, "the weights"), deviceAlignment, "the weights");
  }
  if (context) {
    memory = context->allocate(total, "the weights");
    return;
  }
  auto region = std::make_shared<Region>(total, "the weights");
  memory = {region, region->data()};
}

Weights Weights::load(const bamba_rt_model &model, const std::string &path, unsigned threads, Progress progress,
                      const std::shared_ptr<const cuda::Context> &context) {
  Checkpoint checkpoint(path);
  std::vector<WeightSource> sources = matchSources(model, checkpoint);
  Weights weights(model, context);
  packAll(model, weights, sources, threads, progress, context);
  return weights;
}

Weights Weights::random(const bamba_rt_model &model, uint64_t seed, unsigned threads,
                        const std::shared_ptr<const cuda::Context> &context) {
  Weights weights(model, context);
  packAll(model, weights, randomSources(model, seed), threads, {}, context);
  return weights;
}

} // namespace bambac::rt
