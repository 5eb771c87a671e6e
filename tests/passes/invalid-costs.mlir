// RUN: bambac-opt %s --bamba-estimate-costs --split-input-file --verify-diagnostics

// An op of upstream that is cut into tiles as ours are, but of which no cost is known.
func.func @entry(%x: tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<8x4xf32>
  %0 = bamba.launch @unknown ins(%x : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  return
}
func.func private @unknown(%x: tensor<4x8xf32>, %e: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {bamba.kernel} {
  %p = arith.constant 0.0 : f32
  // expected-error @+1 {{has no cost: expected a case of addOp in the pass bamba-estimate-costs}}
  %r = tensor.pad %x low[0, 0] high[4, -4] {
  ^bb0(%i: index, %j: index):
    tensor.yield %p : f32
  } : tensor<4x8xf32> to tensor<8x4xf32>
  return %r : tensor<8x4xf32>
}
