// The metadata that the compiler puts into a library, as the structs that the commands work with.
#ifndef BAMBAC_RUNTIME_RUN_METADATA_H
#define BAMBAC_RUNTIME_RUN_METADATA_H

#include "runtime/run/Library.h"
#include "runtime/run/Output.h"

#include <cstdint>
#include <string>
#include <vector>

namespace bambac::run {

/// One program of the library. Bytes and operations are of one run in which every weight is read once; to them comes,
/// for every sequence and every token that it already holds, what attention reads and computes.
struct EntryPoint {
  std::string name;
  std::string kind; ///< "decode", "prefill" or "score"
  uint64_t batch = 0;
  uint64_t chunk = 0;
  uint64_t launches = 0;
  uint64_t arenaBytes = 0;
  uint64_t weightBytes = 0;
  uint64_t stateBytes = 0;
  uint64_t activationBytes = 0;
  uint64_t flops = 0;
  uint64_t contextBytes = 0;
  uint64_t contextFlops = 0;
};

struct KernelInfo {
  std::string name;
  std::string target;
  std::string schedule;
  uint64_t count = 0;
  uint64_t scratchBytes = 0;
};

/// A tensor of the checkpoint.
struct SourceTensor {
  std::string name;
  std::vector<uint64_t> shape;
};

/// A weight as the kernels read it, made of one or more tensors.
struct WeightInfo {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t panel = 0;
  uint64_t bytes = 0;
  std::vector<SourceTensor> sources;
};

struct StateInfo {
  std::string name;
  std::string kind; ///< "slot": one a sequence; "page": one a page of the KV cache
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t bytes = 0;
};

struct Metadata {
  Json json; ///< the whole of it, for the parts that are only shown
  std::vector<EntryPoint> entryPoints;
  std::vector<KernelInfo> kernels;
  std::vector<WeightInfo> weights;
  std::vector<StateInfo> states;
};

/// Throws Error where the library's metadata is not what the compiler writes.
Metadata readMetadata(const Library &library);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_METADATA_H
