// Where a run spends its time: its kernels, each with what it must cost at least.
#ifndef BAMBAC_RUNTIME_RUN_BENCH_PROFILE_H
#define BAMBAC_RUNTIME_RUN_BENCH_PROFILE_H

#include "runtime/run/bench/floor.h"
#include "runtime/run/output.h"

namespace bambac::run {

/// All launches of one kernel; sums over them.
struct KernelProfile {
  std::string name;
  uint64_t launches = 0;
  double seconds = 0;
  double floor = 0; ///< seconds
  double bytes = 0;
  double flops = 0;

  /// What a perfect kernel would save.
  double lost() const { return seconds - floor; }
};

/// The kernels of a run, from the one that loses most to the one that loses least. `plan` has the steps that `times`
/// are numbered by. Throws Failure for a kernel that the metadata does not have.
std::vector<KernelProfile> makeProfile(const std::vector<bamba_launch_time> &times, const Metadata &metadata,
                                       const std::vector<PlannedRun> &plan, const Machine &machine);

/// `busySeconds`: what the run takes when its kernels are not timed one by one.
std::string makeProfileText(const std::vector<KernelProfile> &profile, double busySeconds, const Machine &machine);
Json makeProfileJson(const std::vector<KernelProfile> &profile);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_BENCH_PROFILE_H
