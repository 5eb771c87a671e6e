// Structs of the C interface as callers of any version pass them: their sizes, and the part of them that this library
// knows.
#ifndef BAMBA_RUNTIME_API_STRUCTS_H
#define BAMBA_RUNTIME_API_STRUCTS_H

#include "runtime/include/bamba/engine.h"
#include "runtime/support/error.h"
#include <algorithm>
#include <cstddef>
#include <cstring>

namespace bambac::rt {

// The sizes of the first version of each struct. They stay when fields are added: a caller's struct is never smaller.
inline constexpr size_t firstModelOptions = 16, firstModelInfo = 56, firstSessionOptions = 24, firstBatchItem = 24,
                        firstLoadOptions = 40, firstEngineOptions = 56, firstRequestOptions = 96,
                        firstEngineEvent = 352, firstEngineCounters = 1448, firstSampling = 96, firstSample = 40;
static_assert(firstModelOptions == offsetof(bamba_model_options, device) + sizeof(const char *));
static_assert(firstModelInfo == offsetof(bamba_model_info, page_bytes) + sizeof(uint64_t));
static_assert(firstSessionOptions == offsetof(bamba_session_options, pages) + sizeof(uint64_t));
static_assert(firstLoadOptions == offsetof(bamba_load_options, reserved) + sizeof(uint32_t));
static_assert(firstSampling == offsetof(bamba_sampling, num_generated) + sizeof(uint32_t));
static_assert(firstSample == offsetof(bamba_sample, best_logprobs) + sizeof(const float *));
static_assert(firstBatchItem == offsetof(bamba_batch_item, reserved) + sizeof(uint32_t));
static_assert(firstEngineOptions == offsetof(bamba_engine_options, cache_host_bytes) + sizeof(uint64_t));
static_assert(firstRequestOptions == offsetof(bamba_request_options, no_prefix_cache) + sizeof(uint32_t));
static_assert(firstEngineEvent == offsetof(bamba_engine_event, message) + BAMBA_EVENT_MESSAGE);
static_assert(firstEngineCounters == offsetof(bamba_engine_counters, host_time) + sizeof(bamba_histogram));

/// No version will have a struct as large as this: a larger size was never set.
inline constexpr size_t largestStruct = 4096;

/// Throws Error BAMBA_INVALID_ARGUMENT for a size that no version of a struct has. `what` names it.
inline void expectStructSize(size_t found, size_t first, const char *what) {
  if (found < first)
    fail(BAMBA_INVALID_ARGUMENT, "{}: expected at least {}, found {}", what, first, found);
  if (found > largestStruct)
    fail(BAMBA_INVALID_ARGUMENT, "{}: expected at most {}, found {}", what, largestStruct, found);
  if (found % alignof(size_t) != 0)
    fail(BAMBA_INVALID_ARGUMENT, "{}: expected a multiple of {}, found {}", what, alignof(size_t), found);
}

/// Reads what this library knows of a caller's struct of `size` bytes; the rest of `to` stays. Throws Error
/// BAMBA_INVALID_ARGUMENT where the caller has set what the library does not know; `name()` says which struct it is.
template <typename Struct, typename Name>
void readStruct(const std::byte *from, size_t size, Struct &to, const Name &name) {
  size_t known = std::min(size, sizeof(Struct));
  const std::byte *end = from + size;
  const std::byte *set = std::find_if(from + known, end, [](std::byte byte) { return byte != std::byte{0}; });
  if (set != end)
    fail(BAMBA_INVALID_ARGUMENT,
         "{}: expected zeros after the {} bytes that version {}.{} of the interface knows, found byte {} set", name(),
         sizeof(Struct), BAMBA_VERSION_MAJOR, BAMBA_VERSION_MINOR, set - from);
  std::memcpy(&to, from, known);
}

/// The caller's options; zero, the default, where the caller knows no such field or passes none at all.
template <typename Struct> Struct readOptions(const Struct *given, size_t first) {
  Struct options = {};
  if (!given)
    return options;
  expectStructSize(given->struct_size, first, "options: struct_size");
  readStruct(reinterpret_cast<const std::byte *>(given), given->struct_size, options, [] { return "options"; });
  return options;
}

/// The parameters of a draw, of a caller of any version; `name()` says whose they are.
template <typename Name> bamba_sampling readSampling(const bamba_sampling &given, const Name &name) {
  bamba_sampling sampling = {};
  if (given.struct_size == sizeof(sampling))
    return given;
  expectStructSize(given.struct_size, firstSampling, (std::string(name()) + ": struct_size").c_str());
  readStruct(reinterpret_cast<const std::byte *>(&given), given.struct_size, sampling, name);
  return sampling;
}

/// Fills in a struct of the caller's, as far as its size goes; zeros where the library knows no such field.
template <typename Struct> void writeResult(Struct from, Struct *to, size_t first, const std::string &name) {
  size_t size = to->struct_size;
  expectStructSize(size, first, (name + ": struct_size").c_str());
  from.struct_size = size;
  std::byte *out = reinterpret_cast<std::byte *>(to);
  size_t known = std::min(size, sizeof(Struct));
  std::memcpy(out, &from, known);
  std::fill(out + known, out + size, std::byte{0});
}

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_API_STRUCTS_H
