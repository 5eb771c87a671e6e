// What the tests of collectives without matrix products share: launching one, the SiLU.
#pragma once
#include "tests/cuda/harness.cuh"

namespace elementwise_test {

using namespace bambac;
using namespace harness;

inline constexpr int kDevice = 132; // multiprocessors

/// Kernels in one form: the collective, and whatever its run() takes.
template <class Collective, class... Arguments>
__global__ void __launch_bounds__(Collective::kThreads, Collective::kMinBlocks) kernel(Arguments... arguments) {
  Collective::run(arguments...);
}

template <class Collective, class... Arguments> void enqueue(cudaStream_t stream, Arguments... arguments) {
  launch(kernel<Collective, Arguments...>, Collective::kLaunch, stream, arguments...);
}

inline double siluOf(double v) { return v / (1 + std::exp(-v)); }

} // namespace elementwise_test
