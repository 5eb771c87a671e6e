// linear: its input, plain, or normalized or quantized on the way, its weight in panels, and the epilogue after it.
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/Ops.h"
#include "dialects/bamba/Kernel.h"
#include "geometry/mma_linear.h"
#include "geometry/wgmma_linear.h"

namespace bambac::codegen {

/// What the linear multiplies, in words.
static StringRef describe(const LinearSource &source) {
  if (source.quantize)
    return source.norm ? "its input under an RMS norm, as codes" : "its input as codes";
  return source.norm ? "its input under an RMS norm" : "";
}

static bool isLarge(StringRef collective) { return collective == geometry::wgmma::LinearLarge::kCollective; }

/// True for collectives that fetch their operands by tensor maps, and multiply them by wgmma.
static bool usesTensorMaps(StringRef collective) {
  return isLarge(collective) || collective == geometry::wgmma::LinearMiddle::kCollective;
}

/// `Input`: its type, and what a collective that stages it itself needs to know.
static FailureOr<std::string> emitInput(KernelWriter &writer, LinearOp linear) {
  LinearSource source = getSource(linear);
  if (source.sharedQuantize) {
    if (usesTensorMaps(writer.getCollective()))
      writer.size("input_stride", dimOf(source.input, 1));
    return emitSharedCodes(writer, source.sharedQuantize);
  }
  RmsNormOp norm = source.norm;
  FailureOr<View> view = writer.view(linear, source.input);
  if (failed(view))
    return failure();
  std::string text;
  llvm::raw_string_ostream stream(text);
  StringRef description = describe(source);
  stream << "/// What the linear multiplies" << (description.empty() ? "" : ": ") << description << ".\n"
         << "struct Input {\n  using Element = " << cudaType(view->element) << ";\n"
         << "  static constexpr bool kNormalizes = " << (norm ? "true" : "false") << ";\n";
  if (usesTensorMaps(writer.getCollective()))
    writer.size("input_stride", view->stride);
  else
    stream << "  static constexpr int kStride = " << view->stride << ";\n";
  if (norm)
    stream << "  static constexpr float kEpsilon = " << floatLiteral(norm.getEps().convertToDouble()) << ";\n";
  Value fixedScales = source.quantize ? source.quantize.getStaticScales() : Value();
  if (source.quantize)
    stream << "  static constexpr bool kQuantizes = true;\n  static constexpr int kFixedScales = "
           << (fixedScales ? dimOf(fixedScales, 0) : 0) << ";\n";
  stream << "  const Element *data;\n"
         << (norm ? "  const float *weight;\n" : "") << (fixedScales ? "  const float *fixedScales;\n" : "") << "};\n";
  writer.declare(text);
  std::string input = "Input{" + writer.address(*view, "input");
  if (norm)
    input += ", " + writer.address(norm, norm.getWeight(), "normWeight");
  if (fixedScales)
    input += ", " + writer.address(source.quantize, fixedScales, "fixedScales");
  return input + "}";
}

/// The layout of the weight, which the collective compares with the one that it reads.
static LogicalResult describePanels(KernelWriter &writer, LinearOp linear) {
  auto weight = cast<RankedTensorType>(linear.getWeight().getType());
  auto panel = dyn_cast_or_null<PanelAttr>(weight.getEncoding());
  if (!panel)
    return linear.emitOpError() << "expected the weight in panels (#bamba.panel) on CUDA, found " << weight;
  writer.constant("panel_rows", panel.getSize());
  writer.constant("panel_group", panel.getGroup());
  writer.constant("panel_align", panel.getAlign());
  return success();
}

/// Whether groups of the depth's columns have scales, so that the code goes by the sizes of all operands.
static bool hasGroups(LinearOp linear) {
  auto group = static_cast<int64_t>(linear.getGroup());
  return linear.isScaled() && group > 0 && group < dimOf(linear.getWeight(), 1);
}

/// The steps along the depth, as the geometry of the collective counts them.
static int64_t countSteps(KernelWriter &writer, const geometry::LinearShape &shape) {
  if (isLarge(writer.getCollective()))
    return geometry::wgmma::LinearLarge{}.steps(shape);
  geometry::wgmma::LinearMiddle middle = {};
  middle.tileDepth = static_cast<int>(writer.getField("tile_depth"));
  return middle.steps(shape);
}

/// The steps along the depth, for the call of a collective whose operands are fetched by tensor maps: a parameter, so
/// that no register holds what follows from the depth.
static std::string emitSteps(KernelWriter &writer, LinearOp linear) {
  auto weight = cast<RankedTensorType>(linear.getWeight().getType());
  geometry::LinearShape shape = {};
  shape.depth = static_cast<int>(weight.getDimSize(1));
  shape.operandBytes = static_cast<int>(weight.getElementTypeBitWidth() / 8);
  const int64_t steps = countSteps(writer, shape);
  if (hasGroups(linear)) {
    writer.constant("depth", weight.getDimSize(1));
    return std::to_string(steps);
  }
  writer.size("depth", weight.getDimSize(1));
  return writer.sizeParam("steps", steps);
}

/// The rows: tiles of one width are the same for any number of them, unless the largest of each row is found.
static void emitRows(KernelWriter &writer, LinearOp linear) {
  int64_t rows = dimOf(linear.getInput(), 0);
  bool reduces = llvm::any_of(*linear->getBlock(), llvm::IsaPred<ArgmaxOp>);
  if (isLarge(writer.getCollective()) && !hasGroups(linear) && !reduces && !getSource(linear).sharedQuantize &&
      writer.getField("least_columns") == writer.getField("tile_columns"))
    writer.rowCount(rows);
  else
    writer.constant("rows", rows);
}

/// True for collectives that leave out rows which are not there; where few rows are one tile, they cost nothing.
static bool takesRows(KernelWriter &writer) {
  return usesTensorMaps(writer.getCollective()) ||
         (writer.getCollective() == geometry::mma::Linear::kCollective &&
          writer.getField("tile_rows") > geometry::mma::Linear::kSkinnyTileRows);
}

/// True where the result is read as heads.
static bool isReadAsHeads(LinearOp linear) {
  return llvm::any_of(linear.getResult().getUsers(), [](Operation *user) {
    return isa<tensor::ExtractSliceOp>(user) && llvm::any_of(user->getUsers(), llvm::IsaPred<RopeOp, KvAppendOp>);
  });
}

FailureOr<KernelText> emitLinear(KernelWriter &writer, LinearOp linear) {
  auto weight = cast<RankedTensorType>(linear.getWeight().getType());
  writer.operand(weight.getElementType());
  emitRows(writer, linear);
  writer.constant("columns", weight.getDimSize(0));
  if (!usesTensorMaps(writer.getCollective()))
    writer.constant("depth", weight.getDimSize(1));
  if (failed(describePanels(writer, linear)))
    return failure();
  if (linear.getFastAccumulate())
    writer.constant("sums_fast", true);
  FailureOr<std::string> in = emitInput(writer, linear);
  if (failed(in))
    return failure();
  FailureOr<std::string> epilogue = isReadAsHeads(linear) ? emitHeadsEpilogue(writer, linear)
                                                          : emitEpilogue(writer, linear.getResult(), linear.getBias());
  FailureOr<View> matrix = writer.view(linear, linear.getWeight());
  if (failed(epilogue) || failed(matrix))
    return failure();
  SmallVector<std::string> call;
  if (usesTensorMaps(writer.getCollective())) {
    FailureOr<View> whole = writer.view(linear, linear.getInput());
    if (failed(whole))
      return failure();
    writer.includeWgmma();
    call.push_back(writer.tensorMap(*whole, "kInputMap"));
    call.push_back(writer.tensorMap(*matrix, "kWeightMap"));
    if (isLarge(writer.getCollective()))
      call.push_back(writer.tensorMap(*matrix, "kNarrowMap"));
    call.push_back(emitSteps(writer, linear));
  } else {
    call = {*in, writer.address(*matrix, "weight")};
  }
  call.push_back(*epilogue);
  if (isLarge(writer.getCollective()))
    call.push_back(writer.workspace());
  if (takesRows(writer))
    writer.addRows(call);
  if (usesTensorMaps(writer.getCollective()) && getSource(linear).sharedQuantize) {
    if (!findRows(writer.getKernel()))
      call.push_back("nullptr");
    call.push_back(*in);
  }
  return writer.finish({"Input", "Epilogue"}, call);
}

} // namespace bambac::codegen
