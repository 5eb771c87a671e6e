// Which quantizations become a part of the linear that reads them, whose blocks make the codes for each other.
// RUN: %bambac-opt %s --bamba-form-dispatches | FileCheck %s

#gpu = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132,
                          fusions = [norm_prologue, quantize, quantize_epilogue, shared_quantize]>
module attributes {bamba.target = #gpu} {
  // Attention has a row in the blocks of its heads. Each block of the linear would make up to 16 rows again.
  // CHECK-LABEL: func.func @after_attention
  // CHECK: bamba.dispatch
  // CHECK: bamba.attention
  // CHECK-NEXT: bamba.yield
  // CHECK: bamba.dispatch {{.*}}outs({{.*}}tensor<17x32xf32>, tensor<17x32xf8E4M3FN>, tensor<17x1xf32>)
  // CHECK: bamba.quantize
  // CHECK-NEXT: bamba.linear
  // CHECK: return
  func.func @after_attention(%q: tensor<17x32xf32>, %k: tensor<?x2x16x8xf32>, %p: tensor<17xi32>, %pages: tensor<17x2xi32>, %d: tensor<32x32xf8E4M3FN>, %ds: tensor<1x32xf32>) -> tensor<17x32xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 17, chunk = 1>} {
    %e = tensor.empty() : tensor<17x32xf32>
    %ec = tensor.empty() : tensor<17x32xf8E4M3FN>
    %s = tensor.empty() : tensor<17x1xf32>
    %a = bamba.attention ins(%q, %k, %k, %p, %pages : tensor<17x32xf32>, tensor<?x2x16x8xf32>, tensor<?x2x16x8xf32>, tensor<17xi32>, tensor<17x2xi32>) outs(%e : tensor<17x32xf32>) scale(0.5) acc(f32)
    %c, %cs = bamba.quantize ins(%a : tensor<17x32xf32>) outs(%ec, %s : tensor<17x32xf8E4M3FN>, tensor<17x1xf32>) group(0)
    %y = bamba.linear ins(%c, %d : tensor<17x32xf8E4M3FN>, tensor<32x32xf8E4M3FN>)
                      scales(%cs, %ds : tensor<17x1xf32>, tensor<1x32xf32>) group(0) outs(%e : tensor<17x32xf32>) acc(f32)
    return %y : tensor<17x32xf32>
  }

  // Scales of groups, of as few rows as there are: one is not made again by every block, as with one scale a row.
  // CHECK-LABEL: func.func @in_groups
  // CHECK: bamba.dispatch
  // CHECK: bamba.dispatch {{.*}}outs({{.*}}tensor<1x64xf32>, tensor<1x64xf8E4M3FN>, tensor<1x2xf32>)
  // CHECK: bamba.quantize
  // CHECK-NEXT: bamba.linear
  // CHECK: return
  func.func @in_groups(%x: tensor<1x64xf32>, %w: tensor<64x64xf32>, %d: tensor<64x64xf8E4M3FN>, %ds: tensor<2x64xf32>) -> tensor<1x64xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 1, chunk = 1>} {
    %e = tensor.empty() : tensor<1x64xf32>
    %ec = tensor.empty() : tensor<1x64xf8E4M3FN>
    %s = tensor.empty() : tensor<1x2xf32>
    %h = bamba.linear ins(%x, %w : tensor<1x64xf32>, tensor<64x64xf32>) outs(%e : tensor<1x64xf32>) acc(f32)
    %c, %cs = bamba.quantize ins(%h : tensor<1x64xf32>) outs(%ec, %s : tensor<1x64xf8E4M3FN>, tensor<1x2xf32>) group(32)
    %y = bamba.linear ins(%c, %d : tensor<1x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs, %ds : tensor<1x2xf32>, tensor<2x64xf32>) group(32) outs(%e : tensor<1x64xf32>) acc(f32)
    return %y : tensor<1x64xf32>
  }

  // Two linears would both need the codes.
  // CHECK-LABEL: func.func @read_twice
  // CHECK: bamba.quantize
  // CHECK-NEXT: bamba.yield
  // CHECK: bamba.dispatch
  // CHECK: bamba.dispatch
  // CHECK: return
  func.func @read_twice(%x: tensor<4x64xf32>, %w: tensor<64x64xf32>, %d: tensor<64x64xf8E4M3FN>, %ds: tensor<1x64xf32>) -> (tensor<4x64xf32>, tensor<4x64xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x64xf32>
    %ec = tensor.empty() : tensor<4x64xf8E4M3FN>
    %s = tensor.empty() : tensor<4x1xf32>
    %h = bamba.linear ins(%x, %w : tensor<4x64xf32>, tensor<64x64xf32>) outs(%e : tensor<4x64xf32>) acc(f32)
    %c, %cs = bamba.quantize ins(%h : tensor<4x64xf32>) outs(%ec, %s : tensor<4x64xf8E4M3FN>, tensor<4x1xf32>) group(0)
    %y = bamba.linear ins(%c, %d : tensor<4x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs, %ds : tensor<4x1xf32>, tensor<1x64xf32>) group(0) outs(%e : tensor<4x64xf32>) acc(f32)
    %z = bamba.linear ins(%c, %d : tensor<4x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs, %ds : tensor<4x1xf32>, tensor<1x64xf32>) group(0) outs(%e : tensor<4x64xf32>) acc(f32)
    return %y, %z : tensor<4x64xf32>, tensor<4x64xf32>
  }

  // A module without limits has the rows that a launch has counters for: 1024.
  // CHECK-LABEL: func.func @without_limits
  // CHECK: bamba.dispatch
  // CHECK: bamba.dispatch {{.*}}outs({{.*}}tensor<1024x64xf32>, tensor<1024x64xf8E4M3FN>, tensor<1024x1xf32>)
  // CHECK: return
  func.func @without_limits(%x: tensor<1024x64xf32>, %w: tensor<64x64xf32>, %d: tensor<64x64xf8E4M3FN>, %ds: tensor<1x64xf32>) -> tensor<1024x64xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 1024, chunk = 1>} {
    %e = tensor.empty() : tensor<1024x64xf32>
    %ec = tensor.empty() : tensor<1024x64xf8E4M3FN>
    %s = tensor.empty() : tensor<1024x1xf32>
    %h = bamba.linear ins(%x, %w : tensor<1024x64xf32>, tensor<64x64xf32>) outs(%e : tensor<1024x64xf32>) acc(f32)
    %c, %cs = bamba.quantize ins(%h : tensor<1024x64xf32>) outs(%ec, %s : tensor<1024x64xf8E4M3FN>, tensor<1024x1xf32>) group(0)
    %y = bamba.linear ins(%c, %d : tensor<1024x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs, %ds : tensor<1024x1xf32>, tensor<1x64xf32>) group(0) outs(%e : tensor<1024x64xf32>) acc(f32)
    return %y : tensor<1024x64xf32>
  }

  // CHECK-LABEL: func.func @beyond_the_counters
  // CHECK: bamba.quantize
  // CHECK-NEXT: bamba.yield
  // CHECK: return
  func.func @beyond_the_counters(%x: tensor<1025x64xf32>, %w: tensor<64x64xf32>, %d: tensor<64x64xf8E4M3FN>, %ds: tensor<1x64xf32>) -> tensor<1025x64xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 1025, chunk = 1>} {
    %e = tensor.empty() : tensor<1025x64xf32>
    %ec = tensor.empty() : tensor<1025x64xf8E4M3FN>
    %s = tensor.empty() : tensor<1025x1xf32>
    %h = bamba.linear ins(%x, %w : tensor<1025x64xf32>, tensor<64x64xf32>) outs(%e : tensor<1025x64xf32>) acc(f32)
    %c, %cs = bamba.quantize ins(%h : tensor<1025x64xf32>) outs(%ec, %s : tensor<1025x64xf8E4M3FN>, tensor<1025x1xf32>) group(0)
    %y = bamba.linear ins(%c, %d : tensor<1025x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs, %ds : tensor<1025x1xf32>, tensor<1x64xf32>) group(0) outs(%e : tensor<1025x64xf32>) acc(f32)
    return %y : tensor<1025x64xf32>
  }
}
