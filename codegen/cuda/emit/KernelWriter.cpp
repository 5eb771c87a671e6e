// See KernelWriter.h.
#include "codegen/cuda/emit/KernelWriter.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include <cmath>

namespace bambac::codegen {

int64_t View::alignment(int64_t limit) const {
  int64_t count = limit;
  while (count > 1 && (offset % count != 0 || stride % count != 0 || step != 1))
    count /= 2;
  return count;
}

std::string toCamelCase(StringRef snake) {
  std::string camel;
  for (StringRef word : llvm::split(snake, '_'))
    camel += word.take_front().upper() + word.drop_front().str();
  return camel;
}

StringRef cudaType(Type element) {
  if (element.isBF16())
    return "bf16";
  if (element.isF16())
    return "f16";
  return element.isF32() ? "float" : "int";
}

KernelWriter::KernelWriter(func::FuncOp kernel, CudaTargetAttr target, CudaScheduleAttr schedule)
    : numInputs(kernel.getNumArguments() - kernel.getNumResults()), kernel(kernel), target(target), schedule(schedule) {
  constant("multiprocessors", target.getMultiprocessors());
  for (NamedAttribute field : schedule.getFields())
    constant(field.getName(), cast<IntegerAttr>(field.getValue()).getInt());
  for (unsigned argument = 0; argument < kernel.getNumArguments(); ++argument)
    if (!kernel.getArgument(argument).use_empty())
      params.push_back({KernelParam::Kind::Pointer, argument, {}});
}

FailureOr<View> KernelWriter::view(Operation *user, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto type = cast<RankedTensorType>(argument.getType());
    int64_t width = type.getRank() > 1 ? type.getShape().back() : 1;
    if (type.getRank() == 1)
      return View{argument.getArgNumber(), 0, 1, 1, 1, type.getElementType()};
    return View{argument.getArgNumber(), 0, width, 1, width, type.getElementType()};
  }
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || slice.getStaticSizes().size() != 2 || slice.getStaticOffsets()[0] != 0 ||
      slice.getStaticStrides()[0] != 1 || ShapedType::isDynamicShape(slice.getStaticOffsets()))
    return user->emitError()
           << "expected an operand that is an argument of the kernel or a slice of its columns, found " << value;
  FailureOr<View> source = view(user, slice.getSource());
  if (failed(source))
    return failure();
  source->offset += slice.getStaticOffsets()[1] * source->step;
  source->step *= slice.getStaticStrides()[1];
  source->columns = slice.getStaticSizes()[1];
  return source;
}

FailureOr<View> KernelWriter::resultView(OpResult result) {
  auto op = cast<DestinationStyleOpInterface>(result.getOwner());
  return view(op, op.getDpsInits()[result.getResultNumber()]);
}

void KernelWriter::constant(StringRef name, int64_t value) {
  constants.push_back(("int k" + toCamelCase(name) + " = " + Twine(value)).str());
}

void KernelWriter::constant(StringRef name, bool value) {
  constants.push_back("bool k" + toCamelCase(name) + (value ? " = true" : " = false"));
}

std::string floatLiteral(double value) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  // A constant of CUDA C++ cannot be infinite without a header; nothing in a model is larger than the largest number.
  constexpr double largest = std::numeric_limits<float>::max();
  value = std::clamp(value, -largest, largest);
  stream << llvm::format("%.9g", value) << (StringRef(text).find_first_of(".e") == StringRef::npos ? ".0f" : "f");
  return text;
}

void KernelWriter::constant(StringRef name, double value) {
  constants.push_back("float k" + toCamelCase(name) + " = " + floatLiteral(value));
}

void KernelWriter::operand(Type element) { operandType = cudaType(element); }

std::string KernelWriter::address(const View &view) {
  std::string name = ("arg" + Twine(view.argument)).str();
  return view.offset ? (name + " + " + Twine(view.offset)).str() : name;
}

std::string KernelWriter::address(Operation *user, Value value) {
  FailureOr<View> whole = view(user, value);
  assert(succeeded(whole) && "weights and states are arguments of the kernel");
  return address(*whole);
}

std::string KernelWriter::rows(const View &view) {
  return ("Rows<" + Twine(isWritten(view.argument) ? "" : "const ") + cudaType(view.element) + ", " +
          Twine(view.stride) + ">{" + address(view) + "}")
      .str();
}

std::string KernelWriter::tensorMap(const View &view, StringRef map) {
  // A map stands for the pointer, which is no parameter of its own any more.
  llvm::erase_if(params, [&](const KernelParam &param) {
    return param.kind == KernelParam::Kind::Pointer && param.argument == view.argument;
  });
  params.push_back({KernelParam::Kind::TensorMap, view.argument, map.str()});
  return parameterName(params.back());
}

std::string KernelWriter::workspace() {
  params.push_back({KernelParam::Kind::Workspace, 0, {}});
  return "workspace";
}

std::string KernelWriter::parameterName(const KernelParam &param) {
  switch (param.kind) {
  case KernelParam::Kind::Pointer:
    return ("arg" + Twine(param.argument)).str();
  case KernelParam::Kind::TensorMap:
    return ("map" + Twine(param.argument)).str();
  case KernelParam::Kind::Workspace:
    return "workspace";
  case KernelParam::Kind::Piece:
    return "piece";
  }
  llvm_unreachable("all sorts of parameters have a name");
}

void KernelWriter::printParameters(raw_ostream &stream) const {
  for (auto [number, param] : llvm::enumerate(params)) {
    stream << (number ? ",\n    " : "\n    ");
    std::string name = parameterName(param);
    if (param.kind == KernelParam::Kind::TensorMap) {
      stream << "const __grid_constant__ TensorMapParam " << name;
    } else if (param.kind == KernelParam::Kind::Workspace) {
      stream << "void *" << name;
    } else {
      auto type = cast<RankedTensorType>(func::FuncOp(kernel).getArgument(param.argument).getType());
      stream << (isWritten(param.argument) ? "" : "const ") << cudaType(type.getElementType()) << " *" << name;
    }
  }
}

std::string KernelWriter::finish(StringRef collectiveArguments, StringRef call) {
  StringRef header = schedule.getCollective().getValue(), name = kernel.getSymName();
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "// " << name << ", generated by bambac.\n"
         << "#include \"" << header << ".cuh\"\n#include \"common/launch.cuh\"\n";
  for (const std::string &more : headers)
    stream << "#include \"" << more << "\"\n";
  stream << "\nusing namespace bambac;\n\nnamespace {\n\n/// Shapes and schedule.\nstruct Shape {\n";
  if (!operandType.empty())
    stream << "  using Operand = " << operandType << ";\n";
  for (const std::string &constant : constants)
    stream << "  static constexpr " << constant << ";\n";
  stream << "};\n\n";
  for (const std::string &type : types)
    stream << type << "\n";
  stream << "using Kernel = " << toCamelCase(header.rsplit('/').second) << "<Shape" << collectiveArguments
         << ">;\n\n} // namespace\n\n";
  stream << "extern \"C\" __device__ const Launch " << name << "_launch = Kernel::kLaunch;\n";
  for (auto [number, param] : llvm::enumerate(params))
    if (param.kind == KernelParam::Kind::TensorMap)
      stream << "extern \"C\" __device__ const TensorMap " << name << "_map_" << number << " = Kernel::" << param.map
             << ";\n";
  stream << "\nextern \"C\" __global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks) " << name << "(";
  printParameters(stream);
  stream << ") {\n  Kernel::run(" << call << ");\n}\n";
  return text;
}

} // namespace bambac::codegen
