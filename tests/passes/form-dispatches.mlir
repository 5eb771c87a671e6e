// RUN: bambac-opt %s -split-input-file --bamba-form-dispatches --canonicalize | FileCheck %s

module attributes {bamba.target = #bamba.target<cpu, arch = "x86-64-v4", features = "", vector_bits = 512,
    vector_registers = 32, cache_bytes = 1048576, fusions = [epilogue]>} {

  // The linear's result is read by the residual add alone: one kernel. The norm stays apart.
  // CHECK-LABEL: func.func @linear_add
  // CHECK: %[[N:.*]] = bamba.dispatch
  // CHECK:   bamba.rms_norm
  // CHECK: %[[R:.*]] = bamba.dispatch ins(%[[N]], %arg2, %arg0 : {{.*}}) outs(%{{.*}} : tensor<4x32xf32>)
  // CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<4x32xf32>, %[[W:.*]]: tensor<32x32xf32>, %[[RES:.*]]: tensor<4x32xf32>, %[[INIT:.*]]: tensor<4x32xf32>)
  // CHECK:   %[[L:.*]] = bamba.linear ins(%[[X]], %[[W]]
  // CHECK:   %[[S:.*]] = linalg.add ins(%[[RES]], %[[L]] : {{.*}}) outs(%[[INIT]]
  // CHECK:   bamba.yield %[[S]]
  // CHECK: return %[[R]]
  func.func @linear_add(%x: tensor<4x32xf32>, %n: tensor<32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x32xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(1.0e-05)
    %l = bamba.linear ins(%h, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%e : tensor<4x32xf32>) acc(f32)
    %r = linalg.add ins(%x, %l : tensor<4x32xf32>, tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
    return %r : tensor<4x32xf32>
  }

  // Both linears of a SwiGLU share its kernel.
  // CHECK-LABEL: func.func @swiglu
  // CHECK-COUNT-1: bamba.dispatch
  // CHECK-COUNT-2: bamba.linear
  // CHECK: bamba.swiglu
  // CHECK-NOT: bamba.dispatch
  // CHECK: return
  func.func @swiglu(%x: tensor<4x32xf32>, %g: tensor<48x32xf32>, %u: tensor<48x32xf32>) -> tensor<4x48xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x48xf32>
    %0 = bamba.linear ins(%x, %g : tensor<4x32xf32>, tensor<48x32xf32>) outs(%e : tensor<4x48xf32>) acc(f32)
    %1 = bamba.linear ins(%x, %u : tensor<4x32xf32>, tensor<48x32xf32>) outs(%e : tensor<4x48xf32>) acc(f32)
    %2 = bamba.swiglu ins(%0, %1 : tensor<4x48xf32>, tensor<4x48xf32>) outs(%e : tensor<4x48xf32>)
    return %2 : tensor<4x48xf32>
  }

  // A linear whose result is read elsewhere too keeps its own kernel.
  // CHECK-LABEL: func.func @two_readers
  // CHECK: bamba.dispatch
  // CHECK: bamba.linear
  // CHECK: bamba.yield
  // CHECK: bamba.dispatch
  // CHECK: linalg.add
  func.func @two_readers(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> (tensor<4x32xf32>, tensor<4x32xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x32xf32>
    %l = bamba.linear ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%e : tensor<4x32xf32>) acc(f32)
    %r = linalg.add ins(%x, %l : tensor<4x32xf32>, tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
    return %r, %l : tensor<4x32xf32>, tensor<4x32xf32>
  }

  // A slice of an input moves into the dispatch, which reads the whole buffer.
  // CHECK-LABEL: func.func @slice
  // CHECK-NOT: tensor.extract_slice
  // CHECK: bamba.dispatch ins(%arg0, %arg1 : tensor<4x64xf32>, tensor<32xf32>)
  // CHECK: tensor.extract_slice %{{.*}}[0, 16] [4, 32] [1, 1]
  // CHECK: bamba.rms_norm
  func.func @slice(%x: tensor<4x64xf32>, %n: tensor<32xf32>) -> tensor<4x32xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x32xf32>
    %s = tensor.extract_slice %x[0, 16] [4, 32] [1, 1] : tensor<4x64xf32> to tensor<4x32xf32>
    %h = bamba.rms_norm ins(%s, %n : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(1.0e-05)
    return %h : tensor<4x32xf32>
  }

  // A state is both input and destination of its dispatch.
  // CHECK-LABEL: func.func @state
  // CHECK: bamba.dispatch ins({{.*}}) outs(%{{.*}}, %arg5 : tensor<1x8xf32>, tensor<?x3x8xf32>) -> tensor<1x8xf32>, tensor<?x3x8xf32>
  func.func @state(%x: tensor<1x8xf32>, %w: tensor<4x8xf32>, %b: tensor<8xf32>, %slots: tensor<1xi32>,
                   %counts: tensor<1xi32>, %s: tensor<?x3x8xf32>) -> (tensor<1x8xf32>, tensor<?x3x8xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 1, chunk = 1>} {
    %e = tensor.empty() : tensor<1x8xf32>
    %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %counts : tensor<1x8xf32>, tensor<4x8xf32>, tensor<1xi32>, tensor<1xi32>) bias(%b : tensor<8xf32>) outs(%e, %s : tensor<1x8xf32>, tensor<?x3x8xf32>)
    return %y, %s1 : tensor<1x8xf32>, tensor<?x3x8xf32>
  }

  // Functions that are no entry points stay as they are.
  // CHECK-LABEL: func.func @helper
  // CHECK-NOT: bamba.dispatch
  func.func @helper(%x: tensor<4x32xf32>, %n: tensor<32xf32>) -> tensor<4x32xf32> {
    %e = tensor.empty() : tensor<4x32xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(1.0e-05)
    return %h : tensor<4x32xf32>
  }
}

// -----

// What fuses is the target's say: here norms go into the linears that alone read them, epilogues do not.
module attributes {bamba.target = #bamba.target<cuda, arch = "sm_90a", features = "", vector_bits = 128,
    vector_registers = 255, cache_bytes = 232448, fusions = [norm_prologue]>} {
  // CHECK-LABEL: func.func @norm_linear_add
  // CHECK: bamba.dispatch
  // CHECK: bamba.rms_norm
  // CHECK: bamba.linear
  // CHECK: bamba.yield
  // CHECK: bamba.dispatch
  // CHECK: linalg.add
  func.func @norm_linear_add(%x: tensor<4x32xf32>, %n: tensor<32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x32xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(1.0e-05)
    %l = bamba.linear ins(%h, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%e : tensor<4x32xf32>) acc(f32)
    %r = linalg.add ins(%x, %l : tensor<4x32xf32>, tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
    return %r : tensor<4x32xf32>
  }
}
