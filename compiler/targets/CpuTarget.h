// What is known of processors.
#ifndef BAMBAC_COMPILER_TARGETS_CPUTARGET_H
#define BAMBAC_COMPILER_TARGETS_CPUTARGET_H

#include "dialects/bamba/Bamba.h"
#include "llvm/Support/Error.h"

namespace bambac {

/// The target of --cpu=`name`: "native" (the machine that bambac runs on), "x86-64-v3", "x86-64-v4", or
/// "sapphirerapids" for processors with AMX. Its features are those that a library's runtime can check when it is
/// opened, so that it never meets an instruction it did not expect.
llvm::Expected<CpuTargetAttr> makeCpuTarget(MLIRContext *context, StringRef name);

/// Lets #bamba.cpu_target answer TargetInterface.
void attachCpuTargetInterface(MLIRContext *context);

} // namespace bambac

#endif // BAMBAC_COMPILER_TARGETS_CPUTARGET_H
