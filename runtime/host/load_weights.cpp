// Splits the weights into pieces that the threads of a pool pack, each after it has asked for its part of the files.
#include "runtime/host/load_weights.h"
#include "runtime/host/weight_pack.h"
#include "runtime/support/element.h"
#include <algorithm>
#include <vector>

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

/// Packs a task's rows to their places in the weight at `out`. Returns their bytes, padding not counted.
uint64_t pack(const bamba_rt_weight &weight, std::span<const WeightSource> sources, const Task &task, std::byte *out) {
  std::span<const WeightSource> own = sources.subspan(weight.first_source, weight.num_sources);
  readAhead(weight, own, task);
  packRows(weight, own, task.begin, task.end, out + packedRange(weight, task.begin, task.end).begin);
  return (task.end - task.begin) * weight.cols * elementBytes(weight.dtype);
}

} // namespace

void loadWeights(const bamba_rt_model &model, std::span<const WeightSource> sources,
                 std::span<std::byte *const> weights, ThreadPool &pool, LoadReporter &reporter) {
  std::vector<Task> tasks = splitWork({model.weights, model.num_weights});
  pool.forEach(tasks.size(), [&](uint64_t index, unsigned thread) {
    if (reporter.stopped())
      return;
    const Task &task = tasks[index];
    reporter.attempt([&] { reporter.add(pack(model.weights[task.weight], sources, task, weights[task.weight])); });
    if (thread == 0)
      reporter.report();
  });
  reporter.rethrow();
}

} // namespace bambac::rt
