// Writes the body of one entry point: the model's forward pass over the rows of a step.
#ifndef BAMBAC_COMPILER_BUILD_ENTRYBUILDER_H
#define BAMBAC_COMPILER_BUILD_ENTRYBUILDER_H

#include "compiler/build/Globals.h"
#include "compiler/targets/CompileLimits.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bambac {

/// What the runtime passes to an entry point, in the order of its arguments.
struct EntryInputs {
  Value tokens, positions, slots, starts, pending, pieces, kept, sampling, pages;
};

/// What a step and a scan of the state space recurrence have in common.
struct SsmOperands {
  Value x, dt, b, c, aLog, d, dtBias, init, state, scales; ///< scales: of a state of codes, or null
};

/// Builds one entry point. Each kind of block is an overload of buildBody(), the mixers in files of their own
/// (Mamba2.cpp, Attention.cpp); they take activations [rows, width] and return what is added to the residual stream.
class EntryBuilder {
public:
  EntryBuilder(ModuleOp module, Globals &globals, const ModelDescription &model, const CompileLimits &limits,
               const ElementTypes &types, EntryAttr entry);

  /// Adds the function to the module, and globals that it is the first to use.
  func::FuncOp build();

private:
  func::FuncOp createFunction();
  /// Logits, greedy tokens and drawn tokens of the step.
  SmallVector<Value> buildModel();
  Value buildBody(const Mamba2 &mamba, Value input);
  Value buildBody(const Attention &attention, Value input);
  Value buildBody(const SwigluMlp &mlp, Value input);
  /// The state space op on the convolved x|B|C and the raw dt.
  Value buildSsm(const Mamba2 &mamba, Value convolved, Value dt);
  SsmStepOp buildSsmStep(const Mamba2 &mamba, const SsmOperands &operands);
  SsmScanOp buildSsmScan(const Mamba2 &mamba, SsmOperands operands);
  /// Takes the state over what waits in the ring.
  void foldRing(const Mamba2 &mamba, SsmOperands &operands);
  /// The pools of a layer's ring: what the tokens that wait brought.
  std::pair<ml_program::GlobalOp, ml_program::GlobalOp> getRing(const Mamba2 &mamba);
  bool hasRing() const { return *limits.stateRing > 1; }

  Value loadWeight(const Weight &weight);
  /// Null where there is none.
  Value loadWeight(const std::optional<Weight> &weight);
  /// A state of the current layer, named "layers.3.NAME".
  ml_program::GlobalOp getState(StringRef name, StateKind kind, ArrayRef<int64_t> itemShape, Type element);
  Value loadState(ml_program::GlobalOp state);
  void storeState(ml_program::GlobalOp state, Value value);

  Value empty(ArrayRef<int64_t> shape, Type element);
  /// A destination [rows of `like`, width].
  Value emptyLike(Value like, int64_t width);
  /// The same for what a tensor core multiplies next.
  Value activations(Value like, int64_t width);
  Value sliceColumns(Value matrix, Columns columns);
  Value buildNorm(Value input, const Weight &scale);
  /// Codes and scales of what a matrix multiplies; the same for all linears that quantize it alike.
  std::pair<Value, Value> buildQuantized(Value input, const Quantization &quantization);
  /// A linear with the bias that it may have, its result an activation or of the type `element`.
  Value buildLinear(Value input, const Linear &linear, Type element = {});
  Value add(Value lhs, Value rhs);

  /// From here on, ops and states belong to this part of the model.
  void enter(std::string newPart);

  ModuleOp module;
  Globals &globals;
  const ModelDescription &model;
  const CompileLimits &limits;
  const ElementTypes &types;
  EntryAttr entry;
  OpBuilder builder;
  Location loc;
  std::string part; ///< "model" or a layer's name, "layers.3"
  EntryInputs inputs;
  QuantizeOp lastQuantized;       ///< null at first
  ml_program::GlobalOp lastFixed; ///< its static scales; null where it has none
};

} // namespace bambac

#endif // BAMBAC_COMPILER_BUILD_ENTRYBUILDER_H
