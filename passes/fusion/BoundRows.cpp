// Dispatches that leave out the rows which a step does not have: see BoundRows in Passes.td.
#include "dialects/bamba/EntryPoint.h"
#include "passes/Passes.h"

namespace bambac {
#define GEN_PASS_DEF_BOUNDROWS
#include "passes/Passes.h.inc"

namespace {

/// How many rows a dispatch has room for, and the input that says how many of them are there.
struct Bound {
  int64_t rows;
  BlockArgument count;
  bool mayBeEmpty;
};

/// The argument of an entry point that is this input; null for none.
BlockArgument findInput(func::FuncOp function, bamba_rt_input input) {
  for (BlockArgument argument : function.getArguments()) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), attr::kInput);
    if (name && name.getValue() == StringRef(contract::kInputs[input].name))
      return argument;
  }
  return {};
}

/// True for a matrix or vector of so many rows.
bool hasRows(Value value, int64_t rows) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getRank() > 0 && type.getDimSize(0) == rows;
}

/// Neither an input of the entry point nor a weight, whose sizes may be the same by chance.
bool isActivation(Value value) {
  return !isa<BlockArgument>(value) && !value.getDefiningOp<ml_program::GlobalLoadConstOp>();
}

/// True where the dispatch computes row by row: each result is a state or has all rows, and if all are states, an input
/// has them.
bool isOfRows(DispatchOp dispatch, int64_t rows) {
  bool anyFresh = false;
  for (Value init : dispatch.getInits()) {
    if (!isFresh(init))
      continue;
    if (!hasRows(init, rows))
      return false;
    anyFresh = true;
  }
  return anyFresh ||
         llvm::any_of(dispatch.getInputs(), [&](Value input) { return isActivation(input) && hasRows(input, rows); });
}

/// Tells dispatches of all rows from those of the rows whose logits are kept.
class KeptRows {
public:
  /// True for the dispatch that takes them, and for those that read what it or another of them gives. To be asked in
  /// the order of the block.
  bool contain(DispatchOp dispatch) {
    bool takes = !dispatch.getBody().getOps<TakeRowsOp>().empty();
    if (!takes && llvm::none_of(dispatch.getInputs(), [&](Value input) { return values.contains(input); }))
      return false;
    values.insert_range(dispatch.getResults());
    return true;
  }

private:
  DenseSet<Value> values;
};

struct BoundRows : impl::BoundRowsBase<BoundRows> {
  void runOnOperation() override {
    auto entry = getOperation()->getAttrOfType<EntryAttr>(attr::kEntry);
    if (!entry)
      return;
    // A step has a row at least.
    Bound all{entry.getRows(), findInput(getOperation(), BAMBA_RT_INPUT_ROWS), /*mayBeEmpty=*/false};
    Bound kept{entry.getKeptRows(), findInput(getOperation(), BAMBA_RT_INPUT_KEPT_COUNT), /*mayBeEmpty=*/true};
    if (all.rows == 1)
      return;
    KeptRows keptRows;
    getOperation().walk([&](DispatchOp dispatch) { bind(dispatch, keptRows.contain(dispatch) ? kept : all); });
  }

  void bind(DispatchOp dispatch, const Bound &bound) {
    if (!bound.count || !isOfRows(dispatch, bound.rows))
      return;
    dispatch.getRowsMutable().assign(bound.count);
    dispatch.setMayBeEmpty(bound.mayBeEmpty);
    dispatch.getBody().insertArgument(0u, bound.count.getType(), dispatch.getLoc());
    ++numBound;
  }
};

} // namespace
} // namespace bambac
