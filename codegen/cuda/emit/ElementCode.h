// Element-wise ops as straight-line C++ for one element of their result.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_ELEMENTCODE_H
#define BAMBAC_CODEGEN_CUDA_EMIT_ELEMENTCODE_H

#include "codegen/cuda/emit/SumScales.h"

namespace bambac::codegen {

/// Becomes the members of a device struct: pointers to what the ops read, and the ops on element `i` of a vector.
class ElementCode {
public:
  /// Of ops that read nothing but memory. Errors are reported at `owner`.
  ElementCode(KernelWriter &writer, Operation *owner) : writer(writer), owner(owner), scales(writer, {}) {}
  /// Of ops that read `sums`, the plain result of a kernel's main op, to which `bias` is added (null for none).
  ElementCode(KernelWriter &writer, Value sums, Value bias)
      : writer(writer), owner(sums.getDefiningOp()), sums(sums), bias(bias),
        scales(writer, sums.getDefiningOp<LinearOp>()) {}

  /// The value of element i of `value` as C++. Appends a line for each op on the way.
  FailureOr<std::string> expression(Value value);

  /// Columns of the main op that one column of the result is made of.
  int64_t getInputs() const { return std::max<int64_t>(inputs, 1); }
  /// The ops in the order of their lines, "bamba.swiglu, linalg.add"; empty for none.
  std::string listOps() const;
  /// Neighbouring columns that all that is read, and `out`, can be accessed in together.
  int64_t vectorWidth(const View &out) const;

  /// The pointers, as members of the struct.
  void printMembers(raw_ostream &stream) const;
  /// What initializes them.
  SmallVector<std::string> initializers();
  /// `Extra`, the values that the ops read, and load(), which asks for them.
  void printLoad(raw_ostream &stream) const;
  /// The loop that fills `values`, with `value` as the element.
  void printLoop(raw_ostream &stream, StringRef value) const;

private:
  /// Memory that an op reads.
  struct Load {
    View view;
    std::string name; ///< of the member
  };

  FailureOr<std::string> computed(Value value, StringRef operandName);
  FailureOr<std::string> sum(int64_t step, int64_t offset);
  FailureOr<std::string> loaded(Value value, StringRef name);

  KernelWriter &writer;
  Operation *owner;
  Value sums, bias;
  SumScales scales;
  int64_t inputs = 0;
  SmallVector<Load> loads;
  std::vector<std::string> lines, ops;
  llvm::DenseMap<Value, std::string> names;
};

/// `pointer + static_cast<long long>(row) * 584 + column`.
std::string elementAddress(const View &view, StringRef pointer);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_ELEMENTCODE_H
