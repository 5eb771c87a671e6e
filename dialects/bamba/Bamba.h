// The bamba dialect: its ops, attributes and the names of the discardable attributes that passes share.
#ifndef BAMBAC_DIALECTS_BAMBA_BAMBA_H
#define BAMBAC_DIALECTS_BAMBA_BAMBA_H

#include "dialects/LLVM.h"
#include "dialects/bamba/BambaAttributes.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"

#include "dialects/bamba/BambaDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/bamba/BambaOps.h.inc"

namespace bambac {

/// Discardable attributes of the dialect, each verified where it stands.
namespace attr {
/// On a module: CpuTargetAttr or CudaTargetAttr, LimitsAttr and the model's configuration as JSON (StringAttr); where
/// the model has them, the token that begins a text (IntegerAttr of i32) and those that end one (DenseI32ArrayAttr).
inline constexpr StringLiteral kTarget = "bamba.target";
inline constexpr StringLiteral kLimits = "bamba.limits";
inline constexpr StringLiteral kConfig = "bamba.config";
inline constexpr StringLiteral kBosToken = "bamba.bos_token";
inline constexpr StringLiteral kEosTokens = "bamba.eos_tokens";
/// On a module: what checkpoints may look like, the JSON of runtime/contract/checkpoint_rules.h. None: nothing special.
inline constexpr StringLiteral kCheckpoint = "bamba.checkpoint";
/// On an entry point: EntryAttr, and once memory is planned the arena's size in bytes.
inline constexpr StringLiteral kEntry = "bamba.entry";
inline constexpr StringLiteral kArenaBytes = "bamba.arena_bytes";
/// On an argument or a result of an entry point: which input or output it is (StringAttr, such as "tokens").
inline constexpr StringLiteral kInput = "bamba.input";
inline constexpr StringLiteral kOutput = "bamba.output";
/// On a global: an array of SourceAttr; UnitAttr where the stacked sources are transposed; UnitAttr where the sources,
/// of equal rows, take turns row by row instead of being stacked; on one that holds codes, the global with their scales
/// (FlatSymbolRefAttr), made of as many sources; UnitAttr where all numbers must be greater than zero; UnitAttr where
/// tensors that are missing are ones; on scales, UnitAttr where a checkpoint of the configuration has neither them nor
/// codes, but numbers; StateAttr.
inline constexpr StringLiteral kSources = "bamba.sources";
inline constexpr StringLiteral kTranspose = "bamba.transpose";
inline constexpr StringLiteral kInterleave = "bamba.interleave";
inline constexpr StringLiteral kScales = "bamba.scales";
inline constexpr StringLiteral kPositive = "bamba.positive";
inline constexpr StringLiteral kOptional = "bamba.optional";
inline constexpr StringLiteral kComputed = "bamba.computed";
inline constexpr StringLiteral kState = "bamba.state";
/// On a kernel: UnitAttr that marks it, a schedule attribute, CostAttr; once its code is made, the number of its
/// workgroups and the bytes of scratch that one needs.
inline constexpr StringLiteral kKernel = "bamba.kernel";
/// On an argument of a kernel: the number of its rows that are there (UnitAttr). On the loop over its workgroups: the
/// first dimension is that of rows.
inline constexpr StringLiteral kRows = "bamba.rows";
/// On a kernel with a number of rows (UnitAttr): it may be zero, and the kernel then does nothing.
inline constexpr StringLiteral kMayBeEmpty = "bamba.may_be_empty";
inline constexpr StringLiteral kSchedule = "bamba.schedule";
/// On a kernel between its schedule and its code: an array of CudaScheduleAttr, to be tried in turn where the schedule
/// makes the assembler spill registers.
inline constexpr StringLiteral kFallbacks = "bamba.fallbacks";
inline constexpr StringLiteral kCost = "bamba.cost";
inline constexpr StringLiteral kWorkgroups = "bamba.workgroups";
inline constexpr StringLiteral kScratchBytes = "bamba.scratch_bytes";
} // namespace attr

/// True for a destination that starts from nothing, a `tensor.empty`. A result with any other destination is a state:
/// it is computed into memory that outlives the kernel.
bool isFresh(Value destination);

/// The op that decides how a kernel with this body is computed: a linear, a state space op, attention or the append to
/// the cache where there is one; else the last that is more than element-wise; else the last. The others come before or
/// after it. Null where the body computes nothing.
Operation *getMainOp(Block &body);

/// What a linear multiplies, seen through the ops before it that are part of its kernel.
struct LinearSource {
  Value input;               ///< of the first of them
  RmsNormOp norm;            ///< null: none
  QuantizeOp quantize;       ///< of the norm's result, or of the input; null: none
  QuantizeOp sharedQuantize; ///< whose codes are the input, in memory, made by some blocks for all; null: none
};
LinearSource getSource(LinearOp linear);

/// True for a quantization in the kernel of the linear that reads it whose codes are in memory: results of the kernel.
bool hasSharedCodes(QuantizeOp quantize);

/// The quantization at the end of the element-wise ops that follow in the kernel of `produced`, its main op's result;
/// null where there is none.
QuantizeOp findTailQuantize(Value produced);

/// The fields of a config.json that give an op its sizes: "a, b or c". For errors about sizes that fit nowhere.
StringRef getConfigFields(Operation *op);

} // namespace bambac

#endif // BAMBAC_DIALECTS_BAMBA_BAMBA_H
