#include "runtime/cuda/weight_packer.h"
#include "runtime/support/memory.h"
#include <algorithm>

namespace bambac::rt::cuda {

WeightPacker::WeightPacker(std::shared_ptr<const Kernels> loaded, const bamba_rt_model &model, unsigned threads,
                           size_t pieceBytes)
    : kernels(std::move(loaded)), context(*kernels->context()), model(model), lanes(threads) {
  const char *what = "the staging buffers of the weights";
  size_t stride = alignUp(pieceBytes, deviceAlignment, what);
  size_t total = checkedMul(stride, size_t{2} * threads, what);
  host = context.allocateHost(total, what);
  device = context.allocate(total, what);
  size_t offset = 0;
  for (Lane &lane : lanes) {
    lane.stream = context.makeStream();
    for (Buffer &buffer : lane.buffers) {
      buffer = {host.get() + offset, device.get() + offset, context.makeEvent()};
      offset += stride;
    }
  }
}

WeightPacker::~WeightPacker() {
  try {
    finish();     // the staging buffers are freed next
  } catch (...) { // NOLINT(bugprone-empty-catch): told by an earlier finish()
  }
}

template <typename Calls> void WeightPacker::withContext(const Calls &calls) noexcept {
  try {
    Context::Current current(context);
    calls(context.driver());
  } catch (...) {
    note(errorInvalidContext);
  }
}

void WeightPacker::note(Result result) noexcept {
  Result none = success;
  if (result != success)
    failure.compare_exchange_strong(none, result);
}

std::byte *WeightPacker::stage(unsigned thread) noexcept {
  const Buffer &buffer = lanes[thread].buffers[lanes[thread].next];
  withContext([&](const Driver &driver) { note(driver.eventSynchronize(buffer.packed.get())); });
  return failure.load(std::memory_order_relaxed) == success ? buffer.host : nullptr;
}

Result WeightPacker::launch(StreamHandle stream, uint32_t kernel, bamba_rt_piece &piece) const {
  const bamba_rt_cuda_launch &shape = model.kernels[kernel].cuda->launch;
  LaunchConfig config = {};
  std::copy_n(shape.grid, 3, config.grid);
  config.block[0] = shape.threads;
  config.block[1] = config.block[2] = 1;
  config.sharedBytes = shape.shared_bytes;
  config.stream = stream;
  void *params[] = {&piece};
  return context.driver().launchKernelEx(&config, kernels->function(kernel), params, nullptr);
}

void WeightPacker::pack(unsigned thread, uint32_t kernel, size_t bytes, bamba_rt_piece piece) noexcept {
  Lane &lane = lanes[thread];
  const Buffer &buffer = lane.buffers[lane.next];
  lane.next ^= 1;
  piece.from = buffer.device;
  withContext([&](const Driver &driver) {
    note(driver.memcpyHtoDAsync(addressOf(buffer.device), buffer.host, bytes, lane.stream.get()));
    note(launch(lane.stream.get(), kernel, piece));
    note(driver.eventRecord(buffer.packed.get(), lane.stream.get()));
  });
}

void WeightPacker::finish() {
  Context::Current current(context);
  for (Lane &lane : lanes)
    note(context.driver().streamSynchronize(lane.stream.get()));
  context.check(failure.load(), "bringing the weights to the device");
}

} // namespace bambac::rt::cuda
