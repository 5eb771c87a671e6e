// bambac-opt: mlir-opt with our dialects, passes and pipelines.
#include "dialects/bamba/Bamba.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<bambac::BambaDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "bambac's passes\n", registry));
}
