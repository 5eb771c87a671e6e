// The ops without state, read and printed.
// RUN: %bambac-opt %s | %bambac-opt | FileCheck %s

// The table of a rotation is printed once, whatever the number of ops that turn by it.
// CHECK: #[[ROTATION:.*]] = #bamba.rotation<[1.000000e+00, 3.000000e-01, 0.000000e+00]>

// CHECK-LABEL: @embedding
func.func @embedding(%tokens: tensor<4xi32>, %table: tensor<256x128xbf16>, %init: tensor<4x128xf32>)
    -> tensor<4x128xf32> {
  // CHECK: bamba.embedding ins(%{{.*}}, %{{.*}} : tensor<4xi32>, tensor<256x128xbf16>) outs(%{{.*}} : tensor<4x128xf32>)
  %x = bamba.embedding ins(%tokens, %table : tensor<4xi32>, tensor<256x128xbf16>) outs(%init : tensor<4x128xf32>)
  return %x : tensor<4x128xf32>
}

// CHECK-LABEL: @halves
func.func @halves(%x: tensor<4x128xf16>, %w: tensor<96x128xf16>, %init: tensor<4x96xf16>) -> tensor<4x96xf16> {
  // CHECK: bamba.linear ins(%{{.*}}, %{{.*}} : tensor<4x128xf16>, tensor<96x128xf16>) outs(%{{.*}} : tensor<4x96xf16>) acc(f32)
  %y = bamba.linear ins(%x, %w : tensor<4x128xf16>, tensor<96x128xf16>) outs(%init : tensor<4x96xf16>) acc(f32)
  return %y : tensor<4x96xf16>
}

// CHECK-LABEL: @rms_norm
func.func @rms_norm(%x: tensor<4x128xf32>, %w: tensor<128xf32>, %init: tensor<4x128xf32>) -> tensor<4x128xf32> {
  // CHECK: bamba.rms_norm ins(%{{.*}}, %{{.*}} : tensor<4x128xf32>, tensor<128xf32>) outs(%{{.*}} : tensor<4x128xf32>) eps(1.000000e-05)
  %h = bamba.rms_norm ins(%x, %w : tensor<4x128xf32>, tensor<128xf32>) outs(%init : tensor<4x128xf32>) eps(0.00001)
  return %h : tensor<4x128xf32>
}

// CHECK-LABEL: @gated_rms_norm
func.func @gated_rms_norm(%y: tensor<4x256xf32>, %z: tensor<4x256xf32>, %w: tensor<256xf32>, %init: tensor<4x256xf32>)
    -> tensor<4x256xf32> {
  // CHECK: bamba.gated_rms_norm ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<4x256xf32>, tensor<4x256xf32>, tensor<256xf32>) outs(%{{.*}} : tensor<4x256xf32>) eps(1.000000e-05)
  %h = bamba.gated_rms_norm ins(%y, %z, %w : tensor<4x256xf32>, tensor<4x256xf32>, tensor<256xf32>)
                            outs(%init : tensor<4x256xf32>) eps(1.0e-05)
  return %h : tensor<4x256xf32>
}

// CHECK-LABEL: @linear
func.func @linear(%x: tensor<4x128xf32>, %w: tensor<96x128xbf16>, %b: tensor<96xf32>, %init: tensor<4x96xf32>)
    -> (tensor<4x96xf32>, tensor<4x96xf32>) {
  // CHECK: bamba.linear ins(%{{.*}}, %{{.*}} : tensor<4x128xf32>, tensor<96x128xbf16>) outs(%{{.*}} : tensor<4x96xf32>) acc(f32)
  %plain = bamba.linear ins(%x, %w : tensor<4x128xf32>, tensor<96x128xbf16>) outs(%init : tensor<4x96xf32>) acc(f32)
  // CHECK: bamba.linear ins(%{{.*}}, %{{.*}} : tensor<4x128xf32>, tensor<96x128xbf16>) bias(%{{.*}} : tensor<96xf32>) outs(%{{.*}} : tensor<4x96xf32>) acc(f32)
  %biased = bamba.linear ins(%x, %w : tensor<4x128xf32>, tensor<96x128xbf16>) bias(%b : tensor<96xf32>)
                         outs(%init : tensor<4x96xf32>) acc(f32)
  return %plain, %biased : tensor<4x96xf32>, tensor<4x96xf32>
}

// CHECK-LABEL: @linear_of_terms
func.func @linear_of_terms(%x: tensor<4x100xf32>, %w: tensor<96x100xbf16>, %panels: tensor<3x64x32x2xbf16>,
                           %split: tensor<4x416xbf16>, %init: tensor<4x96xf32>)
    -> (tensor<4x96xf32>, tensor<4x96xf32>) {
  // CHECK: %[[T:.*]] = bamba.split ins(%{{.*}} : tensor<4x100xf32>) terms(<count = 3, run = 32>) outs(%{{.*}} : tensor<4x416xbf16>)
  %t = bamba.split ins(%x : tensor<4x100xf32>) terms(<count = 3, run = 32>) outs(%split : tensor<4x416xbf16>)
  // CHECK: bamba.linear ins(%[[T]], %{{.*}} : tensor<4x416xbf16>, tensor<96x100xbf16>) terms(<count = 3, run = 32>) outs
  %stored = bamba.linear ins(%t, %w : tensor<4x416xbf16>, tensor<96x100xbf16>) terms(<count = 3, run = 32>)
                         outs(%init : tensor<4x96xf32>) acc(f32)
  // The padding of panels is less than a run.
  %packed = bamba.linear ins(%t, %panels : tensor<4x416xbf16>, tensor<3x64x32x2xbf16>) terms(<count = 3, run = 32>)
                         outs(%init : tensor<4x96xf32>) acc(f32)
  return %stored, %packed : tensor<4x96xf32>, tensor<4x96xf32>
}

// CHECK-LABEL: @linear_in_panels
func.func @linear_in_panels(%x: tensor<4x128xf32>, %w: tensor<90x128xbf16, #bamba.panel<32>>,
                            %panels: tensor<3x128x32xbf16>, %init: tensor<4x90xf32>)
    -> (tensor<4x90xf32>, tensor<4x90xf32>) {
  // CHECK: bamba.linear ins(%{{.*}}, %{{.*}} : tensor<4x128xf32>, tensor<90x128xbf16, #bamba.panel<32>>)
  %encoded = bamba.linear ins(%x, %w : tensor<4x128xf32>, tensor<90x128xbf16, #bamba.panel<32>>)
                          outs(%init : tensor<4x90xf32>) acc(f32)
  // CHECK: bamba.linear ins(%{{.*}}, %{{.*}} : tensor<4x128xf32>, tensor<3x128x32xbf16>)
  %stored = bamba.linear ins(%x, %panels : tensor<4x128xf32>, tensor<3x128x32xbf16>)
                         outs(%init : tensor<4x90xf32>) acc(f32)
  return %encoded, %stored : tensor<4x90xf32>, tensor<4x90xf32>
}

// CHECK-LABEL: @rope
func.func @rope(%q: tensor<4x128xf32>, %positions: tensor<4xi32>, %init: tensor<4x128xf32>) -> tensor<4x128xf32> {
  // CHECK: bamba.rope ins(%{{.*}}, %{{.*}} : tensor<4x128xf32>, tensor<4xi32>) outs(%{{.*}} : tensor<4x128xf32>) head_dim(32) rotation(#[[ROTATION]])
  %r = bamba.rope ins(%q, %positions : tensor<4x128xf32>, tensor<4xi32>) outs(%init : tensor<4x128xf32>)
                  head_dim(32) rotation(<[1.0, 0.3, 0.0]>)
  return %r : tensor<4x128xf32>
}

// CHECK-LABEL: @swiglu
func.func @swiglu(%gate: tensor<4x256xf32>, %up: tensor<4x256xf32>, %init: tensor<4x256xf32>) -> tensor<4x256xf32> {
  // CHECK: bamba.swiglu ins(%{{.*}}, %{{.*}} : tensor<4x256xf32>, tensor<4x256xf32>) outs(%{{.*}} : tensor<4x256xf32>)
  %f = bamba.swiglu ins(%gate, %up : tensor<4x256xf32>, tensor<4x256xf32>) outs(%init : tensor<4x256xf32>)
  return %f : tensor<4x256xf32>
}

// CHECK-LABEL: @take_rows
func.func @take_rows(%x: tensor<64x128xf32>, %kept: tensor<8xi32>, %init: tensor<8x128xf32>) -> tensor<8x128xf32> {
  // CHECK: bamba.take_rows ins(%{{.*}}, %{{.*}} : tensor<64x128xf32>, tensor<8xi32>) outs(%{{.*}} : tensor<8x128xf32>)
  %l = bamba.take_rows ins(%x, %kept : tensor<64x128xf32>, tensor<8xi32>) outs(%init : tensor<8x128xf32>)
  return %l : tensor<8x128xf32>
}

// CHECK-LABEL: @sample
func.func @sample(%logits: tensor<4x256xf32>, %greedy: tensor<4xi32>, %positions: tensor<64xi32>,
                  %sampling: tensor<4x18xi32>, %kept: tensor<4xi32>, %init: tensor<4x42xi32>) -> tensor<4x42xi32> {
  // CHECK: bamba.sample ins(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x256xf32>, tensor<4xi32>, tensor<64xi32>, tensor<4x18xi32>) kept(%{{.*}} : tensor<4xi32>) outs(%{{.*}} : tensor<4x42xi32>)
  %s = bamba.sample ins(%logits, %greedy, %positions, %sampling : tensor<4x256xf32>, tensor<4xi32>, tensor<64xi32>, tensor<4x18xi32>)
                    kept(%kept : tensor<4xi32>) outs(%init : tensor<4x42xi32>)
  // CHECK: bamba.sample ins(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x256xf32>, tensor<4xi32>, tensor<4xi32>, tensor<4x18xi32>) outs(%{{.*}} : tensor<4x42xi32>)
  %t = bamba.sample ins(%logits, %greedy, %kept, %sampling : tensor<4x256xf32>, tensor<4xi32>, tensor<4xi32>, tensor<4x18xi32>)
                    outs(%s : tensor<4x42xi32>)
  return %t : tensor<4x42xi32>
}

// CHECK-LABEL: @argmax
func.func @argmax(%logits: tensor<4x256xf32>, %init: tensor<4xi32>) -> tensor<4xi32> {
  // CHECK: bamba.argmax ins(%{{.*}} : tensor<4x256xf32>) outs(%{{.*}} : tensor<4xi32>)
  %token = bamba.argmax ins(%logits : tensor<4x256xf32>) outs(%init : tensor<4xi32>)
  return %token : tensor<4xi32>
}
