// The middle of some measurements.
#ifndef BAMBA_RUNTIME_SUPPORT_MEDIAN_H
#define BAMBA_RUNTIME_SUPPORT_MEDIAN_H

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <vector>

namespace bambac::rt {

/// The median of at least one value: of an even number of them, the mean of the two in the middle.
inline double medianOf(std::vector<double> values) {
  assert(!values.empty() && "nothing was measured");
  auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return values.size() % 2 ? *middle : (*std::max_element(values.begin(), middle) + *middle) / 2;
}

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_MEDIAN_H
