// A name is declared once; the first who asks for it decides where.
#include "compiler/build/Globals.h"

using namespace mlir;

namespace bambac {

std::pair<ml_program::GlobalOp, bool> Globals::declare(StringRef name, RankedTensorType type, bool isMutable) {
  ml_program::GlobalOp &global = declared[name];
  if (global)
    return {global, false};
  if (last)
    builder.setInsertionPointAfter(last);
  else
    builder.setInsertionPointToStart(module.getBody());
  last = global = ml_program::GlobalOp::create(builder, builder.getUnknownLoc(), name, type, isMutable,
                                               ml_program::ExternAttr::get(builder.getContext(), type),
                                               builder.getStringAttr("private"));
  return {global, true};
}

static Attribute makeSource(MLIRContext *context, const TensorRows &rows) {
  RowRange range;
  if (rows.countRows() != rows.countAllRows())
    range = {rows.firstRow, rows.countRows()};
  return SourceAttr::get(context, StringAttr::get(context, rows.tensor), rows.shape, range,
                         rows.repeat == 1 ? 0 : rows.repeat);
}

Type Globals::typeOf(Precision precision) const {
  switch (precision) {
  case Precision::Chosen:
    return types.matrix;
  case Precision::Full:
    return types.wide;
  case Precision::Codes:
    return types.codes;
  }
  llvm_unreachable("the switch covers all precisions");
}

ml_program::GlobalOp Globals::getWeight(const Weight &weight) {
  auto type = RankedTensorType::get(weight.shape, typeOf(weight.precision));
  auto [global, isNew] = declare(weight.name, type, /*isMutable=*/false);
  if (!isNew)
    return global;
  SmallVector<Attribute> sources;
  for (const TensorRows &rows : weight.sources)
    sources.push_back(makeSource(builder.getContext(), rows));
  global->setAttr(attr::kSources, builder.getArrayAttr(sources));
  if (weight.transposed)
    global->setAttr(attr::kTranspose, builder.getUnitAttr());
  if (weight.optional)
    global->setAttr(attr::kOptional, builder.getUnitAttr());
  if (weight.computed)
    global->setAttr(attr::kComputed, builder.getUnitAttr());
  if (weight.positive)
    global->setAttr(attr::kPositive, builder.getUnitAttr());
  if (!weight.scales.empty())
    global->setAttr(attr::kScales, FlatSymbolRefAttr::get(builder.getContext(), weight.scales));
  return global;
}

ml_program::GlobalOp Globals::getState(StringRef name, StateKind kind, ArrayRef<int64_t> itemShape, Type element) {
  SmallVector<int64_t> shape{ShapedType::kDynamic};
  llvm::append_range(shape, itemShape);
  auto [global, isNew] = declare(name, RankedTensorType::get(shape, element), /*isMutable=*/true);
  if (isNew)
    global->setAttr(attr::kState, StateAttr::get(builder.getContext(), kind));
  return global;
}

} // namespace bambac
