// A case for each error of the checks of the ops without state.
// RUN: %bambac-opt %s -split-input-file -verify-diagnostics

//===-- embedding --===//

func.func @f(%t: tensor<4xi32>, %w: tensor<256x128xbf16>, %init: tensor<3x128xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 128], found [3, 128]}}
  %x = bamba.embedding ins(%t, %w : tensor<4xi32>, tensor<256x128xbf16>) outs(%init : tensor<3x128xf32>)
  return
}

// -----

func.func @f(%t: tensor<4xi32>, %w: tensor<256x128xbf16>, %init: tensor<4x127xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 128], found [4, 127]}}
  %x = bamba.embedding ins(%t, %w : tensor<4xi32>, tensor<256x128xbf16>) outs(%init : tensor<4x127xf32>)
  return
}

// -----

//===-- rms_norm --===//

func.func @f(%x: tensor<4x8xf32>, %w: tensor<9xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'weight' of shape [8], found [9]}}
  %y = bamba.rms_norm ins(%x, %w : tensor<4x8xf32>, tensor<9xf32>) outs(%init : tensor<4x8xf32>) eps(1.0e-05)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<8xf32>, %init: tensor<4x9xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 8], found [4, 9]}}
  %y = bamba.rms_norm ins(%x, %w : tensor<4x8xf32>, tensor<8xf32>) outs(%init : tensor<4x9xf32>) eps(1.0e-05)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<8xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{expected eps greater than 0, found 0}}
  %y = bamba.rms_norm ins(%x, %w : tensor<4x8xf32>, tensor<8xf32>) outs(%init : tensor<4x8xf32>) eps(0.0)
  return
}

// -----

//===-- gated_rms_norm --===//

func.func @f(%x: tensor<4x8xf32>, %z: tensor<4x16xf32>, %w: tensor<8xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'gate' of shape [4, 8], found [4, 16]}}
  %y = bamba.gated_rms_norm ins(%x, %z, %w : tensor<4x8xf32>, tensor<4x16xf32>, tensor<8xf32>)
                            outs(%init : tensor<4x8xf32>) eps(1.0e-05)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %z: tensor<4x8xf32>, %w: tensor<9xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'weight' of shape [8], found [9]}}
  %y = bamba.gated_rms_norm ins(%x, %z, %w : tensor<4x8xf32>, tensor<4x8xf32>, tensor<9xf32>)
                            outs(%init : tensor<4x8xf32>) eps(1.0e-05)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %z: tensor<4x8xf32>, %w: tensor<8xf32>, %init: tensor<3x8xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 8], found [3, 8]}}
  %y = bamba.gated_rms_norm ins(%x, %z, %w : tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>)
                            outs(%init : tensor<3x8xf32>) eps(1.0e-05)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %z: tensor<4x8xf32>, %w: tensor<8xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{expected eps greater than 0, found -1.0}}
  %y = bamba.gated_rms_norm ins(%x, %z, %w : tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>)
                            outs(%init : tensor<4x8xf32>) eps(-1.0)
  return
}

// -----

//===-- linear --===//

func.func @f(%x: tensor<4x8xf32>, %w: tensor<6x9xbf16>, %init: tensor<4x6xf32>) {
  // expected-error @+1 {{expected 'weight' of shape [?, 8], found [6, 9]}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<6x9xbf16>) outs(%init : tensor<4x6xf32>) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<1x9x16xbf16>, %init: tensor<4x6xf32>) {
  // expected-error @+1 {{expected 'weight' of shape [?, 8, ?], found [1, 9, 16]}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<1x9x16xbf16>) outs(%init : tensor<4x6xf32>) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<6x8xbf16>, %init: tensor<4x7xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 6], found [4, 7]}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<6x8xbf16>) outs(%init : tensor<4x7xf32>) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<6x8xbf16>, %init: tensor<3x6xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 6], found [3, 6]}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<6x8xbf16>) outs(%init : tensor<3x6xf32>) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<6x8xbf16>, %b: tensor<7xf32>, %init: tensor<4x6xf32>) {
  // expected-error @+1 {{expected 'bias' of shape [6], found [7]}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<6x8xbf16>) bias(%b : tensor<7xf32>) outs(%init : tensor<4x6xf32>) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<6x8xbf16>, %init: tensor<4x6xf32>) {
  // expected-error @+1 {{expected acc to be a float type, found 'i32'}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<6x8xbf16>) outs(%init : tensor<4x6xf32>) acc(i32)
  return
}

// -----

func.func @f(%x: tensor<4x96xbf16>, %w: tensor<6x8xbf16>, %init: tensor<4x6xf32>) {
  // expected-error @+1 {{expected 'input' of shape [?, 24], found [4, 96]}}
  %y = bamba.linear ins(%x, %w : tensor<4x96xbf16>, tensor<6x8xbf16>) terms(<count = 2, run = 8>) outs(%init : tensor<4x6xf32>) acc(f32)
  return
}

// -----

func.func @f(%x: tensor<4x8xbf16>, %w: tensor<6x8xf8E4M3FN>, %xs: tensor<4x1xf32>, %ws: tensor<1x6xf32>, %init: tensor<4x6xf32>) {
  // expected-error @+1 {{expected no terms of codes with scales, found #bamba.terms<count = 1, run = 8>}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xbf16>, tensor<6x8xf8E4M3FN>) terms(<count = 1, run = 8>)
      scales(%xs, %ws : tensor<4x1xf32>, tensor<1x6xf32>) group(0) outs(%init : tensor<4x6xf32>) acc(f32)
  return
}

// -----

//===-- split --===//

func.func @f(%x: tensor<4x8xf32>, %init: tensor<4x24xbf16>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 12], found [4, 24]}}
  %y = bamba.split ins(%x : tensor<4x8xf32>) terms(<count = 1, run = 4>) outs(%init : tensor<4x24xbf16>)
  return
}

// -----

func.func @f(%x: tensor<4x8xbf16>, %init: tensor<4x8xf16>) {
  // expected-error @+1 {{expected terms of a narrower type than 'bf16', found 'f16'}}
  %y = bamba.split ins(%x : tensor<4x8xbf16>) terms(<count = 1, run = 8>) outs(%init : tensor<4x8xf16>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %init: tensor<4x8xbf16>) {
  // expected-error @+1 {{expected a positive count and run, found 0 and 8}}
  %y = bamba.split ins(%x : tensor<4x8xf32>) terms(<count = 0, run = 8>) outs(%init : tensor<4x8xbf16>)
  return
}

// -----

//===-- rope --===//

func.func @f(%x: tensor<4x64xf32>, %p: tensor<5xi32>, %init: tensor<4x64xf32>) {
  // expected-error @+1 {{expected 'positions' of shape [4], found [5]}}
  %y = bamba.rope ins(%x, %p : tensor<4x64xf32>, tensor<5xi32>) outs(%init : tensor<4x64xf32>)
                  head_dim(32) rotation(<[1.0]>)
  return
}

// -----

func.func @f(%x: tensor<4x64xf32>, %p: tensor<4xi32>, %init: tensor<4x32xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 64], found [4, 32]}}
  %y = bamba.rope ins(%x, %p : tensor<4x64xf32>, tensor<4xi32>) outs(%init : tensor<4x32xf32>)
                  head_dim(32) rotation(<[1.0]>)
  return
}

// -----

func.func @f(%x: tensor<4x64xf32>, %p: tensor<4xi32>, %init: tensor<4x64xf32>) {
  // expected-error @+1 {{expected head_dim greater than 0, found 0}}
  %y = bamba.rope ins(%x, %p : tensor<4x64xf32>, tensor<4xi32>) outs(%init : tensor<4x64xf32>)
                  head_dim(0) rotation(<[]>)
  return
}

// -----

func.func @f(%x: tensor<4x64xf32>, %p: tensor<4xi32>, %init: tensor<4x64xf32>) {
  // expected-error @+1 {{expected the width of the input to be a multiple of 24, found 64}}
  %y = bamba.rope ins(%x, %p : tensor<4x64xf32>, tensor<4xi32>) outs(%init : tensor<4x64xf32>)
                  head_dim(24) rotation(<[1.0]>)
  return
}

// -----

func.func @f(%x: tensor<4x64xf32>, %p: tensor<4xi32>, %init: tensor<4x64xf32>) {
  // expected-error @+1 {{expected frequencies of at most the 2 pairs of a head, found 3}}
  %y = bamba.rope ins(%x, %p : tensor<4x64xf32>, tensor<4xi32>) outs(%init : tensor<4x64xf32>)
                  head_dim(4) rotation(<[1.0, 0.1, 0.01]>)
  return
}

// -----

//===-- swiglu --===//

func.func @f(%g: tensor<4x8xf32>, %u: tensor<4x9xf32>, %init: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'up' of shape [4, 8], found [4, 9]}}
  %y = bamba.swiglu ins(%g, %u : tensor<4x8xf32>, tensor<4x9xf32>) outs(%init : tensor<4x8xf32>)
  return
}

// -----

func.func @f(%g: tensor<4x8xf32>, %u: tensor<4x8xf32>, %init: tensor<4x9xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 8], found [4, 9]}}
  %y = bamba.swiglu ins(%g, %u : tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x9xf32>)
  return
}

// -----

//===-- take_rows --===//

func.func @f(%x: tensor<8x16xf32>, %k: tensor<2xi32>, %init: tensor<3x16xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [2, 16], found [3, 16]}}
  %y = bamba.take_rows ins(%x, %k : tensor<8x16xf32>, tensor<2xi32>) outs(%init : tensor<3x16xf32>)
  return
}

// -----

func.func @f(%x: tensor<8x16xf32>, %k: tensor<2xi32>, %init: tensor<2x8xf32>) {
  // expected-error @+1 {{expected 'outs' of shape [2, 16], found [2, 8]}}
  %y = bamba.take_rows ins(%x, %k : tensor<8x16xf32>, tensor<2xi32>) outs(%init : tensor<2x8xf32>)
  return
}

// -----

//===-- argmax --===//

func.func @f(%x: tensor<4x8xf32>, %init: tensor<5xi32>) {
  // expected-error @+1 {{expected 'outs' of shape [4], found [5]}}
  %y = bamba.argmax ins(%x : tensor<4x8xf32>) outs(%init : tensor<5xi32>)
  return
}

// -----

//===-- sample --===//

func.func @f(%x: tensor<4x8xf32>, %g: tensor<5xi32>, %p: tensor<4xi32>, %s: tensor<4x18xi32>, %init: tensor<4x42xi32>) {
  // expected-error @+1 {{expected 'greedy' of shape [4], found [5]}}
  %y = bamba.sample ins(%x, %g, %p, %s : tensor<4x8xf32>, tensor<5xi32>, tensor<4xi32>, tensor<4x18xi32>) outs(%init : tensor<4x42xi32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %g: tensor<4xi32>, %p: tensor<4xi32>, %s: tensor<4x15xi32>, %init: tensor<4x42xi32>) {
  // expected-error @+1 {{expected 'sampling' of shape [4, 18], found [4, 15]}}
  %y = bamba.sample ins(%x, %g, %p, %s : tensor<4x8xf32>, tensor<4xi32>, tensor<4xi32>, tensor<4x15xi32>) outs(%init : tensor<4x42xi32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %g: tensor<4xi32>, %p: tensor<4xi32>, %s: tensor<4x18xi32>, %init: tensor<3x42xi32>) {
  // expected-error @+1 {{expected 'outs' of shape [4, 42], found [3, 42]}}
  %y = bamba.sample ins(%x, %g, %p, %s : tensor<4x8xf32>, tensor<4xi32>, tensor<4xi32>, tensor<4x18xi32>) outs(%init : tensor<3x42xi32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %g: tensor<4xi32>, %p: tensor<9xi32>, %s: tensor<4x18xi32>, %init: tensor<4x42xi32>) {
  // expected-error @+1 {{expected 'positions' of shape [4], found [9]}}
  %y = bamba.sample ins(%x, %g, %p, %s : tensor<4x8xf32>, tensor<4xi32>, tensor<9xi32>, tensor<4x18xi32>) outs(%init : tensor<4x42xi32>)
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %g: tensor<4xi32>, %p: tensor<9xi32>, %s: tensor<4x18xi32>, %k: tensor<3xi32>, %init: tensor<4x42xi32>) {
  // expected-error @+1 {{expected 'kept' of shape [4], found [3]}}
  %y = bamba.sample ins(%x, %g, %p, %s : tensor<4x8xf32>, tensor<4xi32>, tensor<9xi32>, tensor<4x18xi32>) kept(%k : tensor<3xi32>) outs(%init : tensor<4x42xi32>)
  return
}
