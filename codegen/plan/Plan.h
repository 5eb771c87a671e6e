// The plan of a library: its entry points as flat lists of kernel calls on numbered buffers, read off a scheduled
// module.
#ifndef BAMBAC_CODEGEN_PLAN_PLAN_H
#define BAMBAC_CODEGEN_PLAN_PLAN_H

#include "dialects/bamba/Bamba.h"
#include "dialects/bamba/ElementType.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/contract/abi.h"

#include <optional>
#include <string>
#include <vector>

namespace bambac::codegen {

/// The code of a kernel for a CUDA device, how it is launched, and what ptxas says of it.
struct CudaCode {
  std::string cubin, symbol; ///< and its function in there, which may be that of several kernels
  bamba_rt_cuda_launch launch = {};
  SmallVector<bamba_rt_param> params;
  uint32_t registers = 0, staticSharedBytes = 0, spillBytes = 0;
};

/// What the code generator of a target says of a kernel that it has compiled.
struct KernelCode {
  std::string name;
  uint64_t numWorkgroups = 0; ///< 0 for CUDA
  uint64_t scratchBytes = 0;  ///< of one workgroup; 0 for CUDA
  std::optional<CudaCode> cuda;
};

/// Bytes and operations of one launch, or of all launches of an entry point: the numbers of #bamba.cost.
struct PlanCost {
  uint64_t weights = 0, states = 0, activations = 0, flops = 0, contextBytes = 0, contextFlops = 0, codeFlops = 0;
  PlanCost &operator+=(const PlanCost &other);
};

struct PlanKernel {
  std::string name, schedule;
  KernelCode code;
  PlanCost cost;
  uint64_t count = 0; ///< launches over all entry points
};

struct PlanLaunch {
  uint32_t kernel = 0;
  SmallVector<bamba_rt_arg> args; ///< one for each argument of the kernel
};

struct PlanEntry {
  std::string name;
  EntryKind kind = EntryKind::Decode;
  uint32_t batch = 0, chunk = 0;
  uint32_t kept = 0; ///< rows of logits at most
  uint64_t arenaBytes = 0;
  std::vector<PlanLaunch> launches;
  PlanCost cost;
};

/// Rows of a tensor of the checkpoint.
struct PlanSource {
  std::string name;
  SmallVector<uint64_t> shape; ///< of the whole tensor
  uint64_t firstRow = 0, numRows = 0;
  uint32_t headDim = 0, rotaryDim = 0; ///< the order of its rows; see bamba_rt_source
  uint32_t repeat = 0;                 ///< how often each row stands; 0: once
};

/// A weight as kernels read it; see bamba_rt_weight for the layout.
struct PlanWeight {
  std::string name;
  bamba_rt_dtype dtype = BAMBA_RT_F32;
  SmallVector<uint64_t> shape; ///< of the tensor that the kernels see, without padding
  uint64_t panel = 0, panelGroup = 1, panelAlign = 1, rows = 0, cols = 0, bytes = 0;
  bool transposed = false, interleaved = false, positive = false, optional = false, computed = false;
  uint32_t packKernel = 0; ///< on CUDA: the kernel that packs it
  uint32_t scales = 0;     ///< of codes: 1 + the number of the weight with their scales
  std::vector<PlanSource> sources;
};

/// A pool of state items, one a sequence slot or a KV page.
struct PlanState {
  std::string name;
  StateKind kind = StateKind::Slot;
  bamba_rt_dtype dtype = BAMBA_RT_F32;
  SmallVector<uint64_t> shape; ///< of one item
  uint64_t itemBytes = 0;
};

struct Plan {
  std::string config;     ///< JSON, as the module has it: a note
  std::string checkpoint; ///< JSON, as the module has it: the rules of its checkpoints
  Device device = Device::Cpu;
  std::string target; ///< "cpu" or the CUDA architecture, "sm_90a"
  std::string arch;   ///< the processor by LLVM's name, or the CUDA architecture
  ComputeCapability compute;
  bool packsOnDevice = false;        ///< kernels pack the weights
  std::vector<std::string> features; ///< of the processor, by LLVM's names
  uint32_t vocabSize = 0;
  std::vector<int32_t> eosTokens; ///< that end a text
  int32_t bosToken = -1;          ///< that begins a text; -1: none
  uint32_t maxBatch = 0;          ///< of the largest decode entry
  uint32_t maxContext = 0, prefillChunk = 0;
  uint32_t pageTokens = 0;              ///< 0 without attention
  uint32_t maxPages = 1;                ///< of one sequence
  uint32_t stateRing = 1;               ///< decode steps from one write of SSM states to the next
  uint32_t rowTile = 1, weightRows = 1; ///< as the target has them
  uint64_t fingerprint = 0;
  std::vector<PlanEntry> entries; ///< by kind, then batch, then chunk
  std::vector<PlanKernel> kernels;
  std::vector<PlanWeight> weights; ///< those that a launch reads
  std::vector<PlanState> states;   ///< those that a launch reads or updates
};

/// Reads the plan off a module whose kernels are scheduled and whose memory is planned; `code` has an item for each of
/// its kernels. Emits an error and fails where the module is anything else.
FailureOr<Plan> buildPlan(ModuleOp module, ArrayRef<KernelCode> code);

/// The kernel that packs weights of this type and layout on CUDA, "pack_weights_bf16_8x8"; panel 0: row-major,
/// "pack_weights_f32".
std::string packKernelName(bamba_rt_dtype dtype, uint64_t panel, uint64_t group);

/// The type of the weight matrices: bf16 or f16 where there is one of that type, else f32.
bamba_rt_dtype weightType(const Plan &plan);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_PLAN_PLAN_H
