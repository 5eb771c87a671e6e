// A CUDA device in use: its primary context, memory on it, and the errors that it reports.
#ifndef BAMBA_RUNTIME_CUDA_CONTEXT_H
#define BAMBA_RUNTIME_CUDA_CONTEXT_H

#include "runtime/cuda/driver.h"
#include "runtime/device/device.h"
#include "runtime/support/own_process.h"

namespace bambac::rt::cuda {

using Stream = std::shared_ptr<StreamTag>;
using Event = std::shared_ptr<EventTag>;

/// Keeps the device's primary context, which it shares with the rest of the process, alive. What it makes keeps it
/// alive in turn and gives itself back. Thread-safe.
class Context : public std::enable_shared_from_this<Context> {
public:
  /// Throws Error BAMBA_DEVICE_ERROR or BAMBA_OUT_OF_MEMORY.
  Context(std::shared_ptr<const Driver> driver, unsigned index, const CudaDeviceInfo &device);
  ~Context();
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;

  /// Makes the context current on this thread; the caller's own is current again at the end of its life. Throws what
  /// expectOwner() and check() throw.
  class Current {
  public:
    explicit Current(const Context &context);
    ~Current();
    Current(const Current &) = delete;
    Current &operator=(const Current &) = delete;

  private:
    const Driver &driver;
  };

  /// Frees something of the device's. Where the device is lost, that is gone already.
  template <typename Free> void release(const Free &free) const noexcept {
    try {
      Current current(*this);
      free();
    } catch (...) { // NOLINT(bugprone-empty-catch): in a destructor there is nobody to tell
    }
  }

  /// Throws Error BAMBA_UNSUPPORTED in a child that the process has forked since: the driver does not work there.
  void expectOwner() const;

  const Driver &driver() const { return *functions; }
  size_t mostPitch() const { return pitchLimit; }          ///< bytes between rows that one call of the driver takes
  const std::string &device() const { return deviceName; } ///< "cuda:0"
  const std::string &product() const { return productName; }

  /// Throws for a driver call that failed while `doing` something: Error BAMBA_DEVICE_ERROR with the driver's own
  /// words.
  void check(Result result, const char *doing) const;

  /// Memory on the device, not zeroed. Throws Error BAMBA_OUT_OF_MEMORY.
  DeviceMemory allocate(size_t bytes, const char *what) const;

  /// Zeroed host memory that the device reaches by itself.
  DeviceMemory allocateHost(size_t bytes, const char *what) const;

  Stream makeStream() const;
  Event makeEvent() const;

  /// An event that knows when it was passed.
  Event makeTimer() const;

  /// Between two timers that were both passed.
  double secondsBetween(const Event &start, const Event &end) const;

private:
  void checkMemory(Result result, size_t bytes, const char *what, const char *where) const;
  Event makeEvent(unsigned flags) const;
  template <typename Tag> std::shared_ptr<Tag> own(Tag *handle, Result (*Driver::*destroy)(Tag *)) const;

  std::shared_ptr<const Driver> functions;
  OwnProcess owner; ///< opened the device
  DeviceNumber number = 0;
  ContextHandle handle = nullptr;
  size_t pitchLimit = 0;
  std::string deviceName, productName;
};

inline Address addressOf(const void *pointer) { return reinterpret_cast<Address>(pointer); }

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_CONTEXT_H
