// The metadata that the compiler puts into a library, as the structs that the commands work with.
#ifndef BAMBAC_RUNTIME_RUN_LIBRARY_METADATA_H
#define BAMBAC_RUNTIME_RUN_LIBRARY_METADATA_H

#include "runtime/run/library.h"
#include "runtime/run/output.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bambac::run {

/// What one run of a program or one launch of a kernel moves and computes. Every weight is read once, states are read
/// and written; to them comes, for every sequence and every token that it already holds, what attention reads and
/// computes.
struct Cost {
  uint64_t weightBytes = 0;
  uint64_t stateBytes = 0;
  uint64_t activationBytes = 0;
  uint64_t flops = 0;
  uint64_t contextBytes = 0;
  uint64_t contextFlops = 0;
  uint64_t codeFlops = 0; ///< of `flops`, those of products of codes
};

/// One program of the library.
struct EntryPoint {
  std::string name;
  std::string kind; ///< "decode" or "prefill"
  uint64_t batch = 0;
  uint64_t chunk = 0;
  uint64_t launches = 0;
  uint64_t arenaBytes = 0;
  Cost cost;
};

/// How a kernel is launched on a CUDA device, and what its code needs.
struct CudaKernelInfo {
  std::vector<uint64_t> grid;
  uint64_t threads = 0;
  uint64_t cluster = 1;
  uint64_t registers = 0;
  uint64_t sharedBytes = 0;
  uint64_t spillBytes = 0;
  uint64_t codeBytes = 0;
};

struct KernelInfo {
  std::string name;
  std::string target;
  std::string schedule;
  uint64_t count = 0;
  uint64_t scratchBytes = 0;
  Cost cost; ///< of one launch
  std::optional<CudaKernelInfo> cuda;
};

/// A tensor of the checkpoint, or rows of one.
struct SourceTensor {
  std::string name;
  std::vector<uint64_t> shape;         ///< of the whole tensor
  std::vector<uint64_t> rows;          ///< the first and how many; empty: all
  uint64_t headDim = 0, rotaryDim = 0; ///< rotaryDim > 0: pairs of a rotary embedding become neighbouring rows
};

/// A weight as the kernels read it, made of one or more tensors.
struct WeightInfo {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t panel = 0; ///< 0: not packed for a matrix product
  uint64_t bytes = 0;
  bool isInterleaved = false; ///< the sources take turns row by row; else they are stacked
  std::string scales;         ///< of codes: the weight with their scales, else empty
  bool isComputed = false;    ///< scales of codes for which a checkpoint of the configuration has numbers
  std::string packKernel;     ///< on a GPU the kernel that packs it, else empty
  std::vector<SourceTensor> sources;
};

struct StateInfo {
  std::string name;
  std::string kind; ///< "slot": one a sequence; "page": one a page of the KV cache
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t bytes = 0;
};

/// Of one model: the code for one target.
struct Metadata {
  Json json; ///< the whole of it, for the parts that are only shown
  std::string target;
  uint64_t vocabSize = 0;
  std::vector<EntryPoint> entryPoints;
  std::vector<KernelInfo> kernels;
  std::vector<WeightInfo> weights;
  std::vector<StateInfo> states;
};

/// All of it as it stands in the library. Throws Failure where its version is not the one that is known here.
Json readMetadataJson(const Library &library);

/// Of all models of the library. Throws Failure where its metadata is not what the compiler writes.
std::vector<Metadata> readMetadata(const Library &library);

/// Of the model for `target`. Throws Failure where there is none.
Metadata readMetadata(const Library &library, const std::string &target);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_LIBRARY_METADATA_H
