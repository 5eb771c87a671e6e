// CPU code generation as a library: scheduled kernels in, object files out.
#ifndef BAMBAC_CODEGEN_CPU_CPUCODEGEN_H
#define BAMBAC_CODEGEN_CPU_CPUCODEGEN_H

#include "dialects/bamba/Bamba.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace bambac::codegen {

struct CpuCodegenOptions {
  /// Processor and features by LLVM's names; where empty, those of the module's `bamba.target`.
  std::string cpu, features;
  /// LLVM's optimization level, 0 to 3.
  unsigned optLevel = 3;
  /// Kernels compiled at a time; 0: as many as there are processors.
  unsigned threads = 0;
  /// Also keep the LLVM IR of each kernel, as text after optimization.
  bool keepLlvmIr = false;
};

/// One kernel: `void name(ptr args, ptr scratch, i64 workgroup)`, see runtime/contract/abi.h.
struct CpuKernel {
  std::string name;
  uint64_t workgroups = 0;
  /// Scratch memory that one workgroup needs.
  uint64_t scratchBytes = 0;
  /// A relocatable ELF object that defines `name` and needs at most memcpy, memset, memmove and the C math library.
  std::string object;
  /// Where asked for.
  std::string llvmIr;
};

/// Compiles every function with `bamba.kernel` in `scheduled`, which stays as it is. Kernels come in the order in which
/// they stand there, whatever the number of threads. The context must know registerCpuCodegenInterfaces (Passes.h). The
/// buffers of a launch must not overlap, unless both are only read.
FailureOr<std::vector<CpuKernel>> compileCpuKernels(ModuleOp scheduled, const CpuCodegenOptions &options);

/// The kernels as loops over memory, the last phase that is the same for every processor's instructions: for dumps.
FailureOr<OwningOpRef<ModuleOp>> lowerCpuKernelsToLoops(ModuleOp scheduled);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_CPUCODEGEN_H
