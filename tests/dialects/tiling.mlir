// The ops without state cut into tiles through their tiling interface, as workgroups are, evenly and raggedly.
// RUN: %bambac-opt %s -transform-interpreter -canonicalize -cse | FileCheck %s

// CHECK-DAG: #[[CEIL:.*]] = affine_map<(d0) -> (d0 ceildiv 16)>

module attributes {transform.with_named_sequence} {
transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
  %embedding = transform.structured.match ops{["bamba.embedding"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %embedding tile_sizes [2, 3]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %norm = transform.structured.match ops{["bamba.rms_norm"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %norm tile_sizes [2]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %gated = transform.structured.match ops{["bamba.gated_rms_norm"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %gated tile_sizes [3]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %split = transform.structured.match ops{["bamba.split"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %split tile_sizes [2]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %linear = transform.structured.match ops{["bamba.linear"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %linear tile_sizes [0, 32]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %rope = transform.structured.match ops{["bamba.rope"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %rope tile_sizes [1]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %swiglu = transform.structured.match ops{["bamba.swiglu"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %swiglu tile_sizes [4, 3]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %taken = transform.structured.match ops{["bamba.take_rows"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %taken tile_sizes [1, 3]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %sample = transform.structured.match ops{["bamba.sample"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %sample tile_sizes [1]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %argmax = transform.structured.match ops{["bamba.argmax"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %argmax tile_sizes [2]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  transform.yield
}

// CHECK-LABEL: @embedding
// CHECK-SAME: (%[[TOKENS:[a-z0-9]+]]: tensor<4xi32>, %[[TABLE:[a-z0-9]+]]: tensor<9x6xbf16>, %[[INIT:[a-z0-9]+]]:
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (2, 2) shared_outs(%[[OUT:.*]] = %[[INIT]])
// CHECK: %[[T:.*]] = tensor.extract_slice %[[TOKENS]][%[[ROW:.*]]] [2] [1]
// CHECK: %[[W:.*]] = tensor.extract_slice %[[TABLE]][0, %[[COL:.*]]] [9, 3] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][%[[ROW]], %[[COL]]] [2, 3] [1, 1]
// CHECK: %[[X:.*]] = bamba.embedding ins(%[[T]], %[[W]] : tensor<2xi32>, tensor<9x3xbf16>) outs(%[[O]] : tensor<2x3xf32>)
// CHECK: tensor.parallel_insert_slice %[[X]] into %[[OUT]][%[[ROW]], %[[COL]]] [2, 3] [1, 1]
func.func @embedding(%t: tensor<4xi32>, %w: tensor<9x6xbf16>, %init: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %x = bamba.embedding ins(%t, %w : tensor<4xi32>, tensor<9x6xbf16>) outs(%init : tensor<4x6xf32>)
  return %x : tensor<4x6xf32>
}

// CHECK-LABEL: @rms_norm
// CHECK-SAME: (%[[X:[a-z0-9]+]]: tensor<4x8xf32>, %[[W:[a-z0-9]+]]: tensor<8xf32>
// CHECK: scf.forall (%{{.*}}) in (2) shared_outs(%[[OUT:.*]] =
// CHECK: %[[ROWS:.*]] = tensor.extract_slice %[[X]][%[[ROW:.*]], 0] [2, 8] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][%[[ROW]], 0] [2, 8] [1, 1]
// CHECK: %[[H:.*]] = bamba.rms_norm ins(%[[ROWS]], %[[W]] : tensor<2x8xf32>, tensor<8xf32>) outs(%[[O]] : tensor<2x8xf32>) eps(5.000000e-01)
// CHECK: tensor.parallel_insert_slice %[[H]] into %[[OUT]][%[[ROW]], 0] [2, 8] [1, 1]
func.func @rms_norm(%x: tensor<4x8xf32>, %w: tensor<8xf32>, %init: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %h = bamba.rms_norm ins(%x, %w : tensor<4x8xf32>, tensor<8xf32>) outs(%init : tensor<4x8xf32>) eps(0.5)
  return %h : tensor<4x8xf32>
}

// CHECK-LABEL: @gated_rms_norm
// CHECK: scf.forall (%{{.*}}) in (2) shared_outs(%[[OUT:.*]] =
// CHECK: %[[Y:.*]] = tensor.extract_slice %arg0[%[[ROW:.*]], 0] [%[[ROWS:.*]], 8] [1, 1]
// CHECK: %[[Z:.*]] = tensor.extract_slice %arg1[%[[ROW]], 0] [%[[ROWS]], 8] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][%[[ROW]], 0] [%[[ROWS]], 8] [1, 1]
// CHECK: bamba.gated_rms_norm ins(%[[Y]], %[[Z]], %arg2 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<8xf32>) outs(%[[O]] : tensor<?x8xf32>)
func.func @gated_rms_norm(%y: tensor<4x8xf32>, %z: tensor<4x8xf32>, %w: tensor<8xf32>, %init: tensor<4x8xf32>)
    -> tensor<4x8xf32> {
  %h = bamba.gated_rms_norm ins(%y, %z, %w : tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>)
                            outs(%init : tensor<4x8xf32>) eps(0.5)
  return %h : tensor<4x8xf32>
}

// CHECK-LABEL: @linear
// CHECK: scf.forall (%{{.*}}) in (2) shared_outs(%[[OUT:.*]] =
// CHECK: %[[W:.*]] = tensor.extract_slice %arg1[%[[COL:.*]], 0] [32, 8] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][0, %[[COL]]] [4, 32] [1, 1]
// CHECK: %[[B:.*]] = tensor.extract_slice %arg2[%[[COL]]] [32] [1]
// CHECK: bamba.linear ins(%arg0, %[[W]] : tensor<4x8xf32>, tensor<32x8xbf16>) bias(%[[B]] : tensor<32xf32>) outs(%[[O]] : tensor<4x32xf32>) acc(f32)
func.func @linear(%x: tensor<4x8xf32>, %w: tensor<64x8xbf16>, %b: tensor<64xf32>, %init: tensor<4x64xf32>)
    -> tensor<4x64xf32> {
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<64x8xbf16>) bias(%b : tensor<64xf32>)
                    outs(%init : tensor<4x64xf32>) acc(f32)
  return %y : tensor<4x64xf32>
}

// CHECK-LABEL: @split
// CHECK: %[[ROWS:.*]] = tensor.extract_slice %arg0[%[[ROW:.*]], 0] [2, 8] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %{{.*}}[%[[ROW]], 0] [2, 24] [1, 1]
// CHECK: bamba.split ins(%[[ROWS]] : tensor<2x8xf32>) terms(<count = 3, run = 8>) outs(%[[O]] : tensor<2x24xbf16>)
func.func @split(%x: tensor<4x8xf32>, %init: tensor<4x24xbf16>) -> tensor<4x24xbf16> {
  %t = bamba.split ins(%x : tensor<4x8xf32>) terms(<count = 3, run = 8>) outs(%init : tensor<4x24xbf16>)
  return %t : tensor<4x24xbf16>
}

// CHECK-LABEL: @linear_of_terms
// CHECK: tensor.extract_slice %arg1[%{{.*}}, 0] [32, 8] [1, 1]
// CHECK: bamba.linear ins(%arg0, %{{.*}} : tensor<4x24xbf16>, tensor<32x8xbf16>) terms(<count = 3, run = 8>)
func.func @linear_of_terms(%x: tensor<4x24xbf16>, %w: tensor<64x8xbf16>, %init: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %y = bamba.linear ins(%x, %w : tensor<4x24xbf16>, tensor<64x8xbf16>) terms(<count = 3, run = 8>)
                    outs(%init : tensor<4x64xf32>) acc(f32)
  return %y : tensor<4x64xf32>
}

// CHECK-LABEL: @linear_in_panels
// CHECK: scf.forall (%{{.*}}) in (3) shared_outs(%[[OUT:.*]] =
// CHECK: %[[COLS:.*]] = affine.min
// CHECK: %[[PANELS:.*]] = affine.apply #[[CEIL]](%[[COLS]])
// CHECK: %[[W:.*]] = tensor.extract_slice %arg1[%{{.*}}, 0, 0] [%[[PANELS]], 8, 16] [1, 1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][0, %{{.*}}] [4, %[[COLS]]] [1, 1]
// CHECK: bamba.linear ins(%arg0, %[[W]] : tensor<4x8xf32>, tensor<?x8x16xbf16>) outs(%[[O]] : tensor<4x?xf32>)
func.func @linear_in_panels(%x: tensor<4x8xf32>, %w: tensor<6x8x16xbf16>, %init: tensor<4x90xf32>)
    -> tensor<4x90xf32> {
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<6x8x16xbf16>) outs(%init : tensor<4x90xf32>) acc(f32)
  return %y : tensor<4x90xf32>
}

// CHECK-LABEL: @rope
// CHECK: scf.forall (%[[ROW:.*]]) in (4) shared_outs(%[[OUT:.*]] =
// CHECK: %[[Q:.*]] = tensor.extract_slice %arg0[%[[ROW]], 0] [1, 64] [1, 1]
// CHECK: %[[P:.*]] = tensor.extract_slice %arg1[%[[ROW]]] [1] [1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][%[[ROW]], 0] [1, 64] [1, 1]
// CHECK: bamba.rope ins(%[[Q]], %[[P]] : tensor<1x64xf32>, tensor<1xi32>) outs(%[[O]] : tensor<1x64xf32>) head_dim(32) rotation(#rotation)
func.func @rope(%q: tensor<4x64xf32>, %p: tensor<4xi32>, %init: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %r = bamba.rope ins(%q, %p : tensor<4x64xf32>, tensor<4xi32>) outs(%init : tensor<4x64xf32>)
                  head_dim(32) rotation(<[1.0, 0.1]>)
  return %r : tensor<4x64xf32>
}

// CHECK-LABEL: @swiglu
// CHECK: scf.forall (%{{.*}}) in (3) shared_outs(%[[OUT:.*]] =
// CHECK: %[[G:.*]] = tensor.extract_slice %arg0[0, %[[COL:.*]]] [4, %[[COLS:.*]]] [1, 1]
// CHECK: %[[U:.*]] = tensor.extract_slice %arg1[0, %[[COL]]] [4, %[[COLS]]] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][0, %[[COL]]] [4, %[[COLS]]] [1, 1]
// CHECK: bamba.swiglu ins(%[[G]], %[[U]] : tensor<4x?xf32>, tensor<4x?xf32>) outs(%[[O]] : tensor<4x?xf32>)
func.func @swiglu(%g: tensor<4x8xf32>, %u: tensor<4x8xf32>, %init: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %f = bamba.swiglu ins(%g, %u : tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>)
  return %f : tensor<4x8xf32>
}

// CHECK-LABEL: @take_rows
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (2, 2) shared_outs(%[[OUT:.*]] =
// CHECK: %[[X:.*]] = tensor.extract_slice %arg0[0, %[[COL:.*]]] [8, 3] [1, 1]
// CHECK: %[[N:.*]] = tensor.extract_slice %arg1[%[[ROW:.*]]] [1] [1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][%[[ROW]], %[[COL]]] [1, 3] [1, 1]
// CHECK: bamba.take_rows ins(%[[X]], %[[N]] : tensor<8x3xf32>, tensor<1xi32>) outs(%[[O]] : tensor<1x3xf32>)
func.func @take_rows(%x: tensor<8x6xf32>, %kept: tensor<2xi32>, %init: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %l = bamba.take_rows ins(%x, %kept : tensor<8x6xf32>, tensor<2xi32>) outs(%init : tensor<2x6xf32>)
  return %l : tensor<2x6xf32>
}

// CHECK-LABEL: @sample
// CHECK: scf.forall (%{{.*}}) in (2) shared_outs(%[[OUT:.*]] =
// CHECK: %[[X:.*]] = tensor.extract_slice %arg0[%[[ROW:.*]], 0] [1, 8] [1, 1]
// CHECK: %[[G:.*]] = tensor.extract_slice %arg1[%[[ROW]]] [1] [1]
// CHECK: %[[S:.*]] = tensor.extract_slice %arg3[%[[ROW]], 0] [1, 18] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][%[[ROW]], 0] [1, 42] [1, 1]
// CHECK: %[[K:.*]] = tensor.extract_slice %arg4[%[[ROW]]] [1] [1]
// CHECK: bamba.sample ins(%[[X]], %[[G]], %arg2, %[[S]] : {{.*}}) kept(%[[K]] : tensor<1xi32>) outs(%[[O]] :
func.func @sample(%x: tensor<2x8xf32>, %g: tensor<2xi32>, %p: tensor<9xi32>, %s: tensor<2x18xi32>, %k: tensor<2xi32>,
                  %init: tensor<2x42xi32>) -> tensor<2x42xi32> {
  %t = bamba.sample ins(%x, %g, %p, %s : tensor<2x8xf32>, tensor<2xi32>, tensor<9xi32>, tensor<2x18xi32>)
                    kept(%k : tensor<2xi32>) outs(%init : tensor<2x42xi32>)
  return %t : tensor<2x42xi32>
}

// CHECK-LABEL: @argmax
// CHECK: scf.forall (%{{.*}}) in (2) shared_outs(%[[OUT:.*]] =
// CHECK: %[[X:.*]] = tensor.extract_slice %arg0[%[[ROW:.*]], 0] [2, 8] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][%[[ROW]]] [2] [1]
// CHECK: bamba.argmax ins(%[[X]] : tensor<2x8xf32>) outs(%[[O]] : tensor<2xi32>)
func.func @argmax(%x: tensor<4x8xf32>, %init: tensor<4xi32>) -> tensor<4xi32> {
  %t = bamba.argmax ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xi32>)
  return %t : tensor<4xi32>
}
}
