// Codes in tile registers: rows of one tile take the weights as they come from memory, over the whole depth.
//
// RUN: bambac-opt %s --bamba-select-schedules | FileCheck %s

!weight = tensor<4096x1024xf8E4M3FN, #bamba.panel<32, group = 2, align = 32>>

module attributes {bamba.target = #bamba.cpu_target<arch = "sapphirerapids",
    features = "+amx-tile,+amx-bf16,+gfni,+avx512vbmi", vector_bits = 512, vector_registers = 32,
    l2_bytes = 1048576>} {
  // CHECK: @one_row{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 1, depth = 0, chunk = 0>
  func.func private @one_row(%x: tensor<1x1024xbf16>, %w: !weight, %xs: tensor<1x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<1x4096xf32>) -> tensor<1x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<1x1024xbf16>, !weight) scales(%xs, %ws : tensor<1x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<1x4096xf32>) acc(f32)
    return %r : tensor<1x4096xf32>
  }
  // CHECK: @a_tile{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 16, depth = 0, chunk = 0>
  func.func private @a_tile(%x: tensor<16x1024xbf16>, %w: !weight, %xs: tensor<16x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<16x4096xf32>) -> tensor<16x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<16x1024xbf16>, !weight) scales(%xs, %ws : tensor<16x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<16x4096xf32>) acc(f32)
    return %r : tensor<16x4096xf32>
  }
  // CHECK: @more{{.*}}bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 128], rows = 17, depth = 512, chunk = 0>
  func.func private @more(%x: tensor<17x1024xbf16>, %w: !weight, %xs: tensor<17x1xf32>, %ws: tensor<1x4096xf32>, %e: tensor<17x4096xf32>) -> tensor<17x4096xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<17x1024xbf16>, !weight) scales(%xs, %ws : tensor<17x1xf32>, tensor<1x4096xf32>) group(0) outs(%e : tensor<17x4096xf32>) acc(f32)
    return %r : tensor<17x4096xf32>
  }
}
