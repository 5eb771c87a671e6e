// Describes the product to cuBLASLt once, and takes the first algorithm that it proposes.
#include "runtime/run/measure/cublas_codes.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <stdexcept>

namespace bambac::measure {

static constexpr size_t workspaceBytes = size_t{32} << 20; // as much as its authors advise for sm_90

template <typename Function> static void find(void *library, const char *symbol, Function &function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (!function)
    throw std::runtime_error(fmt::format("cuBLAS has no function {}", symbol));
}

CodeProduct::Functions::Functions(void *cublas) {
  find(cublas, "cublasLtMatmulDescCreate", descCreate);
  find(cublas, "cublasLtMatmulDescDestroy", descDestroy);
  find(cublas, "cublasLtMatmulDescSetAttribute", descSet);
  find(cublas, "cublasLtMatrixLayoutCreate", layoutCreate);
  find(cublas, "cublasLtMatrixLayoutDestroy", layoutDestroy);
  find(cublas, "cublasLtMatmulPreferenceCreate", preferenceCreate);
  find(cublas, "cublasLtMatmulPreferenceDestroy", preferenceDestroy);
  find(cublas, "cublasLtMatmulPreferenceSetAttribute", preferenceSet);
  find(cublas, "cublasLtMatmulAlgoGetHeuristic", heuristic);
  find(cublas, "cublasLtMatmul", matmul);
}

static void check(int status, const char *doing) {
  if (status != 0)
    throw std::runtime_error(fmt::format("cuBLAS multiplies no fp8 here: {}: status {}", doing, status));
}

/// What `create(&object)` makes, until `destroy` ends it.
template <typename Create>
static std::unique_ptr<void, int (*)(void *)> make(int (*destroy)(void *), const char *what, const Create &create) {
  void *object = nullptr;
  check(create(&object), what);
  return {object, destroy};
}

/// One scale, which both operands have.
static Gpu::Buffer makeScale(const Gpu &gpu) {
  static constexpr float scale = 0.5f;
  Gpu::Buffer buffer(gpu, sizeof(scale), "the scale of cuBLAS's operands");
  Gpu::Current current(gpu);
  gpu.driver().check(gpu.driver().cuMemcpyHtoDAsync(buffer.address(), &scale, sizeof(scale), gpu.stream()),
                     "copying a scale");
  return buffer;
}

CodeProduct::CodeProduct(const Gpu &gpu, const Functions &functions, void *handle, uint64_t rows, uint64_t columns,
                         uint64_t depth)
    : gpu(gpu), functions(functions), handle(handle), scale(makeScale(gpu)),
      workspace(gpu, workspaceBytes, "cuBLAS's workspace"), desc(nullptr, functions.descDestroy),
      weights(nullptr, functions.layoutDestroy), input(nullptr, functions.layoutDestroy),
      result(nullptr, functions.layoutDestroy) {
  constexpr int computeF32 = 68, typeF32 = 0, typeBf16 = 14, typeE4m3 = 28, transposed = 1;
  constexpr int transposeA = 3, scaleOfA = 17, scaleOfB = 18, fastAccumulate = 25; // of a cublasLtMatmulDesc_t
  constexpr int mostWorkspace = 1;                                                 // of a preference
  desc = make(functions.descDestroy, "describing it",
              [&](void **to) { return functions.descCreate(to, computeF32, typeF32); });
  auto set = [&](int attribute, auto value) {
    check(functions.descSet(desc.get(), attribute, &value, sizeof(value)), "describing it");
  };
  // In cuBLAS's order, by columns: result[columns, rows] = W[depth, columns]^T input[depth, rows].
  set(transposeA, int32_t{transposed});
  set(scaleOfA, scale.address());
  set(scaleOfB, scale.address());
  set(fastAccumulate, int8_t{0});
  auto layout = [&](int type, uint64_t height, uint64_t width) {
    return make(functions.layoutDestroy, "describing its matrices", [&](void **to) {
      return functions.layoutCreate(to, type, height, width, static_cast<int64_t>(height));
    });
  };
  weights = layout(typeE4m3, depth, columns);
  input = layout(typeE4m3, depth, rows);
  result = layout(typeBf16, columns, rows);
  Object preference = make(functions.preferenceDestroy, "choosing an algorithm", functions.preferenceCreate);
  check(functions.preferenceSet(preference.get(), mostWorkspace, &workspaceBytes, sizeof(workspaceBytes)),
        "choosing an algorithm");
  int found = 0;
  Gpu::Current current(gpu);
  check(functions.heuristic(handle, desc.get(), weights.get(), input.get(), result.get(), result.get(),
                            preference.get(), 1, &algorithm, &found),
        "choosing an algorithm");
  check(found == 1 ? algorithm.status : -1, "choosing an algorithm");
}

void CodeProduct::multiply(uint64_t weightCodes, uint64_t inputCodes, uint64_t to) const {
  const float one = 1, zero = 0;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the driver gives addresses as numbers, cuBLAS takes them as pointers
  auto pointer = [](uint64_t address) { return reinterpret_cast<void *>(address); };
  check(functions.matmul(handle, desc.get(), &one, pointer(weightCodes), weights.get(), pointer(inputCodes),
                         input.get(), &zero, pointer(to), result.get(), pointer(to), result.get(), &algorithm,
                         pointer(workspace.address()), workspaceBytes, gpu.stream()),
        "multiplying");
}

} // namespace bambac::measure
