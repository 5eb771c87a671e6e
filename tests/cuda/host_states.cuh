// SSM states on the host in any of the types that kernels keep them in, those of codes with their scales.
#pragma once
#include "common/coded_state.cuh"
#include "tests/cuda/harness.cuh"

namespace host_states {

using bambac::kIsCoded;

/// A row of a state as codes, by the formula of common/coded_state.cuh.
inline float quantizeRow(const float *row, int count, bambac::int8 *codes) {
  float most = 0;
  for (int i = 0; i < count; ++i)
    most = std::max(most, std::fabs(row[i]));
  bool isZero = most < 0x1p-100f;
  for (int i = 0; i < count; ++i)
    codes[i] = isZero ? 0 : bambac::int8(std::nearbyint(row[i] * (127.0f / most)));
  return isZero ? 0 : most / 127.0f;
}

template <class State> struct States {
  std::vector<State> elements;
  std::vector<float> scales; ///< one for each row of `columns` elements; empty but for codes
  int columns;

  States(const std::vector<float> &values, int columns) : columns(columns) {
    if constexpr (kIsCoded<State>) {
      elements.resize(values.size());
      for (size_t row = 0; row < values.size() / columns; ++row)
        scales.push_back(quantizeRow(&values[row * columns], columns, &elements[row * columns]));
    } else {
      elements = harness::fromFloats<State>(values);
    }
  }
  double operator[](size_t i) const {
    if constexpr (kIsCoded<State>)
      return double(elements[i]) * scales[i / columns];
    else
      return harness::toDouble(elements[i]);
  }
  std::vector<double> slice(size_t from, size_t count) const {
    std::vector<double> values;
    for (size_t i = from; i < from + count; ++i)
      values.push_back((*this)[i]);
    return values;
  }
  bool isSame(const States &other, size_t from, size_t count) const {
    bool same = !std::memcmp(&elements[from], &other.elements[from], count * sizeof(State));
    if constexpr (kIsCoded<State>)
      same &= !std::memcmp(&scales[from / columns], &other.scales[from / columns], count / columns * sizeof(float));
    return same;
  }
};

/// The same on the device.
template <class State> struct DeviceStates {
  harness::DeviceBuffer<State> elements;
  harness::DeviceBuffer<float> scales;

  explicit DeviceStates(const States<State> &states)
      : elements(states.elements), scales(states.scales.empty() ? std::vector<float>(1) : states.scales) {}
  void download(States<State> &to) const {
    to.elements = elements.download();
    if constexpr (kIsCoded<State>)
      to.scales = scales.download();
  }
  void upload(const States<State> &from) {
    elements.upload(from.elements);
    if constexpr (kIsCoded<State>)
      scales.upload(from.scales);
  }
};

/// The bound on the relative error of states that were written a few times, and of what was computed with them.
template <class State> constexpr double kStateError = sizeof(State) == 1 ? 2e-2 : sizeof(State) == 2 ? 1e-2 : 5e-4;

} // namespace host_states
