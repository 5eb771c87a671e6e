// RUN: bambac-opt %s -split-input-file --bamba-decompose-gated-norms | FileCheck %s

// The gate comes first, in the type of what it gates; the norm keeps its destination and epsilon.
// CHECK-LABEL: func.func @gated
// CHECK-SAME: %[[Y:.*]]: tensor<4x32xbf16>, %[[Z:.*]]: tensor<4x32xbf16>, %[[W:.*]]: tensor<32xf32>, %[[INIT:.*]]: tensor<4x32xf32>
// CHECK: %[[E:.*]] = tensor.empty() : tensor<4x32xbf16>
// CHECK: %[[G:.*]] = bamba.swiglu ins(%[[Z]], %[[Y]] : tensor<4x32xbf16>, tensor<4x32xbf16>) outs(%[[E]] : tensor<4x32xbf16>)
// CHECK: %[[N:.*]] = bamba.rms_norm ins(%[[G]], %[[W]] : tensor<4x32xbf16>, tensor<32xf32>) outs(%[[INIT]] : tensor<4x32xf32>) eps(5.000000e-01)
// CHECK: return %[[N]]
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = [gate]>} {
  func.func @gated(%y: tensor<4x32xbf16>, %z: tensor<4x32xbf16>, %w: tensor<32xf32>, %e: tensor<4x32xf32>) -> tensor<4x32xf32> {
    %n = bamba.gated_rms_norm ins(%y, %z, %w : tensor<4x32xbf16>, tensor<4x32xbf16>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(0.5)
    return %n : tensor<4x32xf32>
  }
}

// -----

// Where the gate could join no other kernel, the op stays one.
// CHECK-LABEL: func.func @kept
// CHECK: bamba.gated_rms_norm
module attributes {bamba.target = #bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512,
    vector_registers = 32, l2_bytes = 1048576, fusions = [siblings, epilogue]>} {
  func.func @kept(%y: tensor<4x32xf32>, %z: tensor<4x32xf32>, %w: tensor<32xf32>, %e: tensor<4x32xf32>) -> tensor<4x32xf32> {
    %n = bamba.gated_rms_norm ins(%y, %z, %w : tensor<4x32xf32>, tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(0.5)
    return %n : tensor<4x32xf32>
  }
}
