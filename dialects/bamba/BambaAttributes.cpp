// Checks of the dialect's attributes.
#include "dialects/bamba/Bamba.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

#include "dialects/bamba/BambaEnums.cpp.inc"
#include "dialects/bamba/TargetInterface.cpp.inc"

using namespace bambac;

TargetInterface bambac::getTarget(Operation *op) {
  auto module = isa<ModuleOp>(op) ? cast<ModuleOp>(op) : op->getParentOfType<ModuleOp>();
  return module ? dyn_cast_or_null<TargetInterface>(module->getAttr(attr::kTarget)) : TargetInterface();
}

/// The fusions at the end of a target, if it allows any.
static ParseResult parseFusions(AsmParser &parser, SmallVector<Fusion> &fusions) {
  auto parseFusion = [&]() -> ParseResult {
    FailureOr<Fusion> fusion = FieldParser<Fusion>::parse(parser);
    if (failed(fusion))
      return failure();
    fusions.push_back(*fusion);
    return success();
  };
  if (failed(parser.parseOptionalComma()))
    return success();
  return failure(parser.parseKeyword("fusions") || parser.parseEqual() ||
                 parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseFusion));
}

static void printFusions(AsmPrinter &printer, ArrayRef<Fusion> fusions) {
  if (fusions.empty())
    return;
  printer << ", fusions = [";
  llvm::interleaveComma(fusions, printer, [&](Fusion fusion) { printer << stringifyFusion(fusion); });
  printer << "]";
}

#define GET_ATTRDEF_CLASSES
#include "dialects/bamba/BambaAttributes.cpp.inc"

namespace bambac {

void BambaDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/bamba/BambaAttributes.cpp.inc"
      >();
}

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

/// Rows of a source; a scalar counts as one row.
static int64_t countRows(ArrayRef<int64_t> shape, RowRange rows, int64_t repeat) {
  if (rows != RowRange())
    return rows.count;
  return (shape.empty() ? 1 : shape.front()) * std::max<int64_t>(repeat, 1);
}

int64_t SourceAttr::getNumRows() const { return countRows(getShape(), getRows(), getRepeat()); }

SourceAttr SourceAttr::withRowOrder(int64_t headDim, int64_t rotaryDim) const {
  return get(getContext(), getName(), getShape(), getRows(), headDim, rotaryDim, getRepeat());
}

LogicalResult SourceAttr::verify(EmitError emitError, StringAttr /*name*/, ArrayRef<int64_t> shape, RowRange rows,
                                 int64_t headDim, int64_t rotaryDim, int64_t repeat) {
  if (repeat < 0)
    return emitError() << "expected a repeat of at least 0, found " << repeat;
  int64_t all = countRows(shape, RowRange(), repeat);
  // Compared without a sum, which could overflow.
  if (rows != RowRange() && (rows.first < 0 || rows.count <= 0 || rows.first > all || rows.count > all - rows.first))
    return emitError() << "expected rows of the " << all << " that the tensor has, found " << rows.count << " from row "
                       << rows.first << " on";
  if (rotaryDim < 0 || rotaryDim % 2 != 0 || rotaryDim > headDim)
    return emitError() << "expected an even rotary_dim of at most head_dim, found " << rotaryDim << " and " << headDim;
  int64_t taken = countRows(shape, rows, repeat);
  if (headDim > 0 && taken % headDim != 0)
    return emitError() << "expected a head_dim that divides the " << taken << " rows, found " << headDim;
  return success();
}

Attribute RotationAttr::parse(AsmParser &parser, Type) {
  Type f64 = parser.getBuilder().getF64Type();
  SmallVector<double> frequencies;
  FloatAttr scale = FloatAttr::get(f64, 1.0);
  auto parseFrequency = [&]() -> ParseResult {
    FloatAttr frequency;
    if (parser.parseAttribute(frequency, f64))
      return failure();
    frequencies.push_back(frequency.getValueAsDouble());
    return success();
  };
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseFrequency))
    return {};
  if (succeeded(parser.parseOptionalComma()) &&
      (parser.parseKeyword("scale") || parser.parseEqual() || parser.parseAttribute(scale, f64)))
    return {};
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(location); }, parser.getContext(),
                    parser.getBuilder().getDenseF64ArrayAttr(frequencies), scale);
}

void RotationAttr::print(AsmPrinter &printer) const {
  printer << "<[";
  llvm::interleaveComma(getFrequencies().asArrayRef(), printer,
                        [&](double frequency) { printer.printFloat(APFloat(frequency)); });
  printer << "]";
  if (isScaled()) {
    printer << ", scale = ";
    printer.printFloat(getScale().getValue());
  }
  printer << ">";
}

LogicalResult RotationAttr::verify(EmitError emitError, DenseF64ArrayAttr frequencies, FloatAttr scale) {
  for (double frequency : frequencies.asArrayRef())
    if (!(frequency >= 0 && std::isfinite(frequency)))
      return emitError() << "expected finite frequencies not below 0, found " << frequency;
  if (double value = scale.getValueAsDouble(); !(value > 0 && std::isfinite(value)))
    return emitError() << "expected a finite scale greater than 0, found " << value;
  return success();
}

LogicalResult PanelAttr::verify(EmitError emitError, int64_t size, int64_t group, int64_t align) {
  if (size <= 0)
    return emitError() << "expected a positive panel size, found " << size;
  if (group <= 0 || align <= 0 || align % group != 0)
    return emitError() << "expected a positive group that divides align, found " << group << " and " << align;
  return success();
}

LogicalResult TermsAttr::verify(EmitError emitError, int64_t count, int64_t run) {
  if (count <= 0 || run <= 0)
    return emitError() << "expected a positive count and run, found " << count << " and " << run;
  return success();
}

LogicalResult PanelAttr::verifyEncoding(ArrayRef<int64_t> shape, Type /*elementType*/, EmitError emitError) const {
  if (shape.size() != 2)
    return emitError() << "expected #bamba.panel on a matrix, found a tensor of rank " << shape.size();
  return success();
}

LogicalResult EntryAttr::verify(EmitError emitError, EntryKind kind, int64_t batch, int64_t chunk, int64_t kept) {
  if (batch <= 0 || chunk <= 0)
    return emitError() << "expected positive batch and chunk, found " << batch << " and " << chunk;
  if (kind == EntryKind::Decode && chunk != 1)
    return emitError() << "expected chunk 1 in a decode entry, found " << chunk;
  if (kind != EntryKind::Decode && batch > chunk)
    return emitError() << "expected at most " << chunk << " pieces, a row each, in a " << stringifyEntryKind(kind)
                       << " entry, found batch " << batch;
  if (kept < 0)
    return emitError() << "expected kept of at least 0, found " << kept;
  if (kind == EntryKind::Decode && kept != 0)
    return emitError() << "expected a decode entry, which keeps all rows, without kept, found " << kept;
  return success();
}

LogicalResult LimitsAttr::verify(EmitError emitError, int64_t maxBatch, int64_t maxContext, int64_t prefillChunk,
                                 int64_t pageTokens, int64_t stateRing) {
  if (maxBatch <= 0 || maxContext <= 0 || prefillChunk <= 0 || pageTokens <= 0 || stateRing <= 0)
    return emitError() << "expected positive limits, found " << maxBatch << ", " << maxContext << ", " << prefillChunk
                       << ", " << pageTokens << " and " << stateRing;
  return success();
}

bool CpuTargetAttr::has(StringRef feature) const {
  return llvm::any_of(llvm::split(getFeatures().getValue(), ','),
                      [&](StringRef listed) { return listed.consume_front("+") && listed == feature; });
}

/// Whether a target has vectors of 512 bits in which codes become pairs of bf16, and some features.
static bool decodesPairs(CpuTargetAttr target, ArrayRef<StringRef> features) {
  auto isOn = [&](StringRef feature) { return target.has(feature); };
  return target.getVectorBits() == 512 && isOn("avx512vbmi") && isOn("gfni") && llvm::all_of(features, isOn);
}

bool CpuTargetAttr::multipliesTiles() const { return decodesPairs(*this, {"amx-tile", "amx-bf16"}); }

bool CpuTargetAttr::multipliesPairs() const { return !multipliesTiles() && decodesPairs(*this, {"avx512bf16"}); }

LogicalResult CpuTargetAttr::verify(EmitError emitError, StringAttr /*arch*/, StringAttr /*features*/,
                                    int64_t vectorBits, int64_t vectorRegisters, int64_t l2Bytes,
                                    ArrayRef<Fusion> /*fusions*/) {
  if (vectorBits < 32 || !llvm::isPowerOf2_64(vectorBits))
    return emitError() << "expected vector_bits to be a power of two from 32, found " << vectorBits;
  if (vectorRegisters <= 0 || l2Bytes <= 0)
    return emitError() << "expected positive vector_registers and l2_bytes, found " << vectorRegisters << " and "
                       << l2Bytes;
  return success();
}

LogicalResult CudaTargetAttr::verify(EmitError emitError, StringAttr arch, int64_t sharedBytes, int64_t multiprocessors,
                                     ArrayRef<Fusion> /*fusions*/) {
  if (!arch.getValue().starts_with("sm_"))
    return emitError() << "expected arch to start with 'sm_', found " << arch;
  if (sharedBytes <= 0 || multiprocessors <= 0)
    return emitError() << "expected positive shared_bytes and multiprocessors, found " << sharedBytes << " and "
                       << multiprocessors;
  return success();
}

LogicalResult CpuScheduleAttr::verify(EmitError emitError, ArrayRef<int64_t> workgroup, int64_t rows, int64_t depth,
                                      int64_t chunk) {
  if (llvm::any_of(workgroup, [](int64_t size) { return size < 0; }) || rows <= 0 || depth < 0 || chunk < 0)
    return emitError() << "expected sizes of a schedule not below zero and rows above it";
  return success();
}

LogicalResult CudaScheduleAttr::verify(EmitError emitError, StringAttr /*collective*/, DictionaryAttr fields) {
  for (NamedAttribute field : fields)
    if (!isa<IntegerAttr>(field.getValue()))
      return emitError() << "expected field '" << field.getName().getValue() << "' to be an integer, found "
                         << field.getValue();
  return success();
}

} // namespace bambac
