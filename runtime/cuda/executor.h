// Runs entry points on a CUDA device: each is recorded once into a graph, and a step launches the graph.
#ifndef BAMBA_RUNTIME_CUDA_EXECUTOR_H
#define BAMBA_RUNTIME_CUDA_EXECUTOR_H

#include "runtime/cuda/kernels.h"

namespace bambac::rt::cuda {

/// Owns the graphs of all entries and the kernels' workspace. Used by one thread at a time. `model` must outlive it.
class CudaExecutor final : public Executor {
public:
  /// `workspace` has workspaceBytes(model) bytes, zeroed. Throws Error BAMBA_DEVICE_ERROR or BAMBA_OUT_OF_MEMORY, and
  /// BAMBA_INTERNAL for tables that no device takes.
  CudaExecutor(const bamba_rt_model &model, std::shared_ptr<const Kernels> kernels, StreamHandle stream,
               const Buffers &buffers, DeviceMemory workspace);

  void setOutput(bamba_rt_output, void *) override {} // outputs of a device stay where they are
  void run(const bamba_rt_entry &entry) override;

  /// The launches are in a graph of their own, where each starts when the one before has ended. What the clock itself
  /// takes is subtracted from each time.
  std::vector<double> profile(const bamba_rt_entry &entry, unsigned repeats) override;

private:
  using Graph = std::shared_ptr<GraphExecTag>;

  /// A graph of what `fill` puts into the stream that it is called with.
  template <typename Fill> Graph record(const char *name, StreamHandle recorder, const Fill &fill) const;
  Graph recordEntry(const bamba_rt_entry &entry, StreamHandle recorder) const;
  Graph recordProfile(const bamba_rt_entry &entry, const std::vector<Event> &clock) const;
  void launch(const bamba_rt_launch &launch, bool early, StreamHandle recorder) const;

  const bamba_rt_model &model;
  Buffers buffers;
  std::shared_ptr<const Kernels> kernels;
  StreamHandle stream;
  DeviceMemory workspace;
  std::vector<Graph> graphs; ///< of each entry
};

/// Bytes of workspace that serve every kernel of a model.
size_t workspaceBytes(const bamba_rt_model &model);

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_EXECUTOR_H
