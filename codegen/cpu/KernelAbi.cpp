// Kernels as the runtime calls them: see KernelAbi in Passes.td.
#include "codegen/cpu/Passes.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"

namespace bambac::codegen {
#define GEN_PASS_DEF_KERNELABI
#include "codegen/cpu/Passes.h.inc"

namespace {

/// Stands for the number of items of a state pool, which only the runtime knows and no kernel asks for.
constexpr int64_t kUnknownItems = int64_t(1) << 31;

/// A memref of the given type at `pointer`, as its LLVM descriptor.
Value makeMemRef(OpBuilder &builder, Location loc, const LLVMTypeConverter &converter, MemRefType type, Value pointer) {
  auto descriptor = MemRefDescriptor::poison(builder, loc, converter.convertType(type));
  descriptor.setAllocatedPtr(builder, loc, pointer);
  descriptor.setAlignedPtr(builder, loc, pointer);
  descriptor.setConstantOffset(builder, loc, 0);
  int64_t stride = 1;
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    int64_t size = type.isDynamicDim(dim) ? kUnknownItems : type.getDimSize(dim);
    descriptor.setConstantSize(builder, loc, dim, size);
    descriptor.setConstantStride(builder, loc, dim, stride);
    stride *= size;
  }
  Value built = descriptor;
  return UnrealizedConversionCastOp::create(builder, loc, TypeRange{type}, ValueRange{built}).getResult(0);
}

/// Only the leading dimension of an argument may be dynamic: nothing else is known at the call.
LogicalResult checkArguments(func::FuncOp kernel) {
  for (Type type : kernel.getArgumentTypes().drop_back()) {
    auto memref = dyn_cast<MemRefType>(type);
    if (!memref || !memref.getLayout().isIdentity() ||
        llvm::is_contained(memref.getShape().drop_front(), ShapedType::kDynamic))
      return kernel.emitError() << "expected buffers of static shape but for the leading dimension, found " << type;
  }
  return success();
}

struct KernelAbi : impl::KernelAbiBase<KernelAbi> {
  void runOnOperation() override {
    LLVMTypeConverter converter(&getContext());
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!kernel->hasAttr(attr::kKernel) || kernel.isExternal())
        continue;
      if (failed(checkArguments(kernel)))
        return signalPassFailure();
      wrap(kernel, converter);
    }
  }

  void wrap(func::FuncOp kernel, const LLVMTypeConverter &converter) {
    OpBuilder builder(kernel);
    Location loc = kernel.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    auto wrapper = func::FuncOp::create(builder, loc, kernel.getSymName(),
                                        builder.getFunctionType({pointer, pointer, builder.getI64Type()}, TypeRange()));
    for (StringRef name : {attr::kKernel, attr::kSchedule, attr::kCost, attr::kWorkgroups, attr::kScratchBytes})
      if (Attribute moved = kernel->removeAttr(name))
        wrapper->setAttr(name, moved);
    takePointers(kernel, converter);

    Block *block = wrapper.addEntryBlock();
    builder.setInsertionPointToStart(block);
    SmallVector<Value> arguments;
    // After the buffers come scratch and workgroup.
    for (unsigned number = 0; number + 2 < kernel.getNumArguments(); ++number) {
      Value place = LLVM::GEPOp::create(builder, loc, pointer, pointer, block->getArgument(0),
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
      arguments.push_back(LLVM::LoadOp::create(builder, loc, pointer, place));
    }
    arguments.push_back(block->getArgument(1));
    arguments.push_back(arith::IndexCastOp::create(builder, loc, builder.getIndexType(), block->getArgument(2)));
    func::CallOp::create(builder, loc, kernel, arguments);
    func::ReturnOp::create(builder, loc);
  }

  /// Makes the kernel an internal function of pointers that do not alias, which is inlined into its only caller.
  void takePointers(func::FuncOp kernel, const LLVMTypeConverter &converter) {
    MLIRContext *context = &getContext();
    OpBuilder builder = OpBuilder::atBlockBegin(&kernel.getBody().front());
    for (BlockArgument argument : kernel.getArguments().drop_back()) {
      auto type = cast<MemRefType>(argument.getType());
      argument.setType(LLVM::LLVMPointerType::get(context));
      kernel.removeArgAttr(argument.getArgNumber(), attr::kRows);
      Value memref = makeMemRef(builder, kernel.getLoc(), converter, type, argument);
      argument.replaceUsesWithIf(memref, [&](OpOperand &use) { return !isDescriptor(use.getOwner()); });
      kernel.setArgAttr(argument.getArgNumber(), LLVM::LLVMDialect::getNoAliasAttrName(), UnitAttr::get(context));
    }
    kernel.setFunctionType(builder.getFunctionType(kernel.getBody().getArgumentTypes(), TypeRange()));
    kernel.setSymName((kernel.getSymName() + "__body").str());
    kernel->setAttr("llvm.linkage", LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
    kernel->setAttr("passthrough", ArrayAttr::get(context, StringAttr::get(context, "alwaysinline")));
  }

  static bool isDescriptor(Operation *op) { return isa<LLVM::InsertValueOp>(op); }
};

} // namespace
} // namespace bambac::codegen
