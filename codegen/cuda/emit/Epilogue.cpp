// See Epilogue.h.
//
// The region becomes straight-line code for one element of the result, op by op. What an op reads beside the sums of
// the main op is loaded by a function of its own, so that a collective can ask for it early.
#include "codegen/cuda/emit/Epilogue.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/StringExtras.h"

namespace bambac::codegen {
namespace {

class EpiloguePrinter {
public:
  EpiloguePrinter(KernelWriter &writer, Value produced, Value bias)
      : writer(writer), produced(produced), bias(bias), main(produced.getDefiningOp()), last(findLast()) {}
  /// Of ops without a main op.
  EpiloguePrinter(KernelWriter &writer, OpResult last) : writer(writer), main(last.getOwner()), last(last) {}

  FailureOr<std::string> print() {
    FailureOr<View> result = writer.resultView(last);
    if (failed(result))
      return failure();
    out = *result;
    if (argmax && failed(findMaxima()))
      return failure();
    FailureOr<std::string> value = expression(last);
    if (failed(value))
      return failure();
    writer.type(printStruct(*value));
    return printInitializer();
  }

private:
  /// The end of the chain of element-wise ops behind the main op, and the argmax of it.
  OpResult findLast() {
    OpResult last = cast<OpResult>(produced);
    while (true) {
      Operation *next = nullptr;
      for (Operation *user : last.getUsers()) {
        if (isa<tensor::ExtractSliceOp>(user) && !user->use_empty())
          user = *user->user_begin();
        if (auto found = dyn_cast<ArgmaxOp>(user))
          argmax = found;
        else if (isa<DestinationStyleOpInterface>(user))
          next = user;
      }
      if (!next)
        return last;
      last = next->getResult(0);
    }
  }

  LogicalResult findMaxima() {
    if (argmax.getInput() != last)
      return argmax.emitError() << "expected the largest element of what the kernel stores";
    FailureOr<View> columns = writer.resultView(cast<OpResult>(argmax.getResult()));
    if (failed(columns))
      return failure();
    maxima = *columns;
    writer.include("common/row_maxima.cuh");
    return success();
  }

  /// The value of element i of `value` as C++; appends a line for each op on the way.
  FailureOr<std::string> expression(Value value) {
    if (auto known = names.find(value); known != names.end())
      return known->second;
    FailureOr<std::string> text = value == produced ? sum(1, 0) : computed(value);
    if (failed(text))
      return failure();
    return names[value] = *text;
  }

  FailureOr<std::string> computed(Value value) {
    if (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>(); slice && produced && slice.getSource() == produced)
      return sum(slice.getStaticStrides()[1], slice.getStaticOffsets()[1]);
    Operation *op = value.getDefiningOp();
    if (!isa_and_nonnull<DestinationStyleOpInterface>(op))
      return loaded(value);
    SmallVector<std::string> operands;
    for (Value input : cast<DestinationStyleOpInterface>(op).getDpsInputs()) {
      FailureOr<std::string> operand = expression(input);
      if (failed(operand))
        return failure();
      operands.push_back(*operand);
    }
    FailureOr<std::string> text = apply(op, operands);
    if (failed(text))
      return failure();
    std::string name = ("v" + Twine(lines.size())).str();
    lines.push_back(("const float " + name + " = " + *text + "; // " + op->getName().getStringRef()).str());
    return name;
  }

  static FailureOr<std::string> apply(Operation *op, ArrayRef<std::string> operands) {
    if (isa<linalg::AddOp>(op))
      return operands[0] + " + " + operands[1];
    if (isa<linalg::MulOp>(op))
      return operands[0] + " * " + operands[1];
    if (isa<SwigluOp>(op))
      return ("silu(" + Twine(operands[0]) + ") * " + operands[1]).str();
    return op->emitError() << "expected an op that a CUDA epilogue can compute, found '" << op->getName() << "'";
  }

  /// Column `offset` of the `step` columns of the main op that one column of the result is made of, with its bias.
  FailureOr<std::string> sum(int64_t step, int64_t offset) {
    if (inputs && inputs != step)
      return main->emitError() << "expected one step of columns in an epilogue, found " << inputs << " and " << step;
    inputs = step;
    std::string index = step == 1 ? "i" : (Twine(step) + " * i" + (offset ? (" + " + Twine(offset)).str() : "")).str();
    std::string text = "sums[" + index + "]";
    return bias ? "(" + text + " + extra.bias[" + index + "])" : text;
  }

  FailureOr<std::string> loaded(Value value) {
    FailureOr<View> view = writer.view(main, value);
    if (failed(view))
      return failure();
    if (view->step != 1)
      return main->emitError() << "expected neighbouring columns as the operand of an epilogue, found " << value;
    std::string name = ("x" + Twine(loads.size())).str();
    loads.push_back(*view);
    return ("extra." + Twine(name) + "[i]").str();
  }

  int64_t vectorWidth() const {
    int64_t width = out.alignment(kWidest);
    for (const View &view : loads)
      width = view.alignment(width);
    while (out.columns % width != 0)
      width /= 2;
    return width;
  }

  static std::string pointer(const View &view, StringRef argument) {
    return (argument + " + static_cast<long long>(row) * " + Twine(view.stride) + " + column").str();
  }

  void printExtra(raw_ostream &stream) const {
    stream << "  template <int V> struct Extra {\n";
    for (size_t number = 0; number < loads.size(); ++number)
      stream << "    float x" << number << "[V];\n";
    if (bias)
      stream << "    float bias[V * kInputs];\n";
    stream << "  };\n"
           << "  template <int V> __device__ __forceinline__ Extra<V> load(int row, int column) const {\n"
           << "    Extra<V> extra;\n";
    for (auto [number, view] : llvm::enumerate(loads))
      stream << "    loadVector<V>(" << pointer(view, ("x" + Twine(number)).str()) << ", extra.x" << number << ");\n";
    if (bias)
      stream << "    loadVector<V * kInputs>(bias + column * kInputs, extra.bias);\n";
    stream << "    return extra;\n  }\n";
  }

  std::string printStruct(StringRef value) const {
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << "/// What becomes of the sums.\nstruct Epilogue {\n"
           << "  static constexpr int kInputs = " << std::max<int64_t>(inputs, 1) << ", kColumns = " << out.columns
           << ", kVector = " << vectorWidth() << ";\n";
    for (auto [number, view] : llvm::enumerate(loads))
      stream << "  const " << cudaType(view.element) << " *x" << number << ";\n";
    if (bias)
      stream << "  const float *bias;\n";
    stream << "  " << cudaType(out.element) << " *result;\n";
    if (argmax)
      printMaxima(stream);
    stream << "\n";
    printExtra(stream);
    printStore(stream, value);
    stream << "};\n";
    return text;
  }

  /// What finds the largest result of each row; see common/epilogue.cuh.
  static void printMaxima(raw_ostream &stream) {
    stream << "  int *largest;\n  void *workspace;\n\n"
           << "  using Maxima = RowMaxima<Shape::kRows>;\n"
           << "  static constexpr bool kReduces = true;\n"
           << "  static constexpr int kSharedBytes = Maxima::kSharedBytes;\n"
           << "  __device__ __forceinline__ void begin() const { Maxima::begin(); }\n"
           << "  __device__ __forceinline__ void finish(int lane) const {\n"
           << "    Maxima::finish(lane, static_cast<uint32 *>(workspace), largest);\n  }\n";
  }

  void printStore(raw_ostream &stream, StringRef value) const {
    if (produced)
      stream << "  template <int V>\n"
             << "  __device__ __forceinline__ void store(int row, int column, const float (&sums)[V * kInputs],\n"
             << "                                        const Extra<V> &extra) const {\n";
    else
      stream << "  template <int V> __device__ __forceinline__ void apply(int row, int column) const {\n"
             << "    const Extra<V> extra = load<V>(row, column);\n";
    stream << "    float values[V];\n#pragma unroll\n    for (int i = 0; i < V; ++i) {\n";
    for (const std::string &line : lines)
      stream << "      " << line << "\n";
    stream << "      values[i] = " << value << ";\n    }\n"
           << "    storeVector<V>(" << pointer(out, "result") << ", values);\n"
           << (argmax ? "    Maxima::offer(row, column, values);\n" : "") << "  }\n";
  }

public:
  int64_t getVectorWidth() const { return vectorWidth(); }

private:
  std::string printInitializer() {
    SmallVector<std::string> members;
    for (const View &view : loads)
      members.push_back(writer.address(view));
    if (bias)
      members.push_back(writer.address(main, bias));
    members.push_back(writer.address(out));
    if (argmax) {
      members.push_back(writer.address(maxima));
      members.push_back(writer.workspace());
    }
    return "Epilogue{" + llvm::join(members, ", ") + "}";
  }

  KernelWriter &writer;
  Value produced, bias;
  Operation *main;
  ArgmaxOp argmax; ///< of the last op's result; may be null. Found with the last op.
  OpResult last;
  View out, maxima;
  int64_t inputs = 0;
  SmallVector<View> loads;
  std::vector<std::string> lines;
  llvm::DenseMap<Value, std::string> names;
};

} // namespace

FailureOr<std::string> emitEpilogue(KernelWriter &writer, Value produced, Value bias) {
  return EpiloguePrinter(writer, produced, bias).print();
}

FailureOr<std::string> emitElementwiseBody(KernelWriter &writer, OpResult result) {
  EpiloguePrinter printer(writer, result);
  FailureOr<std::string> body = printer.print();
  if (succeeded(body))
    writer.constant("vector", printer.getVectorWidth());
  return body;
}

} // namespace bambac::codegen
