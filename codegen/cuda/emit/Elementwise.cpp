// Element-wise ops that joined no other kernel: their code (ElementCode.h) is the body of a kernel.
#include "codegen/cuda/emit/ElementCode.h"
#include "codegen/cuda/emit/Ops.h"
#include "llvm/ADT/StringExtras.h"

namespace bambac::codegen {

static std::string printBody(const ElementCode &code, const View &out, StringRef value) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "/// Computes " << code.listOps() << ".\nstruct Body {\n"
         << "  static constexpr int kColumns = " << out.columns << ", kVector = " << code.vectorWidth(out) << ";\n";
  code.printMembers(stream);
  stream << "  " << cudaType(out.element) << " *result;\n\n";
  code.printLoad(stream);
  stream << "  template <int V> __device__ __forceinline__ void apply(int row, int column) const {\n"
         << "    const Extra<V> extra = load<V>(row, column);\n";
  code.printLoop(stream, value);
  stream << "    storeVector<V>(" << elementAddress(out, "result") << ", values);\n  }\n};\n";
  return text;
}

FailureOr<KernelText> emitElementwise(KernelWriter &writer, Operation *last) {
  OpResult result = last->getResult(0);
  ElementCode code(writer, last);
  FailureOr<View> out = writer.resultView(result);
  FailureOr<std::string> value = code.expression(result);
  if (failed(out) || failed(value))
    return failure();
  writer.declare(printBody(code, *out, *value));
  writer.constant("vector", code.vectorWidth(*out));
  writer.constant("rows", dimOf(result, 0));
  writer.constant("columns", dimOf(result, 1));
  SmallVector<std::string> members = code.initializers();
  members.push_back(writer.address(*out, "result"));
  SmallVector<std::string> call{"Body{" + llvm::join(members, ", ") + "}"};
  writer.addRows(call);
  return writer.finish({"Body"}, call);
}

} // namespace bambac::codegen
