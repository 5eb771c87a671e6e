// The ops that read or update a state, read and printed.
// RUN: %bambac-opt %s | %bambac-opt | FileCheck %s

// CHECK-LABEL: @causal_conv1d
func.func @causal_conv1d(%x: tensor<4x320xf32>, %w: tensor<4x320xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
                         %b: tensor<320xf32>, %init: tensor<4x320xf32>, %s: tensor<?x3x320xf32>)
    -> (tensor<4x320xf32>, tensor<?x3x320xf32>) {
  // CHECK: bamba.causal_conv1d ins(%{{.*}} : tensor<4x320xf32>, tensor<4x320xf32>, tensor<2xi32>, tensor<3xi32>) outs(%{{.*}}, %{{.*}} : tensor<4x320xf32>, tensor<?x3x320xf32>)
  %y0, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x320xf32>, tensor<4x320xf32>, tensor<2xi32>,
                                     tensor<3xi32>)
                                 outs(%init, %s : tensor<4x320xf32>, tensor<?x3x320xf32>)
  // CHECK: bamba.causal_conv1d {{.*}} bias(%{{.*}} : tensor<320xf32>) outs
  %y1, %s2 = bamba.causal_conv1d ins(%y0, %w, %slots, %starts : tensor<4x320xf32>, tensor<4x320xf32>, tensor<2xi32>,
                                     tensor<3xi32>) bias(%b : tensor<320xf32>)
                                 outs(%init, %s1 : tensor<4x320xf32>, tensor<?x3x320xf32>)
  return %y1, %s2 : tensor<4x320xf32>, tensor<?x3x320xf32>
}

// With positions the state is a ring, of any size that holds a window.
// CHECK-LABEL: @causal_conv1d_ring
func.func @causal_conv1d_ring(%x: tensor<4x320xf32>, %w: tensor<4x320xf32>, %slots: tensor<2xi32>,
                              %starts: tensor<3xi32>, %p: tensor<4xi32>, %b: tensor<320xf32>,
                              %init: tensor<4x320xf32>, %s: tensor<?x8x320xf32>)
    -> (tensor<4x320xf32>, tensor<?x8x320xf32>) {
  // CHECK: bamba.causal_conv1d ins(%{{.*}} : tensor<4x320xf32>, tensor<4x320xf32>, tensor<2xi32>, tensor<3xi32>) positions(%{{.*}} : tensor<4xi32>) outs(%{{.*}}, %{{.*}} : tensor<4x320xf32>, tensor<?x8x320xf32>)
  %y0, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x320xf32>, tensor<4x320xf32>, tensor<2xi32>,
                                     tensor<3xi32>) positions(%p : tensor<4xi32>)
                                 outs(%init, %s : tensor<4x320xf32>, tensor<?x8x320xf32>)
  // CHECK: bamba.causal_conv1d {{.*}} bias(%{{.*}} : tensor<320xf32>) positions(%{{.*}} : tensor<4xi32>) outs
  %y1, %s2 = bamba.causal_conv1d ins(%y0, %w, %slots, %starts : tensor<4x320xf32>, tensor<4x320xf32>, tensor<2xi32>,
                                     tensor<3xi32>) bias(%b : tensor<320xf32>) positions(%p : tensor<4xi32>)
                                 outs(%init, %s1 : tensor<4x320xf32>, tensor<?x8x320xf32>)
  return %y1, %s2 : tensor<4x320xf32>, tensor<?x8x320xf32>
}

// CHECK-LABEL: @ssm_step
func.func @ssm_step(%x: tensor<4x256xf32>, %dt: tensor<4x8xf32>, %b: tensor<4x64xf32>, %c: tensor<4x64xf32>,
                    %head: tensor<8xf32>, %slots: tensor<4xi32>, %init: tensor<4x256xf32>, %s: tensor<?x8x32x32xf32>)
    -> (tensor<4x256xf32>, tensor<?x8x32x32xf32>) {
  // CHECK: bamba.ssm_step ins(%{{.*}} : tensor<4x256xf32>, tensor<4x8xf32>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<4xi32>) outs(%{{.*}}, %{{.*}} : tensor<4x256xf32>, tensor<?x8x32x32xf32>) dt_limit(0.000000e+00, 0x7FF0000000000000) acc(f32)
  %y, %s1 = bamba.ssm_step
      ins(%x, %dt, %b, %c, %head, %head, %head, %slots : tensor<4x256xf32>, tensor<4x8xf32>, tensor<4x64xf32>,
          tensor<4x64xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x256xf32>, tensor<?x8x32x32xf32>) dt_limit(0.0, 0x7FF0000000000000) acc(f32)
  return %y, %s1 : tensor<4x256xf32>, tensor<?x8x32x32xf32>
}

// CHECK-LABEL: @ssm_ring
func.func @ssm_ring(%x: tensor<4x256xbf16>, %dt: tensor<4x8xf32>, %b: tensor<4x64xbf16>, %head: tensor<8xf32>,
                    %slots: tensor<4xi32>, %pending: tensor<4xi32>, %init: tensor<4x256xbf16>,
                    %s: tensor<?x8x32x32xf32>, %e: tensor<?x15x320xbf16>, %d: tensor<?x15x8xf32>)
    -> (tensor<4x256xbf16>, tensor<?x8x32x32xf32>, tensor<?x15x320xbf16>, tensor<?x15x8xf32>) {
  // CHECK: %{{.*}}, %{{.*}}, %[[RING:.*]]:2 = bamba.ssm_step ins({{.*}}) outs(%{{.*}}, %{{.*}} : tensor<4x256xbf16>, tensor<?x8x32x32xf32>) ring(%{{.*}}, %{{.*}}, %{{.*}} : tensor<4xi32>, tensor<?x15x320xbf16>, tensor<?x15x8xf32>) dt_limit
  %y, %s1, %e1, %d1 = bamba.ssm_step
      ins(%x, %dt, %b, %b, %head, %head, %head, %slots : tensor<4x256xbf16>, tensor<4x8xf32>, tensor<4x64xbf16>,
          tensor<4x64xbf16>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<4xi32>)
      outs(%init, %s : tensor<4x256xbf16>, tensor<?x8x32x32xf32>)
      ring(%pending, %e, %d : tensor<4xi32>, tensor<?x15x320xbf16>, tensor<?x15x8xf32>)
      dt_limit(0.0, 0x7FF0000000000000) acc(f32)
  // CHECK: bamba.ssm_fold ins(%{{.*}}, %{{.*}}, %{{.*}}, %[[RING]]#0, %[[RING]]#1 : tensor<8xf32>, tensor<4xi32>, tensor<4xi32>, tensor<?x15x320xbf16>, tensor<?x15x8xf32>) outs(%{{.*}} : tensor<?x8x32x32xf32>) acc(f32)
  %s2 = bamba.ssm_fold ins(%head, %slots, %pending, %e1, %d1 : tensor<8xf32>, tensor<4xi32>, tensor<4xi32>,
                           tensor<?x15x320xbf16>, tensor<?x15x8xf32>)
                       outs(%s1 : tensor<?x8x32x32xf32>) acc(f32)
  return %y, %s2, %e1, %d1 : tensor<4x256xbf16>, tensor<?x8x32x32xf32>, tensor<?x15x320xbf16>, tensor<?x15x8xf32>
}

// CHECK-LABEL: @ssm_scan
func.func @ssm_scan(%x: tensor<64x256xf32>, %dt: tensor<64x8xf32>, %b: tensor<64x32xf32>, %c: tensor<64x32xf32>,
                    %head: tensor<8xf32>, %slots: tensor<1xi32>, %starts: tensor<2xi32>, %init: tensor<64x256xf32>,
                    %s: tensor<?x8x32x32xf32>) -> (tensor<64x256xf32>, tensor<?x8x32x32xf32>) {
  // CHECK: bamba.ssm_scan ins(%{{.*}} : tensor<64x256xf32>, {{.*}}, tensor<1xi32>, tensor<2xi32>) outs(%{{.*}}, %{{.*}} : tensor<64x256xf32>, tensor<?x8x32x32xf32>) dt_limit(1.000000e-03, 1.000000e-01) chunk(16) acc(f32)
  %y, %s1 = bamba.ssm_scan
      ins(%x, %dt, %b, %c, %head, %head, %head, %slots, %starts : tensor<64x256xf32>, tensor<64x8xf32>,
          tensor<64x32xf32>, tensor<64x32xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<1xi32>,
          tensor<2xi32>)
      outs(%init, %s : tensor<64x256xf32>, tensor<?x8x32x32xf32>) dt_limit(0.001, 0.1) chunk(16) acc(f32)
  return %y, %s1 : tensor<64x256xf32>, tensor<?x8x32x32xf32>
}

// CHECK-LABEL: @attention
func.func @attention(%q: tensor<4x128xf32>, %k: tensor<4x64xf32>, %v: tensor<4x64xf32>, %positions: tensor<4xi32>,
                     %pages: tensor<4x8xi32>, %kc: tensor<?x2x16x32xf32>, %vc: tensor<?x2x16x32xf32>,
                     %init: tensor<4x128xf32>)
    -> (tensor<4x128xf32>, tensor<?x2x16x32xf32>, tensor<?x2x16x32xf32>) {
  // CHECK: bamba.kv_append ins(%{{.*}} : tensor<4x64xf32>, tensor<4x64xf32>, tensor<4xi32>, tensor<4x8xi32>) outs(%{{.*}}, %{{.*}} : tensor<?x2x16x32xf32>, tensor<?x2x16x32xf32>)
  %kc1, %vc1 = bamba.kv_append ins(%k, %v, %positions, %pages : tensor<4x64xf32>, tensor<4x64xf32>, tensor<4xi32>,
                                   tensor<4x8xi32>)
                               outs(%kc, %vc : tensor<?x2x16x32xf32>, tensor<?x2x16x32xf32>)
  // CHECK: bamba.attention ins(%{{.*}} : tensor<4x128xf32>, tensor<?x2x16x32xf32>, tensor<?x2x16x32xf32>, tensor<4xi32>, tensor<4x8xi32>) outs(%{{.*}} : tensor<4x128xf32>) scale(2.500000e-01) acc(f32)
  %o = bamba.attention ins(%q, %kc1, %vc1, %positions, %pages : tensor<4x128xf32>, tensor<?x2x16x32xf32>,
                           tensor<?x2x16x32xf32>, tensor<4xi32>, tensor<4x8xi32>)
                       outs(%init : tensor<4x128xf32>) scale(0.25) acc(f32)
  return %o, %kc1, %vc1 : tensor<4x128xf32>, tensor<?x2x16x32xf32>, tensor<?x2x16x32xf32>
}

// Rows of pieces: two sequences with 4 rows in all.
// CHECK-LABEL: @attention_pieces
func.func @attention_pieces(%q: tensor<4x128xf32>, %k: tensor<4x64xf32>, %v: tensor<4x64xf32>,
                            %positions: tensor<4xi32>, %pieces: tensor<4xi32>, %starts: tensor<3xi32>,
                            %pages: tensor<2x8xi32>, %kc: tensor<?x2x16x32xf32>, %vc: tensor<?x2x16x32xf32>,
                            %init: tensor<4x128xf32>)
    -> (tensor<4x128xf32>, tensor<?x2x16x32xf32>, tensor<?x2x16x32xf32>) {
  // CHECK: bamba.kv_append ins({{.*}}, tensor<2x8xi32>) pieces(%{{.*}} : tensor<4xi32>) outs(
  %kc1, %vc1 = bamba.kv_append ins(%k, %v, %positions, %pages : tensor<4x64xf32>, tensor<4x64xf32>, tensor<4xi32>,
                                   tensor<2x8xi32>) pieces(%pieces : tensor<4xi32>)
                               outs(%kc, %vc : tensor<?x2x16x32xf32>, tensor<?x2x16x32xf32>)
  // CHECK: bamba.attention ins({{.*}}, tensor<2x8xi32>) starts(%{{.*}} : tensor<3xi32>) outs(
  %o = bamba.attention ins(%q, %kc1, %vc1, %positions, %pages : tensor<4x128xf32>, tensor<?x2x16x32xf32>,
                           tensor<?x2x16x32xf32>, tensor<4xi32>, tensor<2x8xi32>) starts(%starts : tensor<3xi32>)
                       outs(%init : tensor<4x128xf32>) scale(0.25) acc(f32)
  return %o, %kc1, %vc1 : tensor<4x128xf32>, tensor<?x2x16x32xf32>, tensor<?x2x16x32xf32>
}
