// Linears of codes on a processor that multiplies pairs of bf16 in vector registers.
//
// RUN: %bambac-opt %s --bamba-cpu-loops | FileCheck %s
// RUN: %bambac-opt %s --bamba-cpu-loops --bamba-cpu-llvm | FileCheck %s --check-prefix=LLVM

!codes = tensor<64x96xf8E4M3FN, #bamba.panel<32, group = 2, align = 2>>
!deep = tensor<64x4096xf8E4M3FN, #bamba.panel<32, group = 2, align = 2>>
!odd = tensor<64x99xf8E4M3FN, #bamba.panel<32, group = 2, align = 2>>

module attributes {bamba.target = #bamba.cpu_target<arch = "znver4", features = "+avx512bf16,+gfni,+avx512vbmi",
    vector_bits = 512, vector_registers = 32, l2_bytes = 1048576>} {
  // A row takes the pairs of a panel as they come: four sums of two registers side by side.
  // CHECK-LABEL: func.func private @row__body(
  // CHECK-NOT: memref.view
  // CHECK: scf.for {{.*}} step %c4{{.*}} -> (vector<32xf32>, vector<32xf32>, vector<32xf32>, vector<32xf32>)
  // CHECK: llvm.intr.prefetch
  // CHECK: vector.load {{.*}} : memref<1x48x64xf8E4M3FN{{.*}}, vector<64xf8E4M3FN>
  // CHECK: llvm.call_intrinsic "llvm.x86.vgf2p8affineqb.512"
  // CHECK: vector.load {{.*}} : memref<1x96xbf16{{.*}}, vector<2xbf16>
  // CHECK-COUNT-2: x86vector.avx512.dot {{.*}} : vector<32xbf16> -> vector<16xf32>
  // LLVM-LABEL: llvm.func internal @row__body
  // LLVM: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
  // LLVM-NOT: unrealized_conversion_cast
  func.func private @row(%x: tensor<1x96xbf16>, %w: !codes, %xs: tensor<1x1xf32>, %ws: tensor<1x64xf32>,
                         %init: tensor<1x64xf32>) -> tensor<1x64xf32>
      attributes {bamba.kernel,
                  bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 32], rows = 1, depth = 0, chunk = 0>} {
    %l = bamba.linear ins(%x, %w : tensor<1x96xbf16>, !codes) scales(%xs, %ws : tensor<1x1xf32>, tensor<1x64xf32>)
        group(0) outs(%init : tensor<1x64xf32>) acc(f32)
    return %l : tensor<1x64xf32>
  }

  // Parts of a deep sum are summed by themselves: 1024 pairs each.
  // CHECK-LABEL: func.func private @deep__body(
  // CHECK: scf.for {{.*}} to %c2048 step %c1024 iter_args
  // CHECK: scf.for {{.*}} to %c1024 step %c4 iter_args
  func.func private @deep(%x: tensor<1x4096xbf16>, %w: !deep, %xs: tensor<1x1xf32>, %ws: tensor<1x64xf32>,
                          %init: tensor<1x64xf32>) -> tensor<1x64xf32>
      attributes {bamba.kernel,
                  bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 32], rows = 1, depth = 0, chunk = 0>} {
    %l = bamba.linear ins(%x, %w : tensor<1x4096xbf16>, !deep) scales(%xs, %ws : tensor<1x1xf32>, tensor<1x64xf32>)
        group(0) outs(%init : tensor<1x64xf32>) acc(f32)
    return %l : tensor<1x64xf32>
  }

  // The last of an odd number of columns is half a pair: nothing is read behind it.
  // CHECK-LABEL: func.func private @odd__body(
  // CHECK: scf.for {{.*}} to %c48 step %c4
  // CHECK: vector.load {{.*}} : memref<1x99xbf16{{.*}}, vector<2xbf16>
  // CHECK: memref.load {{.*}}%c98] : memref<1x99xbf16
  // CHECK: arith.extui {{.*}} : i16 to i32
  // CHECK-NOT: vector<2xbf16>
  // CHECK: return
  func.func private @odd(%x: tensor<1x99xbf16>, %w: !odd, %xs: tensor<1x1xf32>, %ws: tensor<1x64xf32>,
                         %init: tensor<1x64xf32>) -> tensor<1x64xf32>
      attributes {bamba.kernel,
                  bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 32], rows = 1, depth = 0, chunk = 0>} {
    %l = bamba.linear ins(%x, %w : tensor<1x99xbf16>, !odd) scales(%xs, %ws : tensor<1x1xf32>, tensor<1x64xf32>)
        group(0) outs(%init : tensor<1x64xf32>) acc(f32)
    return %l : tensor<1x64xf32>
  }

  // More rows than a register tile: each block of the depth meets one panel after the other, whose codes are written out
  // once. With the schedule's 64 columns of 4096 there would be too many blocks.
  // CHECK-LABEL: func.func private @tall__body(
  // CHECK: memref.view {{.*}} to memref<129x64xbf16>
  // CHECK: scf.for {{.*}} to %c4096 step %c256
  // CHECK: scf.for {{.*}} step %c32
  // CHECK: llvm.call_intrinsic "llvm.x86.vgf2p8affineqb.512"
  // CHECK-COUNT-2: vector.store {{.*}} memref<129x64xbf16>{{.*}}, vector<32xbf16>
  // CHECK: scf.for {{.*}} step %c4
  // CHECK-NOT: llvm.call_intrinsic
  // CHECK-COUNT-8: x86vector.avx512.dot
  // CHECK: return
  func.func private @tall(%x: tensor<16x4096xbf16>, %w: !deep, %xs: tensor<16x1xf32>, %ws: tensor<1x64xf32>,
                          %init: tensor<16x64xf32>) -> tensor<16x64xf32>
      attributes {bamba.kernel,
                  bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 4, depth = 64, chunk = 0>} {
    %l = bamba.linear ins(%x, %w : tensor<16x4096xbf16>, !deep) scales(%xs, %ws : tensor<16x1xf32>, tensor<1x64xf32>)
        group(0) outs(%init : tensor<16x64xf32>) acc(f32)
    return %l : tensor<16x64xf32>
  }
}
