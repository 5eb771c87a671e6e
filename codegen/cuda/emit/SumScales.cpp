// Scales of the weight are a row for each group of columns of the depth, those of the input a column.
#include "codegen/cuda/emit/SumScales.h"

namespace bambac::codegen {

SumScales::SumScales(KernelWriter &writer, LinearOp linear) : writer(writer), linear(linear) {
  if (!linear || !linear.isScaled())
    return;
  group = static_cast<int64_t>(linear.getGroup());
  scales = linear.getWeightScales();
  if (!getSource(linear).quantize)
    inputScales = linear.getInputScales();
}

std::string SumScales::apply(const std::string &sum, StringRef index) const {
  if (!areLoaded())
    return sum;
  return ("(" + Twine(sum) + (inputScales ? " * extra.inputScale" : "") + " * extra.weightScales[" + index + "])")
      .str();
}

void SumScales::printMembers(raw_ostream &stream) const {
  if (!scales)
    return;
  if (inputScales)
    stream << "  const float *inputScales;\n";
  stream << "  const float *weightScales;\n";
  if (!hasGroups())
    return;
  stream << "  static constexpr int kGroup = " << group << ";\n"
         << "  __device__ __forceinline__ float inputScale(int row, int group) const {\n"
         << "    return inputScales[row * " << dimOf(scales, 0) << " + group];\n  }\n"
         << "  __device__ __forceinline__ float weightScale(int column, int group) const {\n"
         << "    return weightScales[group * " << dimOf(scales, 1) << " + column];\n  }\n";
}

void SumScales::addInitializers(SmallVector<std::string> &values) const {
  if (inputScales)
    values.push_back(writer.address(linear, inputScales, "inputScales"));
  if (scales)
    values.push_back(writer.address(linear, scales, "weightScales"));
}

void SumScales::printExtra(raw_ostream &stream, StringRef columns) const {
  if (!areLoaded())
    return;
  if (inputScales)
    stream << "    float inputScale;\n";
  stream << "    float weightScales[" << columns << "];\n";
}

void SumScales::printLoad(raw_ostream &stream, StringRef columns, StringRef first) const {
  if (!areLoaded())
    return;
  if (inputScales)
    stream << "    extra.inputScale = inputScales[row];\n";
  stream << "    loadVector<" << columns << ">(weightScales + " << first << ", extra.weightScales);\n";
}

} // namespace bambac::codegen
