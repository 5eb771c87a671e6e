// Runs the launches of an entry point, one after another, each spread over the threads of a pool.
#ifndef BAMBA_RUNTIME_HOST_INTERPRETER_H
#define BAMBA_RUNTIME_HOST_INTERPRETER_H

#include "runtime/device/device.h"
#include "runtime/support/memory.h"
#include "runtime/support/thread_pool.h"
#include <atomic>
#include <memory>
#include <vector>

namespace bambac::rt {

/// Resolves the arguments of all launches once, so that a step only walks a list. Owns the kernels' scratch memory.
/// Used by one thread at a time, like the pool; `model` and `pool` must outlive it.
class Interpreter final : public Executor {
public:
  /// Throws Error BAMBA_OUT_OF_MEMORY.
  Interpreter(const bamba_rt_model &model, ThreadPool &pool, const Buffers &buffers);

  void setOutput(bamba_rt_output output, void *address) override;

  /// Runs an entry of the model. Takes no lock and allocates nothing; the result does not depend on the threads.
  void run(const bamba_rt_entry &entry) noexcept override;

  std::vector<double> profile(const bamba_rt_entry &entry, unsigned repeats) override;

private:
  /// One launch in flight: which workgroup is handed out next and how many are finished.
  struct alignas(64) Counter {
    std::atomic<uint32_t> next{0}, done{0};
  };
  struct OutputArg {
    uint32_t output;
    size_t arg;
    uint64_t offset;
  };

  void walk(const bamba_rt_entry &entry, unsigned thread) noexcept;
  void walkAlone(const bamba_rt_entry &entry) noexcept;

  const bamba_rt_model &model;
  ThreadPool &pool;
  std::vector<void *> args;
  std::vector<OutputArg> outputArgs;
  std::unique_ptr<Counter[]> counters;
  size_t scratchStride = 0;
  Region scratch;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_HOST_INTERPRETER_H
