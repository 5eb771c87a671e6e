// How many threads this process can run at a time.
#ifndef BAMBA_RUNTIME_SUPPORT_PROCESSORS_H
#define BAMBA_RUNTIME_SUPPORT_PROCESSORS_H

#include <optional>
#include <string>

namespace bambac::rt {

/// More threads than any machine has; a larger number is a mistake.
inline constexpr unsigned maxThreads = 4096;

/// Processors that this process may use: those that its affinity names, and no more than the time that its control
/// group (cgroup) may take of them, rounded up. At least 1.
unsigned availableProcessors();

/// Processors whose time the control group of this process may take, by its quota and those of the groups that it is
/// in; none where there is no quota. `root` is the folder that /proc and /sys are in.
std::optional<double> cgroupProcessors(const std::string &root = "");

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_PROCESSORS_H
