// Tiles of heads that do not lie in one group have no B and C of their own.
// What the transform ops add to the error is theirs.
// RUN: %bambac-opt %s -transform-interpreter -split-input-file -verify-diagnostics=only-expected

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["bamba.ssm_step"]} in %root : (!transform.any_op) -> !transform.any_op
    transform.structured.tile_using_forall %op tile_sizes [8]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
  func.func @two_groups_in_a_tile(%x: tensor<2x24xf32>, %dt: tensor<2x8xf32>, %b: tensor<2x10xf32>,
                                  %c: tensor<2x10xf32>, %h: tensor<8xf32>, %slots: tensor<2xi32>,
                                  %init: tensor<2x24xf32>, %s: tensor<?x8x3x5xf32>) -> tensor<2x24xf32> {
    // expected-error @+1 {{expected a tile of heads that divides the 4 heads of a group}}
    %y, %s1 = bamba.ssm_step
        ins(%x, %dt, %b, %c, %h, %h, %h, %slots : tensor<2x24xf32>, tensor<2x8xf32>, tensor<2x10xf32>,
            tensor<2x10xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<2xi32>)
        outs(%init, %s : tensor<2x24xf32>, tensor<?x8x3x5xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y : tensor<2x24xf32>
  }
}

// -----

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["bamba.ssm_scan"]} in %root : (!transform.any_op) -> !transform.any_op
    transform.structured.tile_using_forall %op tile_sizes [3]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
  func.func @ragged_tiles(%x: tensor<8x24xf32>, %dt: tensor<8x8xf32>, %b: tensor<8x10xf32>, %c: tensor<8x10xf32>,
                          %h: tensor<8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>, %init: tensor<8x24xf32>,
                          %s: tensor<?x8x3x5xf32>) -> tensor<8x24xf32> {
    // expected-error @+1 {{expected a tile of heads that divides the 4 heads of a group}}
    %y, %s1 = bamba.ssm_scan
        ins(%x, %dt, %b, %c, %h, %h, %h, %slots, %starts : tensor<8x24xf32>, tensor<8x8xf32>, tensor<8x10xf32>,
            tensor<8x10xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<2xi32>, tensor<3xi32>)
        outs(%init, %s : tensor<8x24xf32>, tensor<?x8x3x5xf32>) dt_limit(0.0, 1.0) chunk(4) acc(f32)
    return %y : tensor<8x24xf32>
  }
}
