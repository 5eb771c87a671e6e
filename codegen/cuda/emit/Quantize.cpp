// quantize: codes and scales of rows, with the norm or the gate before them.
#include "geometry/quantize.h"
#include "codegen/cuda/emit/Ops.h"
#include "llvm/ADT/StringExtras.h"

namespace bambac::codegen {

namespace {
/// Where the rows come from: the argument of the collective, and the widest access to all that it reads.
struct QuantizedRows {
  std::string argument;
  int64_t vector = kWidest;
};
} // namespace

/// `Rows<const float, 256>` of `Rows<const float, 256>{input}`.
static StringRef typeOf(StringRef rows) { return rows.split('{').first; }

static FailureOr<std::string> addRows(KernelWriter &writer, Operation *op, Value value, StringRef name,
                                      QuantizedRows &rows) {
  FailureOr<View> view = writer.view(op, value);
  if (failed(view))
    return failure();
  const int elementBytes = static_cast<int>(view->element.getIntOrFloatBitWidth() / 8);
  rows.vector = std::min<int64_t>(view->alignment(rows.vector), geometry::widestQuantizeVector(elementBytes));
  return writer.rows(*view, name);
}

static FailureOr<QuantizedRows> findRows(KernelWriter &writer, QuantizeOp quantize) {
  QuantizedRows rows;
  Value input = quantize.getInput();
  if (auto norm = input.getDefiningOp<RmsNormOp>()) {
    FailureOr<std::string> plain = addRows(writer, norm, norm.getInput(), "input", rows);
    if (failed(plain))
      return failure();
    writer.constant("epsilon", norm.getEps().convertToDouble());
    std::string weight = writer.address(norm, norm.getWeight(), "normWeight");
    rows.argument = ("NormalizedRows<" + typeOf(*plain) + ">{" + *plain + ", " + weight + "}").str();
    return rows;
  }
  if (auto swiglu = input.getDefiningOp<SwigluOp>()) {
    FailureOr<std::string> gate = addRows(writer, swiglu, swiglu.getGate(), "gate", rows);
    FailureOr<std::string> up = addRows(writer, swiglu, swiglu.getUp(), "up", rows);
    if (failed(gate) || failed(up))
      return failure();
    rows.argument = ("GatedRows<" + typeOf(*gate) + ", " + typeOf(*up) + ">{" + *gate + ", " + *up + "}").str();
    return rows;
  }
  FailureOr<std::string> plain = addRows(writer, quantize, input, "input", rows);
  if (failed(plain))
    return failure();
  rows.argument = *plain;
  return rows;
}

/// What common/shared_codes.cuh leaves out.
static LogicalResult checkSharedCodes(QuantizeOp quantize) {
  if (quantize.getStaticScales())
    return quantize.emitOpError() << "expected scales that rows decide about, where blocks share codes";
  if (!isa<BlockArgument>(quantize.getInput()))
    return quantize.emitOpError() << "expected rows that are an argument of the kernel, where blocks share codes";
  if (!isa<BlockArgument>(quantize.getScalesInit()))
    return quantize.emitOpError() << "expected scales that are a result of the kernel, as the codes are";
  if (int64_t rows = dimOf(quantize.getInput(), 0); rows > geometry::kMostSharedRows)
    return quantize.emitOpError() << "expected at most " << geometry::kMostSharedRows
                                  << " rows, where blocks share codes, found " << rows;
  return success();
}

FailureOr<std::string> emitSharedCodes(KernelWriter &writer, QuantizeOp quantize) {
  if (failed(checkSharedCodes(quantize)))
    return failure();
  FailureOr<QuantizedRows> rows = findRows(writer, quantize);
  FailureOr<View> codes = writer.resultView(cast<OpResult>(quantize.getResult()));
  FailureOr<View> scales = writer.resultView(cast<OpResult>(quantize.getScales()));
  if (failed(rows) || failed(codes) || failed(scales))
    return failure();
  const int columns = static_cast<int>(dimOf(quantize.getInput(), 1));
  const int vector = geometry::dividingVector(static_cast<int>(codes->alignment(rows->vector)), columns);
  writer.include("common/shared_codes.cuh");
  std::string text;
  llvm::raw_string_ostream(text) << "/// Rows that become codes, each in one block for all.\nstruct Quantized {\n"
                                 << "  static constexpr int kColumns = " << columns << ", kVector = " << vector
                                 << ", kGroup = " << quantize.getGroup() << ", kFixedScales = 0;\n};\n"
                                 << "using Input = SharedCodes<Quantized, " << typeOf(rows->argument) << ">;\n";
  writer.declare(text);
  SmallVector<std::string> members{writer.address(*codes, "codes"), rows->argument, writer.address(*scales, "scales"),
                                   writer.workspace()};
  return "Input{" + llvm::join(members, ", ") + "}";
}

FailureOr<KernelText> emitQuantize(KernelWriter &writer, QuantizeOp quantize) {
  Value fixedScales = quantize.getStaticScales();
  const int count = static_cast<int>(dimOf(quantize.getInput(), 0));
  const int columns = static_cast<int>(dimOf(quantize.getInput(), 1));
  writer.rowCount(count);
  writer.constant("columns", int64_t{columns});
  writer.constant("group", static_cast<int64_t>(quantize.getGroup()));
  writer.constant("fixed_scales", fixedScales ? dimOf(fixedScales, 0) : int64_t(0));
  FailureOr<QuantizedRows> rows = findRows(writer, quantize);
  FailureOr<View> codes = writer.resultView(cast<OpResult>(quantize.getResult()));
  FailureOr<View> scales = writer.resultView(cast<OpResult>(quantize.getScales()));
  if (failed(rows) || failed(codes) || failed(scales))
    return failure();
  const int vector = geometry::dividingVector(static_cast<int>(codes->alignment(rows->vector)), columns);
  const int multiprocessors = static_cast<int>(writer.getMultiprocessors());
  writer.constant("vector", int64_t{vector});
  writer.constant("thread_vectors", int64_t{geometry::quantizeVectors(count, columns, vector, multiprocessors)});
  std::string fixed = fixedScales ? writer.address(quantize, fixedScales, "fixedScales") : "nullptr";
  SmallVector<std::string> call{rows->argument, fixed, writer.rows(*codes, "codes"), writer.address(*scales, "scales")};
  writer.addRows(call);
  return writer.finish({}, call);
}

} // namespace bambac::codegen
