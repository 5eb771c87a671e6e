// The part of an epilogue that makes codes of what the kernel computes.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_RESULTCODES_H
#define BAMBAC_CODEGEN_CUDA_EMIT_RESULTCODES_H

#include "codegen/cuda/emit/KernelWriter.h"

namespace bambac::codegen {

/// Where the scale is known, codes are stored in place of the result. Else the result is stored, and read again by the
/// blocks that wait for all others (common/row_codes.cuh). Prints nothing without a quantization.
class ResultCodes {
public:
  /// `quantize`, which may be null, reads `result`.
  ResultCodes(KernelWriter &writer, QuantizeOp quantize, OpResult result)
      : writer(writer), quantize(quantize), result(result) {}

  bool isEmpty() const { return !quantize; }
  /// True where nothing but codes is stored: view() is where.
  bool replaceResult() { return quantize && quantize.getStaticScales(); }
  FailureOr<View> view() { return writer.resultView(cast<OpResult>(quantize.getResult())); }

  void printMembers(raw_ostream &stream);
  /// Of `values`, which are stored next.
  void printBeforeStore(raw_ostream &stream);
  void printAfterStore(raw_ostream &stream);
  /// `out`: what is stored.
  void addInitializers(SmallVector<std::string> &values, const View &out);

private:
  /// Rows that the code is for.
  int64_t mostRows() const;

  KernelWriter &writer;
  QuantizeOp quantize;
  OpResult result;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_RESULTCODES_H
