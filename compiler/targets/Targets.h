// The devices that bambac compiles for, by name.
#ifndef BAMBAC_COMPILER_TARGETS_TARGETS_H
#define BAMBAC_COMPILER_TARGETS_TARGETS_H

#include "dialects/bamba/Bamba.h"
#include "llvm/Support/Error.h"

namespace bambac {

/// What the user can say of a device beyond its name.
struct TargetOptions {
  /// The processor of the target `cpu`: native, x86-64-v3, x86-64-v4 or sapphirerapids.
  std::string cpu = "native";
  /// Multiprocessors that a launch on a GPU should fill; 0: those of the largest card of the architecture.
  int64_t multiprocessors = 0;
};

/// The target that `--target` calls `name`: cpu, or an architecture of NVIDIA's GPUs.
llvm::Expected<TargetInterface> makeTarget(MLIRContext *context, StringRef name, const TargetOptions &options);

/// Lets the target attributes answer TargetInterface. Every context in which passes run needs it.
void registerTargets(DialectRegistry &registry);

} // namespace bambac

#endif // BAMBAC_COMPILER_TARGETS_TARGETS_H
