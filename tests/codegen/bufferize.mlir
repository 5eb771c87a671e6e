// RUN: %bambac-opt %s --bamba-cpu-bufferize --split-input-file --verify-diagnostics | FileCheck %s

#schedule = #bamba.cpu_schedule<workgroup = [0], rows = 1, depth = 0, chunk = 0>

// Results are written to their destinations and vanish; columns that do not fill a vector are masked.
// CHECK-LABEL: func.func private @swiglu
// CHECK-SAME: %{{.*}}: memref<4x19xf32>, %[[OUT:.*]]: memref<4x19xf32>) attributes
// CHECK: scf.for
// CHECK: vector.load {{.*}} : memref<4x19xf32>, vector<16xf32>
// CHECK: math.exp
// CHECK: vector.store %{{.*}}, %[[OUT]]
// CHECK: vector.constant_mask [3] : vector<16xi1>
// CHECK: vector.maskedstore %[[OUT]]
// CHECK: return{{$}}
func.func private @swiglu(%x: tensor<4x19xf32>, %init: tensor<4x19xf32>) -> tensor<4x19xf32>
    attributes {bamba.kernel, bamba.schedule = #schedule} {
  %r = bamba.swiglu ins(%x, %x : tensor<4x19xf32>, tensor<4x19xf32>) outs(%init : tensor<4x19xf32>)
  return %r : tensor<4x19xf32>
}

// -----

#schedule = #bamba.cpu_schedule<workgroup = [0], rows = 1, depth = 0, chunk = 0>

// A state pool is updated in place.
// CHECK-LABEL: func.func private @append
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: vector.store %{{.*}} : memref<?x2x16x16xf32>, vector<16xf32>
func.func private @append(%k: tensor<1x32xf32>, %positions: tensor<1xi32>, %pages: tensor<1x4xi32>,
                          %a: tensor<?x2x16x16xf32>, %b: tensor<?x2x16x16xf32>)
    -> (tensor<?x2x16x16xf32>, tensor<?x2x16x16xf32>) attributes {bamba.kernel, bamba.schedule = #schedule} {
  %r:2 = bamba.kv_append ins(%k, %k, %positions, %pages : tensor<1x32xf32>, tensor<1x32xf32>, tensor<1xi32>,
                             tensor<1x4xi32>) outs(%a, %b : tensor<?x2x16x16xf32>, tensor<?x2x16x16xf32>)
  return %r#0, %r#1 : tensor<?x2x16x16xf32>, tensor<?x2x16x16xf32>
}

// -----

#schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 1, depth = 0, chunk = 0>

func.func private @row_major(%x: tensor<2x64xf32>, %w: tensor<75x64xf32>, %init: tensor<2x75xf32>) -> tensor<2x75xf32>
    attributes {bamba.kernel, bamba.schedule = #schedule} {
  // expected-error@+2 {{expected a weight in panels, found one without the encoding #bamba.panel}}
  // expected-error@+1 {{failed to bufferize op}}
  %l = bamba.linear ins(%x, %w : tensor<2x64xf32>, tensor<75x64xf32>) outs(%init : tensor<2x75xf32>) acc(f32)
  return %l : tensor<2x75xf32>
}

// -----

#schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 1, depth = 0, chunk = 0>

// expected-error@+1 {{expected every result to be computed into its destination}}
func.func private @own_buffer(%x: tensor<2x16xf32>, %init: tensor<2x16xf32>) -> tensor<2x16xf32>
    attributes {bamba.kernel, bamba.schedule = #schedule} {
  %e = tensor.empty() : tensor<2x16xf32>
  %r = bamba.swiglu ins(%x, %x : tensor<2x16xf32>, tensor<2x16xf32>) outs(%e : tensor<2x16xf32>)
  return %r : tensor<2x16xf32>
}

// -----

func.func private @ring(%x: tensor<1x8xf32>, %w: tensor<4x8xf32>, %i: tensor<1xi32>, %st: tensor<2xi32>,
                        %init: tensor<1x8xf32>, %s: tensor<?x4x8xf32>) -> (tensor<1x8xf32>, tensor<?x4x8xf32>)
    attributes {bamba.kernel} {
  // expected-error@+2 {{expected no positions on the CPU, whose state keeps the last inputs in order}}
  // expected-error@+1 {{failed to bufferize op}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %i, %st : tensor<1x8xf32>, tensor<4x8xf32>, tensor<1xi32>, tensor<2xi32>) positions(%i : tensor<1xi32>) outs(%init, %s : tensor<1x8xf32>, tensor<?x4x8xf32>)
  return %y, %s1 : tensor<1x8xf32>, tensor<?x4x8xf32>
}

// -----

func.func @interleaved_pairs(%x: tensor<4x16xf32>, %p: tensor<4xi32>, %init: tensor<4x16xf32>) -> tensor<4x16xf32> attributes {bamba.kernel} {
  // expected-error@+2 {{expected half-split pairs on a CPU, found interleaved ones}}
  // expected-error@+1 {{failed to bufferize op}}
  %r = bamba.rope ins(%x, %p : tensor<4x16xf32>, tensor<4xi32>) outs(%init : tensor<4x16xf32>) head_dim(8) rotation(<[1.0, 0.01]>) interleaved
  return %r : tensor<4x16xf32>
}
