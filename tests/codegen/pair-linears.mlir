// Linears of a processor that multiplies pairs of bf16 in tile registers.
//
// RUN: %bambac-opt %s --bamba-cpu-loops | FileCheck %s
// RUN: %bambac-opt %s --bamba-cpu-loops --bamba-cpu-llvm | FileCheck %s --check-prefix=LLVM

!numbers = tensor<64x96xbf16, #bamba.panel<32, group = 2, align = 32>>
!codes = tensor<64x96xf8E4M3FN, #bamba.panel<32, group = 2, align = 32>>

module attributes {bamba.target = #bamba.cpu_target<arch = "sapphirerapids",
    features = "+gfni,+avx512vbmi,+amx-tile,+amx-bf16", vector_bits = 512, vector_registers = 32,
    l2_bytes = 1048576>} {
  // A row of f32 is multiplied as it is.
  // CHECK-LABEL: func.func private @row__body(
  // CHECK: to memref<2x48x32x2xbf16>
  // CHECK-NOT: {{amx|x86vector}}
  // CHECK: math.fma
  func.func private @row(%x: tensor<1x96xf32>, %w: !numbers, %init: tensor<1x64xf32>) -> tensor<1x64xf32>
      attributes {bamba.kernel,
                  bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 32], rows = 1, depth = 0, chunk = 0>} {
    %l = bamba.linear ins(%x, %w : tensor<1x96xf32>, !numbers) outs(%init : tensor<1x64xf32>) acc(f32)
    return %l : tensor<1x64xf32>
  }

  // Tiles have the one row. There are four of codes, of which the next is written while one is multiplied.
  // CHECK-LABEL: func.func private @row_of_codes__body(
  // CHECK: memref<64x64xbf16>
  // CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.vgf2p8affineqb.512"
  // CHECK: scf.for {{.*}} -> (!amx.tile<1x16xf32>, !amx.tile<1x16xf32>)
  // CHECK: scf.if
  // CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.vgf2p8affineqb.512"
  // CHECK-COUNT-2: amx.tile_load {{.*}} memref<64x64xbf16{{.*}} into !amx.tile<16x32xbf16>
  // CHECK: amx.tile_load {{.*}} memref<1x96xbf16{{.*}} into !amx.tile<1x32xbf16>
  // CHECK-COUNT-2: amx.tile_store {{.*}} !amx.tile<1x16xf32>
  // LLVM-LABEL: llvm.func internal @row_of_codes__body
  // LLVM: llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
  func.func private @row_of_codes(%x: tensor<1x96xbf16>, %w: !codes, %xs: tensor<1x1xf32>, %ws: tensor<1x64xf32>,
                                  %init: tensor<1x64xf32>) -> tensor<1x64xf32>
      attributes {bamba.kernel,
                  bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 32], rows = 1, depth = 0, chunk = 0>} {
    %l = bamba.linear ins(%x, %w : tensor<1x96xbf16>, !codes) scales(%xs, %ws : tensor<1x1xf32>, tensor<1x64xf32>)
        group(0) outs(%init : tensor<1x64xf32>) acc(f32)
    return %l : tensor<1x64xf32>
  }

  // A few rows of f32 stream, whatever the schedule says of another linear of their kernel, which has codes.
  // CHECK-LABEL: func.func private @few_rows__body(
  // CHECK-NOT: amx
  // CHECK: return
  func.func private @few_rows(%x: tensor<8x96xf32>, %w: !numbers, %init: tensor<8x64xf32>) -> tensor<8x64xf32>
      attributes {bamba.kernel,
                  bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 32], rows = 8, depth = 512, chunk = 0>} {
    %l = bamba.linear ins(%x, %w : tensor<8x96xf32>, !numbers) outs(%init : tensor<8x64xf32>) acc(f32)
    return %l : tensor<8x64xf32>
  }

  // Three terms of each of two tiles of the input, with two tiles of weights, all as they lie in memory.
  // CHECK-LABEL: func.func private @tall__body(
  // CHECK: scf.for {{.*}} -> (!amx.tile<16x16xf32>, !amx.tile<16x16xf32>, !amx.tile<16x16xf32>, !amx.tile<16x16xf32>)
  // CHECK-COUNT-2: amx.tile_load {{.*}} memref<1x48x64xbf16, {{.*}} into !amx.tile<16x32xbf16>
  // CHECK-COUNT-6: amx.tile_load {{.*}} memref<32x288xbf16> into !amx.tile<16x32xbf16>
  // CHECK: scf.yield
  // CHECK-COUNT-4: amx.tile_store
  // LLVM-LABEL: llvm.func internal @tall__body
  // LLVM: llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
  // LLVM-NOT: unrealized_conversion_cast
  func.func private @tall(%x: tensor<32x288xbf16>, %w: !numbers, %init: tensor<32x64xf32>) -> tensor<32x64xf32>
      attributes {bamba.kernel,
                  bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 32], rows = 32, depth = 96, chunk = 0>} {
    %l = bamba.linear ins(%x, %w : tensor<32x288xbf16>, !numbers) terms(<count = 3, run = 32>)
        outs(%init : tensor<32x64xf32>) acc(f32)
    return %l : tensor<32x64xf32>
  }

  // Rows that fill no tile are copied: 8 of 40.
  // CHECK-LABEL: func.func private @ragged__body(
  // CHECK: memref.view {{.*}} : memref<?xi8> to memref<1x3x3x16x32xbf16>
  // CHECK-COUNT-12: amx.tile_mulf
  // CHECK-COUNT-6: amx.tile_mulf
  // CHECK-NOT: amx.tile_mulf
  func.func private @ragged(%x: tensor<40x288xbf16>, %w: !numbers, %init: tensor<40x64xf32>) -> tensor<40x64xf32>
      attributes {bamba.kernel,
                  bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 32], rows = 64, depth = 96, chunk = 0>} {
    %l = bamba.linear ins(%x, %w : tensor<40x288xbf16>, !numbers) terms(<count = 3, run = 32>)
        outs(%init : tensor<40x64xf32>) acc(f32)
    return %l : tensor<40x64xf32>
  }
}
