// What the compiler generates around LinearSkinny, as templates, and captured launches: for the test and the benchmark.
#pragma once
#include "tests/cuda/linear_kernels.cuh"
#include "wgmma/linear_skinny.cuh"
#include <type_traits>

namespace skinny {

using namespace bambac;
using harness::Operand;

enum class Ending { kStore, kResidual, kSwiglu, kLogits };

template <int Rows, int Columns, int Depth> struct ShapeOf : CoreMatrices {
  using Operand = harness::Operand;
  static constexpr int kRows = Rows, kColumns = Columns, kDepth = Depth;
  static constexpr int kMultiprocessors = 132, kSharedLimit = 232448, kStages = 12;
};

template <class T, bool Normalizes, int Stride> struct InputOf {
  using Element = T;
  static constexpr bool kNormalizes = Normalizes;
  [[maybe_unused]] static constexpr float kEpsilon = 1e-5f;
  static constexpr int kStride = Stride;
  const T *data;
  const float *weight;
};

constexpr int widest(int columns) { return columns % 8 == 0 ? 8 : columns % 4 == 0 ? 4 : columns % 2 == 0 ? 2 : 1; }

template <Ending End, int LinearColumns> struct EpilogueOf {
  using Result = std::conditional_t<End == Ending::kStore || End == Ending::kSwiglu, Operand, float>;
  static constexpr int kInputs = End == Ending::kSwiglu ? 2 : 1;
  static constexpr int kColumns = LinearColumns / kInputs;
  static constexpr int kVector = widest(kColumns);
  Result *out; // the residual is added in place
  template <int V> struct Extra {
    float residual[V];
  };
  template <int V> __device__ Extra<V> load(int row, int column) const {
    Extra<V> extra = {};
    if constexpr (End == Ending::kResidual)
      loadVector(out + static_cast<long long>(row) * kColumns + column, extra.residual);
    return extra;
  }
  template <int V>
  __device__ void store(int row, int column, const float (&sums)[V * kInputs], const Extra<V> &extra) const {
    float results[V];
#pragma unroll
    for (int i = 0; i < V; ++i)
      if constexpr (End == Ending::kSwiglu)
        results[i] = silu(sums[2 * i]) * sums[2 * i + 1];
      else
        results[i] = sums[i] + extra.residual[i];
    storeVector(out + static_cast<long long>(row) * kColumns + column, results);
  }
};

/// One linear: its types and how to launch it.
template <int Rows, int Columns, int Depth, class T, bool Normalizes, Ending End, int Stride = Depth> struct Linear {
  using Input = InputOf<T, Normalizes, Stride>;
  using Epilogue = EpilogueOf<End, Columns>;
  using Result = typename Epilogue::Result;
  using Kernel = LinearSkinny<ShapeOf<Rows, Columns, Depth>, Input, Epilogue>;
  static constexpr size_t kPackedSize = size_t(alignTo(Columns, 8)) * alignTo(Depth, 64);

  static void enqueue(cudaStream_t stream, const T *x, const float *norm, const Operand *weights, Result *out,
                      bool dependent = true) {
    Launch shape = Kernel::kLaunch;
    shape.dependent = dependent;
    harness::launch(harness::linearKernel<Kernel, Input, Epilogue>, shape, stream, Input{x, norm}, weights,
                    Epilogue{out});
  }
};

/// Captured launches, ready to run again and again.
class Graph {
public:
  template <class Enqueue> explicit Graph(Enqueue enqueue) {
    cudaGraph_t graph;
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    enqueue(stream);
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphInstantiate(&executable, graph, 0));
    CHECK(cudaGraphDestroy(graph));
  }
  ~Graph() {
    cudaGraphExecDestroy(executable);
    cudaStreamDestroy(stream);
  }
  /// Milliseconds of one launch.
  float run() {
    cudaEvent_t begin, end;
    float milliseconds;
    CHECK(cudaEventCreate(&begin));
    CHECK(cudaEventCreate(&end));
    CHECK(cudaEventRecord(begin, stream));
    CHECK(cudaGraphLaunch(executable, stream));
    CHECK(cudaEventRecord(end, stream));
    CHECK(cudaEventSynchronize(end));
    CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
    CHECK(cudaEventDestroy(begin));
    CHECK(cudaEventDestroy(end));
    return milliseconds;
  }

private:
  cudaStream_t stream;
  cudaGraphExec_t executable;
};

} // namespace skinny
