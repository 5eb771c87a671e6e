#include "runtime/cuda/context.h"
#include "runtime/support/error.h"
#include <cstring>

namespace bambac::rt::cuda {

Context::Context(std::shared_ptr<const Driver> driver, unsigned index, const CudaDeviceInfo &device)
    : functions(std::move(driver)), deviceName(fmt::format("cuda:{}", index)), productName(device.name) {
  check(functions->deviceGet(&number, static_cast<int>(index)), "opening the device");
  int pitch = 0;
  check(functions->deviceGetAttribute(&pitch, attributeMaxPitch, number), "opening the device");
  pitchLimit = static_cast<size_t>(pitch);
  check(functions->devicePrimaryCtxRetain(&handle, number), "opening the device");
}

Context::~Context() {
  if (owner.isCurrent())
    functions->devicePrimaryCtxRelease(number);
}

void Context::expectOwner() const {
  if (!owner.isCurrent())
    fail(BAMBA_UNSUPPORTED,
         "{} ({}): expected the process that opened the device, found one that was forked from it, where CUDA does not "
         "work",
         deviceName, productName);
}

Context::Current::Current(const Context &context) : driver(*context.functions) {
  context.expectOwner();
  context.check(driver.ctxPushCurrent(context.handle), "making the context current");
}

Context::Current::~Current() {
  ContextHandle popped;
  driver.ctxPopCurrent(&popped);
}

void Context::check(Result result, const char *doing) const {
  if (result == success)
    return;
  bamba_status status = result == errorOutOfMemory ? BAMBA_OUT_OF_MEMORY : BAMBA_DEVICE_ERROR;
  fail(status, "{} ({}): {}: {}", deviceName, productName, doing, functions->describe(result));
}

void Context::checkMemory(Result result, size_t bytes, const char *what, const char *where) const {
  if (result != errorOutOfMemory)
    return check(result, what);
  size_t free = 0, total = 0;
  functions->memGetInfo(&free, &total);
  fail(BAMBA_OUT_OF_MEMORY, "out of memory: {} of {} bytes {} {} ({}), which has {} of {} bytes free", what, bytes,
       where, deviceName, productName, free, total);
}

DeviceMemory Context::allocate(size_t bytes, const char *what) const {
  if (bytes == 0)
    return nullptr;
  Current current(*this);
  Address address = 0;
  checkMemory(functions->memAlloc(&address, bytes), bytes, what, "on");
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the driver hands addresses out as numbers
  return {reinterpret_cast<std::byte *>(address), [self = shared_from_this()](std::byte *memory) {
            self->release([&] { self->functions->memFree(addressOf(memory)); });
          }};
}

DeviceMemory Context::allocateHost(size_t bytes, const char *what) const {
  if (bytes == 0)
    return nullptr;
  Current current(*this);
  void *address = nullptr;
  checkMemory(functions->memAllocHost(&address, bytes), bytes, what, "of the host for");
  std::memset(address, 0, bytes);
  return {static_cast<std::byte *>(address), [self = shared_from_this()](std::byte *memory) {
            self->release([&] { self->functions->memFreeHost(memory); });
          }};
}

template <typename Tag> std::shared_ptr<Tag> Context::own(Tag *created, Result (*Driver::*destroy)(Tag *)) const {
  return {created, [self = shared_from_this(), destroy](Tag *handle) {
            self->release([&] { ((*self->functions).*destroy)(handle); });
          }};
}

Stream Context::makeStream() const {
  Current current(*this);
  StreamHandle stream = nullptr;
  check(functions->streamCreate(&stream, streamNonBlocking), "creating a stream");
  return own(stream, &Driver::streamDestroy);
}

Event Context::makeEvent(unsigned flags) const {
  Current current(*this);
  EventHandle event = nullptr;
  check(functions->eventCreate(&event, flags), "creating an event");
  return own(event, &Driver::eventDestroy);
}

Event Context::makeEvent() const { return makeEvent(eventDisableTiming); }

Event Context::makeTimer() const { return makeEvent(0); }

double Context::secondsBetween(const Event &start, const Event &end) const {
  Current current(*this);
  float milliseconds = 0;
  check(functions->eventElapsedTime(&milliseconds, start.get(), end.get()), "reading a timer");
  return double{milliseconds} * 1e-3;
}

} // namespace bambac::rt::cuda
