// The processor as a device: memory of the operating system, copies by a pool of threads, kernels by the interpreter.
#ifndef BAMBA_RUNTIME_HOST_CPU_DEVICE_H
#define BAMBA_RUNTIME_HOST_CPU_DEVICE_H

#include "runtime/device/device.h"
#include "runtime/support/thread_pool.h"

namespace bambac::rt {

/// Owns the threads of a session. Large copies are spread over them.
class CpuDevice final : public Device {
public:
  /// Throws std::system_error where the system refuses a thread.
  explicit CpuDevice(unsigned threads) : threads(threads) {}

  void expectUsable() const override {}
  bool isHost() const override { return true; }
  bool isAsynchronous() const override { return false; }

  /// Backed by real memory only where it is touched.
  DeviceMemory allocate(size_t bytes, const char *what) override;
  DeviceMemory allocateHost(size_t bytes, const char *what) override { return allocate(bytes, what); }

  void clear(std::byte *to, size_t bytes) override { clearRows(to, bytes, bytes, 1); }
  void copy(std::byte *to, const std::byte *from, size_t bytes) override { copyRows(to, bytes, from, bytes, bytes, 1); }
  void upload(std::byte *to, const std::byte *from, size_t bytes) override { copy(to, from, bytes); }
  void download(std::byte *to, const std::byte *from, size_t bytes) override { copy(to, from, bytes); }

  void clearRows(std::byte *to, size_t pitch, size_t bytes, size_t rows) override;
  void copyRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                size_t rows) override;
  void uploadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                  size_t rows) override {
    copyRows(to, toPitch, from, fromPitch, bytes, rows);
  }
  void downloadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                    size_t rows) override {
    copyRows(to, toPitch, from, fromPitch, bytes, rows);
  }

  void mark(unsigned) override {}
  void waitFor(unsigned) override {}
  void finish() override {}

  std::unique_ptr<Executor> makeExecutor(const bamba_rt_model &model, const Buffers &buffers) override;

private:
  ThreadPool threads;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_HOST_CPU_DEVICE_H
