// Splits the weights into pieces; each thread of a pool reads the rows of one and packs them.
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

/// Calls function(number of the source, first row, end) for the rows that a task reads of each source of its weight.
template <typename Function>
void forEachSource(const bamba_rt_weight &weight, std::span<const WeightSource> sources, const Task &task,
                   const Function &function) {
  uint64_t first = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    const WeightSource &source = sources[i];
    uint64_t begin = std::max(task.begin, first) - first, end = std::min(task.end, first + source.rows);
    end = end > first ? end - first : 0;
    first += source.rows;
    if (weight.flags & BAMBA_RT_WEIGHT_INTERLEAVE) { // rows that take turns
      begin = task.begin / sources.size();
      end = (task.end + sources.size() - 1) / sources.size();
    }
    if (source.rotaryDim) { // rows come from anywhere in their head
      begin = begin / source.headDim * source.headDim;
      end = std::min((end + source.headDim - 1) / source.headDim * source.headDim, source.rows);
    }
    if (begin < end)
      function(i, begin, end);
  }
}

/// The rows of one task at a time, read from their files. Used by one thread.
class Stage {
public:
  /// The sources of the task's weight with the rows that it reads in memory; valid until the next call. Throws Error
  /// BAMBA_IO_ERROR.
  std::span<const WeightSource> read(const bamba_rt_weight &weight, std::span<const WeightSource> sources,
                                     const Task &task) {
    staged.assign(sources.begin(), sources.end());
    size_t size = 0;
    forEachSource(weight, sources, task, [&](size_t i, uint64_t begin, uint64_t end) {
      sources[i].readAhead(weight.cols, begin, end);
      if (sources[i].file)
        size += (end - begin) * weight.cols * elementBytes(sources[i].dtype);
    });
    bytes.resize(std::max(bytes.size(), size));
    std::byte *to = bytes.data();
    forEachSource(weight, sources, task, [&](size_t i, uint64_t begin, uint64_t end) {
      if (!sources[i].file)
        return;
      sources[i].copyRows(weight.cols, begin, end, to);
      staged[i] = sources[i].inMemory(to, begin);
      to += (end - begin) * weight.cols * elementBytes(sources[i].dtype);
    });
    return staged;
  }

private:
  std::vector<WeightSource> staged;
  std::vector<std::byte> bytes;
};

/// Packs a task's rows to their places in the weight at `out`. Returns their bytes, padding not counted.
uint64_t pack(const bamba_rt_weight &weight, std::span<const WeightSource> sources, const Task &task, Stage &stage,
              std::byte *out) {
  std::span<const WeightSource> own =
      stage.read(weight, sources.subspan(weight.first_source, weight.num_sources), task);
  packRows(weight, own, task.begin, task.end, out + packedRange(weight, task.begin, task.end).begin);
  return (task.end - task.begin) * weight.cols * elementBytes(weight.dtype);
}

} // namespace

void loadWeights(const bamba_rt_model &model, std::span<const WeightSource> sources,
                 std::span<std::byte *const> weights, ThreadPool &pool, LoadReporter &reporter) {
  std::vector<Task> tasks = splitWork({model.weights, model.num_weights});
  std::vector<Stage> stages(pool.size());
  pool.forEach(tasks.size(), [&](uint64_t index, unsigned thread) {
    if (reporter.stopped())
      return;
    const Task &task = tasks[index];
    reporter.attempt(
        [&] { reporter.add(pack(model.weights[task.weight], sources, task, stages[thread], weights[task.weight])); });
    if (thread == 0)
      reporter.report();
  });
  reporter.rethrow();
}

} // namespace bambac::rt
