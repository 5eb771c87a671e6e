// What the fake driver knows: its memory, streams and events, shared by the files that implement it.
#ifndef BAMBA_TESTS_RUNTIME_FAKE_CUDA_STATE_H
#define BAMBA_TESTS_RUNTIME_FAKE_CUDA_STATE_H

#include "runtime/cuda/driver_types.h"
#include "tests/runtime/fake_cuda.h"
#include <bit>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace bambac::fake_cuda {

using namespace rt::cuda;

inline constexpr Address tag = fakeDeviceTag;

inline constexpr Result invalidValue = 1, invalidContext = 201, notReady = 600;

using Work = std::function<void()>;

struct Launch {
  const FakeCubin *cubin;
  std::vector<uint64_t> args;
};

struct FakeEvent;

/// What a graph does: a launch, or an event that is passed.
struct Node {
  Launch launch;
  FakeEvent *event = nullptr;
};

using Nodes = std::vector<Node>;

struct FakeStream {
  std::deque<std::pair<uint64_t, Work>> queue; ///< each with its number
  uint64_t issued = 0;
  Nodes *recording = nullptr;
};

struct FakeEvent {
  FakeStream *stream = nullptr;
  uint64_t after = 0;
  /// When it was passed, in milliseconds; negative: not yet. Work in a stream outlives the event.
  std::shared_ptr<double> passed = std::make_shared<double>(-1);
};

struct FakeModule {
  const FakeCubin *cubin;
  int sharedBytes = 0; ///< dynamic ones that a launch of its function may ask for
};

inline FakeCuda fake;
inline std::recursive_mutex mutex;
inline std::map<Address, size_t> deviceMemory;
inline std::map<void *, size_t> hostMemory;
inline thread_local int depth = 0;

using Lock = std::lock_guard<std::recursive_mutex>;

inline double clockMilliseconds = 0; ///< passing an event takes one

inline std::byte *onHost(Address address) { return std::bit_cast<std::byte *>(address & ~tag); }

inline bool isDevice(Address address, size_t bytes) {
  auto after = deviceMemory.upper_bound(address);
  if (after == deviceMemory.begin())
    return false;
  auto block = std::prev(after);
  return address - block->first + bytes <= block->second;
}

inline Result needContext() {
  if (depth > 0)
    return success;
  ++fake.callsWithoutContext;
  return invalidContext;
}

template <typename Tag> auto *streamOf(Tag *handle) { return reinterpret_cast<FakeStream *>(handle); }

inline Result enqueue(StreamHandle handle, Work work) {
  if (Result result = needContext())
    return result;
  FakeStream *stream = streamOf(handle);
  if (!stream || stream->recording)
    return invalidValue;
  stream->queue.emplace_back(++stream->issued, std::move(work));
  return success;
}

inline void drain(FakeStream &stream, uint64_t upTo) {
  while (!stream.queue.empty() && stream.queue.front().first <= upTo) {
    stream.queue.front().second();
    stream.queue.pop_front();
  }
}

} // namespace bambac::fake_cuda
#endif // BAMBA_TESTS_RUNTIME_FAKE_CUDA_STATE_H
