// The part of an epilogue that makes codes of what the kernel computes.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_RESULTCODES_H
#define BAMBAC_CODEGEN_CUDA_EMIT_RESULTCODES_H

#include "codegen/cuda/emit/KernelWriter.h"

namespace bambac::codegen {

/// Codes that are stored in place of the result: their scale is known. Prints nothing without a quantization.
class ResultCodes {
public:
  /// `quantize`, which may be null, reads `result`.
  ResultCodes(KernelWriter &writer, QuantizeOp quantize, OpResult result)
      : writer(writer), quantize(quantize), result(result) {}

  bool isEmpty() const { return !quantize; }
  /// Where codes are stored, if there are any. Reports scales that only whole rows tell.
  FailureOr<View> view();

  void printMembers(raw_ostream &stream);
  /// Makes codes of `values`, which are stored next.
  void printBeforeStore(raw_ostream &stream);
  void addInitializers(SmallVector<std::string> &values);

private:
  KernelWriter &writer;
  QuantizeOp quantize;
  OpResult result;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_RESULTCODES_H
