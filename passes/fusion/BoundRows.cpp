// Dispatches that leave out the rows which a step does not have: see BoundRows in Passes.td.
#include "dialects/bamba/EntryPoint.h"
#include "passes/Passes.h"

namespace bambac {
#define GEN_PASS_DEF_BOUNDROWS
#include "passes/Passes.h.inc"

namespace {

/// The argument of an entry point that says how many of its rows are there; null for none.
BlockArgument findRowsInput(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), attr::kInput);
    if (name && name.getValue() == StringRef(contract::kInputs[BAMBA_RT_INPUT_ROWS].name))
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

struct BoundRows : impl::BoundRowsBase<BoundRows> {
  void runOnOperation() override {
    auto entry = getOperation()->getAttrOfType<EntryAttr>(attr::kEntry);
    if (!entry)
      return;
    int64_t rows = entry.getBatch() * entry.getChunk();
    BlockArgument count = findRowsInput(getOperation());
    if (!count || rows == 1) // a step has a row at least
      return;
    getOperation().walk([&](DispatchOp dispatch) {
      if (!isOfRows(dispatch, rows))
        return;
      dispatch.getRowsMutable().assign(count);
      dispatch.getBody().insertArgument(0u, count.getType(), dispatch.getLoc());
      ++numBound;
    });
  }
};

} // namespace
} // namespace bambac
