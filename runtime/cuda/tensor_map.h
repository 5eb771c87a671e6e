// Tensor maps: what the copy engine of a device needs to know about a tensor, from what a kernel says of a parameter.
#ifndef BAMBA_RUNTIME_CUDA_TENSOR_MAP_H
#define BAMBA_RUNTIME_CUDA_TENSOR_MAP_H

#include "runtime/contract/abi.h"
#include "runtime/cuda/driver.h"

namespace bambac::rt::cuda {

/// The arguments of the driver's tensorMapEncodeTiled, but for the address.
struct TensorMapShape {
  int type, swizzle;
  uint32_t rank;
  uint64_t dims[5], strides[4];
  uint32_t box[5], elementStrides[5];
};

/// Throws Error BAMBA_INTERNAL that names `kernel` for a map that no device takes. `items` is the number of items of
/// the state pool that the map is over; 0 where it is over anything else. Pure.
TensorMapShape shapeOf(const bamba_rt_tensor_map &map, uint64_t items, const char *kernel);

/// The encoded map. Returns the driver's result.
Result encode(const Driver &driver, const TensorMapShape &shape, void *address, TensorMap &map);

} // namespace bambac::rt::cuda
#endif // BAMBA_RUNTIME_CUDA_TENSOR_MAP_H
