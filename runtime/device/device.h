// What a session needs of the device that it runs on: memory, copies, and something that runs entry points.
#ifndef BAMBA_RUNTIME_DEVICE_DEVICE_H
#define BAMBA_RUNTIME_DEVICE_DEVICE_H

#include "runtime/contract/abi.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace bambac::rt {

/// Memory of a device, or of the host for transfers; freed with the last copy of the pointer. Null for no bytes.
using DeviceMemory = std::shared_ptr<std::byte>;

/// Base addresses of everything that a launch can name. The owner keeps them alive and in place.
struct Buffers {
  std::vector<void *> weights, states;
  std::vector<uint64_t> stateItems; ///< slots or pages of each state
  void *arena = nullptr;
  void *inputs[BAMBA_RT_NUM_INPUTS] = {};
  void *outputs[BAMBA_RT_NUM_OUTPUTS] = {};

  /// The address of a launch argument.
  void *resolve(const bamba_rt_arg &arg) const;
};

/// Runs entry points. Used by one thread at a time.
class Executor {
public:
  virtual ~Executor() = default;

  /// Redirects an output from the next run on. Only on a host device.
  virtual void setOutput(bamba_rt_output output, void *address) = 0;

  /// Runs an entry of the model, after all that the device was told to do before.
  virtual void run(const bamba_rt_entry &entry) = 0;

  /// Runs an entry with its launches one at a time, once to warm up and then `repeats` times, and waits for it. Returns
  /// the median seconds of each launch. Slow, and allocates.
  virtual std::vector<double> profile(const bamba_rt_entry &entry, unsigned repeats) = 0;
};

/// The device of one session: what it is told to do happens in that order. A device that is not the host does it while
/// the host goes on; finish() waits for it. Used by one thread at a time. Failures of the device are Error
/// BAMBA_DEVICE_ERROR, thrown by whichever call finds out.
class Device {
public:
  virtual ~Device() = default;

  /// Throws Error BAMBA_UNSUPPORTED in a child that was forked, where the device does not work in one.
  virtual void expectUsable() const = 0;

  /// True where the host itself reads and writes the device's memory, and everything is done when a call returns.
  virtual bool isHost() const = 0;

  /// Zeroed memory, aligned for kernels. Throws Error BAMBA_OUT_OF_MEMORY that names `what`.
  virtual DeviceMemory allocate(size_t bytes, const char *what) = 0;

  /// Zeroed host memory that the device copies from and to at full speed. Throws Error BAMBA_OUT_OF_MEMORY.
  virtual DeviceMemory allocateHost(size_t bytes, const char *what) = 0;

  virtual void clear(std::byte *to, size_t bytes) = 0;
  virtual void copy(std::byte *to, const std::byte *from, size_t bytes) = 0;

  /// From host memory. `from` must stay as it is until the copy is done.
  virtual void upload(std::byte *to, const std::byte *from, size_t bytes) = 0;

  /// To host memory, where it is readable after finish().
  virtual void download(std::byte *to, const std::byte *from, size_t bytes) = 0;

  /// The same with the first `bytes` of each of `rows` rows, which start so many bytes apart on each side.
  virtual void clearRows(std::byte *to, size_t pitch, size_t bytes, size_t rows) = 0;
  virtual void copyRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                        size_t rows) = 0;
  virtual void uploadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                          size_t rows) = 0;
  virtual void downloadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                            size_t rows) = 0;

  /// Marks this moment as number `mark`; waitFor() returns when all that came before it is done. There are numMarks for
  /// staging memory, then numBatchMarks for batches.
  static constexpr unsigned numMarks = 4, numBatchMarks = 2;
  virtual void mark(unsigned mark) = 0;
  virtual void waitFor(unsigned mark) = 0;

  virtual void finish() = 0;

  /// True where run() is to return while the device still works: the caller's own queue orders it.
  virtual bool isAsynchronous() const = 0;

  virtual std::unique_ptr<Executor> makeExecutor(const bamba_rt_model &model, const Buffers &buffers) = 0;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_DEVICE_DEVICE_H
