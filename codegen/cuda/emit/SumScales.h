// The scales of a linear's sums of codes, as parts of the epilogue that multiplies by them.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_SUMSCALES_H
#define BAMBAC_CODEGEN_CUDA_EMIT_SUMSCALES_H

#include "codegen/cuda/emit/KernelWriter.h"

namespace bambac::codegen {

/// Of a linear of codes; of any other op nothing is printed. Where columns of the depth have scales of their own, the
/// collective multiplies by them and the epilogue only says where they are.
class SumScales {
public:
  /// `linear` may be null.
  SumScales(KernelWriter &writer, LinearOp linear);

  /// `sum`, which is that of column `index` of the call, with its scales.
  std::string apply(const std::string &sum, StringRef index) const;
  /// Whether `Extra` has scales.
  bool areLoaded() const { return scales && !hasGroups(); }

  /// Members of the epilogue, and what initializes them.
  void printMembers(raw_ostream &stream) const;
  void addInitializers(SmallVector<std::string> &values) const;
  /// Members of `Extra`, and what fills them: the scales of `columns` columns of the linear from `first` on.
  void printExtra(raw_ostream &stream, StringRef columns) const;
  void printLoad(raw_ostream &stream, StringRef columns, StringRef first) const;

private:
  bool hasGroups() const { return group && dimOf(scales, 0) > 1; }

  KernelWriter &writer;
  LinearOp linear;
  int64_t group = 0;         ///< columns that share scales; 0: all
  Value scales, inputScales; ///< null where there are none; those of the input also where they are found in the kernel
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_SUMSCALES_H
