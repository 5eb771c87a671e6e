// Products of codes (e4m3) by cuBLASLt, where cuBLAS and the device have them.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_CUBLAS_CODES_H
#define BAMBAC_RUNTIME_RUN_MEASURE_CUBLAS_CODES_H

#include "runtime/run/measure/gpu.h"

#include <memory>

namespace bambac::measure {

/// y[rows, columns] = x[rows, depth] W[columns, depth]^T of codes with one scale each, bf16 results. Sums are promoted
/// to f32, as those of `bambac compile --fp8-accumulate=exact` are.
class CodeProduct {
public:
  /// What the library must have of each kind, by its own names.
  struct Functions {
    /// `cublas` is the opened library, whose dependency cuBLASLt is. Throws std::runtime_error where a function is
    /// missing.
    explicit Functions(void *cublas);

    int (*descCreate)(void **desc, int compute, int scaleType);
    int (*descDestroy)(void *desc);
    int (*descSet)(void *desc, int attribute, const void *value, size_t bytes);
    int (*layoutCreate)(void **layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
    int (*layoutDestroy)(void *layout);
    int (*preferenceCreate)(void **preference);
    int (*preferenceDestroy)(void *preference);
    int (*preferenceSet)(void *preference, int attribute, const void *value, size_t bytes);
    int (*heuristic)(void *handle, void *desc, void *a, void *b, void *c, void *d, void *preference, int wanted,
                     void *results, int *found);
    int (*matmul)(void *handle, void *desc, const void *alpha, const void *a, void *layoutA, const void *b,
                  void *layoutB, const void *beta, const void *c, void *layoutC, void *d, void *layoutD,
                  const void *algorithm, void *workspace, size_t workspaceBytes, void *stream);
  };

  /// cublasLtMatmulHeuristicResult_t.
  struct Algorithm {
    uint64_t data[8];
    size_t workspaceBytes;
    int status;
    float waves;
    int reserved[4];
  };

  /// `handle` is cuBLAS's, which is also one of cuBLASLt. Throws std::runtime_error where there is no such product, as
  /// on cards before sm_89 and for sizes that are no multiple of 16.
  CodeProduct(const Gpu &gpu, const Functions &functions, void *handle, uint64_t rows, uint64_t columns,
              uint64_t depth);

  /// Puts one into the device's stream. The device's context is current.
  void multiply(uint64_t weights, uint64_t input, uint64_t result) const;

private:
  using Object = std::unique_ptr<void, int (*)(void *)>;

  const Gpu &gpu;
  const Functions &functions;
  void *handle;
  Gpu::Buffer scale, workspace;
  Object desc, weights, input, result;
  Algorithm algorithm = {};
};

} // namespace bambac::measure

#endif // BAMBAC_RUNTIME_RUN_MEASURE_CUBLAS_CODES_H
