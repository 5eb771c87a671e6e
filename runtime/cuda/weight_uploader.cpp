#include "runtime/cuda/weight_uploader.h"
#include "runtime/memory.h"

namespace bambac::rt::cuda {

WeightUploader::WeightUploader(std::shared_ptr<const Context> owner, unsigned threads, size_t pieceBytes)
    : context(std::move(owner)), stream(context->makeStream()), lanes(threads) {
  const char *what = "the staging buffers of the weights";
  size_t stride = alignUp(pieceBytes, deviceAlignment, what);
  staging = context->allocateHost(checkedMul(stride, size_t{2} * threads, what), what);
  std::byte *memory = staging.get();
  for (Lane &lane : lanes)
    for (Buffer &buffer : lane.buffers) {
      buffer = {memory, context->makeEvent()};
      memory += stride;
    }
}

WeightUploader::~WeightUploader() {
  try {
    finish();     // the staging buffers are freed next
  } catch (...) { // NOLINT(bugprone-empty-catch): told by an earlier finish()
  }
}

template <typename Calls> void WeightUploader::withContext(const Calls &calls) noexcept {
  try {
    Context::Current current(*context);
    calls(context->driver());
  } catch (...) {
    note(errorInvalidContext);
  }
}

void WeightUploader::note(Result result) noexcept {
  Result none = success;
  if (result != success)
    failure.compare_exchange_strong(none, result);
}

std::byte *WeightUploader::stage(unsigned thread) noexcept {
  const Buffer &buffer = lanes[thread].buffers[lanes[thread].next];
  withContext([&](const Driver &driver) { note(driver.eventSynchronize(buffer.sent.get())); });
  return failure.load(std::memory_order_relaxed) == success ? buffer.memory : nullptr;
}

void WeightUploader::send(unsigned thread, std::byte *to, size_t bytes) noexcept {
  Lane &lane = lanes[thread];
  const Buffer &buffer = lane.buffers[lane.next];
  lane.next ^= 1;
  withContext([&](const Driver &driver) {
    note(driver.memcpyHtoDAsync(addressOf(to), buffer.memory, bytes, stream.get()));
    note(driver.eventRecord(buffer.sent.get(), stream.get()));
  });
}

void WeightUploader::finish() {
  Context::Current current(*context);
  note(context->driver().streamSynchronize(stream.get()));
  context->check(failure.load(), "copying weights to the device");
}

} // namespace bambac::rt::cuda
