// Codes whose pairs are multiplied in vectors: rows of a register tile take the weights as they come from memory. More
// rows have workgroups that are wide enough to make their input cheap, and a block of the depth that stays in cache.
//
// RUN: bambac-opt %s --bamba-select-schedules | FileCheck %s

!weight = tensor<4096x4096xf8E4M3FN, #bamba.panel<32, group = 2, align = 2>>

module attributes {bamba.target = #bamba.cpu_target<arch = "znver4", features = "+avx512bf16,+gfni,+avx512vbmi",
    vector_bits = 512, vector_registers = 32, l2_bytes = 1048576>} {
  // CHECK: @few_rows{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 8, depth = 0, chunk = 0>
  func.func private @few_rows(%x: tensor<8x4096xbf16>, %w: !weight, %xs: tensor<8x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<8x4096xf32>) -> tensor<8x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<8x4096xbf16>, !weight) scales(%xs, %ws : tensor<8x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<8x4096xf32>) acc(f32)
    return %r : tensor<8x4096xf32>
  }
  // CHECK: @two_tiles{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 8, depth = 1024, chunk = 0>
  func.func private @two_tiles(%x: tensor<16x4096xbf16>, %w: !weight, %xs: tensor<16x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<16x4096xf32>) -> tensor<16x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<16x4096xbf16>, !weight) scales(%xs, %ws : tensor<16x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<16x4096xf32>) acc(f32)
    return %r : tensor<16x4096xf32>
  }
  // CHECK: @prompt{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 256], rows = 8, depth = 1024, chunk = 0>
  func.func private @prompt(%x: tensor<64x4096xbf16>, %w: !weight, %xs: tensor<64x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<64x4096xf32>) -> tensor<64x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<64x4096xbf16>, !weight) scales(%xs, %ws : tensor<64x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<64x4096xf32>) acc(f32)
    return %r : tensor<64x4096xf32>
  }
}
