#include "runtime/run/measure/read_bandwidth.h"
#include "runtime/run/measure/parallel.h"
#include "runtime/run/measure/stopwatch.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cerrno>
#include <cstring>
#include <limits>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bambac::measure {
namespace {

/// Pages of zeros, in huge pages where the system has them, as the weights of a model are.
class Buffer {
public:
  explicit Buffer(size_t size) : size(size) {
    void *address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED)
      throw std::system_error(errno, std::generic_category(), "cannot allocate memory to measure it");
    madvise(address, size, MADV_HUGEPAGE); // a wish; without it the measurement is a little lower
    data = static_cast<char *>(address);
  }
  ~Buffer() { munmap(data, size); }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  char *data;
  size_t size;
};

/// Reads every line of [data, data + size) and returns something that depends on all of it. `size` is a multiple of
/// 512.
using Reader = uint64_t (*)(const char *data, size_t size);

uint64_t readPortable(const char *data, size_t size) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i < size; i += sizeof(sums)) {
    uint64_t words[8];
    std::memcpy(words, data + i, sizeof(words));
    for (size_t j = 0; j < 8; ++j)
      sums[j] ^= words[j];
  }
  return sums[0] ^ sums[1] ^ sums[2] ^ sums[3] ^ sums[4] ^ sums[5] ^ sums[6] ^ sums[7];
}

#if defined(__x86_64__)
// Far enough ahead that a line has arrived when its turn comes.
constexpr size_t prefetchBytes = 4096;

__attribute__((target("avx2"))) uint64_t readAvx2(const char *data, size_t size) {
  __m256i sums[4] = {};
  constexpr size_t step = sizeof(sums);
  for (size_t i = 0; i < size; i += step) {
    for (size_t j = 0; j < step; j += 64)
      _mm_prefetch(data + i + prefetchBytes + j, _MM_HINT_T0);
    for (size_t j = 0; j < 4; ++j)
      sums[j] = _mm256_xor_si256(sums[j], _mm256_load_si256(reinterpret_cast<const __m256i *>(data + i) + j));
  }
  __m256i sum = _mm256_xor_si256(_mm256_xor_si256(sums[0], sums[1]), _mm256_xor_si256(sums[2], sums[3]));
  return static_cast<uint64_t>(_mm256_extract_epi64(sum, 0) ^ _mm256_extract_epi64(sum, 2));
}

__attribute__((target("avx512f"))) uint64_t readAvx512(const char *data, size_t size) {
  __m512i sums[8] = {};
  constexpr size_t step = sizeof(sums);
  for (size_t i = 0; i < size; i += step) {
    for (size_t j = 0; j < step; j += 64)
      _mm_prefetch(data + i + prefetchBytes + j, _MM_HINT_T0);
    for (size_t j = 0; j < 8; ++j)
      sums[j] = _mm512_xor_si512(sums[j], _mm512_load_si512(data + i + j * sizeof(__m512i)));
  }
  __m512i sum = sums[0];
  for (size_t j = 1; j < 8; ++j)
    sum = _mm512_xor_si512(sum, sums[j]);
  alignas(sizeof(sum)) uint64_t words[8];
  _mm512_store_si512(words, sum);
  return words[0] ^ words[1] ^ words[2] ^ words[3] ^ words[4] ^ words[5] ^ words[6] ^ words[7];
}
#endif

Reader chooseReader() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return readAvx512;
  if (__builtin_cpu_supports("avx2"))
    return readAvx2;
#endif
  return readPortable;
}

} // namespace

Bandwidth measureReadBandwidth(uint64_t bytes, unsigned threads) {
  constexpr int passes = 6;
  constexpr uint64_t minPassBytes = 1 << 30; // so that a pass takes much longer than starting it
  // Every thread has a whole number of pages, at least one.
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t slice = std::max<uint64_t>(1, bytes / threads / page) * page;
  Buffer buffer(slice * threads);
  const uint64_t repeats = (minPassBytes + buffer.size - 1) / buffer.size;

  Reader reader = chooseReader();
  std::barrier barrier(static_cast<std::ptrdiff_t>(threads));
  std::atomic<uint64_t> sink = 0; // keeps the reads alive
  double best = std::numeric_limits<double>::infinity();
  onThreads(threads, [&](unsigned index) {
    char *part = buffer.data + index * slice;
    std::memset(part, 1, slice); // reading untouched memory would read one page of zeros
    for (int pass = 0; pass < passes; ++pass) {
      barrier.arrive_and_wait();
      Stopwatch watch;
      for (uint64_t i = 0; i < repeats; ++i)
        sink += reader(part, slice);
      barrier.arrive_and_wait();
      if (index == 0)
        best = std::min(best, watch.seconds());
    }
  });
  return {buffer.size, static_cast<double>(buffer.size * repeats) / best};
}

uint64_t chooseMemoryBufferBytes() {
  constexpr uint64_t least = 1 << 30;
  long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  uint64_t wanted = std::max(least, 4 * static_cast<uint64_t>(std::max(0L, cache)));
  uint64_t available = static_cast<uint64_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(wanted, available / 2);
}

} // namespace bambac::measure
