#include "runtime/cuda/tensor_map.h"
#include "runtime/support/error.h"
#include <algorithm>

namespace bambac::rt::cuda {
namespace {

void expect(bool condition, const char *kernel, const char *what) {
  if (!condition)
    fail(BAMBA_INTERNAL, "the library's tables are damaged: kernel {}: a tensor map with {}", kernel, what);
}

int swizzleOf(uint32_t bytes) {
  switch (bytes) {
  case 0:
    return 0;
  case 32:
    return 1;
  case 64:
    return 2;
  case 128:
    return 3;
  default:
    return -1;
  }
}

} // namespace

TensorMapShape shapeOf(const bamba_rt_tensor_map &map, uint64_t items, const char *kernel) {
  expect(map.rank >= 1 && map.rank <= 5, kernel, "a rank that is not 1 to 5");
  expect(map.element_bytes == 2 || map.element_bytes == 4, kernel, "elements of neither 2 nor 4 bytes");
  TensorMapShape shape = {};
  // A copy moves bits: f16 passes as bf16.
  shape.type = map.element_bytes == 2 ? tensorBfloat16 : tensorFloat32;
  shape.swizzle = swizzleOf(map.swizzle_bytes);
  expect(shape.swizzle >= 0, kernel, "an unknown swizzle");
  shape.rank = map.rank;
  for (uint32_t i = 0; i < map.rank; ++i) {
    shape.dims[i] = map.dims[i];
    if (map.dims[i] == 0 && i == map.rank - 1)
      shape.dims[i] = items;
    shape.box[i] = map.box[i];
    shape.elementStrides[i] = 1;
    expect(shape.dims[i] > 0 && shape.dims[i] <= uint64_t{1} << 32, kernel, "a size out of range");
    expect(map.box[i] > 0 && map.box[i] <= 256, kernel, "a box that is not 1 to 256 elements");
  }
  expect(uint64_t{map.box[0]} * map.element_bytes % 16 == 0, kernel, "rows of a box that are not 16 bytes' multiple");
  for (uint32_t i = 0; i + 1 < map.rank; ++i) {
    shape.strides[i] = map.strides[i];
    expect(map.strides[i] % 16 == 0 && map.strides[i] < uint64_t{1} << 40, kernel, "a stride out of range");
  }
  return shape;
}

Result encode(const Driver &driver, const TensorMapShape &shape, void *address, TensorMap &map) {
  return driver.tensorMapEncodeTiled(&map, shape.type, shape.rank, address, shape.dims, shape.strides, shape.box,
                                     shape.elementStrides, tensorNotInterleaved, shape.swizzle, tensorPromote256,
                                     tensorFillZero);
}

} // namespace bambac::rt::cuda
