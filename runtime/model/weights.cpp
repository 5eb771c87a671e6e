#include "runtime/model/weights.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/element.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/cuda/load_weights.h"
#include "runtime/host/weight_pack.h"
#include "runtime/support/error.h"
#include "runtime/support/memory.h"
#include "runtime/support/thread_pool.h"
#include <algorithm>

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
    uint64_t rows = weights[i].rows, step = rowsPerTask(weights[i]);
    for (uint64_t row = 0; row < rows; row += step)
      tasks.push_back({i, row, std::min(row + step, rows)});
  }
  return tasks;
}

/// Reads ahead rows [begin, end) of a source in its new order.
void readAhead(const WeightSource &source, uint64_t cols, uint64_t begin, uint64_t end) {
  if (source.rotaryDim) { // rows come from anywhere in their head
    begin = begin / source.headDim * source.headDim;
    end = std::min((end + source.headDim - 1) / source.headDim * source.headDim, source.rows);
  }
  source.readAhead(cols, begin, end);
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

/// Packs straight into the weights' memory, which is zeroed.
void packOnHost(const bamba_rt_model &model, std::span<const WeightSource> sources,
                std::span<std::byte *const> addresses, ThreadPool &pool, LoadReporter &reporter) {
  std::vector<Task> tasks = splitWork({model.weights, model.num_weights});
  pool.forEach(tasks.size(), [&](uint64_t index, unsigned thread) {
    if (reporter.stopped())
      return;
    const Task &task = tasks[index];
    const bamba_rt_weight &weight = model.weights[task.weight];
    std::span<const WeightSource> own = sources.subspan(weight.first_source, weight.num_sources);
    readAhead(weight, own, task);
    packRows(weight, own, task.begin, task.end,
             addresses[task.weight] + packedRange(weight, task.begin, task.end).begin);
    reporter.add((task.end - task.begin) * weight.cols * elementBytes(weight.dtype));
    if (thread == 0)
      reporter.report();
  });
}

uint64_t bytesWithoutPadding(const bamba_rt_model &model) {
  uint64_t total = 0;
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights))
    total += weight.rows * weight.cols * elementBytes(weight.dtype);
  return total;
}

} // namespace

Weights::Weights(const bamba_rt_model &model, const std::shared_ptr<const cuda::Kernels> &kernels) {
  std::vector<size_t> offsets;
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights)) {
    offsets.push_back(bytes);
    bytes = alignUp(checkedAdd(bytes, weight.bytes, "the weights"), deviceAlignment, "the weights");
  }
  if (kernels) {
    memory = kernels->context()->allocate(bytes, "the weights");
  } else {
    auto region = std::make_shared<Region>(bytes, "the weights");
    memory = {region, region->data()};
  }
  for (size_t offset : offsets)
    addresses.push_back(memory.get() + offset);
}

void Weights::fill(const bamba_rt_model &model, std::span<const WeightSource> sources, unsigned threads,
                   Progress progress, const std::shared_ptr<const cuda::Kernels> &kernels) {
  ThreadPool pool(threads);
  LoadReporter reporter(progress, bytesWithoutPadding(model));
  if (kernels)
    cuda::loadWeights(model, sources, addresses, memory.get(), bytes, pool, reporter, kernels);
  else
    packOnHost(model, sources, addresses, pool, reporter);
  reporter.report();
  if (reporter.stopped())
    fail(BAMBA_IO_ERROR, "loading the weights was given up by the progress callback");
}

Weights Weights::load(const bamba_rt_model &model, const std::string &path, unsigned threads, Progress progress,
                      const std::shared_ptr<const cuda::Kernels> &kernels) {
  Checkpoint checkpoint(path);
  std::vector<WeightSource> sources = matchSources(model, checkpoint);
  Weights weights(model, kernels);
  weights.fill(model, sources, threads, progress, kernels);
  return weights;
}

Weights Weights::random(const bamba_rt_model &model, uint64_t seed, unsigned threads,
                        const std::shared_ptr<const cuda::Kernels> &kernels) {
  Weights weights(model, kernels);
  weights.fill(model, randomSources(model, seed), threads, {}, kernels);
  return weights;
}

} // namespace bambac::rt
