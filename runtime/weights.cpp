#include "runtime/weights.h"
#include "runtime/checkpoint.h"
#include "runtime/element.h"
#include "runtime/error.h"
#include "runtime/manifest.h"
#include "runtime/thread_pool.h"
#include <algorithm>
#include <atomic>

namespace bambac::rt {
namespace {

/// Rows of one weight, packed by one thread in one go.
struct Task {
  uint32_t weight;
  uint64_t begin, end;
};

std::vector<Task> splitWork(std::span<const bamba_rt_weight> weights) {
  std::vector<Task> tasks;
  for (uint32_t i = 0; i < weights.size(); ++i) {
    uint64_t step = rowsPerTask(weights[i]);
    for (uint64_t row = 0; row < weights[i].rows; row += step)
      tasks.push_back({i, row, std::min(row + step, weights[i].rows)});
  }
  return tasks;
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

} // namespace

Weights::Weights(const bamba_rt_model &model) {
  size_t total = 0;
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights)) {
    offsets.push_back(total);
    total = alignUp(checkedAdd(total, weight.bytes, "the weights"), bufferAlignment, "the weights");
  }
  memory = Region(total, "the weights");
}

void Weights::pack(const bamba_rt_model &model, const std::vector<WeightSource> &sources, unsigned threads,
                   Progress progress) {
  std::span weights(model.weights, model.num_weights);
  std::vector<Task> tasks = splitWork(weights);
  uint64_t total = 0;
  for (const bamba_rt_weight &weight : weights)
    total += weight.rows * weight.cols * elementBytes(weight.dtype);
  Reporter reporter(progress, total);
  ThreadPool pool(threads);
  pool.forEach(tasks.size(), [&](uint64_t index, unsigned thread) {
    if (reporter.stopped())
      return;
    const auto &[number, begin, end] = tasks[index];
    const bamba_rt_weight &weight = weights[number];
    packRows(weight, std::span(sources).subspan(weight.first_source, weight.num_sources), begin, end, data(number));
    reporter.add((end - begin) * weight.cols * elementBytes(weight.dtype));
    if (thread == 0)
      reporter.report();
  });
  reporter.report();
  if (reporter.stopped())
    fail(BAMBA_IO_ERROR, "loading the weights was given up by the progress callback");
}

Weights Weights::load(const bamba_rt_model &model, const std::string &path, unsigned threads, Progress progress) {
  Checkpoint checkpoint(path);
  std::vector<WeightSource> sources = matchSources(model, checkpoint);
  Weights weights(model);
  weights.pack(model, sources, threads, progress);
  return weights;
}

Weights Weights::random(const bamba_rt_model &model, uint64_t seed, unsigned threads) {
  Weights weights(model);
  weights.pack(model, randomSources(model, seed), threads, {});
  return weights;
}

} // namespace bambac::rt
