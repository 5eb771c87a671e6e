// Asks for the process's affinity, which taskset limits, and its control group's quota, which containers limit.
#include "runtime/support/processors.h"
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fstream>
#include <sched.h>
#include <string_view>
#include <thread>

namespace bambac::rt {
namespace {

unsigned affineProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
  return std::max(std::thread::hardware_concurrency(), 1u);
}

/// Of a group of the second version: "QUOTA PERIOD", or "max PERIOD".
std::optional<double> unifiedQuota(const std::string &folder) {
  double quota = 0, period = 0;
  if (std::ifstream(folder + "/cpu.max") >> quota >> period && quota > 0 && period > 0)
    return quota / period;
  return {};
}

/// Of a group of the first version; a quota of -1 is none.
std::optional<double> firstQuota(const std::string &folder) {
  double quota = 0, period = 0;
  if (std::ifstream(folder + "/cpu.cfs_quota_us") >> quota && std::ifstream(folder + "/cpu.cfs_period_us") >> period &&
      quota > 0 && period > 0)
    return quota / period;
  return {};
}

/// The smallest quota of a group and those that it is in. A container may see the group that is its root under another
/// path than the process's own: what is not there has no quota.
template <typename Quota>
void addQuotas(std::optional<double> &least, const std::string &mount, std::string group, const Quota &quota) {
  while (true) {
    if (std::optional<double> own = quota(mount + group))
      least = std::min(least.value_or(*own), *own);
    if (group.empty())
      return;
    group.erase(group.rfind('/'));
  }
}

/// True where one of the names between commas is `cpu`.
bool namesCpu(const std::string &controllers) {
  std::string list = ",";
  list += controllers;
  list += ',';
  return list.find(",cpu,") != std::string::npos;
}

} // namespace

std::optional<double> cgroupProcessors(const std::string &root) {
  std::optional<double> least;
  std::ifstream groups(root + "/proc/self/cgroup");
  // "NUMBER:CONTROLLERS:GROUP", with no controllers in the second version.
  for (std::string line; std::getline(groups, line);) {
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (group.empty() || group[0] != '/' || group == "/")
      group.clear();
    const std::string mount = root + "/sys/fs/cgroup";
    if (controllers.empty())
      addQuotas(least, mount, group, unifiedQuota);
    else if (namesCpu(controllers))
      for (const std::string &name : {controllers, std::string("cpu")})
        addQuotas(least, fmt::format("{}/{}", mount, name), group, firstQuota);
  }
  return least;
}

unsigned availableProcessors() {
  unsigned processors = affineProcessors();
  if (std::optional<double> quota = cgroupProcessors(); quota && *quota < processors)
    return std::max(static_cast<unsigned>(std::ceil(*quota)), 1u);
  return processors;
}

} // namespace bambac::rt
