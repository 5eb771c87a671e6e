// What makes code of scheduled kernels: one backend for each sort of device.
#ifndef BAMBAC_COMPILER_PIPELINE_BACKEND_H
#define BAMBAC_COMPILER_PIPELINE_BACKEND_H

#include "codegen/plan/Plan.h"
#include "compiler/pipeline/Compile.h"
#include "dialects/bamba/Bamba.h"
#include <memory>
#include <string>
#include <vector>

namespace bambac {

/// A kernel as text.
struct KernelFile {
  std::string name; ///< of the file, such as "rms_norm_4x256.cu"
  std::string text;
};

/// Makes the kernels of one module. Errors are emitted as diagnostics.
class Backend {
public:
  virtual ~Backend() = default;

  /// The kernels' text, for dumps and for the phase `kernels` as output. Runs first, and only once.
  virtual LogicalResult emit(ModuleOp scheduled) = 0;
  /// The text after emit(), a file or more for each kernel.
  virtual std::vector<KernelFile> getFiles() const = 0;
  /// The text after emit(), as one stream.
  virtual void print(raw_ostream &stream) const = 0;

  /// The kernels' code, after emit(). The module's schedules become those that were taken.
  virtual FailureOr<std::vector<codegen::KernelCode>> compile(ModuleOp scheduled) = 0;
  /// The objects that the library is linked from, in addition to its tables, after compile().
  virtual std::vector<SmallVector<char, 0>> takeObjects() = 0;
};

std::unique_ptr<Backend> makeCpuBackend(const CompileOptions &options);
std::unique_ptr<Backend> makeCudaBackend(const CompileOptions &options);

/// The backend of a target's device.
std::unique_ptr<Backend> makeBackend(TargetInterface target, const CompileOptions &options);

} // namespace bambac

#endif // BAMBAC_COMPILER_PIPELINE_BACKEND_H
