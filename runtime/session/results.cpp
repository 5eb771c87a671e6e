#include "runtime/session/results.h"
#include "runtime/model/model.h"
#include "runtime/support/memory.h"
#include <algorithm>
#include <cstddef>
#include <utility>

namespace bambac::rt {

Results::Results(const bamba_rt_model &model, uint64_t rows, uint64_t stepRows, Device &device)
    : device(device), rowBytes(uint64_t{model.vocab_size} * sizeof(float)), greedyRows(mostKeptRows(model)),
      step(makeStepBuffers(stepRows)) {
  reserve(rows, stepRows);
  places[0] = makeRoom({}, rows, {});
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

void Results::makeRoomToAlternate() {
  for (unsigned place = 0; place < numPlaces; ++place)
    begin(place, rows, {.isSampled = true, .keepsLogits = false, .keepsTokens = true});
}

void Results::begin(unsigned place, uint64_t wanted, const BatchUse &use) {
  Tokens next = makeRoom(places[place], std::max(rows, wanted), use);
  if (wanted > rows)
    reserve(wanted, step.rows);
  else if (next.greedy != places[place].greedy)
    device.finish(); // nothing writes to the old ones any more
  places[place] = std::move(next);
  current = place;
  unplaced = {0, 0};
}

/// The same memory, or what there has to be in its place.
Results::Tokens Results::makeRoom(Tokens tokens, uint64_t wanted, const BatchUse &use) const {
  tokens.use = use;
  if (tokens.rows < wanted)
    tokens = {
        wanted,  device.allocateHost(checkedMul(wanted, sizeof(int32_t), "the greedy tokens"), "the greedy tokens"),
        nullptr, nullptr,
        use,     true};
  if (use.isSampled && !tokens.samples)
    tokens.samples =
        device.allocateHost(checkedMul(tokens.rows, sizeof(bamba_rt_sample), "the drawn tokens"), "the drawn tokens");
  if (use.keepsTokens && !tokens.onDevice)
    tokens.onDevice = device.allocate(tokens.rows * sizeof(int32_t), "the tokens of a batch");
  return tokens;
}

void Results::reserve(uint64_t wanted, uint64_t stepRows) {
  // Where kernels write in place: room for the padding rows of the last step too.
  uint64_t room = checkedAdd(wanted, device.isHost() ? stepRows : 0, "the logits");
  DeviceMemory newLogits = device.allocate(checkedMul(room, rowBytes, "the logits"), "the logits");
  device.finish(); // nothing writes to the old ones any more
  rowLogits = std::move(newLogits);
  hostLogits.reset();
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
  if (unplaced.count > 0 && places[current].use.keepsLogits)
    device.copy(logitsRow(unplaced.first), step.logits.get(), unplaced.count * rowBytes);
  unplaced = {next.logitsRow, next.logitsRows};
}

void Results::collect(const Step &done) {
  Tokens &tokens = places[current];
  const uint64_t first = done.logitsRow, count = done.logitsRows;
  if (device.isHost() && !inPlace(done))
    device.copy(logitsRow(first), step.logits.get(), count * rowBytes);
  tokens.settled = false;
  if (count == 0)
    return;
  device.download(tokens.greedy.get() + first * sizeof(int32_t), step.greedy.get(), count * sizeof(int32_t));
  if (tokens.use.isSampled)
    device.download(tokens.samples.get() + first * sizeof(bamba_rt_sample), step.samples.get(),
                    count * sizeof(bamba_rt_sample));
  if (!tokens.use.keepsTokens)
    return;
  std::byte *kept = tokens.onDevice.get() + first * sizeof(int32_t);
  if (tokens.use.isSampled)
    device.copyRows(kept, sizeof(int32_t), step.samples.get(), sizeof(bamba_rt_sample), sizeof(int32_t), count);
  else
    device.copy(kept, step.greedy.get(), count * sizeof(int32_t));
}

static_assert(offsetof(bamba_rt_sample, token) == 0, "copies of rows begin with the token");

void Results::mark() { device.mark(Device::numMarks + current); }

void Results::waitFor(unsigned place) {
  device.waitFor(Device::numMarks + place);
  places[place].settled = true;
}

void Results::settle() {
  if (!places[current].settled)
    device.finish();
  places[current].settled = true;
}

void Results::copyTokens(unsigned place, uint64_t first, size_t count, int32_t *to) {
  device.copy(reinterpret_cast<std::byte *>(to), places[place].onDevice.get() + first * sizeof(int32_t),
              count * sizeof(int32_t));
  for (size_t i = 0; device.isHost() && i < count; ++i)
    to[i] = std::max(to[i], 0); // no token; kernels of other devices see to that
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

const bamba_rt_sample &Results::sample(unsigned place, uint64_t row) {
  if (!places[place].use.isSampled) {
    greedySample.token = greedy(place, row);
    return greedySample;
  }
  if (place == current)
    settle();
  return reinterpret_cast<const bamba_rt_sample *>(places[place].samples.get())[row];
}

int32_t Results::greedy(unsigned place, uint64_t row) {
  if (place == current)
    settle();
  return reinterpret_cast<const int32_t *>(places[place].greedy.get())[row];
}

} // namespace bambac::rt
