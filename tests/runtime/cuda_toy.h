// The toy model as a CUDA target, for the driver of fake_cuda.h.
#ifndef BAMBA_TESTS_RUNTIME_CUDA_TOY_H
#define BAMBA_TESTS_RUNTIME_CUDA_TOY_H

#include "tests/runtime/fake_cuda.h"
#include "tests/runtime/toy_model.h"

namespace bambac::rt::toy {

/// Tables that differ from the toy's only in their kernels; `model` may be changed before it is opened.
class CudaToy {
public:
  CudaToy();
  CudaToy(const CudaToy &) = delete;

  bamba_rt_model model = toyTable;

  /// A library with this model, and the processor's beside it where `withCpu` is set.
  bamba_rt_library library(bool withCpu = false) const { return {BAMBA_RT_ABI_VERSION, withCpu ? 2u : 1u, models, ""}; }

  /// Opened with the fake driver, its weights loaded from a file.
  std::unique_ptr<Model> load() const;

private:
  std::vector<FakeCubin> cubins;
  std::vector<bamba_rt_param> params;
  std::vector<bamba_rt_cuda_kernel> code;
  std::vector<bamba_rt_kernel> kernels;
  const bamba_rt_model *models[2] = {&model, &toyTable};
};

/// The fake driver's library and its counters.
extern const char *const fakeCudaLibrary;
FakeCuda &fakeCuda();

} // namespace bambac::rt::toy
#endif // BAMBA_TESTS_RUNTIME_CUDA_TOY_H
