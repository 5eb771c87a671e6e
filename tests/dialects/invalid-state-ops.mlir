// A case for each error of the checks of convolution, KV cache and attention.
// RUN: %bambac-opt %s -split-input-file -verify-diagnostics

//===-- causal_conv1d --===//

func.func @f(%x: tensor<4x8xf32>, %w: tensor<4x8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x8xf32>, %s: tensor<?x3x8x1xf32>) {
  // expected-error @+1 {{expected 'state' of rank 3, found rank 4}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xi32>,
                                     tensor<3xi32>)
                                 outs(%init, %s : tensor<4x8xf32>, tensor<?x3x8x1xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x9xf32>, %w: tensor<4x8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x9xf32>, %s: tensor<?x3x8xf32>) {
  // expected-error @+1 {{expected 'input' of shape [?, 8], found [4, 9]}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x9xf32>, tensor<4x8xf32>, tensor<2xi32>,
                                     tensor<3xi32>)
                                 outs(%init, %s : tensor<4x9xf32>, tensor<?x3x8xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<4x8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x9xf32>, %s: tensor<?x3x8xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 8], found [4, 9]}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xi32>,
                                     tensor<3xi32>)
                                 outs(%init, %s : tensor<4x9xf32>, tensor<?x3x8xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<4x8xf32>, %slots: tensor<2xi32>, %starts: tensor<2xi32>,
             %init: tensor<4x8xf32>, %s: tensor<?x3x8xf32>) {
  // expected-error @+1 {{expected 'starts' of shape [3], found [2]}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xi32>,
                                     tensor<2xi32>)
                                 outs(%init, %s : tensor<4x8xf32>, tensor<?x3x8xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<4x8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x8xf32>, %s: tensor<?x4x8xf32>) {
  // expected-error @+1 {{expected 'state' of shape [?, 3, 8], found [?, 4, 8]}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xi32>,
                                     tensor<3xi32>)
                                 outs(%init, %s : tensor<4x8xf32>, tensor<?x4x8xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<4x8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x8xf32>, %s: tensor<?x3x9xf32>) {
  // expected-error @+1 {{expected 'state' of shape [?, 3, 8], found [?, 3, 9]}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xi32>,
                                     tensor<3xi32>)
                                 outs(%init, %s : tensor<4x8xf32>, tensor<?x3x9xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<1x8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %init: tensor<4x8xf32>, %s: tensor<?x0x8xf32>) {
  // expected-error @+1 {{expected a kernel of at least 2 taps, found 1}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x8xf32>, tensor<1x8xf32>, tensor<2xi32>,
                                     tensor<3xi32>)
                                 outs(%init, %s : tensor<4x8xf32>, tensor<?x0x8xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<4x8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %b: tensor<9xf32>, %init: tensor<4x8xf32>, %s: tensor<?x3x8xf32>) {
  // expected-error @+1 {{expected 'bias' of shape [8], found [9]}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xi32>,
                                     tensor<3xi32>) bias(%b : tensor<9xf32>)
                                 outs(%init, %s : tensor<4x8xf32>, tensor<?x3x8xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<4x8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %p: tensor<2xi32>, %init: tensor<4x8xf32>, %s: tensor<?x4x8xf32>) {
  // expected-error @+1 {{expected 'positions' of shape [4], found [2]}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xi32>,
                                     tensor<3xi32>) positions(%p : tensor<2xi32>)
                                 outs(%init, %s : tensor<4x8xf32>, tensor<?x4x8xf32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<4x8xf32>, %slots: tensor<2xi32>, %starts: tensor<3xi32>,
             %p: tensor<4xi32>, %init: tensor<4x8xf32>, %s: tensor<?x3x8xf32>) {
  // expected-error @+1 {{expected a ring of at least 4 rows, found 3}}
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xi32>,
                                     tensor<3xi32>) positions(%p : tensor<4xi32>)
                                 outs(%init, %s : tensor<4x8xf32>, tensor<?x3x8xf32>)
  return
}

// -----

//===-- kv_append --===//

func.func @f(%k: tensor<4x16xf32>, %v: tensor<4x16xf32>, %p: tensor<4xi32>, %pages: tensor<2x3xi32>,
             %kc: tensor<?x2x4xf32>, %vc: tensor<?x2x4xf32>) {
  // expected-error @+1 {{expected 'k_cache' of rank 4, found rank 3}}
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x16xf32>, tensor<4x16xf32>, tensor<4xi32>, tensor<2x3xi32>)
                               outs(%kc, %vc : tensor<?x2x4xf32>, tensor<?x2x4xf32>)
  return
}

// -----

func.func @f(%k: tensor<4x16xf32>, %v: tensor<4x16xf32>, %p: tensor<4xi32>, %pages: tensor<2x3xi32>,
             %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x5x8xf32>) {
  // expected-error @+1 {{expected 'v_cache' of shape [?, 2, 4, 8], found [?, 2, 5, 8]}}
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x16xf32>, tensor<4x16xf32>, tensor<4xi32>, tensor<2x3xi32>)
                               outs(%kc, %vc : tensor<?x2x4x8xf32>, tensor<?x2x5x8xf32>)
  return
}

// -----

func.func @f(%k: tensor<4x8xf32>, %v: tensor<4x8xf32>, %p: tensor<4xi32>, %pages: tensor<2x3xi32>,
             %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>) {
  // expected-error @+1 {{expected 'k' of shape [?, 16], found [4, 8]}}
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4xi32>, tensor<2x3xi32>)
                               outs(%kc, %vc : tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>)
  return
}

// -----

func.func @f(%k: tensor<4x16xf32>, %v: tensor<4x8xf32>, %p: tensor<4xi32>, %pages: tensor<2x3xi32>,
             %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>) {
  // expected-error @+1 {{expected 'v' of shape [4, 16], found [4, 8]}}
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x16xf32>, tensor<4x8xf32>, tensor<4xi32>, tensor<2x3xi32>)
                               outs(%kc, %vc : tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>)
  return
}

// -----

func.func @f(%k: tensor<4x16xf32>, %v: tensor<4x16xf32>, %p: tensor<5xi32>, %pages: tensor<2x3xi32>,
             %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>) {
  // expected-error @+1 {{expected 'positions' of shape [4], found [5]}}
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x16xf32>, tensor<4x16xf32>, tensor<5xi32>, tensor<2x3xi32>)
                               outs(%kc, %vc : tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>)
  return
}

// -----

func.func @f(%k: tensor<4x16xf32>, %v: tensor<4x16xf32>, %p: tensor<4xi32>, %pages: tensor<3x3xi32>,
             %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>) {
  // expected-error @+1 {{expected 'pages' of shape [4, ?], found [3, 3]}}
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x16xf32>, tensor<4x16xf32>, tensor<4xi32>, tensor<3x3xi32>)
                               outs(%kc, %vc : tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>)
  return
}

// -----

func.func @f(%k: tensor<4x16xf32>, %v: tensor<4x16xf32>, %p: tensor<4xi32>, %pages: tensor<3x3xi32>,
             %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>, %of: tensor<3xi32>) {
  // expected-error @+1 {{expected 'pieces' of shape [4], found [3]}}
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x16xf32>, tensor<4x16xf32>, tensor<4xi32>, tensor<3x3xi32>)
                               pieces(%of : tensor<3xi32>) outs(%kc, %vc : tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>)
  return
}

// -----

//===-- attention --===//

func.func @f(%q: tensor<4x32xf32>, %kc: tensor<?x2x4xf32>, %vc: tensor<?x2x4xf32>, %p: tensor<4xi32>,
             %pages: tensor<2x3xi32>, %init: tensor<4x32xf32>) {
  // expected-error @+1 {{expected 'k_cache' of rank 4, found rank 3}}
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x32xf32>, tensor<?x2x4xf32>, tensor<?x2x4xf32>,
                           tensor<4xi32>, tensor<2x3xi32>) outs(%init : tensor<4x32xf32>) scale(0.25) acc(f32)
  return
}

// -----

func.func @f(%q: tensor<4x32xf32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x1x4x8xf32>, %p: tensor<4xi32>,
             %pages: tensor<2x3xi32>, %init: tensor<4x32xf32>) {
  // expected-error @+1 {{expected 'v_cache' of shape [?, 2, 4, 8], found [?, 1, 4, 8]}}
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x32xf32>, tensor<?x2x4x8xf32>, tensor<?x1x4x8xf32>,
                           tensor<4xi32>, tensor<2x3xi32>) outs(%init : tensor<4x32xf32>) scale(0.25) acc(f32)
  return
}

// -----

func.func @f(%q: tensor<4x24xf32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>, %p: tensor<4xi32>,
             %pages: tensor<2x3xi32>, %init: tensor<4x24xf32>) {
  // expected-error @+1 {{expected the width of the query to be a multiple of 16, found 24}}
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x24xf32>, tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>,
                           tensor<4xi32>, tensor<2x3xi32>) outs(%init : tensor<4x24xf32>) scale(0.25) acc(f32)
  return
}

// -----

func.func @f(%q: tensor<4x32xf32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>, %p: tensor<4xi32>,
             %pages: tensor<2x3xi32>, %init: tensor<4x16xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 32], found [4, 16]}}
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x32xf32>, tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>,
                           tensor<4xi32>, tensor<2x3xi32>) outs(%init : tensor<4x16xf32>) scale(0.25) acc(f32)
  return
}

// -----

func.func @f(%q: tensor<4x32xf32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>, %p: tensor<2xi32>,
             %pages: tensor<4x3xi32>, %init: tensor<4x32xf32>) {
  // expected-error @+1 {{expected 'positions' of shape [4], found [2]}}
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x32xf32>, tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>,
                           tensor<2xi32>, tensor<4x3xi32>) outs(%init : tensor<4x32xf32>) scale(0.25) acc(f32)
  return
}

// -----

func.func @f(%q: tensor<4x32xf32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>, %p: tensor<4xi32>,
             %pages: tensor<3x3xi32>, %init: tensor<4x32xf32>) {
  // expected-error @+1 {{expected 'pages' of shape [4, ?], found [3, 3]}}
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x32xf32>, tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>,
                           tensor<4xi32>, tensor<3x3xi32>) outs(%init : tensor<4x32xf32>) scale(0.25) acc(f32)
  return
}

// -----

func.func @f(%q: tensor<4x32xf32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>, %p: tensor<4xi32>,
             %pages: tensor<3x3xi32>, %starts: tensor<3xi32>, %init: tensor<4x32xf32>) {
  // expected-error @+1 {{expected 'starts' of shape [4], found [3]}}
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x32xf32>, tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>,
                           tensor<4xi32>, tensor<3x3xi32>) starts(%starts : tensor<3xi32>)
                       outs(%init : tensor<4x32xf32>) scale(0.25) acc(f32)
  return
}

// -----

func.func @f(%q: tensor<4x32xf32>, %kc: tensor<?x2x4x8xf32>, %vc: tensor<?x2x4x8xf32>, %p: tensor<4xi32>,
             %pages: tensor<4x3xi32>, %init: tensor<4x32xf32>) {
  // expected-error @+1 {{expected acc to be a float type, found 'index'}}
  %o = bamba.attention ins(%q, %kc, %vc, %p, %pages : tensor<4x32xf32>, tensor<?x2x4x8xf32>, tensor<?x2x4x8xf32>,
                           tensor<4xi32>, tensor<4x3xi32>) outs(%init : tensor<4x32xf32>) scale(0.25) acc(index)
  return
}
