#include "runtime/run/measure/gpu.h"
#include "runtime/run/failure.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace bambac::run {

using rt::cuda::addressOf;
using rt::cuda::Context;
using rt::cuda::Event;

Gpu::Gpu(const std::string &device, const char *driver) {
  unsigned index = rt::parseDevice(device.c_str()).index.value_or(0);
  rt::cuda::FoundDevices machine = rt::cuda::findDevices(driver);
  if (index >= machine.devices.found.size())
    fail("{}: {}", device, machine.devices.reason.empty() ? "no such device" : machine.devices.reason);
  owner = std::make_shared<const Context>(machine.driver, index, machine.devices.found[index]);
  own = owner->makeStream();
  constexpr int attributeMultiprocessors = 16; // CUdevice_attribute
  int number = 0, count = 0;
  owner->check(owner->driver().deviceGet(&number, static_cast<int>(index)), "opening the device");
  owner->check(owner->driver().deviceGetAttribute(&count, attributeMultiprocessors, number), "asking the device");
  numMultiprocessors = static_cast<unsigned>(std::max(count, 1));
}

Gpu::Memory Gpu::memory() const {
  Context::Current current(*owner);
  Memory memory = {};
  owner->check(owner->driver().memGetInfo(&memory.free, &memory.total), "asking for free memory");
  return memory;
}

void Gpu::finish() const {
  Context::Current current(*owner);
  owner->check(owner->driver().streamSynchronize(stream()), "waiting for the device");
}

Event Gpu::mark() const {
  Event timer = owner->makeTimer();
  Context::Current current(*owner);
  owner->check(owner->driver().eventRecord(timer.get(), stream()), "recording an event");
  return timer;
}

/// Numbers from -1 to 1, as the upper halves of floats.
static std::vector<uint16_t> makeRandomBf16(size_t count) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<uint16_t> numbers(count);
  for (uint16_t &number : numbers) {
    float value = distribution(random);
    uint32_t bits;
    static_assert(sizeof(bits) == sizeof(value));
    std::memcpy(&bits, &value, sizeof(bits));
    number = static_cast<uint16_t>(bits >> 16);
  }
  return numbers;
}

rt::DeviceMemory Gpu::makeRandom(size_t bytes, const char *what) const {
  rt::DeviceMemory memory = owner->allocate(bytes, what);
  constexpr size_t pieceBytes = 8 << 20;
  std::vector<uint16_t> piece = makeRandomBf16(std::min(pieceBytes, bytes) / sizeof(uint16_t));
  size_t filled = piece.size() * sizeof(uint16_t);
  Context::Current current(*owner);
  const rt::cuda::Driver &driver = owner->driver();
  owner->check(driver.memcpyHtoDAsync(addressOf(memory.get()), piece.data(), filled, stream()), what);
  while (filled < bytes) {
    size_t more = std::min(filled, bytes - filled);
    owner->check(driver.memcpyDtoDAsync(addressOf(memory.get() + filled), addressOf(memory.get()), more, stream()),
                 what);
    filled += more;
  }
  finish();
  return memory;
}

} // namespace bambac::run
