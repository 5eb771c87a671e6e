#include "runtime/run/bench/profile.h"
#include "runtime/run/failure.h"
#include "runtime/run/format.h"
#include "runtime/run/table.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace bambac::run {

static const KernelInfo &findKernel(const Metadata &metadata, const std::string &name) {
  for (const KernelInfo &kernel : metadata.kernels)
    if (kernel.name == name)
      return kernel;
  fail("cannot read the library's metadata: expected a kernel '{}', found none", name);
}

std::vector<KernelProfile> makeProfile(const std::vector<bamba_launch_time> &times, const Metadata &metadata,
                                       const std::vector<PlannedRun> &plan, const Machine &machine) {
  std::map<std::string, KernelProfile> kernels;
  for (const bamba_launch_time &time : times) {
    if (time.step >= plan.size())
      fail("cannot plan the batch: expected {} steps, found step {}", plan.size(), time.step + 1);
    KernelProfile &kernel = kernels[time.kernel];
    kernel.name = time.kernel;
    KernelWork work = workOf(findKernel(metadata, time.kernel).cost, plan[time.step]);
    ++kernel.launches;
    kernel.seconds += time.seconds;
    kernel.floor += work.floorSeconds(machine);
    kernel.bytes += work.bytes();
    kernel.flops += work.flops;
  }
  std::vector<KernelProfile> profile;
  profile.reserve(kernels.size());
  for (auto &[name, kernel] : kernels)
    profile.push_back(std::move(kernel));
  std::stable_sort(profile.begin(), profile.end(),
                   [](const KernelProfile &a, const KernelProfile &b) { return a.lost() > b.lost(); });
  return profile;
}

/// The sum of one column.
static double total(const std::vector<KernelProfile> &profile, double KernelProfile::*field) {
  double sum = 0;
  for (const KernelProfile &kernel : profile)
    sum += kernel.*field;
  return sum;
}

/// A blank where there is nothing to compare with.
static std::string percent(double part, double whole) {
  return whole > 0 ? fmt::format("{:.0f}%", part / whole * 100) : "";
}

/// Milliseconds with three digits; what rounds to nothing has no sign.
static std::string milliseconds(double seconds) {
  return fmt::format("{:.3f}", std::abs(seconds) < 0.5e-6 ? 0 : seconds * 1e3);
}

/// Launches that overlap save time; pauses between them cost it.
static std::string footer(double kernels, double busySeconds, const Machine &machine) {
  double saved = kernels - busySeconds;
  return fmt::format("  kernels one at a time {:.3f} ms, {} {:.3f} ms: {:.3f} ms {}\n", kernels * 1e3,
                     machine.isCuda() ? "as one graph" : "in one go", busySeconds * 1e3, std::abs(saved) * 1e3,
                     saved > 0 ? "saved where they overlap" : "more, between them");
}

std::string makeProfileText(const std::vector<KernelProfile> &profile, double busySeconds, const Machine &machine) {
  Table table({"kernel", ">launches", ">us each", ">ms", ">of time", ">bytes each", ">GB/s",
               machine.isCuda() ? ">TFLOP/s" : ">GFLOP/s", ">floor us", ">of floor", ">lost ms"});
  double seconds = total(profile, &KernelProfile::seconds), floor = total(profile, &KernelProfile::floor);
  double unit = machine.isCuda() ? 1e-12 : 1e-9;
  for (const KernelProfile &kernel : profile) {
    auto launches = static_cast<double>(kernel.launches);
    bool timed = kernel.seconds > 0;
    table.add({kernel.name, fmt::to_string(kernel.launches), fmt::format("{:.1f}", kernel.seconds / launches * 1e6),
               milliseconds(kernel.seconds), percent(kernel.seconds, seconds),
               formatBytes(static_cast<uint64_t>(kernel.bytes / launches)),
               timed ? fmt::format("{:.0f}", kernel.bytes / kernel.seconds * 1e-9) : "",
               timed ? fmt::format("{:.1f}", kernel.flops / kernel.seconds * unit) : "",
               fmt::format("{:.1f}", kernel.floor / launches * 1e6), percent(kernel.floor, kernel.seconds),
               milliseconds(kernel.lost())});
  }
  table.add({"all", "", "", milliseconds(seconds), percent(seconds, seconds), "", "", "", "", percent(floor, seconds),
             milliseconds(seconds - floor)});
  return table.str() + footer(seconds, busySeconds, machine);
}

Json makeProfileJson(const std::vector<KernelProfile> &profile) {
  Json json = Json::array();
  for (const KernelProfile &kernel : profile)
    json.push_back({{"name", kernel.name},
                    {"launches", kernel.launches},
                    {"ms", kernel.seconds * 1e3},
                    {"floor_ms", kernel.floor * 1e3},
                    {"lost_ms", kernel.lost() * 1e3},
                    {"bytes", kernel.bytes},
                    {"flops", kernel.flops}});
  return json;
}

} // namespace bambac::run
