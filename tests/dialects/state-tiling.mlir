// The ops with state cut into tiles of channels and heads through their tiling interface, as workgroups are.
// RUN: %bambac-opt %s -transform-interpreter -canonicalize -cse | FileCheck %s

// CHECK-DAG: #[[HEADS:.*]] = affine_map<(d0) -> (d0 * 2)>
// CHECK-DAG: #[[CHANNELS:.*]] = affine_map<(d0) -> (d0 * 6)>
// CHECK-DAG: #[[GROUPS:.*]] = affine_map<(d0) -> ((d0 floordiv 2) * 5)>

module attributes {transform.with_named_sequence} {
transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
  %conv = transform.structured.match ops{["bamba.causal_conv1d"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %conv tile_sizes [5]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %ssm = transform.structured.match ops{["bamba.ssm_step", "bamba.ssm_scan"]} in %root
      : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %ssm tile_sizes [2]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %append = transform.structured.match ops{["bamba.kv_append"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %append tile_sizes [1]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  %attention = transform.structured.match ops{["bamba.attention"]} in %root : (!transform.any_op) -> !transform.any_op
  transform.structured.tile_using_forall %attention tile_sizes [1, 1]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
  transform.yield
}

// CHECK-LABEL: @causal_conv1d
// CHECK: scf.forall (%{{.*}}) in (2) shared_outs(%[[OUT:.*]] = %arg5, %[[STATE:.*]] = %arg6)
// CHECK: %[[X:.*]] = tensor.extract_slice %arg0[0, %[[COL:.*]]] [4, 5] [1, 1]
// CHECK: %[[W:.*]] = tensor.extract_slice %arg1[0, %[[COL]]] [4, 5] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][0, %[[COL]]] [4, 5] [1, 1]
// CHECK: %[[S:.*]] = tensor.extract_slice %[[STATE]][0, 0, %[[COL]]] [%{{.*}}, 3, 5] [1, 1, 1]
// CHECK: %[[B:.*]] = tensor.extract_slice %arg4[%[[COL]]] [5] [1]
// CHECK: %[[Y:.*]], %[[S1:.*]] = bamba.causal_conv1d ins(%[[X]], %[[W]], %arg2, %arg3 : tensor<4x5xf32>, tensor<4x5xf32>, tensor<2xi32>, tensor<3xi32>) bias(%[[B]] : tensor<5xf32>) outs(%[[O]], %[[S]] : tensor<4x5xf32>, tensor<?x3x5xf32>)
// CHECK: tensor.parallel_insert_slice %[[Y]] into %[[OUT]][0, %[[COL]]] [4, 5] [1, 1]
// CHECK: tensor.parallel_insert_slice %[[S1]] into %[[STATE]][0, 0, %[[COL]]] [%{{.*}}, 3, 5] [1, 1, 1]
func.func @causal_conv1d(%x: tensor<4x10xf32>, %w: tensor<4x10xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
                         %b: tensor<10xf32>, %init: tensor<4x10xf32>, %s: tensor<?x3x10xf32>)
    -> (tensor<4x10xf32>, tensor<?x3x10xf32>) {
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x10xf32>, tensor<4x10xf32>, tensor<2xi32>,
                                    tensor<3xi32>) bias(%b : tensor<10xf32>)
                                outs(%init, %s : tensor<4x10xf32>, tensor<?x3x10xf32>)
  return %y, %s1 : tensor<4x10xf32>, tensor<?x3x10xf32>
}

// Positions are those of all channels.
// CHECK-LABEL: @causal_conv1d_ring
// CHECK: scf.forall (%{{.*}}) in (2) shared_outs(%[[OUT:.*]] = %arg5, %[[STATE:.*]] = %arg6)
// CHECK: %[[S:.*]] = tensor.extract_slice %[[STATE]][0, 0, %[[COL:.*]]] [%{{.*}}, 4, 5] [1, 1, 1]
// CHECK: bamba.causal_conv1d ins({{.*}}) positions(%arg4 : tensor<4xi32>) outs(%{{.*}}, %[[S]] : tensor<4x5xf32>, tensor<?x4x5xf32>)
func.func @causal_conv1d_ring(%x: tensor<4x10xf32>, %w: tensor<4x10xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
                              %p: tensor<4xi32>, %init: tensor<4x10xf32>, %s: tensor<?x4x10xf32>)
    -> (tensor<4x10xf32>, tensor<?x4x10xf32>) {
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x10xf32>, tensor<4x10xf32>, tensor<2xi32>,
                                    tensor<3xi32>) positions(%p : tensor<4xi32>)
                                outs(%init, %s : tensor<4x10xf32>, tensor<?x4x10xf32>)
  return %y, %s1 : tensor<4x10xf32>, tensor<?x4x10xf32>
}

// Two groups of 4 heads: a tile of 2 heads reads the B and C of its group.
// CHECK-LABEL: @ssm_step
// CHECK: scf.forall (%{{.*}}) in (4) shared_outs(%[[OUT:.*]] = %arg8, %[[STATE:.*]] = %arg9)
// CHECK: %[[HEAD:.*]] = affine.apply #[[HEADS]](
// CHECK: %[[CHANNEL:.*]] = affine.apply #[[CHANNELS]](
// CHECK: %[[GROUP:.*]] = affine.apply #[[GROUPS]](
// CHECK: %[[X:.*]] = tensor.extract_slice %arg0[0, %[[CHANNEL]]] [2, 6] [1, 1]
// CHECK: %[[DT:.*]] = tensor.extract_slice %arg1[0, %[[HEAD]]] [2, 2] [1, 1]
// CHECK: %[[B:.*]] = tensor.extract_slice %arg2[0, %[[GROUP]]] [2, 5] [1, 1]
// CHECK: %[[C:.*]] = tensor.extract_slice %arg3[0, %[[GROUP]]] [2, 5] [1, 1]
// CHECK: %[[A:.*]] = tensor.extract_slice %arg4[%[[HEAD]]] [2] [1]
// CHECK: %[[D:.*]] = tensor.extract_slice %arg5[%[[HEAD]]] [2] [1]
// CHECK: %[[DB:.*]] = tensor.extract_slice %arg6[%[[HEAD]]] [2] [1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][0, %[[CHANNEL]]] [2, 6] [1, 1]
// CHECK: %[[S:.*]] = tensor.extract_slice %[[STATE]][0, %[[HEAD]], 0, 0] [%{{.*}}, 2, 3, 5] [1, 1, 1, 1]
// CHECK: %[[Y:.*]], %[[S1:.*]] = bamba.ssm_step ins(%[[X]], %[[DT]], %[[B]], %[[C]], %[[A]], %[[D]], %[[DB]], %arg7 : {{.*}}) outs(%[[O]], %[[S]] : tensor<2x6xf32>, tensor<?x2x3x5xf32>)
// CHECK: tensor.parallel_insert_slice %[[Y]] into %[[OUT]][0, %[[CHANNEL]]] [2, 6] [1, 1]
// CHECK: tensor.parallel_insert_slice %[[S1]] into %[[STATE]][0, %[[HEAD]], 0, 0] [%{{.*}}, 2, 3, 5] [1, 1, 1, 1]
func.func @ssm_step(%x: tensor<2x24xf32>, %dt: tensor<2x8xf32>, %b: tensor<2x10xf32>, %c: tensor<2x10xf32>,
                    %a: tensor<8xf32>, %d: tensor<8xf32>, %db: tensor<8xf32>, %slots: tensor<2xi32>,
                    %init: tensor<2x24xf32>, %s: tensor<?x8x3x5xf32>) -> (tensor<2x24xf32>, tensor<?x8x3x5xf32>) {
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots : tensor<2x24xf32>, tensor<2x8xf32>, tensor<2x10xf32>,
          tensor<2x10xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<2xi32>)
      outs(%init, %s : tensor<2x24xf32>, tensor<?x8x3x5xf32>) dt_limit(0.0, 1.0) acc(f32)
  return %y, %s1 : tensor<2x24xf32>, tensor<?x8x3x5xf32>
}

// One group: its heads may be cut anywhere, here to 2, 2 and 1.
// CHECK-LABEL: @ssm_scan
// CHECK: scf.forall (%{{.*}}) in (3) shared_outs(%[[OUT:.*]] = %arg9, %[[STATE:.*]] = %arg10)
// CHECK: %[[HEAD:.*]] = affine.apply #[[HEADS]](
// CHECK: %[[COUNT:.*]] = affine.min
// CHECK: %[[X:.*]] = tensor.extract_slice %arg0[0, %{{.*}}] [8, %{{.*}}] [1, 1]
// CHECK: %[[DT:.*]] = tensor.extract_slice %arg1[0, %[[HEAD]]] [8, %[[COUNT]]] [1, 1]
// CHECK: %[[S:.*]] = tensor.extract_slice %[[STATE]][0, %[[HEAD]], 0, 0] [%{{.*}}, %[[COUNT]], 3, 7] [1, 1, 1, 1]
// CHECK: bamba.ssm_scan ins(%[[X]], %[[DT]], %arg2, %arg3, %{{.*}}, %{{.*}}, %{{.*}}, %arg7, %arg8 : tensor<8x?xf32>, tensor<8x?xf32>, tensor<8x7xf32>, tensor<8x7xf32>, {{.*}} chunk(4)
func.func @ssm_scan(%x: tensor<8x15xf32>, %dt: tensor<8x5xf32>, %b: tensor<8x7xf32>, %c: tensor<8x7xf32>,
                    %a: tensor<5xf32>, %d: tensor<5xf32>, %db: tensor<5xf32>, %slots: tensor<2xi32>,
                    %starts: tensor<3xi32>, %init: tensor<8x15xf32>, %s: tensor<?x5x3x7xf32>)
    -> (tensor<8x15xf32>, tensor<?x5x3x7xf32>) {
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %a, %d, %db, %slots, %starts : tensor<8x15xf32>, tensor<8x5xf32>, tensor<8x7xf32>,
          tensor<8x7xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<2xi32>, tensor<3xi32>)
      outs(%init, %s : tensor<8x15xf32>, tensor<?x5x3x7xf32>) dt_limit(0.0, 1.0) chunk(4) acc(f32)
  return %y, %s1 : tensor<8x15xf32>, tensor<?x5x3x7xf32>
}

// CHECK-LABEL: @kv_append
// CHECK: scf.forall (%[[HEAD:.*]]) in (2) shared_outs(%[[KEYS:.*]] = %arg4, %[[VALUES:.*]] = %arg5)
// CHECK: %[[K:.*]] = tensor.extract_slice %arg0[0, %[[COL:.*]]] [4, 8] [1, 1]
// CHECK: %[[V:.*]] = tensor.extract_slice %arg1[0, %[[COL]]] [4, 8] [1, 1]
// CHECK: %[[KC:.*]] = tensor.extract_slice %[[KEYS]][0, %[[HEAD]], 0, 0] [%{{.*}}, 1, 4, 8] [1, 1, 1, 1]
// CHECK: %[[VC:.*]] = tensor.extract_slice %[[VALUES]][0, %[[HEAD]], 0, 0] [%{{.*}}, 1, 4, 8] [1, 1, 1, 1]
// CHECK: %[[K1:.*]], %[[V1:.*]] = bamba.kv_append ins(%[[K]], %[[V]], %arg2, %arg3 : {{.*}}) outs(%[[KC]], %[[VC]] :
// CHECK: %[[KPAGES:.*]] = tensor.dim %arg4
// CHECK: %[[VPAGES:.*]] = tensor.dim %arg5
// CHECK: tensor.parallel_insert_slice %[[K1]] into %[[KEYS]][0, %[[HEAD]], 0, 0] [%[[KPAGES]], 1, 4, 8] [1, 1, 1, 1]
// CHECK: tensor.parallel_insert_slice %[[V1]] into %[[VALUES]][0, %[[HEAD]], 0, 0] [%[[VPAGES]], 1, 4, 8] [1, 1, 1, 1]
func.func @kv_append(%k: tensor<4x16xf32>, %v: tensor<4x16xf32>, %p: tensor<4xi32>, %pages: tensor<4x3xi32>,
                     %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>)
    -> (tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>) {
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x16xf32>, tensor<4x16xf32>, tensor<4xi32>,
                                 tensor<4x3xi32>)
                             outs(%kc, %vc : tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>)
  return %k1, %v1 : tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>
}

// The piece of each row is that of all heads.
// CHECK-LABEL: @kv_append_pieces
// CHECK: bamba.kv_append ins(%{{.*}}, %{{.*}}, %arg2, %arg3 : {{.*}}) pieces(%arg4 : tensor<4xi32>) outs(
func.func @kv_append_pieces(%k: tensor<4x16xf32>, %v: tensor<4x16xf32>, %p: tensor<4xi32>, %pages: tensor<2x3xi32>,
                            %pieces: tensor<4xi32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>)
    -> (tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>) {
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x16xf32>, tensor<4x16xf32>, tensor<4xi32>,
                                 tensor<2x3xi32>) pieces(%pieces : tensor<4xi32>)
                             outs(%kc, %vc : tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>)
  return %k1, %v1 : tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>
}

// Four sequences, two KV heads with 3 query heads each.
// CHECK-LABEL: @attention
// CHECK: scf.forall (%[[SEQUENCE:.*]], %[[HEAD:.*]]) in (4, 2) shared_outs(%[[OUT:.*]] =
// CHECK: %[[Q:.*]] = tensor.extract_slice %arg0[%[[SEQUENCE]], %[[COL:.*]]] [1, 24] [1, 1]
// CHECK: %[[K:.*]] = tensor.extract_slice %arg1[0, %[[HEAD]], 0, 0] [%{{.*}}, 1, 4, 8] [1, 1, 1, 1]
// CHECK: %[[V:.*]] = tensor.extract_slice %arg2[0, %[[HEAD]], 0, 0] [%{{.*}}, 1, 4, 8] [1, 1, 1, 1]
// CHECK: %[[P:.*]] = tensor.extract_slice %arg3[%[[SEQUENCE]]] [1] [1]
// CHECK: %[[PAGES:.*]] = tensor.extract_slice %arg4[%[[SEQUENCE]], 0] [1, 3] [1, 1]
// CHECK: %[[O:.*]] = tensor.extract_slice %[[OUT]][%[[SEQUENCE]], %[[COL]]] [1, 24] [1, 1]
// CHECK: bamba.attention ins(%[[Q]], %[[K]], %[[V]], %[[P]], %[[PAGES]] : {{.*}}) outs(%[[O]] : tensor<1x24xf32>)
func.func @attention(%q: tensor<4x48xf32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>, %p: tensor<4xi32>,
                     %pages: tensor<4x3xi32>, %init: tensor<4x48xf32>) -> tensor<4x48xf32> {
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x48xf32>, tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>,
                           tensor<4xi32>, tensor<4x3xi32>) outs(%init : tensor<4x48xf32>) scale(0.25) acc(f32)
  return %o : tensor<4x48xf32>
}

// The rows of pieces are not cut.
// CHECK-LABEL: @attention_pieces
// CHECK: scf.forall (%[[HEAD:.*]]) in (2) shared_outs(%[[OUT:.*]] =
// CHECK: %[[Q:.*]] = tensor.extract_slice %arg0[0, %[[COL:.*]]] [4, 24] [1, 1]
// CHECK: bamba.attention ins(%[[Q]], %{{.*}}, %{{.*}}, %{{.*}}, %arg4 : {{.*}}) starts(%arg5 : tensor<3xi32>) outs(%{{.*}} : tensor<4x24xf32>)
func.func @attention_pieces(%q: tensor<4x48xf32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>,
                            %p: tensor<4xi32>, %pages: tensor<2x3xi32>, %starts: tensor<3xi32>,
                            %init: tensor<4x48xf32>) -> tensor<4x48xf32> {
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x48xf32>, tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>,
                           tensor<4xi32>, tensor<2x3xi32>) starts(%starts : tensor<3xi32>)
                       outs(%init : tensor<4x48xf32>) scale(0.25) acc(f32)
  return %o : tensor<4x48xf32>
}
}
