// The rotation of queries and keys, where it joined no projection, and its table of frequencies.
#include "codegen/cuda/emit/Ops.h"
#include <cmath>

namespace bambac::codegen {

/// theta^(-2 j / rotary_dim) in the roundings of a table in f32: at position 262144 a last-place error of a frequency
/// already turns a pair by a hundredth of a radian.
static std::string frequencyTable(RopeOp rope) {
  auto rotaryDim = static_cast<int64_t>(rope.getRotaryDim());
  SmallVector<std::string> values;
  for (int64_t j = 0; j < rotaryDim / 2; ++j) {
    float exponent = static_cast<float>(2 * j) / static_cast<float>(rotaryDim);
    auto power = static_cast<float>(std::pow(rope.getTheta().convertToDouble(), static_cast<double>(exponent)));
    values.push_back(floatLiteral(1.0f / power));
  }
  if (values.empty()) // nothing turns, and nothing is read
    values.push_back(floatLiteral(0.0));
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "/// Radians by which one position turns each pair.\n__device__ const float kFrequencies[" << values.size()
         << "] = {";
  constexpr size_t lineValues = 6;
  for (auto [number, value] : llvm::enumerate(values))
    stream << (number % lineValues ? " " : "\n    ") << value << ",";
  stream << "\n};\n";
  return text;
}

void describeRope(KernelWriter &writer, RopeOp rope) {
  writer.constant("head_dim", static_cast<int64_t>(rope.getHeadDim()));
  writer.constant("rotary_dim", static_cast<int64_t>(rope.getRotaryDim()));
  writer.declare(frequencyTable(rope));
}

FailureOr<std::string> emitRope(KernelWriter &writer, RopeOp rope) {
  writer.constant("rows", dimOf(rope.getInput(), 0));
  writer.constant("heads", dimOf(rope.getInput(), 1) / static_cast<int64_t>(rope.getHeadDim()));
  writer.constant("interleaved", rope.getInterleaved());
  describeRope(writer, rope);
  FailureOr<View> input = writer.view(rope, rope.getInput());
  FailureOr<View> result = writer.resultView(cast<OpResult>(rope.getResult()));
  if (failed(input) || failed(result))
    return failure();
  writer.constant("vector", std::min(input->alignment(kWidest), result->alignment(kWidest)));
  return writer.finish({}, {writer.rows(*input, "input"), writer.address(rope, rope.getPositions(), "positions"),
                            "kFrequencies", writer.rows(*result, "result")});
}

} // namespace bambac::codegen
