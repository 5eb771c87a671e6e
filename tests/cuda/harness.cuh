// What the test programs of the CUDA collectives share: random inputs, device buffers, launching, errors, timing.
//
//   int main(int argc, char **argv) {
//     harness::Runner runner(argc, argv);                          // arguments: [--bench] [part of a case's name]
//     if (runner.wants("a case")) { ...; runner.report("a case", harness::relativeError(out, reference)); }
//     if (runner.benches("a shape")) runner.benched("a shape", harness::medianMicroseconds(launch), bytes, "GB/s");
//     return runner.exitCode();
//   }
#pragma once
#include "common/launch.cuh"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <string>
#include <utility>
#include <vector>

/// Runs a call of the CUDA runtime; prints where and why it failed and ends the program.
#define CHECK(call)                                                                                                    \
  do {                                                                                                                 \
    cudaError_t checkStatus = (call);                                                                                  \
    if (checkStatus != cudaSuccess) {                                                                                  \
      std::printf("FAIL %s:%d: %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(checkStatus));                 \
      std::exit(1);                                                                                                    \
    }                                                                                                                  \
  } while (0)

namespace harness {

// --- numbers -----------------------------------------------------------------------------------------------------

#ifndef BAMBAC_OPERAND
#define BAMBAC_OPERAND bf16
#endif
/// What tensor cores multiply in all tests. A program built with -DBAMBAC_OPERAND=f16 tests the same with f16.
using Operand = bambac::BAMBAC_OPERAND;
inline constexpr bool kIsF16 = bambac::kIsSame<Operand, bambac::f16>;
inline constexpr const char *kOperandName = kIsF16 ? "f16" : "bf16";

/// The bound on an error that comes of rounding to operands, from that for bf16: f16 has three bits more.
constexpr double tolerance(double ofBf16) { return kIsF16 ? ofBf16 / 6 : ofBf16; }

/// Nearest, ties to even; NaN stays NaN, and f16 saturates.
template <class T> T roundTo(float value) {
  if constexpr (bambac::kIsSame<T, float>) {
    return value;
  } else if constexpr (bambac::kIsSame<T, bambac::f16>) {
    return T{static_cast<__half_raw>(__float2half_rn(std::clamp(value, -65504.0f, 65504.0f))).x};
  } else {
    unsigned bits;
    std::memcpy(&bits, &value, 4);
    if (value != value)
      return T{0x7fff};
    return T{static_cast<unsigned short>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
  }
}

/// Any element type as double, for references.
inline double toDouble(float value) { return value; }
inline double toDouble(bambac::bf16 value) {
  unsigned bits = unsigned(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, 4);
  return result;
}
inline double toDouble(bambac::f16 value) {
  __half_raw half;
  half.x = value.bits;
  return __half2float(half);
}

template <class T> std::vector<T> fromFloats(const std::vector<float> &values) {
  std::vector<T> result(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    result[i] = roundTo<T>(values[i]);
  return result;
}

inline std::vector<float> toFloats(const std::vector<Operand> &values) {
  std::vector<float> result(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    result[i] = float(toDouble(values[i]));
  return result;
}

/// Element `index` of the random sequence `seed`, uniform in [-1, 1); the same on host and device.
__host__ __device__ inline float randomAt(unsigned seed, unsigned long long index) {
  unsigned long long x = index + (seed + 1) * 0x9e3779b97f4a7c15ull; // splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return float((x ^ (x >> 31)) >> 40) * (2.0f / 16777216.0f) - 1.0f;
}

/// `count` random floats, uniform in [center - scale, center + scale).
inline std::vector<float> randomFloats(size_t count, unsigned seed, float scale = 1.0f, float center = 0.0f) {
  std::vector<float> result(count);
  for (size_t i = 0; i < count; ++i)
    result[i] = center + scale * randomAt(seed, i);
  return result;
}

inline std::vector<Operand> randomOperands(size_t count, unsigned seed, float scale = 1.0f, float center = 0.0f) {
  return fromFloats<Operand>(randomFloats(count, seed, scale, center));
}

/// A row-major matrix [rows, depth] as the core matrices that linears read: 8 rows x 8 columns in 128 bytes, these in
/// order of k within groups of 8 rows; rows padded to 8 and depth to 64 with zeros.
inline std::vector<Operand> packCoreMatrices(const std::vector<Operand> &matrix, int rows, int depth) {
  size_t paddedDepth = (depth + 63) / 64 * 64;
  std::vector<Operand> packed((rows + 7) / 8 * 8 * paddedDepth, Operand{0});
  for (size_t n = 0; n < size_t(rows); ++n)
    for (size_t k = 0; k < size_t(depth); ++k)
      packed[((n / 8) * (paddedDepth / 8) + k / 8) * 64 + n % 8 * 8 + k % 8] = matrix[n * depth + k];
  return packed;
}

// --- device memory -----------------------------------------------------------------------------------------------

/// Device memory for `size()` elements, freed at the end of its life. Fresh buffers hold NaN.
template <class T> class DeviceBuffer {
public:
  explicit DeviceBuffer(size_t count) : count(count) {
    CHECK(cudaMalloc(&pointer, std::max<size_t>(count, 1) * sizeof(T)));
    poison();
  }
  explicit DeviceBuffer(const std::vector<T> &values) : DeviceBuffer(values.size()) { upload(values); }
  DeviceBuffer(DeviceBuffer &&other) noexcept
      : pointer(std::exchange(other.pointer, nullptr)), count(std::exchange(other.count, 0)) {}
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept {
    std::swap(pointer, other.pointer);
    std::swap(count, other.count);
    return *this;
  }
  ~DeviceBuffer() { cudaFree(pointer); }

  T *data() const { return pointer; }
  size_t size() const { return count; }
  /// Every byte 0xff: NaN as bf16, f16 and f32, -1 as an integer.
  void poison() { CHECK(cudaMemset(pointer, 0xff, count * sizeof(T))); }
  void zero() { CHECK(cudaMemset(pointer, 0, count * sizeof(T))); }
  void upload(const std::vector<T> &values) {
    CHECK(cudaMemcpy(pointer, values.data(), std::min(count, values.size()) * sizeof(T), cudaMemcpyHostToDevice));
  }
  /// Waits for the device.
  std::vector<T> download() const {
    std::vector<T> values(count);
    CHECK(cudaDeviceSynchronize());
    CHECK(cudaMemcpy(values.data(), pointer, count * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }
  /// What randomFloats or randomOperands give with the same arguments, made on the device (for large buffers).
  void randomize(unsigned seed, float scale = 1.0f);

private:
  T *pointer = nullptr;
  size_t count = 0;
};

template <class T> __global__ void randomizeKernel(T *to, size_t count, unsigned seed, float scale) {
  size_t step = size_t(gridDim.x) * blockDim.x;
  for (size_t i = size_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step)
    if constexpr (bambac::kIsSame<T, bambac::int8>)
      to[i] = bambac::int8(127 * randomAt(seed, i));
    else
      to[i] = bambac::fromFloat<T>(scale * randomAt(seed, i));
}

template <class T> void DeviceBuffer<T>::randomize(unsigned seed, float scale) {
  randomizeKernel<T><<<1024, 256>>>(pointer, count, seed, scale);
  CHECK(cudaGetLastError());
}

// --- launching ---------------------------------------------------------------------------------------------------

/// Launches `kernel` as its collective says (Collective::kLaunch). Errors end the program.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), const bambac::Launch &shape, cudaStream_t stream, Arguments... arguments) {
  CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shape.shared_bytes)));
  cudaLaunchAttribute attributes[2];
  unsigned count = 0;
  if (shape.dependent) {
    attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[count++].val.programmaticStreamSerializationAllowed = 1;
  }
  if (shape.cluster > 1) {
    attributes[count].id = cudaLaunchAttributeClusterDimension;
    attributes[count].val.clusterDim.x = shape.cluster;
    attributes[count].val.clusterDim.y = 1;
    attributes[count++].val.clusterDim.z = 1;
    CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(shape.grid[0], shape.grid[1], shape.grid[2]);
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  config.attrs = attributes;
  config.numAttrs = count;
  CHECK(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...));
}

/// The CUtensorMap for `map` over the memory at `base`; `items` stands for an outermost size of 0.
inline bambac::TensorMapParam encodeTensorMap(const bambac::TensorMap &map, void *base, unsigned items = 0) {
  using Encode = decltype(&cuTensorMapEncodeTiled);
  void *entry = nullptr;
  cudaDriverEntryPointQueryResult found;
  CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000, cudaEnableDefault, &found));
  cuuint64_t dims[5] = {}, strides[4] = {};
  cuuint32_t box[5] = {}, elementStrides[5] = {1, 1, 1, 1, 1};
  for (unsigned i = 0; i < map.rank; ++i) {
    dims[i] = i + 1 == map.rank && map.dims[i] == 0 ? items : map.dims[i];
    box[i] = map.box[i];
  }
  for (unsigned i = 0; i + 1 < map.rank; ++i)
    strides[i] = map.strides[i];
  CUtensorMapSwizzle swizzle = map.swizzle_bytes == 128  ? CU_TENSOR_MAP_SWIZZLE_128B
                               : map.swizzle_bytes == 64 ? CU_TENSOR_MAP_SWIZZLE_64B
                               : map.swizzle_bytes == 32 ? CU_TENSOR_MAP_SWIZZLE_32B
                                                         : CU_TENSOR_MAP_SWIZZLE_NONE;
  alignas(64) CUtensorMap encoded;
  CUresult status = reinterpret_cast<Encode>(entry)(
      &encoded, map.element_bytes == 4 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT32 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, map.rank,
      base, dims, strides, box, elementStrides, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    std::printf("FAIL cuTensorMapEncodeTiled: error %d\n", int(status));
    std::exit(1);
  }
  bambac::TensorMapParam parameter;
  static_assert(sizeof(parameter) == sizeof(encoded));
  std::memcpy(&parameter, &encoded, sizeof(encoded));
  return parameter;
}

// --- errors and timing -------------------------------------------------------------------------------------------

/// ||out - reference|| / ||reference||; infinite if any element of `out` is NaN or infinite, or the sizes differ.
template <class T> double relativeError(const std::vector<T> &out, const std::vector<double> &reference) {
  double difference = 0, norm = 0;
  if (out.size() != reference.size())
    return INFINITY;
  for (size_t i = 0; i < out.size(); ++i) {
    double value = toDouble(out[i]);
    if (!std::isfinite(value))
      return INFINITY;
    difference += (value - reference[i]) * (value - reference[i]);
    norm += reference[i] * reference[i];
  }
  return std::sqrt(difference / std::max(norm, 1e-60));
}

template <class T> bool sameBits(const std::vector<T> &a, const std::vector<T> &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// Whether the counters at the start of a workspace are zero, as every kernel leaves them.
inline bool areCountersZero(const std::vector<unsigned> &workspace) {
  return std::all_of(workspace.begin(), workspace.begin() + bambac::kWorkspaceCounters,
                     [](unsigned counter) { return counter == 0; });
}

/// How many copies of `bytes` of weights a benchmark rotates over, so that L2 serves none of them.
inline int rotations(size_t bytes) {
  return int(std::min<size_t>(64, size_t(256) * 1024 * 1024 / std::max<size_t>(bytes, 1) + 2));
}

/// Median time of one launch: `enqueue(stream, i)` is captured `perGraph` times with i = 0, 1, ... (take buffer
/// i % rotations) into a graph that is then launched `repeats` times.
template <class Enqueue> double medianMicroseconds(Enqueue enqueue, int perGraph = 50, int repeats = 11) {
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  cudaEvent_t begin, end;
  CHECK(cudaDeviceSynchronize());
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  CHECK(cudaEventCreate(&begin));
  CHECK(cudaEventCreate(&end));
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  for (int i = 0; i < perGraph; ++i)
    enqueue(stream, i);
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&executable, graph, 0));
  std::vector<float> times(repeats);
  for (int i = -2; i < repeats; ++i) { // two to warm up
    float milliseconds;
    CHECK(cudaEventRecord(begin, stream));
    CHECK(cudaGraphLaunch(executable, stream));
    CHECK(cudaEventRecord(end, stream));
    CHECK(cudaEventSynchronize(end));
    CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
    if (i >= 0)
      times[i] = milliseconds;
  }
  std::sort(times.begin(), times.end());
  CHECK(cudaGraphExecDestroy(executable));
  CHECK(cudaGraphDestroy(graph));
  CHECK(cudaEventDestroy(begin));
  CHECK(cudaEventDestroy(end));
  CHECK(cudaStreamDestroy(stream));
  return times[repeats / 2] * 1e3 / perGraph;
}

/// Prints results and remembers failures.
class Runner {
public:
  Runner(int argc, char **argv) {
    for (int i = 1; i < argc; ++i)
      if (!std::strcmp(argv[i], "--bench"))
        bench = true;
      else
        filter = argv[i];
  }
  /// Whether to run the test `name`: not with --bench.
  bool wants(const std::string &name) const { return !bench && name.find(filter) != std::string::npos; }
  /// Whether to time the shape `name`: only with --bench.
  bool benches(const std::string &name) const { return bench && name.find(filter) != std::string::npos; }
  /// A result whose error may be at most `bound`.
  void report(const std::string &name, double error, double bound = tolerance(1e-2)) {
    report(name, error <= bound);
    std::printf(" %.3g\n", error);
    std::fflush(stdout);
  }
  /// A condition.
  void expect(const std::string &name, bool holds) {
    report(name, holds);
    std::printf("\n");
    std::fflush(stdout);
  }
  /// A time; `work` is bytes for "GB/s", operations for "TFLOP/s".
  void benched(const std::string &name, double microseconds, double work, const char *unit) {
    double scale = unit[0] == 'G' ? 1e-3 : 1e-6;
    std::printf("bench %s  %.2f us  %.1f %s\n", name.c_str(), microseconds, work * scale / microseconds, unit);
    std::fflush(stdout);
  }
  int exitCode() const {
    if (failures)
      std::printf("%d of %d failed\n", failures, cases);
    return failures ? 1 : 0;
  }

private:
  void report(const std::string &name, bool good) {
    ++cases;
    failures += !good;
    std::printf("%s %s", good ? "ok" : "FAIL", name.c_str());
  }

  std::string filter;
  bool bench = false;
  int cases = 0, failures = 0;
};

} // namespace harness
