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
  /// Also keep each kernel as text: as loops over memory, and as LLVM IR.
  bool keepText = false;
};

/// One kernel: `void name(ptr args, ptr scratch, i64 workgroup)`, see runtime/contract/abi.h.
struct CpuKernel {
  std::string name;
  uint64_t workgroups = 0;
  /// Scratch memory that one workgroup needs.
  uint64_t scratchBytes = 0;
  /// A relocatable ELF object that defines `name` and needs at most memcpy, memset, memmove and the C math library.
  std::string object;
  /// Where asked for: loops over memory, the last form that is the same for the instructions of all processors, and the
  /// LLVM IR that is made of them.
  std::string loops, llvmIr;
};

/// Compiles every function with `bamba.kernel` in `scheduled`, which stays as it is. Kernels come in the order in which
/// they stand there, whatever the number of threads. The context must know registerCpuCodegenInterfaces (Passes.h). The
/// buffers of a launch must not overlap, unless both are only read.
FailureOr<std::vector<CpuKernel>> compileCpuKernels(ModuleOp scheduled, const CpuCodegenOptions &options);

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_CPUCODEGEN_H
