// cuBLAS, where there is one: the matrix rate of a CUDA device, and the time of a model's matrix products.
#ifndef BAMBAC_RUNTIME_RUN_MEASURE_CUBLAS_H
#define BAMBAC_RUNTIME_RUN_MEASURE_CUBLAS_H

#include "runtime/run/measure/cublas_codes.h"

#include <optional>
#include <string>
#include <vector>

namespace bambac::measure {

/// y[rows, columns] = x[rows, depth] W[columns, depth]^T, `count` times with different W.
struct Gemm {
  uint64_t rows, columns, depth;
  uint64_t count = 1;
  bool isCodes = false; ///< e4m3 in place of bf16

  double flops() const {
    return 2.0 * static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(depth) *
           static_cast<double>(count);
  }
};

/// bf16 matrices, or codes; f32 sums. The library is opened at run time and stays loaded.
class Cublas {
public:
  /// Looks for the library where `path` says, a file or a folder (also that of Python packages, with nvidia/cu13/lib or
  /// nvidia/cublas/lib in it), and throws std::runtime_error where there is none that works. Without a path it looks
  /// where the system does; null and a `reason` where there is none that works.
  static std::unique_ptr<Cublas> open(const Gpu &gpu, const std::string &path, std::string &reason);
  ~Cublas();
  Cublas(const Cublas &) = delete;
  Cublas &operator=(const Cublas &) = delete;

  /// "cuBLAS 13.1".
  const std::string &name() const { return fullName; }

  /// Seconds of all `count` together, each W read from memory. Throws std::runtime_error where there is no product of
  /// such codes.
  double time(const Gemm &gemm) const;

private:
  struct Functions;
  Cublas(const Gpu &gpu, void *library);
  void check(int status, const char *doing) const;
  void multiply(const Gemm &gemm, uint64_t weights, uint64_t input, uint64_t result) const;

  const Gpu &gpu;
  void *library;
  std::unique_ptr<Functions> functions;
  void *handle = nullptr;
  std::string fullName;
};

/// Operations a second on square matrices of 8192.
double measureCublasRate(const Cublas &cublas);

/// The same of codes; nothing and a `reason` where there are no such products.
std::optional<double> measureCublasCodeRate(const Cublas &cublas, std::string &reason);

/// Seconds of all of them. Those of codes that cuBLAS does not have are timed as bf16.
double timeGemms(const Cublas &cublas, const std::vector<Gemm> &gemms);

} // namespace bambac::measure

#endif // BAMBAC_RUNTIME_RUN_MEASURE_CUBLAS_H
