// Finds the chain of element-wise ops after the main op, and an argmax or a quantization at its end, and wraps their
// code (ElementCode.h) in the interface that common/epilogue.cuh describes.
#include "codegen/cuda/emit/Epilogue.h"
#include "codegen/cuda/emit/ElementCode.h"
#include "codegen/cuda/emit/ResultCodes.h"
#include "llvm/ADT/StringExtras.h"

namespace bambac::codegen {
namespace {

class EpiloguePrinter {
public:
  EpiloguePrinter(KernelWriter &writer, Value produced, Value bias)
      : writer(writer), produced(produced), code(writer, produced, bias), last(findLast()),
        codes(writer, findTailQuantize(produced), last) {}

  FailureOr<std::string> print() {
    FailureOr<View> result = codes.isEmpty() ? writer.resultView(last) : codes.view();
    if (failed(result))
      return failure();
    out = *result;
    if (argmax && failed(findMaxima()))
      return failure();
    FailureOr<std::string> value = code.expression(last);
    if (failed(value))
      return failure();
    writer.declare(printStruct(*value));
    return printInitializer();
  }

private:
  /// The end of the chain of element-wise ops after the main op, and the argmax of it.
  OpResult findLast() {
    OpResult end = cast<OpResult>(produced);
    while (true) {
      Operation *next = nullptr;
      for (Operation *user : end.getUsers()) {
        if (isa<tensor::ExtractSliceOp>(user) && !user->use_empty())
          user = *user->user_begin();
        if (auto found = dyn_cast<ArgmaxOp>(user))
          argmax = found;
        else if (isa<DestinationStyleOpInterface>(user) && !isa<QuantizeOp>(user))
          next = user;
      }
      if (!next)
        return end;
      end = next->getResult(0);
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

  void printComment(raw_ostream &stream) const {
    std::string ops = code.listOps();
    stream << "/// Stores the sums of " << produced.getDefiningOp()->getName();
    if (!ops.empty())
      stream << " after " << ops;
    stream << (argmax ? ", and finds the largest of each row.\n" : codes.isEmpty() ? ".\n" : ", as codes.\n");
  }

  std::string printStruct(StringRef value) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    printComment(stream);
    stream << "struct Epilogue {\n"
           << "  using Element = " << cudaType(out.element) << ";\n"
           << "  static constexpr int kInputs = " << code.getInputs() << ", kColumns = " << out.columns
           << ", kVector = " << code.vectorWidth(out) << ";\n";
    code.printMembers(stream);
    stream << "  Element *result;\n";
    if (argmax)
      printMaxima(stream);
    codes.printMembers(stream);
    stream << "\n";
    code.printLoad(stream);
    printStore(stream, value);
    stream << "};\n";
    return text;
  }

  /// What finds the largest result of each row.
  static void printMaxima(raw_ostream &stream) {
    stream << "  int *largest;\n  void *workspace;\n\n"
           << "  using Maxima = RowMaxima<Shape::kRows>;\n"
           << "  static constexpr bool kReduces = true;\n"
           << "  static constexpr int kSharedBytes = Maxima::kSharedBytes;\n"
           << "  __device__ __forceinline__ void begin() const { Maxima::begin(); }\n"
           << "  __device__ __forceinline__ void finish(int lane) const {\n"
           << "    Maxima::finish(lane, static_cast<uint32 *>(workspace), largest);\n  }\n";
  }

  void printStore(raw_ostream &stream, StringRef value) {
    stream << "  template <int V>\n"
           << "  __device__ __forceinline__ void store(int row, int column, const float (&sums)[V * kInputs],\n"
           << "                                        const Extra<V> &extra) const {\n";
    code.printLoop(stream, value);
    codes.printBeforeStore(stream);
    stream << "    storeVector<V>(" << elementAddress(out, "result") << ", values);\n"
           << (argmax ? "    Maxima::offer(row, column, values);\n" : "") << "  }\n";
  }

  std::string printInitializer() {
    SmallVector<std::string> members = code.initializers();
    members.push_back(writer.address(out, "result"));
    if (argmax) {
      members.push_back(writer.address(maxima, "largest"));
      members.push_back(writer.workspace());
    }
    codes.addInitializers(members);
    return "Epilogue{" + llvm::join(members, ", ") + "}";
  }

  KernelWriter &writer;
  Value produced;
  ArgmaxOp argmax; ///< of the last op's result; may be null. Found with the last op.
  ElementCode code;
  OpResult last;
  ResultCodes codes;
  View out, maxima;
};

} // namespace

FailureOr<std::string> emitEpilogue(KernelWriter &writer, Value produced, Value bias) {
  writer.include("common/epilogue.cuh");
  return EpiloguePrinter(writer, produced, bias).print();
}

} // namespace bambac::codegen
