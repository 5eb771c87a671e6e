// RUN: %bambac-opt %s --bamba-cpu-resolve-panels --bamba-cpu-tile-workgroups --split-input-file --verify-diagnostics | FileCheck %s

// The linear is computed where the sum needs it, panel by panel, in room for one tile.
// CHECK-LABEL: func.func private @linear_add
// CHECK: scf.forall (%[[AT:.*]]) = (0) to (128) step (64) shared_outs(%[[OUT:.*]] = %{{.*}})
// CHECK: %[[PANELS:.*]] = tensor.extract_slice %{{.*}}[%{{.*}}, 0, 0] [2, 64, 32]
// CHECK: %[[TILE:.*]] = tensor.empty() : tensor<4x64xf32>
// CHECK: %[[L:.*]] = bamba.linear ins(%{{.*}}, %[[PANELS]] : {{.*}}) outs(%[[TILE]] : tensor<4x64xf32>)
// CHECK: linalg.add ins(%[[L]], %{{.*}})
// CHECK: tensor.parallel_insert_slice %{{.*}} into %[[OUT]][0, %[[AT]]] [4, 64]
func.func private @linear_add(%x: tensor<4x64xf32>, %w: tensor<128x64xbf16, #bamba.panel<32>>, %r: tensor<4x128xf32>,
                              %init: tensor<4x128xf32>) -> tensor<4x128xf32>
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 4, depth = 0, chunk = 0>} {
  %e = tensor.empty() : tensor<4x128xf32>
  %l = bamba.linear ins(%x, %w : tensor<4x64xf32>, tensor<128x64xbf16, #bamba.panel<32>>) outs(%e : tensor<4x128xf32>)
                    acc(f32)
  %s = linalg.add ins(%l, %r : tensor<4x128xf32>, tensor<4x128xf32>) outs(%init : tensor<4x128xf32>) -> tensor<4x128xf32>
  return %s : tensor<4x128xf32>
}

// -----

// A loop over rows says so; one over heads, which are as many here, does not.
// CHECK-LABEL: func.func private @rows
// CHECK: scf.forall
// CHECK: {bamba.rows}
func.func private @rows(%x: tensor<4x64xf32>, %w: tensor<64xf32>, %init: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [2], rows = 1, depth = 0, chunk = 0>} {
  %r = bamba.rms_norm ins(%x, %w : tensor<4x64xf32>, tensor<64xf32>) outs(%init : tensor<4x64xf32>) eps(1.0e-05)
  return %r : tensor<4x64xf32>
}

// CHECK-LABEL: func.func private @heads
// CHECK: scf.forall
// CHECK-NOT: {bamba.rows}
// CHECK: return
func.func private @heads(%x: tensor<4x64xf32>, %dt: tensor<4x4xf32>, %b: tensor<4x32xf32>, %c: tensor<4x32xf32>,
                         %a: tensor<4xf32>, %d: tensor<4xf32>, %bias: tensor<4xf32>, %slots: tensor<1xi32>,
                         %starts: tensor<2xi32>, %y0: tensor<4x64xf32>, %s: tensor<?x4x16x32xf32>)
    -> (tensor<4x64xf32>, tensor<?x4x16x32xf32>)
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [1], rows = 1, depth = 0, chunk = 4>} {
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %bias, %slots, %starts : tensor<4x64xf32>, tensor<4x4xf32>, tensor<4x32xf32>,
          tensor<4x32xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<1xi32>, tensor<2xi32>)
      outs(%y0, %s : tensor<4x64xf32>, tensor<?x4x16x32xf32>) dt_limit(0.0, 0x7FF0000000000000) chunk(4) acc(f32)
  return %y, %s1 : tensor<4x64xf32>, tensor<?x4x16x32xf32>
}

// -----

// A workgroup as large as the kernel needs no loop.
// CHECK-LABEL: func.func private @whole
// CHECK-NOT: scf.forall
func.func private @whole(%x: tensor<4x64xf32>, %w: tensor<64xf32>, %init: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [4], rows = 1, depth = 0, chunk = 0>} {
  %r = bamba.rms_norm ins(%x, %w : tensor<4x64xf32>, tensor<64xf32>) outs(%init : tensor<4x64xf32>) eps(1.0e-05)
  return %r : tensor<4x64xf32>
}

// -----

// expected-error@+1 {{kernel 'unscheduled': expected a #bamba.cpu_schedule as 'bamba.schedule', found none}}
func.func private @unscheduled(%x: tensor<4x64xf32>, %init: tensor<4x64xf32>) -> tensor<4x64xf32>
    attributes {bamba.kernel} {
  %r = bamba.swiglu ins(%x, %x : tensor<4x64xf32>, tensor<4x64xf32>) outs(%init : tensor<4x64xf32>)
  return %r : tensor<4x64xf32>
}

// -----

// expected-error@+1 {{expected a kernel with several roots to be one workgroup}}
func.func private @two_roots(%x: tensor<4x64xf32>, %a: tensor<4x64xf32>, %b: tensor<4x64xf32>)
    -> (tensor<4x64xf32>, tensor<4x64xf32>)
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [1, 0], rows = 1, depth = 0, chunk = 0>} {
  %r = bamba.swiglu ins(%x, %x : tensor<4x64xf32>, tensor<4x64xf32>) outs(%a : tensor<4x64xf32>)
  %s = bamba.swiglu ins(%x, %x : tensor<4x64xf32>, tensor<4x64xf32>) outs(%b : tensor<4x64xf32>)
  return %r, %s : tensor<4x64xf32>, tensor<4x64xf32>
}
