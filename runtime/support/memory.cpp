#include "runtime/support/memory.h"
#include "runtime/support/error.h"
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace bambac::rt {

size_t checkedMul(size_t a, size_t b, const char *what) {
  size_t result;
  if (__builtin_mul_overflow(a, b, &result))
    fail(BAMBA_OUT_OF_MEMORY, "out of memory: {} of {} times {} bytes is beyond what can be addressed", what, a, b);
  return result;
}

size_t checkedAdd(size_t a, size_t b, const char *what) {
  size_t result;
  if (__builtin_add_overflow(a, b, &result))
    fail(BAMBA_OUT_OF_MEMORY, "out of memory: {} of {} plus {} bytes is beyond what can be addressed", what, a, b);
  return result;
}

size_t alignUp(size_t size, size_t alignment, const char *what) {
  return checkedAdd(size, alignment - 1, what) & ~(alignment - 1);
}

Region::Region(size_t size, const char *what) {
  if (size == 0)
    return;
  // Without a reservation, because the pools are sized for the worst case that few sessions reach.
  size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t usable = alignUp(size, page, what), mapped = checkedAdd(usable, page, what);
  void *address = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED)
    fail(BAMBA_OUT_OF_MEMORY, "out of memory: {} of {} bytes: {}", what, size, std::strerror(errno));
  base = static_cast<std::byte *>(address);
  bytes = size;
  mappedBytes = mapped;
  if (mprotect(address, usable, PROT_READ | PROT_WRITE) != 0) {
    int reason = errno;
    munmap(address, mapped);
    fail(BAMBA_OUT_OF_MEMORY, "out of memory: {} of {} bytes: {}", what, size, std::strerror(reason));
  }
  // Weights are streamed and states updated in long runs: large pages save TLB misses. Advice; a refusal does not
  // matter.
  constexpr size_t large = size_t{4} << 20;
  if (size >= large)
    madvise(address, size, MADV_HUGEPAGE);
}

Region::Region(Region &&other) noexcept
    : base(std::exchange(other.base, nullptr)), bytes(std::exchange(other.bytes, 0)),
      mappedBytes(std::exchange(other.mappedBytes, 0)) {}

Region &Region::operator=(Region &&other) noexcept {
  std::swap(base, other.base);
  std::swap(bytes, other.bytes);
  std::swap(mappedBytes, other.mappedBytes);
  return *this;
}

Region::~Region() {
  if (base)
    munmap(base, mappedBytes);
}

} // namespace bambac::rt
