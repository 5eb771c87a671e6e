#include "runtime/host/interpreter.h"
#include "runtime/host/float_environment.h"
#include "runtime/support/median.h"
#include <algorithm>
#include <chrono>
#include <span>

namespace bambac::rt {

/// A thread takes its share of the workgroups that are left in so many parts at least: neighbours, which read memory
/// one after the other, yet not so many that others wait for it.
static constexpr unsigned kPartsOfShare = 2;

Interpreter::Interpreter(const bamba_rt_model &model, ThreadPool &pool, const Buffers &buffers)
    : model(model), pool(pool) {
  args.reserve(model.num_args);
  for (const bamba_rt_arg &arg : std::span(model.args, model.num_args)) {
    if (arg.space == BAMBA_RT_SPACE_OUTPUT)
      outputArgs.push_back({arg.index, args.size(), arg.offset});
    args.push_back(buffers.resolve(arg));
  }
  uint32_t launches = 0;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries))
    launches = std::max(launches, entry.num_launches);
  counters = std::make_unique<Counter[]>(launches);
  size_t bytes = 0;
  for (const bamba_rt_kernel &kernel : std::span(model.kernels, model.num_kernels))
    bytes = std::max<size_t>(bytes, kernel.scratch_bytes);
  // Two cache lines apart: the processor fetches lines in pairs.
  scratchStride = alignUp(bytes, 2 * bufferAlignment, "kernel scratch");
  scratch = Region(checkedMul(scratchStride, pool.size(), "kernel scratch"), "kernel scratch");
}

void Interpreter::setOutput(bamba_rt_output output, void *address) {
  for (const OutputArg &outputArg : outputArgs)
    if (outputArg.output == static_cast<uint32_t>(output))
      args[outputArg.arg] = static_cast<std::byte *>(address) + outputArg.offset;
}

void Interpreter::run(const bamba_rt_entry &entry) noexcept {
  if (pool.size() == 1)
    return walkAlone(entry);
  for (uint32_t i = 0; i < entry.num_launches; ++i) {
    counters[i].next.store(0, std::memory_order_relaxed);
    counters[i].done.store(0, std::memory_order_relaxed);
  }
  struct Job {
    Interpreter &self;
    const bamba_rt_entry &entry;
  } job{*this, entry};
  pool.run(
      [](void *context, unsigned thread) noexcept {
        Job &job = *static_cast<Job *>(context);
        job.self.walk(job.entry, thread);
      },
      &job);
}

/// Every thread walks all launches in order and takes workgroups while there are some, fewer and fewer; it goes on to
/// the next launch when all workgroups are finished, whoever ran them. A thread that comes late finds the first
/// launches done and catches up.
void Interpreter::walk(const bamba_rt_entry &entry, unsigned thread) noexcept {
  FloatEnvironment environment;
  std::byte *ownScratch = scratch.data() + thread * scratchStride;
  for (uint32_t i = 0; i < entry.num_launches; ++i) {
    const bamba_rt_launch &launch = model.launches[entry.first_launch + i];
    Counter &counter = counters[i];
    uint32_t finished = 0;
    uint32_t next = counter.next.load(std::memory_order_relaxed);
    while (next < launch.num_workgroups) {
      uint32_t end = next + std::max((launch.num_workgroups - next) / (kPartsOfShare * pool.size()), 1u);
      if (!counter.next.compare_exchange_weak(next, end, std::memory_order_relaxed))
        continue;
      finished += end - next;
      for (; next < end; ++next)
        model.kernels[launch.kernel].cpu(args.data() + launch.first_arg, ownScratch, next);
      next = counter.next.load(std::memory_order_relaxed);
    }
    if (finished)
      counter.done.fetch_add(finished, std::memory_order_release);
    spinUntil([&] { return counter.done.load(std::memory_order_acquire) >= launch.num_workgroups; });
  }
}

void Interpreter::walkAlone(const bamba_rt_entry &entry) noexcept {
  FloatEnvironment environment;
  for (const bamba_rt_launch &launch : std::span(model.launches + entry.first_launch, entry.num_launches))
    for (uint32_t workgroup = 0; workgroup < launch.num_workgroups; ++workgroup)
      model.kernels[launch.kernel].cpu(args.data() + launch.first_arg, scratch.data(), workgroup);
}

std::vector<double> Interpreter::profile(const bamba_rt_entry &entry, unsigned repeats) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<double>> times(entry.num_launches);
  bamba_rt_entry single = entry;
  single.num_launches = 1;
  for (unsigned repeat = 0; repeat <= repeats; ++repeat)
    for (uint32_t i = 0; i < entry.num_launches; ++i) {
      single.first_launch = entry.first_launch + i;
      Clock::time_point start = Clock::now();
      run(single);
      if (repeat > 0)
        times[i].push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
  std::vector<double> medians;
  medians.reserve(times.size());
  for (std::vector<double> &launch : times)
    medians.push_back(medianOf(std::move(launch)));
  return medians;
}

} // namespace bambac::rt
