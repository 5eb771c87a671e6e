// Results that leave a kernel in addition to what joined it: heads of a projection, and logits with the greedy token.
// RUN: bambac-opt %s -split-input-file --bamba-form-dispatches --canonicalize | FileCheck %s

#cuda = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = [epilogue, norm_prologue, rope, argmax]>

module attributes {bamba.target = #cuda} {
  // Queries and keys are rotated, keys and values written to the cache, where the projection has its sums. The queries
  // come after the two states.
  // CHECK-LABEL: func.func @projection
  // CHECK: %[[D:.*]]:3 = bamba.dispatch ins(%arg0, %arg1, %arg2, %arg3 : {{.*}}) outs(%arg4, %arg5, %{{.*}} : tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>, tensor<2x16xbf16>)
  // CHECK:   %[[L:.*]] = bamba.linear
  // CHECK:   %[[Q:.*]] = bamba.rope
  // CHECK:   %[[K:.*]] = bamba.rope
  // CHECK:   %[[K1:.*]], %[[V1:.*]] = bamba.kv_append ins(%[[K]],
  // CHECK:   bamba.yield %[[K1]], %[[V1]], %[[Q]]
  // CHECK: bamba.dispatch ins(%[[D]]#2, %[[D]]#0, %[[D]]#1,
  // CHECK:   bamba.attention
  // CHECK-NOT: bamba.dispatch
  // CHECK: return
  func.func @projection(%x: tensor<2x32xbf16>, %w: tensor<32x32xbf16>, %p: tensor<2xi32>, %pages: tensor<2x4xi32>,
                        %k0: tensor<?x1x16x8xbf16>, %v0: tensor<?x1x16x8xbf16>)
      -> (tensor<2x16xbf16>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %e = tensor.empty() : tensor<2x32xf32>
    %qkv = bamba.linear ins(%x, %w : tensor<2x32xbf16>, tensor<32x32xbf16>) outs(%e : tensor<2x32xf32>) acc(f32)
    %q = tensor.extract_slice %qkv[0, 0] [2, 16] [1, 1] : tensor<2x32xf32> to tensor<2x16xf32>
    %k = tensor.extract_slice %qkv[0, 16] [2, 8] [1, 1] : tensor<2x32xf32> to tensor<2x8xf32>
    %v = tensor.extract_slice %qkv[0, 24] [2, 8] [1, 1] : tensor<2x32xf32> to tensor<2x8xf32>
    %eq = tensor.empty() : tensor<2x16xbf16>
    %ek = tensor.empty() : tensor<2x8xbf16>
    %rq = bamba.rope ins(%q, %p : tensor<2x16xf32>, tensor<2xi32>) outs(%eq : tensor<2x16xbf16>) head_dim(8) rotation(<[1.0, 0.01]>) interleaved
    %rk = bamba.rope ins(%k, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%ek : tensor<2x8xbf16>) head_dim(8) rotation(<[1.0, 0.01]>) interleaved
    %k1, %v1 = bamba.kv_append ins(%rk, %v, %p, %pages : tensor<2x8xbf16>, tensor<2x8xf32>, tensor<2xi32>, tensor<2x4xi32>) outs(%k0, %v0 : tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>)
    %o = bamba.attention ins(%rq, %k1, %v1, %p, %pages : tensor<2x16xbf16>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>, tensor<2xi32>, tensor<2x4xi32>) outs(%eq : tensor<2x16xbf16>) scale(0.5) acc(f32)
    return %o, %k1, %v1 : tensor<2x16xbf16>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>
  }

  // The two dimensions of a half-split pair are in different places of the projection: each op is a kernel.
  // CHECK-LABEL: func.func @half_split
  // CHECK: bamba.dispatch
  // CHECK-NEXT: ^bb0
  // CHECK-NOT: bamba.rope
  // CHECK: bamba.dispatch
  // CHECK: bamba.rope
  // CHECK: bamba.dispatch
  // CHECK: bamba.rope
  // CHECK: bamba.dispatch
  // CHECK: bamba.kv_append
  func.func @half_split(%x: tensor<2x32xbf16>, %w: tensor<32x32xbf16>, %p: tensor<2xi32>, %pages: tensor<2x4xi32>,
                        %k0: tensor<?x1x16x8xbf16>, %v0: tensor<?x1x16x8xbf16>)
      -> (tensor<2x16xbf16>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %e = tensor.empty() : tensor<2x32xf32>
    %qkv = bamba.linear ins(%x, %w : tensor<2x32xbf16>, tensor<32x32xbf16>) outs(%e : tensor<2x32xf32>) acc(f32)
    %q = tensor.extract_slice %qkv[0, 0] [2, 16] [1, 1] : tensor<2x32xf32> to tensor<2x16xf32>
    %k = tensor.extract_slice %qkv[0, 16] [2, 8] [1, 1] : tensor<2x32xf32> to tensor<2x8xf32>
    %v = tensor.extract_slice %qkv[0, 24] [2, 8] [1, 1] : tensor<2x32xf32> to tensor<2x8xf32>
    %eq = tensor.empty() : tensor<2x16xbf16>
    %ek = tensor.empty() : tensor<2x8xbf16>
    %rq = bamba.rope ins(%q, %p : tensor<2x16xf32>, tensor<2xi32>) outs(%eq : tensor<2x16xbf16>) head_dim(8) rotation(<[1.0, 0.01]>)
    %rk = bamba.rope ins(%k, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%ek : tensor<2x8xbf16>) head_dim(8) rotation(<[1.0, 0.01]>)
    %k1, %v1 = bamba.kv_append ins(%rk, %v, %p, %pages : tensor<2x8xbf16>, tensor<2x8xf32>, tensor<2xi32>, tensor<2x4xi32>) outs(%k0, %v0 : tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>)
    return %rq, %k1, %v1 : tensor<2x16xbf16>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>
  }

  // The largest logit is found while the logits are written.
  // CHECK-LABEL: func.func @greedy
  // CHECK: %[[D:.*]]:2 = bamba.dispatch {{.*}} -> tensor<2xi32>, tensor<2x64xf32>
  // CHECK:   %[[L:.*]] = bamba.linear
  // CHECK:   %[[A:.*]] = bamba.argmax ins(%[[L]]
  // CHECK:   bamba.yield %[[A]], %[[L]]
  // CHECK: return %[[D]]#1, %[[D]]#0
  func.func @greedy(%x: tensor<2x32xbf16>, %w: tensor<64x32xbf16>) -> (tensor<2x64xf32>, tensor<2xi32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %e = tensor.empty() : tensor<2x64xf32>
    %l = bamba.linear ins(%x, %w : tensor<2x32xbf16>, tensor<64x32xbf16>) outs(%e : tensor<2x64xf32>) acc(f32)
    %ei = tensor.empty() : tensor<2xi32>
    %a = bamba.argmax ins(%l : tensor<2x64xf32>) outs(%ei : tensor<2xi32>)
    return %l, %a : tensor<2x64xf32>, tensor<2xi32>
  }

  // A norm that two linears read joins neither; a linear whose result another op reads as well does not join the sum.
  // CHECK-LABEL: func.func @read_twice
  // CHECK: bamba.dispatch
  // CHECK-NEXT: ^bb0
  // CHECK-NOT: bamba.linear
  // CHECK: bamba.dispatch
  // CHECK: bamba.linear
  // CHECK: bamba.dispatch
  // CHECK: bamba.linear
  // CHECK: bamba.dispatch
  // CHECK: linalg.add
  func.func @read_twice(%x: tensor<2x32xf32>, %n: tensor<32xf32>, %w: tensor<32x32xbf16>) -> (tensor<2x32xf32>, tensor<2x32xf32>, tensor<2x32xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %eh = tensor.empty() : tensor<2x32xbf16>
    %e = tensor.empty() : tensor<2x32xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<2x32xf32>, tensor<32xf32>) outs(%eh : tensor<2x32xbf16>) eps(1.0e-05)
    %a = bamba.linear ins(%h, %w : tensor<2x32xbf16>, tensor<32x32xbf16>) outs(%e : tensor<2x32xf32>) acc(f32)
    %b = bamba.linear ins(%h, %w : tensor<2x32xbf16>, tensor<32x32xbf16>) outs(%e : tensor<2x32xf32>) acc(f32)
    %s = linalg.add ins(%x, %a : tensor<2x32xf32>, tensor<2x32xf32>) outs(%e : tensor<2x32xf32>) -> tensor<2x32xf32>
    return %s, %a, %b : tensor<2x32xf32>, tensor<2x32xf32>, tensor<2x32xf32>
  }
}
