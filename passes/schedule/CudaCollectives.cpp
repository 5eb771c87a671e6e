// A table of the collectives, made from the geometry headers: each row reads a schedule's fields into its geometry and
// asks that whether it is legal.
#include "passes/schedule/CudaCollectives.h"
#include "geometry/quantize.h"
#include "passes/memory/TensorBytes.h"
#include "runtime/contract/launch.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace bambac {
namespace {

using geometry::Fault;
using geometry::Limits;

int sizeOf(Value value, unsigned dim) { return static_cast<int>(cast<ShapedType>(value.getType()).getDimSize(dim)); }

/// Elements from row to row of the buffer that a value is a slice of.
int strideOf(Value value) {
  while (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>())
    value = slice.getSource();
  return sizeOf(value, 1);
}

/// Static shared memory: a key for each row where the largest result of each is found, and what makes codes for all
/// blocks.
int staticBytes(LinearOp linear) {
  int bytes = 0;
  if (llvm::any_of(linear->getUsers(), llvm::IsaPred<ArgmaxOp>))
    bytes += geometry::maximaBytes(sizeOf(linear.getInput(), 0));
  if (QuantizeOp quantize = getSource(linear).sharedQuantize)
    bytes += geometry::sharedCodesBytes(sizeOf(quantize.getInput(), 1), static_cast<int>(quantize.getGroup()));
  return geometry::alignedStaticBytes(bytes);
}

template <typename Op> geometry::SsmShape ssmShapeOf(Op op, int rows) {
  int entries = 0;
  if constexpr (requires { op.getEntries(); })
    entries = op.getEntries() ? sizeOf(op.getEntries(), 1) : 0;
  return {sizeOf(op.getSlots(), 0),
          rows,
          static_cast<int>(op.getNumHeads()),
          static_cast<int>(op.getHeadDim()),
          static_cast<int>(op.getStateSize()),
          static_cast<int>(op.getNumGroups()),
          static_cast<int>(elementBytesOf(op.getState().getType())),
          entries};
}

/// A collective: the op that it computes, the names of its fields, and the check of their values for an op.
struct Collective {
  StringRef name;
  bool (*computes)(Operation *main);
  SmallVector<StringRef> fields;
  SmallVector<int> leastValues, mostValues; ///< of the fields
  Fault (*check)(Operation *main, ArrayRef<int> values, const Limits &limits);
};

template <typename Geometry, typename Op> Collective describe() {
  Collective collective;
  collective.name = Geometry::kCollective;
  collective.computes = [](Operation *main) { return isa<Op>(main); };
  if constexpr (requires { Geometry::kFields; })
    for (const auto &field : Geometry::kFields) {
      collective.fields.push_back(field.name);
      collective.leastValues.push_back(field.least);
      collective.mostValues.push_back(field.most);
    }
  collective.check = [](Operation *main, ArrayRef<int> values, const Limits &limits) {
    Geometry geometry{};
    if constexpr (requires { Geometry::kFields; })
      for (auto [field, value] : llvm::zip_equal(Geometry::kFields, values))
        geometry.*field.value = value;
    return geometry.legal(shapeOf(cast<Op>(main)), limits);
  };
  return collective;
}

ArrayRef<Collective> getCollectives() {
  static const Collective collectives[] = {describe<geometry::wgmma::LinearSkinny, LinearOp>(),
                                           describe<geometry::wgmma::LinearMiddle, LinearOp>(),
                                           describe<geometry::wgmma::LinearLarge, LinearOp>(),
                                           describe<geometry::mma::Linear, LinearOp>(),
                                           describe<geometry::AttentionDecode, AttentionOp>(),
                                           describe<geometry::wgmma::Prefill, AttentionOp>(),
                                           describe<geometry::mma::Prefill, AttentionOp>(),
                                           describe<geometry::wgmma::Scan, SsmScanOp>(),
                                           describe<geometry::mma::Scan, SsmScanOp>(),
                                           describe<geometry::SsmStep, SsmStepOp>(),
                                           describe<geometry::SsmFold, SsmFoldOp>()};
  return collectives;
}

template <typename... Args> llvm::Error makeError(const char *format, const Args &...args) {
  return llvm::createStringError(llvm::formatv(format, args...).str());
}

/// Instructions of one family: only sm_90a has wgmma.
bool hasInstructions(StringRef collective, CudaTargetAttr target) {
  return !collective.starts_with("wgmma/") || target.getArch() == "sm_90a";
}

/// The names of the collectives that compute an op on a target.
std::string listCollectives(Operation *main, CudaTargetAttr target) {
  SmallVector<StringRef> names;
  for (const Collective &collective : getCollectives())
    if (collective.computes(main) && hasInstructions(collective.name, target))
      names.push_back(collective.name);
  return llvm::join(names, ", ");
}

/// The values of a schedule's fields, in the order of the collective's.
llvm::Expected<SmallVector<int>> readFields(const Collective &collective, CudaScheduleAttr schedule) {
  std::string known = collective.fields.empty() ? "none" : llvm::join(collective.fields, ", ");
  for (NamedAttribute field : schedule.getFields())
    if (!llvm::is_contained(collective.fields, field.getName().getValue()))
      return makeError("expected a field of {0} ({1}), found '{2}'", collective.name, known,
                       field.getName().getValue());
  SmallVector<int> values;
  for (auto [name, least, most] : llvm::zip_equal(collective.fields, collective.leastValues, collective.mostValues)) {
    auto value = schedule.getFields().getAs<IntegerAttr>(name);
    if (!value)
      return makeError("field '{0}': expected all fields of {1} ({2}), found none", name, collective.name, known);
    if (value.getInt() < least || value.getInt() > most)
      return makeError("field '{0}': expected a size from {1} to {2}, found {3}", name, least, most, value.getInt());
    values.push_back(static_cast<int>(value.getInt()));
  }
  return values;
}

} // namespace

geometry::LinearShape shapeOf(LinearOp linear) {
  LinearSource source = getSource(linear);
  Type operand = cast<ShapedType>(linear.getWeight().getType()).getElementType();
  return {sizeOf(linear.getInput(), 0),  sizeOf(linear.getWeight(), 0),
          sizeOf(linear.getWeight(), 1), staticBytes(linear),
          source.norm != nullptr,        cast<ShapedType>(source.input.getType()).getElementType() == operand,
          strideOf(source.input),        static_cast<int>(operand.getIntOrFloatBitWidth() / 8),
          source.quantize != nullptr,    static_cast<int>(linear.getGroup()),
          linear.getFastAccumulate()};
}

geometry::AttentionShape shapeOf(AttentionOp attention) {
  return {sizeOf(attention.getPages(), 0),
          sizeOf(attention.getResult(), 0),
          attention.hasRuns(),
          static_cast<int>(attention.getNumKvHeads() * attention.getGroupSize()),
          static_cast<int>(attention.getNumKvHeads()),
          static_cast<int>(attention.getHeadDim()),
          static_cast<int>(attention.getPageTokens()),
          static_cast<int>(attention.getKCache().getType().getElementTypeBitWidth() / 8)};
}

geometry::SsmShape shapeOf(SsmScanOp scan) { return ssmShapeOf(scan, sizeOf(scan.getX(), 0)); }
geometry::SsmShape shapeOf(SsmStepOp step) { return ssmShapeOf(step, 1); }
geometry::SsmShape shapeOf(SsmFoldOp fold) { return ssmShapeOf(fold, 1); }

geometry::Limits limitsOf(CudaTargetAttr target) {
  return {static_cast<int>(target.getSharedBytes()), static_cast<int>(target.getMultiprocessors()),
          BAMBA_RT_WORKSPACE_COUNTERS};
}

std::string describeFault(const Fault &fault, CudaScheduleAttr schedule) {
  StringRef relation = "at most ";
  switch (fault.relation) {
  case Fault::AtMost:
    break;
  case Fault::AtLeast:
    relation = "at least ";
    break;
  case Fault::MultipleOf:
    relation = "a multiple of ";
    break;
  case Fault::DivisorOf:
    relation = "a divisor of ";
    break;
  case Fault::Exactly:
    relation = "";
    break;
  }
  std::string expected = llvm::formatv("expected {0}{1}", relation, fault.limit).str();
  if (schedule.getFields().contains(fault.what))
    return llvm::formatv("field '{0}': {1}, found {2}", fault.what, expected, fault.found).str();
  return llvm::formatv("{0} {1}, found {2}", expected, fault.what, fault.found).str();
}

int64_t getScanChunk(CudaScheduleAttr schedule) {
  auto chunk = schedule.getFields().getAs<IntegerAttr>("chunk");
  return chunk ? chunk.getInt() : int64_t(geometry::wgmma::Scan::kChunk);
}

llvm::Error checkCudaSchedule(Operation *main, CudaScheduleAttr schedule, CudaTargetAttr target) {
  StringRef name = schedule.getCollective().getValue();
  if (llvm::none_of(getCollectives(), [&](const Collective &candidate) { return candidate.computes(main); }))
    return makeError("expected a kernel with a schedule to choose, found one of {0}", name);
  const Collective *collective =
      llvm::find_if(getCollectives(), [&](const Collective &candidate) { return candidate.name == name; });
  if (collective == getCollectives().end() || !collective->computes(main) || !hasInstructions(name, target))
    return makeError("field 'collective': expected one that computes {0} on {1} ({2}), found '{3}'",
                     main->getName().getStringRef(), target.getArch().getValue(), listCollectives(main, target), name);
  llvm::Expected<SmallVector<int>> values = readFields(*collective, schedule);
  if (!values)
    return values.takeError();
  Fault fault = collective->check(main, *values, limitsOf(target));
  return fault.isLegal() ? llvm::Error::success() : llvm::createStringError(describeFault(fault, schedule));
}

} // namespace bambac
