#include "runtime/run/format.h"

#include <array>
#include <fmt/format.h>

namespace bambac::run {

/// Three digits that count, as in 1.23, 12.3 and 123.
static std::string threeDigits(double value) {
  int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string formatBytes(uint64_t bytes) {
  static constexpr std::array units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024)
    return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1023.5 && unit + 1 < units.size(); ++unit)
    value /= 1024;
  return fmt::format("{} {}", threeDigits(value), units[unit]);
}

std::string formatCount(uint64_t count) {
  std::string digits = fmt::to_string(count);
  for (size_t at = digits.size(); at > 3;)
    digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string formatOperations(uint64_t operations) {
  static constexpr std::array units = {"kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"};
  if (operations < 1000)
    return operations ? fmt::format("{} FLOP", operations) : "-";
  double value = static_cast<double>(operations) / 1000;
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < units.size(); ++unit)
    value /= 1000;
  return fmt::format("{} {}", threeDigits(value), units[unit]);
}

std::string formatSeconds(double seconds) {
  if (seconds < 1e-3)
    return threeDigits(seconds * 1e6) + " us";
  if (seconds < 1)
    return threeDigits(seconds * 1e3) + " ms";
  return threeDigits(seconds) + " s";
}

} // namespace bambac::run
