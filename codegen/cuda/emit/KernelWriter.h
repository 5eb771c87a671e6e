// The text of one CUDA kernel while it is put together: shapes, generated declarations, parameters, and the call.
#ifndef BAMBAC_CODEGEN_CUDA_EMIT_KERNELWRITER_H
#define BAMBAC_CODEGEN_CUDA_EMIT_KERNELWRITER_H

#include "dialects/bamba/Bamba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/raw_ostream.h"
#include <string>
#include <vector>

namespace bambac::codegen {

/// Elements of 16 bits that the widest access moves, 16 bytes.
inline constexpr int64_t kWidest = 8;

/// A dimension of a tensor.
inline int64_t dimOf(Value value, unsigned dim) { return cast<RankedTensorType>(value.getType()).getDimSize(dim); }

/// Columns of a row-major buffer: element (r, c) of the view is element r * stride + offset + c * step of kernel
/// argument `argument`.
struct View {
  unsigned argument = 0;
  int64_t offset = 0, stride = 0, step = 1, columns = 0;
  Type element;

  /// The largest power of two up to `limit` such that accesses of as many neighbouring elements are aligned.
  int64_t alignment(int64_t limit) const;
};

/// What one parameter of the kernel is made of.
struct KernelParam {
  enum class Kind { Pointer, TensorMap, Workspace, Piece, Size } kind; ///< the kinds of bamba_rt_param
  unsigned argument = 0;                                               ///< of the kernel function; of a size its value
  std::string constant; ///< of the collective, which describes a tensor map, or the size's own: "kDepth"
};

/// "tile_rows" -> "TileRows".
std::string toCamelCase(StringRef snake);

/// A constant of type float in CUDA C++.
std::string floatLiteral(double value);

/// A kernel's source in two parts, which make a translation unit together: the kernel, and the constants that say how
/// it is launched. Those of other launches of the same kernel may follow.
struct KernelText {
  std::string kernel, launch;
};

/// The type's name in device code, "float" or "bf16". The type is one that checkKernel (dialects/bamba/Kernel.h)
/// passed.
StringRef cudaType(Type element);

/// `open item, item close` on one line where that fits, else with a line for each item. What stands before it on its
/// line ends at `column`.
void printList(raw_ostream &stream, size_t column, StringRef open, ArrayRef<std::string> items, StringRef close);

/// The first lines of a source: what it is and how to compile it without bambac.
void printBanner(raw_ostream &stream, StringRef name, StringRef arch);

class KernelWriter {
public:
  KernelWriter(func::FuncOp kernel, CudaTargetAttr target, CudaScheduleAttr schedule);

  /// The view that a value is: an argument of the kernel or a slice of columns of one. Fails with an error at `user`.
  FailureOr<View> view(Operation *user, Value value);
  /// The view that a result is written to.
  FailureOr<View> resultView(OpResult result);

  /// `static constexpr int kName = value;` and the like in Shape.
  void constant(StringRef name, int64_t value);
  void constant(StringRef name, bool value);
  void constant(StringRef name, double value);
  /// A size in which launches of one kernel may differ: its code has geometry::kAnySize in its place, what describes
  /// the launch the value. Kernels that differ in nothing else share their code.
  void size(StringRef name, int64_t value);
  /// Such a size that the code asks for as well: a parameter of the kernel, whose name this is.
  std::string sizeParam(StringRef name, int64_t value);
  /// The same as sizeParam() of a field of the schedule.
  std::string fieldParam(StringRef name);
  /// Rows of a collective whose code asks for nothing but how many are there (addRows): a size of the launch, unless
  /// the kernel always has all of them.
  void rowCount(int64_t rows);

  /// A header in addition to that of the collective.
  void include(StringRef header) { headers.push_back(header.str()); }

  /// `using Operand = type;` in Shape: what the tensor cores multiply, and what else is rounded for them.
  void operand(Type element);
  /// The header of the instruction wgmma for operand(), for a collective that multiplies by it.
  void includeWgmma() { include("wgmma/wgmma_" + operandType + ".cuh"); }
  /// Another type of the kernel's shape.
  void type(StringRef name, Type element);

  /// A declaration before the kernel, already printed: a type or a table.
  void declare(const Twine &text) { declarations.push_back(text.str()); }

  // Arguments are named when they are first asked for: after the operand that the text is made for. `name` is that of
  // the operand, "dtBias"; a second argument of the same name gets a number.

  /// `weight + 256`: the address of a view's first element.
  std::string address(const View &view, StringRef name);
  /// The address of a whole argument.
  std::string address(Operation *user, Value value, StringRef name);
  /// `Rows<const bf16, 584>`: the type of a view.
  std::string rowsType(const View &view) const;
  /// `Rows<const bf16, 584>{input + 256}`.
  std::string rows(const View &view, StringRef name);
  /// A tensor map over a whole argument, described by the collective's constant `map`: the parameter's name, `inputMap`
  /// for `kInputMap`.
  std::string tensorMap(const View &view, StringRef map);
  /// The workspace: the parameter's name.
  std::string workspace() { return unique(KernelParam::Kind::Workspace, "workspace"); }
  /// Appends the number of rows that are there to a call of a collective, where the kernel has one. Last of all.
  void addRows(SmallVectorImpl<std::string> &call);

  /// Prints the source: `collective` is the arguments of the collective's template after `Shape`, `call` those of its
  /// run().
  KernelText finish(ArrayRef<std::string> collective, ArrayRef<std::string> call);

  bool isWritten(unsigned argument) const { return argument >= numInputs; }
  ArrayRef<KernelParam> getParams() const { return params; }
  func::FuncOp getKernel() const { return kernel; }
  int64_t getMultiprocessors() const { return target.getMultiprocessors(); }
  StringRef getCollective() const { return schedule.getCollective().getValue(); }
  /// A field of the schedule that the collective has.
  int64_t getField(StringRef name) const { return schedule.getFields().getAs<IntegerAttr>(name).getInt(); }

private:
  /// The name of an argument: `wanted`, with a number where that is taken, if it has none yet.
  StringRef nameOf(unsigned argument, StringRef wanted);
  /// The one parameter of a kind that needs no more, and its name.
  std::string unique(KernelParam::Kind kind, StringRef name);
  /// The number of rows that are there among the parameters: the parameter's name.
  std::string addRowsParam(BlockArgument rows);
  /// True where the kernel does nothing for want of rows.
  bool mayBeEmpty() const { return func::FuncOp(kernel)->hasAttr(attr::kMayBeEmpty); }
  /// `const bf16 *weight`.
  std::string declarationOf(const KernelParam &param) const;
  void printShape(raw_ostream &stream) const;
  void printEntry(raw_ostream &stream, ArrayRef<std::string> call) const;
  /// `described`: the instance of the collective that knows all sizes.
  void printLaunch(raw_ostream &stream, StringRef described) const;

  unsigned numInputs = 0; ///< arguments that are only read; the others are destinations
  func::FuncOp kernel;
  CudaTargetAttr target;
  CudaScheduleAttr schedule;
  std::string operandType;        ///< empty where the kernel has none
  std::vector<std::string> types; ///< further ones: "Cached = bf16"
  std::vector<std::string> headers, constants, declarations;
  std::vector<std::string> sizes;  ///< constants of the launch
  std::vector<KernelParam> params; ///< pointers in the order of the arguments, then the others as they were asked for
  std::vector<std::string> names;  ///< of the arguments; empty for one that nothing asked for yet
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CUDA_EMIT_KERNELWRITER_H
