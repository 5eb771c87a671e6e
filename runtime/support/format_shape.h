// Shapes of tensors as text.
#ifndef BAMBA_RUNTIME_SUPPORT_FORMAT_SHAPE_H
#define BAMBA_RUNTIME_SUPPORT_FORMAT_SHAPE_H

#include <cstdint>
#include <fmt/ranges.h>
#include <span>
#include <string>

namespace bambac::rt {

/// "[4096, 128]".
inline std::string formatShape(std::span<const uint64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_FORMAT_SHAPE_H
