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

std::vector<Task> splitWork(std::span<const bamba_rt_weight> weights, bool ofScales) {
  std::vector<Task> tasks;
  for (uint32_t i = 0; i < weights.size(); ++i) {
    if (static_cast<bool>(weights[i].flags & BAMBA_RT_WEIGHT_POSITIVE) != ofScales)
      continue;
    uint64_t rows = weights[i].rows, step = rowsPerTask(weights[i]);
    for (uint64_t row = 0; row < rows; row += step)
      tasks.push_back({i, row, std::min(row + step, rows)});
  }
  return tasks;
}

struct Rows {
  uint64_t begin, end;
  uint64_t count() const { return end - begin; }
};

/// The places of source `number` that are among rows [task.begin, task.end) of its weight; `before`: rows of the
/// sources before it.
Rows placesOf(const bamba_rt_weight &weight, const Task &task, uint64_t number, uint64_t before, uint64_t rows) {
  if (weight.flags & BAMBA_RT_WEIGHT_INTERLEAVE) { // the first row of the source that is not before `row`
    auto from = [&](uint64_t row) { return (row + weight.num_sources - 1 - number) / weight.num_sources; };
    return {from(task.begin), from(task.end)};
  }
  auto from = [&](uint64_t row) { return std::clamp(row, before, before + rows) - before; };
  return {from(task.begin), from(task.end)};
}

/// Calls function(number of the source, places, rows) for each source that a task reads from: rows that it must have to
/// fill the places.
template <typename Function>
void forEachSource(const bamba_rt_weight &weight, std::span<const WeightSource> sources, const Task &task,
                   const Function &function) {
  uint64_t before = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    const WeightSource &source = sources[i];
    Rows places = placesOf(weight, task, i, before, source.rows), rows = places;
    before += source.rows;
    if (source.rotaryDim) { // rows come from anywhere in their head
      rows.begin = rows.begin / source.headDim * source.headDim;
      rows.end = std::min((rows.end + source.headDim - 1) / source.headDim * source.headDim, source.rows);
    }
    if (places.begin < places.end)
      function(i, places, rows);
  }
}

/// The rows of one task at a time, read from their files. Used by one thread.
class Stage {
public:
  /// The sources of the task's weight with the rows that it reads in memory; valid until the next call. Adds samples of
  /// them to `reporter`. Throws Error BAMBA_IO_ERROR.
  std::span<const WeightSource> read(const bamba_rt_weight &weight, std::span<const WeightSource> sources,
                                     const Task &task, LoadReporter &reporter) {
    staged.assign(sources.begin(), sources.end());
    auto rowBytes = [&](size_t i) { return weight.cols * elementBytes(sources[i].dtype); };
    size_t size = 0;
    forEachSource(weight, sources, task, [&](size_t i, Rows, Rows rows) {
      sources[i].readAhead(weight.cols, rows.begin, rows.end);
      size += sources[i].file ? rows.count() * rowBytes(i) : 0;
    });
    bytes.resize(std::max(bytes.size(), size));
    std::byte *to = bytes.data();
    forEachSource(weight, sources, task, [&](size_t i, Rows places, Rows rows) {
      const WeightSource &source = sources[i];
      if (!source.file)
        return;
      source.copyRows(weight.cols, rows.begin, rows.end, to);
      staged[i] = source.inMemory(to, rows.begin);
      uint64_t sum = 0;
      for (uint64_t place = places.begin; place < places.end; ++place) {
        uint64_t row = source.rowAt(place);
        sum += source.sampleRow(row, {to + (row - rows.begin) * rowBytes(i), rowBytes(i)});
      }
      reporter.addSample(sum);
      to += rows.count() * rowBytes(i);
    });
    return staged;
  }

private:
  std::vector<WeightSource> staged;
  std::vector<std::byte> bytes;
};

/// Packs rows of the weights of a model.
class Packer {
public:
  Packer(const bamba_rt_model &model, std::span<const WeightSource> sources, std::span<std::byte *const> weights,
         ThreadPool &pool, LoadReporter &reporter)
      : model(model), sources(sources), weights(weights), pool(pool), reporter(reporter), stages(pool.size()) {}

  void run(std::span<const Task> tasks) {
    pool.forEach(tasks.size(), [&](uint64_t index, unsigned thread) {
      if (reporter.stopped())
        return;
      reporter.attempt([&] { reporter.add(pack(tasks[index], stages[thread])); });
      if (thread == 0)
        reporter.report();
    });
    reporter.rethrow();
  }

private:
  /// Packs a task's rows to their places. Returns their bytes, padding not counted.
  uint64_t pack(const Task &task, Stage &stage) const {
    const bamba_rt_weight &weight = model.weights[task.weight];
    std::span<const WeightSource> own =
        stage.read(weight, sources.subspan(weight.first_source, weight.num_sources), task, reporter);
    std::byte *out = weights[task.weight] + packedRange(weight, task.begin, task.end).begin;
    packRows(weight, own, task.begin, task.end, out, scalesOf(weight));
    return (task.end - task.begin) * weight.cols * elementBytes(weight.dtype);
  }

  std::span<float> scalesOf(const bamba_rt_weight &weight) const {
    if (!weight.scales)
      return {};
    const bamba_rt_weight &scales = model.weights[weight.scales - 1];
    return {reinterpret_cast<float *>(weights[weight.scales - 1]), scales.rows * scales.cols};
  }

  const bamba_rt_model &model;
  std::span<const WeightSource> sources;
  std::span<std::byte *const> weights;
  ThreadPool &pool;
  LoadReporter &reporter;
  std::vector<Stage> stages;
};

} // namespace

void loadWeights(const bamba_rt_model &model, std::span<const WeightSource> sources,
                 std::span<std::byte *const> weights, ThreadPool &pool, LoadReporter &reporter) {
  Packer packer(model, sources, weights, pool, reporter);
  // Scales first: codes that are computed write theirs over what is there.
  for (bool ofScales : {true, false})
    packer.run(splitWork({model.weights, model.num_weights}, ofScales));
}

} // namespace bambac::rt
