// RUN: bambac-opt %s --bamba-outline-kernels | FileCheck %s

// Three layers with the same shapes share one kernel; another shape has its own.
// CHECK-LABEL: func.func @layers
// CHECK: bamba.launch @rms_norm_4x32 ins(%arg0, %arg1 : {{.*}}) outs(%{{.*}} : tensor<4x32xf32>) -> tensor<4x32xf32>
// CHECK: bamba.launch @rms_norm_4x32 ins(%{{.*}}, %arg2
// CHECK: bamba.launch @rms_norm_4x32_0 ins(%{{.*}}, %arg1
// CHECK: bamba.launch @linear_4x48x32_bf16
// CHECK-NOT: bamba.dispatch

// CHECK: func.func private @rms_norm_4x32(%{{.*}}: tensor<4x32xf32>, %{{.*}}: tensor<32xf32>, %{{.*}}: tensor<4x32xf32>) -> tensor<4x32xf32> attributes {bamba.kernel}
// CHECK:   bamba.rms_norm {{.*}} eps(1.000000e-05)
// CHECK:   return
// CHECK: func.func private @rms_norm_4x32_0
// CHECK:   bamba.rms_norm {{.*}} eps(5.000000e-01)
// CHECK: func.func private @linear_4x48x32_bf16
// CHECK-NOT: func.func
func.func @layers(%x: tensor<4x32xf32>, %n1: tensor<32xf32>, %n2: tensor<32xf32>, %w: tensor<48x32xbf16>) -> tensor<4x48xf32> {
  %e = tensor.empty() : tensor<4x32xf32>
  %f = tensor.empty() : tensor<4x48xf32>
  %0 = bamba.dispatch ins(%x, %n1 : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32> {
  ^bb0(%a: tensor<4x32xf32>, %b: tensor<32xf32>, %c: tensor<4x32xf32>):
    %r = bamba.rms_norm ins(%a, %b : tensor<4x32xf32>, tensor<32xf32>) outs(%c : tensor<4x32xf32>) eps(1.0e-05)
    bamba.yield %r : tensor<4x32xf32>
  }
  %1 = bamba.dispatch ins(%0, %n2 : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32> {
  ^bb0(%a: tensor<4x32xf32>, %b: tensor<32xf32>, %c: tensor<4x32xf32>):
    %r = bamba.rms_norm ins(%a, %b : tensor<4x32xf32>, tensor<32xf32>) outs(%c : tensor<4x32xf32>) eps(1.0e-05)
    bamba.yield %r : tensor<4x32xf32>
  }
  %2 = bamba.dispatch ins(%1, %n1 : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32> {
  ^bb0(%a: tensor<4x32xf32>, %b: tensor<32xf32>, %c: tensor<4x32xf32>):
    %r = bamba.rms_norm ins(%a, %b : tensor<4x32xf32>, tensor<32xf32>) outs(%c : tensor<4x32xf32>) eps(0.5)
    bamba.yield %r : tensor<4x32xf32>
  }
  %3 = bamba.dispatch ins(%2, %w : tensor<4x32xf32>, tensor<48x32xbf16>) outs(%f : tensor<4x48xf32>) -> tensor<4x48xf32> {
  ^bb0(%a: tensor<4x32xf32>, %b: tensor<48x32xbf16>, %c: tensor<4x48xf32>):
    %r = bamba.linear ins(%a, %b : tensor<4x32xf32>, tensor<48x32xbf16>) outs(%c : tensor<4x48xf32>) acc(f32)
    bamba.yield %r : tensor<4x48xf32>
  }
  return %3 : tensor<4x48xf32>
}
