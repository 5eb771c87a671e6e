// LLVM: a module in the LLVM dialect to optimized LLVM IR and to an object file.
#ifndef BAMBAC_CODEGEN_CPU_OBJECTEMITTER_H
#define BAMBAC_CODEGEN_CPU_OBJECTEMITTER_H

#include "dialects/LLVM.h"
#include "mlir/IR/BuiltinOps.h"
#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
} // namespace llvm

namespace bambac::codegen {

/// Optimizes and emits modules for one processor. One emitter serves one thread.
class ObjectEmitter {
public:
  /// `cpu` and `features` by LLVM's names. Fails with a diagnostic at `loc` for a processor that LLVM does not know.
  static FailureOr<ObjectEmitter> create(Location loc, StringRef cpu, StringRef features, int64_t vectorBits,
                                         unsigned optLevel);
  ObjectEmitter(ObjectEmitter &&) noexcept;
  ~ObjectEmitter();

  /// Translates and optimizes; null with a diagnostic on failure.
  std::unique_ptr<llvm::Module> translate(ModuleOp module, llvm::LLVMContext &context);
  /// The bytes of an object file.
  FailureOr<std::string> emitObject(Location loc, llvm::Module &module);

private:
  ObjectEmitter(std::unique_ptr<llvm::TargetMachine> machine, int64_t vectorBits, unsigned optLevel);

  std::unique_ptr<llvm::TargetMachine> machine;
  int64_t vectorBits;
  unsigned optLevel;
};

} // namespace bambac::codegen

#endif // BAMBAC_CODEGEN_CPU_OBJECTEMITTER_H
