// The passes that turn a scheduled kernel into a function of pointers, in the order in which the pipeline runs them.
#ifndef BAMBAC_CODEGEN_CPU_PASSES_TD
#define BAMBAC_CODEGEN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def ResolvePanels : Pass<"bamba-cpu-resolve-panels", "mlir::func::FuncOp"> {
  let summary = "Replace the panel encoding of weights by their shape in memory";
  let description = [{
    An encoding says how a matrix is laid out in memory, but upstream tiling and bufferization do not read it: a slice of
    rows of the encoded matrix would become wrong addresses. So the argument `tensor<NxKxT, #bamba.panel<p>>` of a
    kernel becomes `tensor<ceil(N/p)xKxpxT>`, or with groups of `g` columns `tensor<ceil(N/p)xceil(K/g)xpxgxT>`,
    which is row-major, and its linears read that. From here on a tile of columns is a slice of panels.
  }];
  let dependentDialects = ["bambac::BambaDialect", "mlir::func::FuncDialect"];
}

def TileWorkgroups : Pass<"bamba-cpu-tile-workgroups", "mlir::func::FuncOp"> {
  let summary = "Cut a kernel into workgroups";
  let description = [{
    Tiles the kernel's last op by `workgroup` of its schedule into an `scf.forall` and fuses the producers of its tile
    into the loop, so that a workgroup computes what it consumes and intermediate results stay in cache. A kernel
    whose schedule cuts nothing is one workgroup, without a loop.
  }];
  let dependentDialects = ["mlir::scf::SCFDialect", "mlir::affine::AffineDialect", "mlir::tensor::TensorDialect"];
}

def Bufferize : Pass<"bamba-cpu-bufferize", "mlir::ModuleOp"> {
  let summary = "Bufferize kernels, writing out each op as loops over memory";
  let description = [{
    One-shot bufferization finds out which tensors share memory; the destinations of a kernel are its last arguments,
    so its results vanish. At this point tensor values have served their purpose, tiling and in-place analysis, and
    the bufferization of a bamba op is its loop nest of vector code (folder emit/): slots, pages and counts are read
    from memory there, which value semantics would thread through every loop.

    Fails where a result would need a buffer of its own or a state would have to be copied.
  }];
  let dependentDialects = ["bambac::BambaDialect", "mlir::func::FuncDialect", "mlir::bufferization::BufferizationDialect",
      "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect", "mlir::vector::VectorDialect",
      "mlir::math::MathDialect", "mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
      "mlir::amx::AMXDialect", "mlir::x86vector::X86VectorDialect", "mlir::LLVM::LLVMDialect"];
}

def AllocToScratch : Pass<"bamba-cpu-alloc-to-scratch", "mlir::func::FuncOp"> {
  let summary = "Replace allocations by places in the scratch buffer";
  let description = [{
    Nothing is allocated while a model runs. Each `memref.alloc` becomes a view of a new last argument, the scratch
    memory of the calling thread, at a constant offset; sizes that depend on the workgroup are bounded from above by
    ValueBoundsConstraintSet. `bamba.scratch_bytes` on the function says how much is needed. An allocation without a
    bound is an error, and so is a copy that bufferization left: kernels move nothing but what their ops say.
  }];
  let dependentDialects = ["mlir::memref::MemRefDialect", "mlir::arith::ArithDialect"];
  let statistics = [Statistic<"numReplaced", "replaced", "allocations replaced">];
}

def DistributeWorkgroups : Pass<"bamba-cpu-distribute-workgroups", "mlir::func::FuncOp"> {
  let summary = "Make a kernel compute one workgroup, by its number";
  let description = [{
    Replaces the kernel's `scf.forall` by its body at the index that a new last argument stands for, the innermost
    dimension fastest; the runtime's thread pool is the loop. `bamba.workgroups` on the function says how many there
    are. Where the first dimension of the loop is that of rows (`bamba.rows` on the loop) and the kernel is told how many
    of its rows are there, a workgroup that has none of them does nothing. Nor does any of a kernel that may have none
    (`bamba.may_be_empty`) and has none.
  }];
  let dependentDialects = ["mlir::affine::AffineDialect", "mlir::scf::SCFDialect", "mlir::arith::ArithDialect",
                           "mlir::memref::MemRefDialect"];
}

def KernelAbi : Pass<"bamba-cpu-kernel-abi", "mlir::ModuleOp"> {
  let summary = "Give kernels the calling convention of the runtime";
  let description = [{
    The kernel becomes an internal function of pointers that do not alias, with its shapes as constants inside; a new
    function of its name takes what the runtime passes, `(ptr args, ptr scratch, i64 workgroup)`, loads the pointers
    and calls it. Inlining then keeps what is known about aliasing, which a load cannot say.
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect", "mlir::arith::ArithDialect"];
}

def LowerMath : Pass<"bamba-cpu-lower-math", "mlir::func::FuncOp"> {
  let summary = "Approximate exp and log1p by polynomials and transpose in registers";
  let description = [{
    The C library's exp takes one number at a time. The polynomial approximations of the math dialect work on whole
    vectors at an error of about one unit in the last place. Sines and cosines of rotary embeddings are few and their
    angles large, so they stay calls. Transpositions of small blocks become shuffles.
  }];
  let dependentDialects = ["mlir::math::MathDialect", "mlir::vector::VectorDialect", "mlir::arith::ArithDialect",
      "mlir::x86vector::X86VectorDialect", "mlir::LLVM::LLVMDialect"];
}

def LowerTiles : Pass<"bamba-cpu-lower-tiles", "mlir::func::FuncOp"> {
  let summary = "Lower tile registers and the branches that carry them";
  let description = [{
    Sums in tile registers are carried by loops, and after `--convert-scf-to-cf` by branches. Upstream lowers the ops of
    amx with those of vector, but branches on their own, where a tile has no type of LLVM. So this pass lowers both
    together. It does nothing in a kernel without tiles.
  }];
  let dependentDialects = ["mlir::amx::AMXDialect", "mlir::LLVM::LLVMDialect"];
}

#endif
