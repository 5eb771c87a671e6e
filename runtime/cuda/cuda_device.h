// A CUDA device as a session sees it: a stream, and memory on the device.
#ifndef BAMBA_RUNTIME_CUDA_CUDA_DEVICE_H
#define BAMBA_RUNTIME_CUDA_CUDA_DEVICE_H

#include "runtime/cuda/kernels.h"

namespace bambac::rt::cuda {

class CudaDevice final : public Device {
public:
  /// `stream` is the caller's, or null for one of the session's own. Throws Error BAMBA_DEVICE_ERROR.
  CudaDevice(std::shared_ptr<const Kernels> kernels, void *stream);

  void expectUsable() const override { context.expectOwner(); }
  bool isHost() const override { return false; }
  bool isAsynchronous() const override { return !own; }

  DeviceMemory allocate(size_t bytes, const char *what) override;
  DeviceMemory allocateHost(size_t bytes, const char *what) override;

  void clear(std::byte *to, size_t bytes) override;
  void copy(std::byte *to, const std::byte *from, size_t bytes) override;
  void upload(std::byte *to, const std::byte *from, size_t bytes) override;
  void download(std::byte *to, const std::byte *from, size_t bytes) override;

  void clearRows(std::byte *to, size_t pitch, size_t bytes, size_t rows) override;
  void copyRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                size_t rows) override;
  void uploadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                  size_t rows) override;
  void downloadRows(std::byte *to, size_t toPitch, const std::byte *from, size_t fromPitch, size_t bytes,
                    size_t rows) override;

  void mark(unsigned mark) override;
  void waitFor(unsigned mark) override;
  void finish() override;

  std::unique_ptr<Executor> makeExecutor(const bamba_rt_model &model, const Buffers &buffers) override;

private:
  /// Calls the driver with the context current, and checks the result.
  template <typename Call> void call(const char *doing, const Call &call) const;

  /// Calls one(row) for each row where one call of the driver does not take such rows, or has no advantage. True then.
  template <typename One> bool byRow(size_t pitch, size_t rows, const One &one);
  void copy2d(const char *doing, const Copy2d &copy);

  std::shared_ptr<const Kernels> kernels;
  const Context &context;
  Stream own; ///< null where the stream is the caller's
  StreamHandle stream;
  Event marks[numMarks + numBatchMarks];
};

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_CUDA_DEVICE_H
