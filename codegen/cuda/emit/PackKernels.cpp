// Finds the types and layouts that the weights have, and prints a kernel for each.
#include "codegen/cuda/emit/PackKernels.h"
#include "codegen/cuda/emit/KernelWriter.h"
#include "codegen/plan/Plan.h"
#include "dialects/bamba/ElementType.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "llvm/ADT/StringSet.h"

namespace bambac::codegen {

static KernelText print(StringRef name, StringRef element, int64_t panel, int64_t group, CudaTargetAttr target) {
  KernelText text;
  llvm::raw_string_ostream stream(text.kernel);
  printBanner(stream, name, target.getArch().getValue());
  stream << "#include \"common/pack_weights.cuh\"\n\nusing namespace bambac;\n\nnamespace {\n\n"
         << "/// The weights' layout.\nstruct Shape {\n  using Element = " << element << ";\n"
         << "  static constexpr int kPanel = " << panel << ";\n  static constexpr int kGroup = " << group << ";\n"
         << "  static constexpr int kMultiprocessors = " << target.getMultiprocessors() << ";\n};\n\n"
         << "using Kernel = PackWeights<Shape>;\n\n} // namespace\n\n"
         << "extern \"C\" __global__ void __launch_bounds__(Kernel::kThreads, Kernel::kMinBlocks) " << name
         << "(\n    const WeightPiece piece) {\n  Kernel::run(piece);\n}\n";
  text.launch = ("extern \"C\" __device__ const Launch " + name + "_launch = Kernel::kLaunch;\n").str();
  return text;
}

std::vector<PackKernel> emitPackKernels(ModuleOp scheduled, CudaTargetAttr target) {
  std::vector<PackKernel> kernels;
  llvm::StringSet<> names;
  for (auto global : scheduled.getOps<ml_program::GlobalOp>()) {
    auto type = dyn_cast<RankedTensorType>(global.getType());
    std::optional<bamba_rt_dtype> dtype = type ? weightTypeOf(type.getElementType()) : std::nullopt;
    if (!global->hasAttr(attr::kSources) || !dtype)
      continue;
    auto panel = dyn_cast_or_null<PanelAttr>(type.getEncoding());
    std::string name = packKernelName(*dtype, panel ? panel.getSize() : 0, panel ? panel.getGroup() : 1);
    if (!names.insert(name).second)
      continue;
    KernelText text =
        print(name, cudaType(type.getElementType()), panel ? panel.getSize() : 1, panel ? panel.getGroup() : 1, target);
    kernels.push_back({std::move(name), std::move(text), global.getLoc()});
  }
  return kernels;
}

} // namespace bambac::codegen
