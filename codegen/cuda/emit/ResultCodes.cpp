// Codes follow the result as it would be stored, rounded to its type, so that they are the same whether a kernel of its
// own makes them or not.
#include "codegen/cuda/emit/ResultCodes.h"
#include "geometry/row_codes.h"

namespace bambac::codegen {

static StringRef elementType(Value value) { return cudaType(getElementTypeOrSelf(value.getType())); }

int64_t ResultCodes::mostRows() const {
  int64_t rows = dimOf(result, 0);
  return writer.hasSize("rows") ? geometry::rowCodesCapacity(static_cast<int>(rows)) : rows;
}

void ResultCodes::printMembers(raw_ostream &stream) {
  if (!quantize)
    return;
  if (replaceResult()) {
    stream << "  float *scales;\n  const float *fixedScales;\n";
    return;
  }
  stream << "  RowCodes<" << elementType(result) << ", " << mostRows() << ", " << dimOf(result, 1) << ", "
         << int64_t(quantize.getGroup()) << "> codes;\n\n"
         << "  static constexpr bool kReduces = true, kHasTail = true;\n"
         << "  static constexpr int kSharedBytes = decltype(codes)::kSharedBytes;\n"
         << "  __device__ __forceinline__ void begin() const { codes.begin(); }\n"
         << "  __device__ __forceinline__ void finish(int lane) const { codes.finish(lane); }\n"
         << "  template <int Threads> __device__ __forceinline__ void tail(int thread) const {\n"
         << "    codes.template tail<Threads>(thread);\n  }\n";
}

void ResultCodes::printBeforeStore(raw_ostream &stream) {
  if (replaceResult())
    stream << "    const float scale = largestScale<" << dimOf(quantize.getStaticScales(), 0) << ">(fixedScales);\n"
           << "    for (float &value : values)\n"
           << "      value = CodeDivider(scale)(toFloat(fromFloat<" << elementType(result) << ">(value)));\n"
           << "    if (column == 0)\n      scales[row] = scale;\n";
}

void ResultCodes::printAfterStore(raw_ostream &stream) {
  if (quantize && !replaceResult())
    stream << "    codes.offer(row, values);\n";
}

void ResultCodes::addInitializers(SmallVector<std::string> &values, const View &out) {
  if (!quantize)
    return;
  writer.include("common/row_codes.cuh");
  FailureOr<View> codes = view(), scales = writer.resultView(cast<OpResult>(quantize.getScales()));
  assert(succeeded(codes) && succeeded(scales) && "results are arguments of the kernel");
  if (replaceResult()) {
    values.push_back(writer.address(*scales, "scales"));
    values.push_back(writer.address(quantize, quantize.getStaticScales(), "fixedScales"));
    return;
  }
  values.push_back("{" + writer.address(out, "result") + ", " + writer.address(*codes, "codes") + ", " +
                   writer.address(*scales, "scales") + ", " + writer.workspace() + ", " + writer.multiprocessors() +
                   ", " + writer.sizeOf("rows", dimOf(result, 0)) + "}");
}

} // namespace bambac::codegen
