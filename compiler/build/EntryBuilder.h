// Writes the body of one entry point: the model's forward pass over the rows of a step.
#ifndef BAMBAC_COMPILER_BUILD_ENTRYBUILDER_H
#define BAMBAC_COMPILER_BUILD_ENTRYBUILDER_H

#include "compiler/targets/CompileLimits.h"
#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace bambac {

/// What the runtime passes to an entry point, in the order of its arguments.
struct EntryInputs {
  Value tokens, positions, slots, counts, pages;
};

/// Builds one entry point. The layers are methods, each kind in a file of its own (Mamba2.cpp, ...); they take
/// activations [rows, width] and return what is added to the residual stream.
class EntryBuilder {
public:
  EntryBuilder(ModuleOp module, SymbolTable &symbols, const BambaConfig &config, const CompileLimits &limits,
               const ElementTypes &types, EntryAttr entry);

  /// Adds the function to the module.
  func::FuncOp build();

private:
  func::FuncOp createFunction();
  /// Logits and greedy tokens of the step.
  SmallVector<Value> buildModel();
  Value buildMamba(Value input);
  Value buildAttention(Value input);
  Value buildMlp(Value input);
  /// The state space op on the convolved x|B|C and the raw dt.
  Value buildSsm(Value convolved, Value dt);

  // Names below are inside the current scope, such as "mamba.in_proj" in "layers.3.".
  Value weight(StringRef name);
  /// Null where the model has no such weight.
  Value optionalWeight(StringRef name);
  Value loadState(StringRef name);
  void storeState(StringRef name, Value value);
  ml_program::GlobalOp findGlobal(StringRef name);

  Value empty(ArrayRef<int64_t> shape, Type element);
  /// A destination [rows of `like`, width].
  Value emptyLike(Value like, int64_t width);
  /// The same for what a tensor core multiplies next.
  Value activations(Value like, int64_t width);
  /// `count` columns of a matrix from `offset` on.
  Value columns(Value matrix, int64_t offset, int64_t count);
  Value norm(Value input, StringRef weightName);
  /// A linear with the bias that its weight may have, its result an activation or of the type `element`.
  Value linear(Value input, StringRef name, Type element = {});
  Value add(Value lhs, Value rhs);

  /// From here on, names are inside `prefix`.
  void enter(const Twine &prefix);

  ModuleOp module;
  SymbolTable &symbols;
  const BambaConfig &config;
  const CompileLimits &limits;
  const ElementTypes &types;
  EntryAttr entry;
  OpBuilder builder;
  Location loc;
  std::string scope;
  EntryInputs inputs;
};

} // namespace bambac

#endif // BAMBAC_COMPILER_BUILD_ENTRYBUILDER_H
