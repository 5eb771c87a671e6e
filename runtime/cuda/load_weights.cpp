#include "runtime/cuda/load_weights.h"
#include "runtime/checkpoint/stored_matrix.h"
#include "runtime/cuda/weight_packer.h"
#include "runtime/support/element.h"
#include <algorithm>

namespace bambac::rt::cuda {
namespace {

/// Large enough to be copied at full speed, and not so large that the staging of many threads takes much memory.
constexpr uint64_t mostPieceBytes = uint64_t{4} << 20, mostStagedBytes = uint64_t{128} << 20;

/// Rows of one source, staged and packed by one thread in one go.
struct Task {
  uint32_t weight;
  const WeightSource *source;
  bamba_rt_piece piece; ///< all but its addresses

  uint64_t elements() const { return piece.rows * piece.cols; }
  uint64_t bytes() const { return elements() * elementBytes(piece.dtype); }
};

/// What the pieces of source `number` of a weight have in common; `before`: rows of the sources before it.
bamba_rt_piece describe(const bamba_rt_weight &weight, const WeightSource &source, uint32_t number, uint64_t before) {
  contract::SourceRows rows = weight.flags & BAMBA_RT_WEIGHT_INTERLEAVE
                                  ? contract::interleavedRows(number, weight.num_sources)
                                  : contract::stackedRows(before);
  bamba_rt_piece piece = {};
  piece.cols = weight.cols;
  piece.row_base = rows.base;
  piece.row_step = rows.step;
  piece.width = StoredMatrix(weight).width;
  piece.dtype = source.dtype;
  piece.transposed = weight.flags & BAMBA_RT_WEIGHT_TRANSPOSE ? 1 : 0;
  piece.head_dim = source.headDim;
  piece.rotary_dim = source.rotaryDim;
  return piece;
}

std::vector<Task> splitWork(const bamba_rt_model &model, std::span<const WeightSource> sources, unsigned threads) {
  uint64_t pieceBytes = std::min(mostPieceBytes, mostStagedBytes / threads);
  std::vector<Task> tasks;
  for (uint32_t index = 0; index < model.num_weights; ++index) {
    const bamba_rt_weight &weight = model.weights[index];
    uint64_t before = 0;
    for (uint32_t number = 0; number < weight.num_sources; ++number) {
      const WeightSource &source = sources[weight.first_source + number];
      before += source.rows;
      if (source.isComputed)
        continue; // the pieces with the codes write them
      bamba_rt_piece piece = describe(weight, source, number, before - source.rows);
      uint64_t rowBytes = std::max<uint64_t>(weight.cols * elementBytes(source.dtype), 1);
      uint64_t step = std::max<uint64_t>(pieceBytes / rowBytes, 1);
      for (uint64_t row = 0; row < source.rows; row += step) {
        piece.first_row = row;
        piece.rows = std::min(step, source.rows - row);
        tasks.push_back({index, &source, piece});
      }
    }
  }
  return tasks;
}

size_t largest(std::span<const Task> tasks) {
  size_t bytes = 0;
  for (const Task &task : tasks)
    bytes = std::max<size_t>(bytes, task.bytes());
  return bytes;
}

uint64_t sampleRows(const Task &task, const std::byte *stage) {
  uint64_t rowBytes = task.bytes() / task.piece.rows, sum = 0;
  for (uint64_t i = 0; i < task.piece.rows; ++i)
    sum += task.source->sampleRow(task.piece.first_row + i, {stage + i * rowBytes, rowBytes});
  return sum;
}

/// Where the scales of numbers that become codes go.
void addScales(const bamba_rt_model &model, const bamba_rt_weight &weight, std::span<std::byte *const> weights,
               bamba_rt_piece &piece) {
  const bamba_rt_weight &scales = model.weights[weight.scales - 1];
  piece.scales = reinterpret_cast<float *>(weights[weight.scales - 1]);
  piece.scale_rows = scales.rows;
  piece.scale_groups = scales.cols;
}

/// Stages a task's rows and sends them to their weight. Returns their bytes as the weight stores them; 0 once the
/// device has failed, which finish() tells.
uint64_t pack(const bamba_rt_model &model, const Task &task, std::span<std::byte *const> weights, WeightPacker &packer,
              unsigned thread, LoadReporter &reporter) {
  const bamba_rt_weight &weight = model.weights[task.weight];
  bamba_rt_piece piece = task.piece;
  std::byte *stage = packer.stage(thread);
  if (!stage || task.bytes() == 0)
    return 0;
  task.source->readAhead(piece.cols, piece.first_row, piece.first_row + piece.rows);
  task.source->copyRows(piece.cols, piece.first_row, piece.first_row + piece.rows, stage);
  if (task.source->file)
    reporter.addSample(sampleRows(task, stage));
  piece.to = weights[task.weight];
  if (task.source->quantizes)
    addScales(model, weight, weights, piece);
  packer.pack(thread, weight.pack_kernel, task.bytes(), piece);
  return task.elements() * elementBytes(weight.dtype);
}

} // namespace

void loadWeights(const bamba_rt_model &model, std::span<const WeightSource> sources,
                 std::span<std::byte *const> weights, ThreadPool &pool, LoadReporter &reporter,
                 const std::shared_ptr<const Kernels> &kernels) {
  std::vector<Task> tasks = splitWork(model, sources, pool.size());
  WeightPacker packer(kernels, model, pool.size(), largest(tasks));
  pool.forEach(tasks.size(), [&](uint64_t index, unsigned thread) {
    if (reporter.stopped())
      return;
    const Task &task = tasks[index];
    reporter.attempt([&] { reporter.add(pack(model, task, weights, packer, thread, reporter)); });
    if (thread == 0)
      reporter.report();
  });
  packer.finish();
  reporter.rethrow();
}

} // namespace bambac::rt::cuda
