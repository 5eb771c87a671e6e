// Large zeroed memory that costs nothing until it is touched, and size arithmetic that cannot wrap around.
#ifndef BAMBA_RUNTIME_SUPPORT_MEMORY_H
#define BAMBA_RUNTIME_SUPPORT_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace bambac::rt {

/// Every buffer that a kernel on the processor sees starts at a multiple of this many bytes.
inline constexpr size_t bufferAlignment = 64;

/// The same on a device of its own, and where a layout is meant for any device.
inline constexpr size_t deviceAlignment = 256;

/// Products and sums of sizes; what does not fit in 64 bits is an Error BAMBA_OUT_OF_MEMORY that names `what`.
size_t checkedMul(size_t a, size_t b, const char *what);
size_t checkedAdd(size_t a, size_t b, const char *what);

/// `size` rounded up to a multiple of `alignment`, a power of two.
size_t alignUp(size_t size, size_t alignment, const char *what);

/// Anonymous memory from the operating system: zeroed, aligned to a page, backed by real memory only where it was
/// touched. A page that cannot be touched follows, so that a kernel that runs past the end is stopped. Owns the memory.
/// Not copyable; movable.
class Region {
public:
  Region() = default;
  /// Throws Error BAMBA_OUT_OF_MEMORY that names `what`.
  Region(size_t size, const char *what);
  Region(Region &&other) noexcept;
  Region &operator=(Region &&other) noexcept;
  ~Region();

  std::byte *data() const { return base; }
  size_t size() const { return bytes; }

private:
  std::byte *base = nullptr;
  size_t bytes = 0, mappedBytes = 0;
};

/// An array of `count` zeroed elements in a Region: a table sized for the worst case costs only what is used of it.
template <typename T> class LazyArray {
  static_assert(std::is_trivial_v<T>, "elements start as zero bytes and are never destroyed");

public:
  LazyArray() = default;
  LazyArray(size_t count, const char *what) : region(checkedMul(count, sizeof(T), what), what), elements(count) {}

  size_t size() const { return elements; }
  T *data() const { return reinterpret_cast<T *>(region.data()); }
  T &operator[](size_t index) const { return data()[index]; }

private:
  Region region;
  size_t elements = 0;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_MEMORY_H
