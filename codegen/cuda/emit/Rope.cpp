// The rotation of queries and keys, where it joined no projection, and its table of frequencies.
#include "codegen/cuda/emit/Ops.h"

namespace bambac::codegen {

/// The frequencies rounded to f32, once. At position 262144 an error in the last place of a frequency turns a pair by a
/// hundredth of a radian, and so does the rounding of the product of both, which is in f32 as well.
static std::string frequencyTable(RopeOp rope) {
  SmallVector<std::string> values;
  for (double frequency : rope.getRotation().getFrequencies().asArrayRef())
    values.push_back(floatLiteral(static_cast<float>(frequency)));
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
  writer.constant("rotary_dim", rope.getRotaryDim());
  writer.constant("rotation_scale", rope.getRotation().getScale().getValueAsDouble());
  writer.declare(frequencyTable(rope));
}

FailureOr<KernelText> emitRope(KernelWriter &writer, RopeOp rope) {
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
