// Codes follow the result as it would be stored, rounded to its type, so that they are the same whether a kernel of its
// own makes them or not.
#include "codegen/cuda/emit/ResultCodes.h"

namespace bambac::codegen {

FailureOr<View> ResultCodes::view() {
  if (!quantize.getStaticScales())
    return quantize.emitError() << "expected scales that are known, since a block has some columns of a row";
  return writer.resultView(cast<OpResult>(quantize.getResult()));
}

void ResultCodes::printMembers(raw_ostream &stream) {
  if (quantize)
    stream << "  float *scales;\n  const float *fixedScales;\n";
}

void ResultCodes::printBeforeStore(raw_ostream &stream) {
  if (quantize)
    stream << "    const float scale = largestScale<" << dimOf(quantize.getStaticScales(), 0) << ">(fixedScales);\n"
           << "    for (float &value : values)\n"
           << "      value = CodeDivider(scale)(toFloat(fromFloat<" << cudaType(getElementTypeOrSelf(result.getType()))
           << ">(value)));\n"
           << "    if (column == 0)\n      scales[row] = scale;\n";
}

void ResultCodes::addInitializers(SmallVector<std::string> &values) {
  if (!quantize)
    return;
  writer.include("common/e4m3.cuh");
  FailureOr<View> scales = writer.resultView(cast<OpResult>(quantize.getScales()));
  assert(succeeded(scales) && "results are arguments of the kernel");
  values.push_back(writer.address(*scales, "scales"));
  values.push_back(writer.address(quantize, quantize.getStaticScales(), "fixedScales"));
}

} // namespace bambac::codegen
