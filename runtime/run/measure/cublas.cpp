// Opens the library by name, and times products whose weights no cache holds.
#include "runtime/run/measure/cublas.h"
#include "runtime/support/median.h"

#include <algorithm>
#include <dlfcn.h>
#include <filesystem>
#include <fmt/format.h>
#include <stdexcept>

namespace bambac::measure {

template <typename... Args> [[noreturn]] static void fail(fmt::format_string<Args...> text, Args &&...args) {
  throw std::runtime_error(fmt::format(text, std::forward<Args>(args)...));
}

struct Cublas::Functions {
  int (*create)(void **handle) = nullptr;
  int (*destroy)(void *handle) = nullptr;
  int (*setStream)(void *handle, void *stream) = nullptr;
  int (*getVersion)(void *handle, int *version) = nullptr;
  int (*gemmEx)(void *handle, int transposeA, int transposeB, int m, int n, int k, const void *alpha, const void *a,
                int typeA, int lda, const void *b, int typeB, int ldb, const void *beta, void *c, int typeC, int ldc,
                int compute, int algorithm) = nullptr;
};

template <typename Function> static void find(void *library, const char *symbol, Function &function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  if (!function)
    fail("cannot use cuBLAS: it has no function {}", symbol);
}

/// The newest version of the library in a folder; the system's where that is empty. Never closed: it has threads.
static void *openIn(const std::filesystem::path &folder) {
  for (const char *version : {"13", "12"}) {
    auto pathOf = [&](const char *name) { return (folder / fmt::format("lib{}.so.{}", name, version)).string(); };
    // The one needs the other, and a folder of Python packages is no place where the loader looks.
    dlopen(pathOf("cublasLt").c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
    if (void *library = dlopen(pathOf("cublas").c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE))
      return library;
  }
  return nullptr;
}

static void *openAt(const std::filesystem::path &path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) {
    openIn(path.parent_path());
    return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  }
  for (const char *folder : {"", "nvidia/cu13/lib", "nvidia/cublas/lib", "lib64"})
    if (void *library = openIn(path / folder))
      return library;
  return nullptr;
}

std::unique_ptr<Cublas> Cublas::open(const Gpu &gpu, const std::string &path, std::string &reason) {
  if (!path.empty()) {
    if (void *library = openAt(path))
      return std::unique_ptr<Cublas>(new Cublas(gpu, library));
    const char *text = dlerror();
    fail("--cublas: expected libcublas.so.13 or .12 in '{}', found none{}{}", path, text ? ": " : "", text ? text : "");
  }
  void *library = openIn("");
  if (!library)
    library = openAt("/usr/local/cuda");
  reason = "no cuBLAS";
  try {
    return library ? std::unique_ptr<Cublas>(new Cublas(gpu, library)) : nullptr;
  } catch (const std::runtime_error &error) {
    reason = error.what();
    return nullptr;
  }
}

Cublas::Cublas(const Gpu &gpu, void *library) : gpu(gpu), library(library), functions(std::make_unique<Functions>()) {
  find(library, "cublasCreate_v2", functions->create);
  find(library, "cublasDestroy_v2", functions->destroy);
  find(library, "cublasSetStream_v2", functions->setStream);
  find(library, "cublasGetVersion_v2", functions->getVersion);
  find(library, "cublasGemmEx", functions->gemmEx);
  Gpu::Current current(gpu);
  check(functions->create(&handle), "starting it");
  check(functions->setStream(handle, gpu.stream()), "setting its stream");
  int version = 0;
  functions->getVersion(handle, &version); // 130100 or, before 12, 11xyy
  fullName = fmt::format("cuBLAS {}.{}", version / 10000, version % 10000 / 100);
}

Cublas::~Cublas() {
  try {
    Gpu::Current current(gpu);
    functions->destroy(handle);
  } catch (...) { // NOLINT(bugprone-empty-catch): the device is lost
  }
}

void Cublas::check(int status, const char *doing) const {
  if (status != 0)
    fail("cuBLAS: {}: status {}", doing, status);
}

void Cublas::multiply(const Gemm &gemm, uint64_t weights, uint64_t input, uint64_t result) const {
  // In cuBLAS's order, by columns: result[columns, rows] = W[depth, columns]^T input[depth, rows].
  constexpr int plain = 0, transposed = 1, typeBf16 = 14, computeF32 = 68, anyAlgorithm = -1;
  auto m = static_cast<int>(gemm.columns), n = static_cast<int>(gemm.rows), k = static_cast<int>(gemm.depth);
  const float one = 1, zero = 0;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the driver gives addresses as numbers, cuBLAS takes them as pointers
  auto pointer = [](uint64_t address) { return reinterpret_cast<void *>(address); };
  check(functions->gemmEx(handle, transposed, plain, m, n, k, &one, pointer(weights), typeBf16, k, pointer(input),
                          typeBf16, k, &zero, pointer(result), typeBf16, m, computeF32, anyAlgorithm),
        "multiplying");
}

/// Seconds of one product that `multiply(weights, input, result)` enqueues, of elements of `elementBytes`.
template <typename Multiply>
static double timeOne(const Gpu &gpu, const Gemm &gemm, size_t elementBytes, const Multiply &multiply) {
  constexpr uint64_t beyondCache = uint64_t{512} << 20; // weights in turn, so that no cache holds them
  uint64_t weightBytes = gemm.columns * gemm.depth * elementBytes;
  uint64_t copies = std::max<uint64_t>(2, (beyondCache + weightBytes - 1) / weightBytes);
  const char *what = "matrices to measure cuBLAS";
  auto makeRandom = [&](size_t bytes) {
    return gemm.isCodes ? gpu.makeRandomCodes(bytes, what) : gpu.makeRandom(bytes, what);
  };
  Gpu::Buffer weights = makeRandom(copies * weightBytes), input = makeRandom(gemm.rows * gemm.depth * elementBytes);
  Gpu::Buffer result = gpu.makeRandom(gemm.rows * gemm.columns * sizeof(uint16_t), what);
  uint64_t turn = 0;
  auto timeOf = [&](uint64_t times) {
    return gpu.time([&] {
      Gpu::Current current(gpu);
      for (uint64_t i = 0; i < times; ++i, ++turn)
        multiply(weights.address() + turn % copies * weightBytes, input.address(), result.address());
    });
  };
  constexpr uint64_t warmUp = 3, most = 200;
  constexpr double passSeconds = 0.03;
  double once = timeOf(warmUp) / warmUp;
  auto times = std::clamp(static_cast<uint64_t>(passSeconds / once), warmUp, most);
  std::vector<double> passes(3);
  for (double &seconds : passes)
    seconds = timeOf(times) / static_cast<double>(times);
  return rt::medianOf(std::move(passes));
}

double Cublas::time(const Gemm &gemm) const {
  auto count = static_cast<double>(gemm.count);
  if (!gemm.isCodes)
    return count * timeOne(gpu, gemm, 2, [&](uint64_t weights, uint64_t input, uint64_t result) {
             multiply(gemm, weights, input, result);
           });
  CodeProduct::Functions codes(library);
  CodeProduct product(gpu, codes, handle, gemm.rows, gemm.columns, gemm.depth);
  return count * timeOne(gpu, gemm, 1, [&](uint64_t weights, uint64_t input, uint64_t result) {
           product.multiply(weights, input, result);
         });
}

double measureCublasRate(const Cublas &cublas) {
  constexpr uint64_t size = 8192;
  Gemm gemm = {size, size, size};
  return gemm.flops() / cublas.time(gemm);
}

std::optional<double> measureCublasCodeRate(const Cublas &cublas, std::string &reason) {
  constexpr uint64_t size = 8192;
  Gemm gemm = {size, size, size, 1, true};
  try {
    return gemm.flops() / cublas.time(gemm);
  } catch (const std::runtime_error &error) {
    reason = error.what();
    return std::nullopt;
  }
}

static double timeGemm(const Cublas &cublas, Gemm gemm) {
  if (gemm.isCodes) {
    try {
      return cublas.time(gemm);
    } catch (const std::runtime_error &) {
      gemm.isCodes = false;
    }
  }
  return cublas.time(gemm);
}

double timeGemms(const Cublas &cublas, const std::vector<Gemm> &gemms) {
  double seconds = 0;
  for (const Gemm &gemm : gemms)
    seconds += timeGemm(cublas, gemm);
  return seconds;
}

} // namespace bambac::measure
