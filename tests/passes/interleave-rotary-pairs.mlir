// RUN: bambac-opt %s -split-input-file --bamba-interleave-rotary-pairs | FileCheck %s

#cuda = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = [rope]>

// Rows of the weights and biases of queries and keys change places, those of the values stay.
// CHECK: ml_program.global private @q({{.*}}) : {{.*}} {bamba.sources = [#bamba.source<"q.weight", [16, 32], head_dim = 8, rotary_dim = 4>]}
// CHECK: ml_program.global private @q.bias({{.*}}) : {{.*}} {bamba.sources = [#bamba.source<"q.bias", [16], head_dim = 8, rotary_dim = 4>]}
// CHECK: ml_program.global private @k({{.*}}) : {{.*}} {bamba.sources = [#bamba.source<"k.weight", [8, 32], head_dim = 8, rotary_dim = 4>]}
// CHECK: ml_program.global private @v({{.*}}) : {{.*}} {bamba.sources = [#bamba.source<"v.weight", [8, 32]>]}
module attributes {bamba.target = #cuda} {
  ml_program.global private @q(#ml_program.extern<tensor<16x32xbf16>>) : tensor<16x32xbf16> {bamba.sources = [#bamba.source<"q.weight", [16, 32]>]}
  ml_program.global private @q.bias(#ml_program.extern<tensor<16xf32>>) : tensor<16xf32> {bamba.sources = [#bamba.source<"q.bias", [16]>]}
  ml_program.global private @k(#ml_program.extern<tensor<8x32xbf16>>) : tensor<8x32xbf16> {bamba.sources = [#bamba.source<"k.weight", [8, 32]>]}
  ml_program.global private @v(#ml_program.extern<tensor<8x32xbf16>>) : tensor<8x32xbf16> {bamba.sources = [#bamba.source<"v.weight", [8, 32]>]}

  // CHECK-LABEL: func.func @step
  // CHECK: bamba.rope {{.*}} rotation(#rotation) interleaved
  // CHECK: bamba.rope {{.*}} rotation(#rotation) interleaved
  func.func @step(%x: tensor<2x32xbf16>, %p: tensor<2xi32>, %pages: tensor<2x4xi32>, %k0: tensor<?x1x16x8xbf16>, %v0: tensor<?x1x16x8xbf16>)
      -> (tensor<2x16xbf16>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>) attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %e16 = tensor.empty() : tensor<2x16xf32>
    %e8 = tensor.empty() : tensor<2x8xf32>
    %wq = ml_program.global_load_const @q : tensor<16x32xbf16>
    %bq = ml_program.global_load_const @q.bias : tensor<16xf32>
    %wk = ml_program.global_load_const @k : tensor<8x32xbf16>
    %wv = ml_program.global_load_const @v : tensor<8x32xbf16>
    %q = bamba.linear ins(%x, %wq : tensor<2x32xbf16>, tensor<16x32xbf16>) bias(%bq : tensor<16xf32>) outs(%e16 : tensor<2x16xf32>) acc(f32)
    %rq = bamba.rope ins(%q, %p : tensor<2x16xf32>, tensor<2xi32>) outs(%e16 : tensor<2x16xf32>) head_dim(8) rotation(<[1.0, 0.01]>)
    %k = bamba.linear ins(%x, %wk : tensor<2x32xbf16>, tensor<8x32xbf16>) outs(%e8 : tensor<2x8xf32>) acc(f32)
    %rk = bamba.rope ins(%k, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%e8 : tensor<2x8xf32>) head_dim(8) rotation(<[1.0, 0.01]>)
    %v = bamba.linear ins(%x, %wv : tensor<2x32xbf16>, tensor<8x32xbf16>) outs(%e8 : tensor<2x8xf32>) acc(f32)
    %k1, %v1 = bamba.kv_append ins(%rk, %v, %p, %pages : tensor<2x8xf32>, tensor<2x8xf32>, tensor<2xi32>, tensor<2x4xi32>) outs(%k0, %v0 : tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>)
    %eo = tensor.empty() : tensor<2x16xbf16>
    %o = bamba.attention ins(%rq, %k1, %v1, %p, %pages : tensor<2x16xf32>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>, tensor<2xi32>, tensor<2x4xi32>) outs(%eo : tensor<2x16xbf16>) scale(0.5) acc(f32)
    return %o, %k1, %v1 : tensor<2x16xbf16>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>
  }
}

// -----

#cuda = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = [rope]>

// Queries alone would no longer fit keys that come from elsewhere.
// CHECK: @q({{.*}}) : {{.*}} {bamba.sources = [#bamba.source<"q.weight", [16, 32]>]}
// CHECK-NOT: interleaved
module attributes {bamba.target = #cuda} {
  ml_program.global private @q(#ml_program.extern<tensor<16x32xbf16>>) : tensor<16x32xbf16> {bamba.sources = [#bamba.source<"q.weight", [16, 32]>]}
  func.func @keys_from_elsewhere(%x: tensor<2x32xbf16>, %kv: tensor<2x8xf32>, %p: tensor<2xi32>, %pages: tensor<2x4xi32>, %k0: tensor<?x1x16x8xbf16>, %v0: tensor<?x1x16x8xbf16>)
      -> (tensor<2x16xbf16>) attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %e16 = tensor.empty() : tensor<2x16xf32>
    %wq = ml_program.global_load_const @q : tensor<16x32xbf16>
    %q = bamba.linear ins(%x, %wq : tensor<2x32xbf16>, tensor<16x32xbf16>) outs(%e16 : tensor<2x16xf32>) acc(f32)
    %rq = bamba.rope ins(%q, %p : tensor<2x16xf32>, tensor<2xi32>) outs(%e16 : tensor<2x16xf32>) head_dim(8) rotation(<[1.0, 0.01]>)
    %k1, %v1 = bamba.kv_append ins(%kv, %kv, %p, %pages : tensor<2x8xf32>, tensor<2x8xf32>, tensor<2xi32>, tensor<2x4xi32>) outs(%k0, %v0 : tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>)
    %eo = tensor.empty() : tensor<2x16xbf16>
    %o = bamba.attention ins(%rq, %k1, %v1, %p, %pages : tensor<2x16xf32>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>, tensor<2xi32>, tensor<2x4xi32>) outs(%eo : tensor<2x16xbf16>) scale(0.5) acc(f32)
    return %o : tensor<2x16xbf16>
  }
}

// -----

#cuda = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = [rope]>

// The weight is read by another linear too, whose result is not rotated.
// CHECK: @q({{.*}}) : {{.*}} {bamba.sources = [#bamba.source<"q.weight", [16, 32]>]}
// CHECK-NOT: interleaved
module attributes {bamba.target = #cuda} {
  ml_program.global private @q(#ml_program.extern<tensor<16x32xbf16>>) : tensor<16x32xbf16> {bamba.sources = [#bamba.source<"q.weight", [16, 32]>]}
  func.func @shared_weight(%x: tensor<2x32xbf16>, %p: tensor<2xi32>, %pages: tensor<2x4xi32>, %k0: tensor<?x1x16x8xbf16>, %v0: tensor<?x1x16x8xbf16>)
      -> (tensor<2x16xbf16>, tensor<2x16xf32>) attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %e16 = tensor.empty() : tensor<2x16xf32>
    %wq = ml_program.global_load_const @q : tensor<16x32xbf16>
    %q = bamba.linear ins(%x, %wq : tensor<2x32xbf16>, tensor<16x32xbf16>) outs(%e16 : tensor<2x16xf32>) acc(f32)
    %rq = bamba.rope ins(%q, %p : tensor<2x16xf32>, tensor<2xi32>) outs(%e16 : tensor<2x16xf32>) head_dim(8) rotation(<[1.0, 0.01]>)
    %other = bamba.linear ins(%x, %wq : tensor<2x32xbf16>, tensor<16x32xbf16>) outs(%e16 : tensor<2x16xf32>) acc(f32)
    %eo = tensor.empty() : tensor<2x16xbf16>
    %o = bamba.attention ins(%rq, %k0, %v0, %p, %pages : tensor<2x16xf32>, tensor<?x1x16x8xbf16>, tensor<?x1x16x8xbf16>, tensor<2xi32>, tensor<2x4xi32>) outs(%eo : tensor<2x16xbf16>) scale(0.5) acc(f32)
    return %o, %other : tensor<2x16xbf16>, tensor<2x16xf32>
  }
}

// -----

#cuda = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 132, fusions = [rope]>

// Heads of an odd number of dimensions do not start at a pair.
// CHECK: @q({{.*}}) : {{.*}} {bamba.sources = [#bamba.source<"q.weight", [14, 32]>]}
// CHECK-NOT: interleaved
module attributes {bamba.target = #cuda} {
  ml_program.global private @q(#ml_program.extern<tensor<14x32xbf16>>) : tensor<14x32xbf16> {bamba.sources = [#bamba.source<"q.weight", [14, 32]>]}
  func.func @odd_heads(%x: tensor<2x32xbf16>, %p: tensor<2xi32>, %pages: tensor<2x4xi32>, %k0: tensor<?x1x16x7xbf16>, %v0: tensor<?x1x16x7xbf16>)
      -> tensor<2x14xbf16> attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %e14 = tensor.empty() : tensor<2x14xf32>
    %wq = ml_program.global_load_const @q : tensor<14x32xbf16>
    %q = bamba.linear ins(%x, %wq : tensor<2x32xbf16>, tensor<14x32xbf16>) outs(%e14 : tensor<2x14xf32>) acc(f32)
    %rq = bamba.rope ins(%q, %p : tensor<2x14xf32>, tensor<2xi32>) outs(%e14 : tensor<2x14xf32>) head_dim(7) rotation(<[1.0, 0.01]>)
    %eo = tensor.empty() : tensor<2x14xbf16>
    %o = bamba.attention ins(%rq, %k0, %v0, %p, %pages : tensor<2x14xf32>, tensor<?x1x16x7xbf16>, tensor<?x1x16x7xbf16>, tensor<2xi32>, tensor<2x4xi32>) outs(%eo : tensor<2x14xbf16>) scale(0.5) acc(f32)
    return %o : tensor<2x14xbf16>
  }
}
