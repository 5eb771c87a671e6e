/* The element types of tensors: in memory, in CUDA kernels and in checkpoints. A line of the list says all that is
 * known of one; docs and tests refer to it by its name here. The compiler's counterpart in MLIR is
 * dialects/bamba/ElementType.h.
 */
#ifndef BAMBA_RUNTIME_CONTRACT_ELEMENT_TYPES_H
#define BAMBA_RUNTIME_CONTRACT_ELEMENT_TYPES_H

/* X(enumerator, number, name, bytes, CUDA type, safetensors name, weights, checkpoints, scaled)
 *
 * `number` stands in tables and saved states and never changes. `name` is that of our options, dumps and metadata. The
 * CUDA type is one of codegen/cuda/collectives/common/types.cuh. `weights` is 1 for types that weights can have,
 * `checkpoints` for those that they are converted from, `scaled` for those whose numbers are codes, which mean
 * something together with a scale only. States can have the types of weights, and int8. */
#define BAMBA_RT_ELEMENT_TYPES(X)                                                                                      \
  X(F32, 0, "f32", 4, float, "F32", 1, 1, 0)                                                                           \
  X(BF16, 1, "bf16", 2, bf16, "BF16", 1, 1, 0)                                                                         \
  X(F16, 2, "f16", 2, f16, "F16", 1, 1, 0)                                                                             \
  X(I32, 3, "i32", 4, int, "I32", 0, 0, 0)                                                                             \
  X(F64, 4, "f64", 8, double, "F64", 0, 1, 0)                                                                          \
  X(F8E4M3, 5, "f8e4m3", 1, e4m3, "F8_E4M3", 1, 1, 1)                                                                  \
  X(I8, 6, "int8", 1, int8, "I8", 0, 0, 1)

enum bamba_rt_dtype {
#define BAMBA_RT_ENUMERATOR(enumerator, number, ...) BAMBA_RT_##enumerator = number,
  BAMBA_RT_ELEMENT_TYPES(BAMBA_RT_ENUMERATOR)
#undef BAMBA_RT_ENUMERATOR
};

#if defined(__cplusplus) && !defined(__CUDACC_RTC__)
#include <cstdint>
#include <string>
#include <string_view>

namespace bambac::contract {

struct ElementType {
  bamba_rt_dtype type;
  std::string_view name;
  unsigned bytes;
  std::string_view cuda, safetensors;
  bool isWeight, isStored; ///< weights can have it; checkpoints can
  bool isScaled;           ///< its numbers are codes, which go with scales
};

inline constexpr ElementType kElementTypes[] = {
#define BAMBA_RT_ELEMENT_TYPE(enumerator, number, name, bytes, cuda, safetensors, weights, checkpoints, scaled)        \
  {BAMBA_RT_##enumerator, name, bytes, #cuda, safetensors, (weights) != 0, (checkpoints) != 0, (scaled) != 0},
    BAMBA_RT_ELEMENT_TYPES(BAMBA_RT_ELEMENT_TYPE)
#undef BAMBA_RT_ELEMENT_TYPE
};

/// True for a type that states can have.
constexpr bool isOfStates(const ElementType &type) { return type.isWeight || type.type == BAMBA_RT_I8; }

/// True for a type that weights are converted from and no kernel computes with.
constexpr bool isOfCheckpointsOnly(const ElementType &type) { return type.isStored && !type.isWeight; }

/// Null for a number that is no element type.
constexpr const ElementType *findElementType(uint32_t number) {
  for (const ElementType &type : kElementTypes)
    if (type.type == number)
      return &type;
  return nullptr;
}

/// Null for a name that is none.
constexpr const ElementType *findElementType(std::string_view name) {
  for (const ElementType &type : kElementTypes)
    if (type.name == name)
      return &type;
  return nullptr;
}

/// The types for which `which` is true, by one of their names, and one more, for error messages: "f32, bf16 or f16".
template <typename Predicate>
std::string listTypes(const Predicate &which, std::string_view ElementType::*name, std::string_view more = {}) {
  std::string text;
  size_t left = more.empty() ? 0 : 1;
  for (const ElementType &type : kElementTypes)
    left += which(type);
  for (const ElementType &type : kElementTypes)
    if (which(type)) {
      text += type.*name;
      text += --left > 1 ? ", " : left == 1 ? " or " : "";
    }
  text += more;
  return text;
}

/// The types that weights and states can have.
inline std::string listWeightTypes(std::string_view ElementType::*name) {
  return listTypes([](const ElementType &type) { return type.isWeight; }, name);
}

/// The types that checkpoints can have numbers of, rather than codes.
inline std::string listNumberTypes(std::string_view ElementType::*name) {
  return listTypes([](const ElementType &type) { return type.isStored && !type.isScaled; }, name);
}

/// The types that a user can choose for weights and states, and another choice.
inline std::string listChosenTypes(std::string_view ElementType::*name, std::string_view more = {}) {
  return listTypes([](const ElementType &type) { return type.isWeight && !type.isScaled; }, name, more);
}

/// What is known of a type.
constexpr const ElementType &describe(bamba_rt_dtype type) { return *findElementType(static_cast<uint32_t>(type)); }

} // namespace bambac::contract
#endif

#endif /* BAMBA_RUNTIME_CONTRACT_ELEMENT_TYPES_H */
