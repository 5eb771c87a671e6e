// Walks from the result to what is read. Loads are functions of their own, so that a collective can ask for them before
// it has its sums.
#include "codegen/cuda/emit/ElementCode.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/StringExtras.h"

namespace bambac::codegen {

/// What an operand of an element-wise op is to it.
static StringRef nameOf(OpOperand &operand) {
  if (isa<SwigluOp>(operand.getOwner()))
    return operand.getOperandNumber() == 0 ? "gate" : "up";
  return isa<linalg::MulOp>(operand.getOwner()) ? "factor" : "addend";
}

static FailureOr<std::string> computeOp(Operation *op, ArrayRef<std::string> operands) {
  if (isa<linalg::AddOp>(op))
    return operands[0] + " + " + operands[1];
  if (isa<linalg::MulOp>(op))
    return operands[0] + " * " + operands[1];
  if (isa<SwigluOp>(op))
    return ("silu(" + Twine(operands[0]) + ") * " + operands[1]).str();
  return op->emitError() << "expected an op that a CUDA epilogue can compute, found '" << op->getName()
                         << "': add it to codegen/cuda/emit/ElementCode.cpp";
}

std::string elementAddress(const View &view, StringRef pointer) {
  return (pointer + " + static_cast<long long>(row) * " + Twine(view.stride) + " + column").str();
}

FailureOr<std::string> ElementCode::expression(Value value) { return computed(value, "input"); }

FailureOr<std::string> ElementCode::computed(Value value, StringRef operandName) {
  if (auto known = names.find(value); known != names.end())
    return known->second;
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  Operation *op = value.getDefiningOp();
  FailureOr<std::string> text = failure();
  if (sums && value == sums) {
    text = sum(1, 0);
  } else if (slice && sums && slice.getSource() == sums) {
    text = sum(slice.getStaticStrides()[1], slice.getStaticOffsets()[1]);
  } else if (!isa_and_nonnull<DestinationStyleOpInterface>(op)) {
    text = loaded(value, operandName);
  } else {
    SmallVector<std::string> operands;
    for (OpOperand *input : cast<DestinationStyleOpInterface>(op).getDpsInputOperands()) {
      FailureOr<std::string> operand = computed(input->get(), nameOf(*input));
      if (failed(operand))
        return failure();
      operands.push_back(*operand);
    }
    FailureOr<std::string> applied = computeOp(op, operands);
    if (failed(applied))
      return failure();
    text = ("v" + Twine(lines.size())).str();
    ops.push_back(op->getName().getStringRef().str());
    lines.push_back("const float " + *text + " = " + *applied + "; // " + ops.back());
  }
  if (failed(text))
    return failure();
  return names[value] = *text;
}

/// Column `offset` of the `step` columns of the main op that one column of the result is made of, with its bias.
FailureOr<std::string> ElementCode::sum(int64_t step, int64_t offset) {
  if (inputs && inputs != step)
    return owner->emitError() << "expected one step of columns in an epilogue, found " << inputs << " and " << step;
  inputs = step;
  std::string index = step == 1 ? "i" : (Twine(step) + " * i" + (offset ? (" + " + Twine(offset)).str() : "")).str();
  std::string text = scales.apply("sums[" + index + "]", index);
  return bias ? "(" + text + " + extra.bias[" + index + "])" : text;
}

FailureOr<std::string> ElementCode::loaded(Value value, StringRef name) {
  FailureOr<View> view = writer.view(owner, value);
  if (failed(view))
    return failure();
  if (view->step != 1)
    return owner->emitError() << "expected neighbouring columns as the operand of an epilogue, found " << value;
  auto isTaken = [&](const Load &load) { return StringRef(load.name).rtrim("0123456789") == name; };
  auto before = llvm::count_if(loads, isTaken);
  loads.push_back({*view, before ? (name + Twine(before + 1)).str() : name.str()});
  return "extra." + loads.back().name + "[i]";
}

std::string ElementCode::listOps() const { return llvm::join(ops, ", "); }

int64_t ElementCode::vectorWidth(const View &out) const {
  int64_t width = out.alignment(kWidest);
  for (const Load &load : loads)
    width = load.view.alignment(width);
  while (out.columns % width != 0)
    width /= 2;
  return width;
}

void ElementCode::printMembers(raw_ostream &stream) const {
  for (const Load &load : loads)
    stream << "  const " << cudaType(load.view.element) << " *" << load.name << ";\n";
  if (bias)
    stream << "  const float *bias;\n";
  scales.printMembers(stream);
}

SmallVector<std::string> ElementCode::initializers() {
  SmallVector<std::string> values;
  for (const Load &load : loads)
    values.push_back(writer.address(load.view, load.name));
  if (bias)
    values.push_back(writer.address(owner, bias, "bias"));
  scales.addInitializers(values);
  return values;
}

void ElementCode::printLoad(raw_ostream &stream) const {
  if (loads.empty() && !bias && !scales.areLoaded()) {
    stream << "  template <int V> using Extra = NoExtra;\n"
           << "  template <int V> __device__ __forceinline__ NoExtra load(int, int) const { return {}; }\n";
    return;
  }
  stream << "  template <int V> struct Extra {\n";
  for (const Load &load : loads)
    stream << "    RawVector<" << cudaType(load.view.element) << ", V> " << load.name << ";\n";
  if (bias)
    stream << "    float bias[V * kInputs];\n";
  scales.printExtra(stream, "V * kInputs");
  stream << "  };\n"
         << "  template <int V> __device__ __forceinline__ Extra<V> load(int row, int column) const {\n"
         << "    Extra<V> extra;\n";
  for (const Load &load : loads)
    stream << "    extra." << load.name << " = loadRaw<V>(" << elementAddress(load.view, load.name) << ");\n";
  if (bias)
    stream << "    loadVector<V * kInputs>(bias + column * kInputs, extra.bias);\n";
  scales.printLoad(stream, "V * kInputs", "column * kInputs");
  stream << "    return extra;\n  }\n";
}

void ElementCode::printLoop(raw_ostream &stream, StringRef value) const {
  stream << "    float values[V];\n#pragma unroll\n    for (int i = 0; i < V; ++i) {\n";
  for (const std::string &line : lines)
    stream << "      " << line << "\n";
  stream << "      values[i] = " << value << ";\n    }\n";
}

} // namespace bambac::codegen
