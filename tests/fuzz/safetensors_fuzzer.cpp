// Feeds any bytes to the safetensors reader: it must refuse them or describe tensors that lie inside them.

#include "runtime/checkpoint/safetensors.h"
#include "runtime/support/error.h"
#include <cstdlib>

using namespace bambac::rt;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::span<const std::byte> file = std::as_bytes(std::span(data, size));
  try {
    size_t total = 0;
    for (const auto &[name, tensor] : parseSafetensors("file", file)) {
      uint64_t bits = tensor.dtype->bits;
      for (uint64_t dimension : tensor.shape)
        bits *= dimension;
      bool inside = tensor.offset >= 8 && tensor.offset <= size && tensor.bytes <= size - tensor.offset;
      if (!inside || bits != tensor.bytes * 8)
        std::abort();
      total += tensor.bytes;
    }
    if (total > size)
      std::abort();
  } catch (const Error &error) {
    if (error.status() != BAMBA_BAD_CHECKPOINT)
      std::abort();
  }
  return 0;
}
