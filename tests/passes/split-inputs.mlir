// RUN: %bambac-opt %s -split-input-file --bamba-split-inputs | FileCheck %s

// Linears with the same input share its terms; one of codes has none, nor one of so few rows that vectors are as fast.
// CHECK-LABEL: func.func @prefill
// CHECK-SAME: %[[X:.*]]: tensor<16x64xf32>
// CHECK: %[[E:.*]] = tensor.empty() : tensor<16x224xbf16>
// CHECK: %[[T:.*]] = bamba.split ins(%[[X]] : tensor<16x64xf32>) terms(<count = 3, run = 32>) outs(%[[E]] : tensor<16x224xbf16>)
// CHECK: bamba.linear ins(%[[T]], %{{.*}} : tensor<16x224xbf16>, tensor<8x64xbf16>) terms(<count = 3, run = 32>)
// CHECK-NOT: bamba.split
// CHECK: bamba.linear ins(%[[T]], %{{.*}} : tensor<16x224xbf16>, tensor<8x64xbf16>) terms(<count = 3, run = 32>)
// CHECK: bamba.linear ins(%{{.*}}, %{{.*}} : tensor<16x64xbf16>, tensor<8x64xf8E4M3FN>) scales
// CHECK-LABEL: func.func @decode
// CHECK-NOT: bamba.split
// CHECK: bamba.linear ins(%{{.*}}, %{{.*}} : tensor<8x64xf32>, tensor<8x64xbf16>) outs
module attributes {bamba.target = #bamba.cpu_target<arch = "sapphirerapids",
    features = "+amx-tile,+amx-bf16,+gfni,+avx512vbmi", vector_bits = 512, vector_registers = 32,
    l2_bytes = 2097152, fusions = [siblings, epilogue]>} {
  func.func @prefill(%x: tensor<16x64xf32>, %w: tensor<8x64xbf16>, %v: tensor<8x64xbf16>, %c: tensor<16x64xbf16>,
                     %codes: tensor<8x64xf8E4M3FN>, %cs: tensor<16x1xf32>, %ws: tensor<1x8xf32>, %e: tensor<16x8xf32>)
      -> (tensor<16x8xf32>, tensor<16x8xf32>, tensor<16x8xf32>) {
    %a = bamba.linear ins(%x, %w : tensor<16x64xf32>, tensor<8x64xbf16>) outs(%e : tensor<16x8xf32>) acc(f32)
    %b = bamba.linear ins(%x, %v : tensor<16x64xf32>, tensor<8x64xbf16>) outs(%e : tensor<16x8xf32>) acc(f32)
    %d = bamba.linear ins(%c, %codes : tensor<16x64xbf16>, tensor<8x64xf8E4M3FN>)
        scales(%cs, %ws : tensor<16x1xf32>, tensor<1x8xf32>) group(0) outs(%e : tensor<16x8xf32>) acc(f32)
    return %a, %b, %d : tensor<16x8xf32>, tensor<16x8xf32>, tensor<16x8xf32>
  }
  func.func @decode(%x: tensor<8x64xf32>, %w: tensor<8x64xbf16>, %e: tensor<8x8xf32>) -> tensor<8x8xf32> {
    %a = bamba.linear ins(%x, %w : tensor<8x64xf32>, tensor<8x64xbf16>) outs(%e : tensor<8x8xf32>) acc(f32)
    return %a : tensor<8x8xf32>
  }
}

// -----

// A processor without tile registers takes f32.
// CHECK-LABEL: func.func @vectors
// CHECK-NOT: bamba.split
// CHECK: return
module attributes {bamba.target = #bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512,
    vector_registers = 32, l2_bytes = 1048576, fusions = [siblings, epilogue]>} {
  func.func @vectors(%x: tensor<16x64xf32>, %w: tensor<8x64xbf16>, %e: tensor<16x8xf32>) -> tensor<16x8xf32> {
    %a = bamba.linear ins(%x, %w : tensor<16x64xf32>, tensor<8x64xbf16>) outs(%e : tensor<16x8xf32>) acc(f32)
    return %a : tensor<16x8xf32>
  }
}
