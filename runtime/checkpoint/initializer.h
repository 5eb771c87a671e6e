// Random weights of the scale that a fresh model has, in memory or in a checkpoint: which tensor gets which numbers.
#ifndef BAMBA_RUNTIME_CHECKPOINT_INITIALIZER_H
#define BAMBA_RUNTIME_CHECKPOINT_INITIALIZER_H

#include <cstdint>
#include <string_view>

namespace bambac::rt {

/// How a tensor is filled.
enum class Fill {
  Uniform,  ///< uniform, mean 0, standard deviation 1/sqrt(columns)
  Small,    ///< uniform in [-0.02, 0.02): biases
  Ones,     ///< 1: norm weights, D
  LogRange, ///< log(1), log(2), ...: A_log
  Scale,    ///< 1/64: scales of activations and of a cache
  TimeStep, ///< inverse softplus of a log-uniform step in [0.001, 0.1]: dt_bias
};

/// The rule for a checkpoint tensor, by the end of its name.
Fill fillFor(std::string_view name);

/// The scale of all codes of a random matrix with rows of `columns` elements: the largest number of Fill::Uniform over
/// that of e4m3, as a bf16.
float scaleOfRandomCodes(uint64_t columns);

/// Numbers of one tensor from some element on. Each is a function of seed, name and place in the tensor only, so any
/// thread can compute any of them.
class Initializer {
public:
  /// `columns` is the number of elements of one row, the fan-in of a matrix. Indices count from element `first` on.
  Initializer(uint64_t seed, std::string_view name, uint64_t columns, uint64_t first = 0);

  float operator()(uint64_t index) const;

  /// `count` numbers from `index` on: the same, but faster.
  void generate(uint64_t index, uint64_t count, float *out) const;

private:
  float scaled(uint64_t index) const;

  Fill fill;
  uint64_t key, first;
  float scale;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_INITIALIZER_H
