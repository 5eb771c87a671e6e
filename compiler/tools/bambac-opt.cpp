// bambac-opt: mlir-opt with our dialects, passes and pipelines.
#include "codegen/cpu/Passes.h"
#include "codegen/cuda/Passes.h"
#include "compiler/pipeline/Pipelines.h"
#include "compiler/targets/Targets.h"
#include "dialects/bamba/Bamba.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Passes.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  bambac::registerBambaPasses();
  bambac::registerBambaPipelines();
  bambac::codegen::registerBambaCpuPasses();
  bambac::codegen::registerCpuPipelines();
  bambac::codegen::registerBambaCudaPasses();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<bambac::BambaDialect>();
  bambac::codegen::registerCpuCodegenInterfaces(registry);
  bambac::registerTargets(registry);
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "bambac's passes\n", registry));
}
