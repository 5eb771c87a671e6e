#include "runtime/run/measure/matrix_rate.h"
#include "runtime/run/measure/parallel.h"
#include "runtime/run/measure/stopwatch.h"

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <dlfcn.h>
#include <limits>
#include <memory>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bambac::measure {
namespace {

/// C[rows][columns] += A[depth][rows]^T * B[depth][columns]: one register tile.
struct MicroKernel {
  void (*run)(const float *a, const float *b, float *c, size_t depth);
  size_t rows;
  size_t columns;
};

void multiplyPortable(const float *a, const float *b, float *c, size_t depth) {
  for (size_t k = 0; k < depth; ++k)
    for (size_t i = 0; i < 4; ++i)
      for (size_t j = 0; j < 8; ++j)
        c[i * 8 + j] += a[k * 4 + i] * b[k * 8 + j];
}

#if defined(__x86_64__)
// The tiles fill the register file: 6x2 of 16 registers, 14x2 of 32, the rest for B and a broadcast element of A.

__attribute__((target("avx2,fma"))) void multiplyAvx2(const float *a, const float *b, float *c, size_t depth) {
  __m256 sums[6][2] = {};
  for (size_t k = 0; k < depth; ++k) {
    __m256 left = _mm256_load_ps(b + k * 16);
    __m256 right = _mm256_load_ps(b + k * 16 + 8);
    for (size_t i = 0; i < 6; ++i) {
      __m256 factor = _mm256_broadcast_ss(a + k * 6 + i);
      sums[i][0] = _mm256_fmadd_ps(factor, left, sums[i][0]);
      sums[i][1] = _mm256_fmadd_ps(factor, right, sums[i][1]);
    }
  }
  for (size_t i = 0; i < 6; ++i)
    for (size_t j = 0; j < 2; ++j) {
      float *tile = c + i * 16 + j * 8;
      _mm256_store_ps(tile, _mm256_add_ps(_mm256_load_ps(tile), sums[i][j]));
    }
}

__attribute__((target("avx512f"))) void multiplyAvx512(const float *a, const float *b, float *c, size_t depth) {
  __m512 sums[14][2] = {};
  for (size_t k = 0; k < depth; ++k) {
    __m512 left = _mm512_load_ps(b + k * 32);
    __m512 right = _mm512_load_ps(b + k * 32 + 16);
    for (size_t i = 0; i < 14; ++i) {
      __m512 factor = _mm512_set1_ps(a[k * 14 + i]);
      sums[i][0] = _mm512_fmadd_ps(factor, left, sums[i][0]);
      sums[i][1] = _mm512_fmadd_ps(factor, right, sums[i][1]);
    }
  }
  for (size_t i = 0; i < 14; ++i)
    for (size_t j = 0; j < 2; ++j) {
      float *tile = c + i * 32 + j * 16;
      _mm512_store_ps(tile, _mm512_add_ps(_mm512_load_ps(tile), sums[i][j]));
    }
}
#endif

MicroKernel chooseMicroKernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return {multiplyAvx512, 14, 32};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {multiplyAvx2, 6, 16};
#endif
  return {multiplyPortable, 4, 8};
}

/// Zeros on a boundary that every vector load accepts.
std::unique_ptr<float[], void (*)(float *)> makeMatrix(size_t count) {
  constexpr std::align_val_t alignment{64};
  auto *data = static_cast<float *>(operator new(count * sizeof(float), alignment));
  std::fill_n(data, count, 0.0f);
  return {data, [](float *data) { operator delete(data, alignment); }};
}

/// One thread's matrices: a few tiles a side, packed tile by tile. B's panel stays in the first-level cache while all
/// of A passes, which stays in the second.
class CachedMatmul {
public:
  double flops() const { return 2.0 * tiles * tiles * depth * static_cast<double>(kernel.rows * kernel.columns); }

  void run() {
    for (size_t j = 0; j < tiles; ++j)
      for (size_t i = 0; i < tiles; ++i)
        kernel.run(a.get() + i * kernel.rows * depth, b.get() + j * kernel.columns * depth,
                   c.get() + (j * tiles + i) * kernel.rows * kernel.columns, depth);
  }

private:
  static constexpr size_t tiles = 8;
  static constexpr size_t depth = 192;
  MicroKernel kernel = chooseMicroKernel();
  std::unique_ptr<float[], void (*)(float *)> a = makeMatrix(tiles * kernel.rows * depth);
  std::unique_ptr<float[], void (*)(float *)> b = makeMatrix(tiles * kernel.columns * depth);
  std::unique_ptr<float[], void (*)(float *)> c = makeMatrix(tiles * tiles * kernel.rows * kernel.columns);
};

} // namespace

double measureMatrixRate(unsigned threads) {
  constexpr int passes = 8;
  constexpr int repeats = 300; // a pass is tens of milliseconds
  std::vector<CachedMatmul> matmuls(threads);
  std::barrier barrier(static_cast<std::ptrdiff_t>(threads));
  double best = std::numeric_limits<double>::infinity();
  onThreads(threads, [&](unsigned index) {
    for (int pass = 0; pass < passes; ++pass) {
      barrier.arrive_and_wait();
      Stopwatch watch;
      for (int i = 0; i < repeats; ++i)
        matmuls[index].run();
      barrier.arrive_and_wait();
      if (index == 0)
        best = std::min(best, watch.seconds());
    }
  });
  return matmuls[0].flops() * repeats * threads / best;
}

std::optional<double> measureBlasRate(unsigned threads) {
  using Sgemm = void (*)(int order, int transposeA, int transposeB, int m, int n, int k, float alpha, const float *a,
                         int lda, const float *b, int ldb, float beta, float *c, int ldc);
  constexpr int rowMajor = 101, plain = 111; // CBLAS's numbers
  constexpr int size = 1024, passes = 12;
  constexpr size_t elements = size_t{size} * size;
  // Never closed: its threads would outlive their code.
  void *blas = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!blas)
    return std::nullopt;
  auto sgemm = reinterpret_cast<Sgemm>(dlsym(blas, "cblas_sgemm"));
  auto setThreads = reinterpret_cast<void (*)(int)>(dlsym(blas, "openblas_set_num_threads"));
  if (!sgemm || !setThreads)
    return std::nullopt;
  setThreads(static_cast<int>(threads));

  std::vector<float> a(elements, 0.5f), b(elements, 0.25f), c(elements);
  double best = std::numeric_limits<double>::infinity();
  for (int pass = 0; pass < passes; ++pass) {
    Stopwatch watch;
    sgemm(rowMajor, plain, plain, size, size, size, 1, a.data(), size, b.data(), size, 0, c.data(), size);
    best = std::min(best, watch.seconds());
  }
  return 2.0 * size * size * size / best;
}

} // namespace bambac::measure
