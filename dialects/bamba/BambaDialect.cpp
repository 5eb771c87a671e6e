// Registration of the dialect and the checks of its discardable attributes.
#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include "dialects/bamba/BambaDialect.cpp.inc"

namespace bambac {

void BambaDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "dialects/bamba/BambaOps.cpp.inc"
      >();
}

/// Where a discardable attribute may stand and of what class it must be.
struct AttributeRule {
  StringLiteral name;
  bool (*standsOn)(Operation *);
  StringLiteral place;
  bool (*isRight)(Attribute);
  StringLiteral expected;
};

template <typename T> static bool isOp(Operation *op) { return isa<T>(op); }
template <typename T> static bool isAttr(Attribute attribute) { return isa<T>(attribute); }

static bool isSourceList(Attribute attribute) {
  auto array = dyn_cast<ArrayAttr>(attribute);
  return array && !array.empty() && llvm::all_of(array, llvm::IsaPred<SourceAttr>);
}

static constexpr AttributeRule kRules[] = {
    {attr::kTarget, isOp<ModuleOp>, "a module", isAttr<TargetAttr>, "#bamba.target"},
    {attr::kLimits, isOp<ModuleOp>, "a module", isAttr<LimitsAttr>, "#bamba.limits"},
    {attr::kConfig, isOp<ModuleOp>, "a module", isAttr<StringAttr>, "a string"},
    {attr::kEntry, isOp<FunctionOpInterface>, "a function", isAttr<EntryAttr>, "#bamba.entry"},
    {attr::kArenaBytes, isOp<FunctionOpInterface>, "a function", isAttr<IntegerAttr>, "an integer"},
    {attr::kSources, isOp<ml_program::GlobalOp>, "a global", isSourceList, "a list of #bamba.source"},
    {attr::kTranspose, isOp<ml_program::GlobalOp>, "a global", isAttr<UnitAttr>, "a unit"},
    {attr::kState, isOp<ml_program::GlobalOp>, "a global", isAttr<StateAttr>, "#bamba.state"},
    {attr::kKernel, isOp<FunctionOpInterface>, "a function", isAttr<UnitAttr>, "a unit"},
    {attr::kSchedule, isOp<FunctionOpInterface>, "a function", isAttr<CpuScheduleAttr>, "#bamba.cpu_schedule"},
    {attr::kCost, isOp<FunctionOpInterface>, "a function", isAttr<CostAttr>, "#bamba.cost"},
    {attr::kWorkgroups, isOp<FunctionOpInterface>, "a function", isAttr<IntegerAttr>, "an integer"},
    {attr::kScratchBytes, isOp<FunctionOpInterface>, "a function", isAttr<IntegerAttr>, "an integer"},
};

LogicalResult BambaDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  for (const AttributeRule &rule : kRules) {
    if (attribute.getName() != rule.name)
      continue;
    if (!rule.standsOn(op))
      return op->emitError() << "expected '" << rule.name << "' on " << rule.place << ", found it on '" << op->getName()
                             << "'";
    if (!rule.isRight(attribute.getValue()))
      return op->emitError() << "expected '" << rule.name << "' to be " << rule.expected << ", found "
                             << attribute.getValue();
    return success();
  }
  return op->emitError() << "unknown attribute '" << attribute.getName().getValue() << "'";
}

} // namespace bambac
