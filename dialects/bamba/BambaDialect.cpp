// Registration of the dialect and the checks of its discardable attributes.
#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include "dialects/bamba/BambaDialect.cpp.inc"

namespace bambac {

bool isFresh(Value destination) { return destination.getDefiningOp<tensor::EmptyOp>() != nullptr; }

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
template <typename... T> static bool isAttr(Attribute attribute) { return isa<T...>(attribute); }

static bool isSourceList(Attribute attribute) {
  auto array = dyn_cast<ArrayAttr>(attribute);
  return array && !array.empty() && llvm::all_of(array, llvm::IsaPred<SourceAttr>);
}

static bool isScheduleList(Attribute attribute) {
  auto array = dyn_cast<ArrayAttr>(attribute);
  return array && llvm::all_of(array, llvm::IsaPred<CudaScheduleAttr>);
}

static bool isToken(Attribute attribute) {
  auto token = dyn_cast<IntegerAttr>(attribute);
  return token && token.getType().isSignlessInteger(32) && token.getInt() >= 0;
}

static bool isTokenList(Attribute attribute) {
  auto tokens = dyn_cast<DenseI32ArrayAttr>(attribute);
  return tokens && llvm::all_of(tokens.asArrayRef(), [](int32_t token) { return token >= 0; });
}

static constexpr AttributeRule kRules[] = {
    {attr::kTarget, isOp<ModuleOp>, "a module", isAttr<CpuTargetAttr, CudaTargetAttr>,
     "#bamba.cpu_target or #bamba.cuda_target"},
    {attr::kLimits, isOp<ModuleOp>, "a module", isAttr<LimitsAttr>, "#bamba.limits"},
    {attr::kConfig, isOp<ModuleOp>, "a module", isAttr<StringAttr>, "a string"},
    {attr::kBosToken, isOp<ModuleOp>, "a module", isToken, "an i32 of at least 0"},
    {attr::kEosTokens, isOp<ModuleOp>, "a module", isTokenList, "an array of i32 of at least 0"},
    {attr::kCheckpoint, isOp<ModuleOp>, "a module", isAttr<StringAttr>, "a string"},
    {attr::kEntry, isOp<FunctionOpInterface>, "a function", isAttr<EntryAttr>, "#bamba.entry"},
    {attr::kArenaBytes, isOp<FunctionOpInterface>, "a function", isAttr<IntegerAttr>, "an integer"},
    {attr::kSources, isOp<ml_program::GlobalOp>, "a global", isSourceList, "a list of #bamba.source"},
    {attr::kTranspose, isOp<ml_program::GlobalOp>, "a global", isAttr<UnitAttr>, "a unit"},
    {attr::kInterleave, isOp<ml_program::GlobalOp>, "a global", isAttr<UnitAttr>, "a unit"},
    {attr::kScales, isOp<ml_program::GlobalOp>, "a global", isAttr<FlatSymbolRefAttr>, "the name of a global"},
    {attr::kPositive, isOp<ml_program::GlobalOp>, "a global", isAttr<UnitAttr>, "a unit"},
    {attr::kOptional, isOp<ml_program::GlobalOp>, "a global", isAttr<UnitAttr>, "a unit"},
    {attr::kComputed, isOp<ml_program::GlobalOp>, "a global", isAttr<UnitAttr>, "a unit"},
    {attr::kState, isOp<ml_program::GlobalOp>, "a global", isAttr<StateAttr>, "#bamba.state"},
    {attr::kKernel, isOp<FunctionOpInterface>, "a function", isAttr<UnitAttr>, "a unit"},
    {attr::kRows, isOp<LoopLikeOpInterface>, "a loop", isAttr<UnitAttr>, "a unit"},
    {attr::kMayBeEmpty, isOp<FunctionOpInterface>, "a function", isAttr<UnitAttr>, "a unit"},
    {attr::kSchedule, isOp<FunctionOpInterface>, "a function", isAttr<CpuScheduleAttr, CudaScheduleAttr>,
     "#bamba.cpu_schedule or #bamba.cuda_schedule"},
    {attr::kFallbacks, isOp<FunctionOpInterface>, "a function", isScheduleList, "a list of #bamba.cuda_schedule"},
    {attr::kCost, isOp<FunctionOpInterface>, "a function", isAttr<CostAttr>, "#bamba.cost"},
    {attr::kWorkgroups, isOp<FunctionOpInterface>, "a function", isAttr<IntegerAttr>, "an integer"},
    {attr::kScratchBytes, isOp<FunctionOpInterface>, "a function", isAttr<IntegerAttr>, "an integer"},
};

/// Rows take turns: every source has as many.
static LogicalResult verifyInterleave(Operation *global) {
  auto sources = global->getAttrOfType<ArrayAttr>(attr::kSources);
  if (!sources || !isSourceList(sources))
    return global->emitError() << "expected '" << attr::kSources << "' together with '" << attr::kInterleave << "'";
  auto rowsOf = [](Attribute source) { return cast<SourceAttr>(source).getNumRows(); };
  for (Attribute source : sources)
    if (rowsOf(source) != rowsOf(sources[0]))
      return global->emitError() << "expected sources of equal rows to take turns, found " << source << " and "
                                 << sources[0];
  return success();
}

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
    return rule.name == attr::kInterleave ? verifyInterleave(op) : success();
  }
  return op->emitError() << "unknown attribute '" << attribute.getName().getValue() << "'";
}

/// An attribute of an argument or a result: the one of that name, a string.
static LogicalResult verifyPlace(Operation *op, StringRef what, unsigned index, NamedAttribute attribute,
                                 StringRef expected) {
  if (attribute.getName() != expected)
    return op->emitError() << "expected '" << expected << "' on " << what << " " << index << ", found '"
                           << attribute.getName().getValue() << "'";
  if (!isa<StringAttr>(attribute.getValue()))
    return op->emitError() << "expected '" << expected << "' on " << what << " " << index << " to be a string, found "
                           << attribute.getValue();
  return success();
}

LogicalResult BambaDialect::verifyRegionArgAttribute(Operation *op, unsigned, unsigned index,
                                                     NamedAttribute attribute) {
  if (attribute.getName() == attr::kRows && op->hasAttr(attr::kKernel)) {
    if (isa<UnitAttr>(attribute.getValue()))
      return success();
    return op->emitError() << "expected '" << attr::kRows << "' on argument " << index << " to be a unit, found "
                           << attribute.getValue();
  }
  return verifyPlace(op, "argument", index, attribute, attr::kInput);
}

LogicalResult BambaDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned index,
                                                        NamedAttribute attribute) {
  return verifyPlace(op, "result", index, attribute, attr::kOutput);
}

} // namespace bambac
