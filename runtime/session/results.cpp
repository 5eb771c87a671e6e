#include "runtime/session/results.h"
#include "runtime/model/model.h"
#include "runtime/support/memory.h"
#include <algorithm>
#include <utility>

namespace bambac::rt {

Results::Results(const bamba_rt_model &model, uint64_t rows, uint64_t stepRows, Device &device)
    : device(device), rowBytes(uint64_t{model.vocab_size} * sizeof(float)), greedyRows(mostKeptRows(model)),
      step(makeStepBuffers(stepRows)) {
  reserve(rows, stepRows);
}

StepBuffers Results::makeStepBuffers(uint64_t stepRows) const {
  return {stepRows, device.allocate(checkedMul(stepRows, rowBytes, "the logits"), "the logits"),
          device.allocate(greedyRows * sizeof(int32_t), "the greedy tokens"),
          device.allocate(greedyRows * sizeof(bamba_rt_sample), "the drawn tokens")};
}

void Results::use(StepBuffers larger) {
  reserve(rows, larger.rows);
  step = std::move(larger);
}

void Results::begin(uint64_t wanted, bool sampled) {
  if (wanted > rows)
    reserve(wanted, step.rows);
  if (sampled && !rowSamples)
    rowSamples = device.allocateHost(checkedMul(rows, sizeof(bamba_rt_sample), "the drawn tokens"), "the drawn tokens");
  isSampled = sampled;
  unplaced = {0, 0};
}

void Results::reserve(uint64_t wanted, uint64_t stepRows) {
  // Where kernels write in place: room for the padding rows of the last step too.
  uint64_t room = checkedAdd(wanted, device.isHost() ? stepRows : 0, "the logits");
  DeviceMemory newLogits = device.allocate(checkedMul(room, rowBytes, "the logits"), "the logits");
  DeviceMemory newGreedy =
      device.allocateHost(checkedMul(room, sizeof(int32_t), "the greedy tokens"), "the greedy tokens");
  device.finish(); // nothing writes to the old ones any more
  rowLogits = std::move(newLogits);
  rowGreedy = std::move(newGreedy);
  hostLogits.reset();
  rowSamples.reset();
  rows = wanted;
}

bool Results::inPlace(const Step &next) const {
  return device.isHost() && next.logitsRow * rowBytes % bufferAlignment == 0;
}

void Results::direct(const Step &next, Executor &executor) {
  if (device.isHost())
    return executor.setOutput(BAMBA_RT_OUTPUT_LOGITS, inPlace(next) ? logitsRow(next.logitsRow) : step.logits.get());
  if (next.writesNoLogits())
    return;
  if (unplaced.count > 0)
    device.copy(logitsRow(unplaced.first), step.logits.get(), unplaced.count * rowBytes);
  unplaced = {next.logitsRow, next.logitsRows};
}

void Results::collect(const Step &done) {
  if (device.isHost() && !inPlace(done))
    device.copy(logitsRow(done.logitsRow), step.logits.get(), done.logitsRows * rowBytes);
  if (done.logitsRows > 0)
    device.download(rowGreedy.get() + done.logitsRow * sizeof(int32_t), step.greedy.get(),
                    done.logitsRows * sizeof(int32_t));
  if (done.logitsRows > 0 && isSampled)
    device.download(rowSamples.get() + done.logitsRow * sizeof(bamba_rt_sample), step.samples.get(),
                    done.logitsRows * sizeof(bamba_rt_sample));
  settled = false;
}

void Results::settle() {
  if (!settled)
    device.finish();
  settled = true;
}

void Results::fetch(uint64_t first, uint64_t count) {
  if (!hostLogits)
    hostLogits = device.allocateHost(rows * rowBytes, "the logits on the host");
  // The rows that are still in the step's buffer are the last of a batch; those before them are in their places.
  uint64_t placed = std::min(count, unplaced.first > first ? unplaced.first - first : 0);
  if (placed > 0)
    device.download(hostLogits.get() + first * rowBytes, logitsRow(first), placed * rowBytes);
  if (placed < count)
    device.download(hostLogits.get() + (first + placed) * rowBytes,
                    step.logits.get() + (first + placed - unplaced.first) * rowBytes, (count - placed) * rowBytes);
}

const float *Results::logits(uint64_t first, uint64_t count) {
  if (device.isHost())
    return reinterpret_cast<const float *>(logitsRow(first));
  fetch(first, count);
  device.finish();
  return reinterpret_cast<const float *>(hostLogits.get() + first * rowBytes);
}

const bamba_rt_sample &Results::sample(uint64_t row) {
  if (!isSampled) {
    greedySample.token = greedy(row);
    return greedySample;
  }
  settle();
  return reinterpret_cast<const bamba_rt_sample *>(rowSamples.get())[row];
}

int32_t Results::greedy(uint64_t row) {
  settle();
  return reinterpret_cast<const int32_t *>(rowGreedy.get())[row];
}

} // namespace bambac::rt
