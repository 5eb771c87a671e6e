// cuBLAS as a yardstick, loaded at run time where it is installed; without it nothing is compared.
#pragma once
#include "harness.cuh"
#include <dlfcn.h>
#include <glob.h>

namespace wgmma_test {

class Cublas {
public:
  Cublas() {
    for (const char *pattern : {"/usr/local/cuda/lib64/", "/usr/lib/x86_64-linux-gnu/"}) {
      open(std::string(pattern) + "libcublasLt.so.1[0-9]");
      if (void *library = open(std::string(pattern) + "libcublas.so.1[0-9]")) {
        bind(library);
        return;
      }
    }
  }
  bool available() const { return gemm != nullptr; }

  /// y [rows, columns] = x [rows, depth] W^T, all row-major operands.
  void linear(cudaStream_t stream, const void *x, const void *weights, void *y, int rows, int columns, int depth) {
    constexpr int kTranspose = 1, kPlain = 0, kType = harness::kIsF16 ? 2 : 14, kCompute32F = 68, kDefault = -1;
    float one = 1, zero = 0;
    int status = setStream(handle, stream);
    status |= setWorkspace(handle, workspace->data(), workspace->size());
    status |= gemm(handle, kTranspose, kPlain, columns, rows, depth, &one, weights, kType, depth, x, kType, depth,
                   &zero, y, kType, columns, kCompute32F, kDefault);
    if (status)
      std::printf("cublas: error %d\n", status);
  }

private:
  static void *open(const std::string &pattern) {
    glob_t found;
    void *library = nullptr;
    if (!glob(pattern.c_str(), 0, nullptr, &found) && found.gl_pathc)
      library = dlopen(found.gl_pathv[0], RTLD_NOW | RTLD_GLOBAL);
    globfree(&found);
    return library;
  }
  void bind(void *library) {
    auto create = reinterpret_cast<int (*)(void **)>(dlsym(library, "cublasCreate_v2"));
    setStream = reinterpret_cast<SetStream>(dlsym(library, "cublasSetStream_v2"));
    setWorkspace = reinterpret_cast<SetWorkspace>(dlsym(library, "cublasSetWorkspace_v2"));
    auto gemmEx = reinterpret_cast<Gemm>(dlsym(library, "cublasGemmEx"));
    if (!create || !setStream || !setWorkspace || !gemmEx || create(&handle))
      return;
    workspace = new harness::DeviceBuffer<char>(size_t(64) << 20); // lives as long as the program
    gemm = gemmEx;
  }

  using SetStream = int (*)(void *, cudaStream_t);
  using SetWorkspace = int (*)(void *, void *, size_t);
  using Gemm = int (*)(void *, int, int, int, int, int, const void *, const void *, int, int, const void *, int, int,
                       const void *, void *, int, int, int, int);
  void *handle = nullptr;
  SetStream setStream = nullptr;
  SetWorkspace setWorkspace = nullptr;
  Gemm gemm = nullptr;
  harness::DeviceBuffer<char> *workspace = nullptr;
};

inline Cublas &cublas() {
  static Cublas instance;
  return instance;
}

} // namespace wgmma_test
