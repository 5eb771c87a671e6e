// Quantizations, and linears of codes with scales: syntax, checks and tiles.
// RUN: %bambac-opt %s --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: @quantize
func.func @quantize(%x: tensor<4x256xbf16>, %t: tensor<3xf32>, %c: tensor<4x256xf8E4M3FN>, %f: tensor<4x256xf32>,
                    %one: tensor<4x1xf32>, %two: tensor<4x2xf32>) -> tensor<4x256xf8E4M3FN> {
  // CHECK: bamba.quantize ins(%{{.*}} : tensor<4x256xbf16>) outs(%{{.*}}, %{{.*}} : tensor<4x256xf8E4M3FN>, tensor<4x1xf32>) group(0)
  %q:2 = bamba.quantize ins(%x : tensor<4x256xbf16>) outs(%c, %one : tensor<4x256xf8E4M3FN>, tensor<4x1xf32>) group(0)
  // CHECK: bamba.quantize ins(%{{.*}} : tensor<4x256xbf16>) outs(%{{.*}}, %{{.*}} : tensor<4x256xf32>, tensor<4x2xf32>) group(128)
  %g:2 = bamba.quantize ins(%x : tensor<4x256xbf16>) outs(%f, %two : tensor<4x256xf32>, tensor<4x2xf32>) group(128)
  // CHECK: bamba.quantize ins(%{{.*}} : tensor<4x256xbf16>) static(%{{.*}} : tensor<3xf32>) outs(
  %s:2 = bamba.quantize ins(%x : tensor<4x256xbf16>) static(%t : tensor<3xf32>)
                        outs(%c, %one : tensor<4x256xf8E4M3FN>, tensor<4x1xf32>) group(0)
  return %q#0 : tensor<4x256xf8E4M3FN>
}

// CHECK-LABEL: @linear
func.func @linear(%x: tensor<4x300xf8E4M3FN>, %w: tensor<96x300xf8E4M3FN>, %b: tensor<96xf32>, %xs: tensor<4x3xf32>,
                  %ws: tensor<3x96xf32>, %init: tensor<4x96xf32>) -> tensor<4x96xf32> {
  // CHECK: bamba.linear ins(%{{.*}}, %{{.*}} : tensor<4x300xf8E4M3FN>, tensor<96x300xf8E4M3FN>) bias(%{{.*}} : tensor<96xf32>) scales(%{{.*}}, %{{.*}} : tensor<4x3xf32>, tensor<3x96xf32>) group(128) outs(
  %y = bamba.linear ins(%x, %w : tensor<4x300xf8E4M3FN>, tensor<96x300xf8E4M3FN>) bias(%b : tensor<96xf32>)
                    scales(%xs, %ws : tensor<4x3xf32>, tensor<3x96xf32>) group(128)
                    outs(%init : tensor<4x96xf32>) acc(f32)
  return %y : tensor<4x96xf32>
}

// CHECK-LABEL: @linear_fast
func.func @linear_fast(%x: tensor<4x300xf8E4M3FN>, %w: tensor<96x300xf8E4M3FN>, %xs: tensor<4x1xf32>,
                       %ws: tensor<1x96xf32>, %init: tensor<4x96xf32>) -> tensor<4x96xf32> {
  // CHECK: bamba.linear {{.*}} group(0) outs(%{{.*}} : tensor<4x96xf32>) acc(f32) fast_accumulate{{$}}
  %y = bamba.linear ins(%x, %w : tensor<4x300xf8E4M3FN>, tensor<96x300xf8E4M3FN>)
                    scales(%xs, %ws : tensor<4x1xf32>, tensor<1x96xf32>) group(0)
                    outs(%init : tensor<4x96xf32>) acc(f32) fast_accumulate
  return %y : tensor<4x96xf32>
}

// CHECK: ml_program.global private @scales
// CHECK-SAME: bamba.positive
// CHECK-SAME: #bamba.source<"w_scale_inv", [2, 3], rows = [0, 200], repeat = 128>
ml_program.global private @scales(#ml_program.extern : tensor<3x200xf32>) : tensor<3x200xf32>
    {bamba.positive, bamba.transpose, bamba.sources = [#bamba.source<"w_scale_inv", [2, 3], rows = [0, 200], repeat = 128>]}
// CHECK: ml_program.global private @codes
// CHECK-SAME: bamba.scales = @scales
ml_program.global private @codes(#ml_program.extern : tensor<200x300xf8E4M3FN>) : tensor<200x300xf8E4M3FN>
    {bamba.scales = @scales, bamba.sources = [#bamba.source<"w", [200, 300]>]}

// -----

func.func @number_of_groups(%x: tensor<4x256xf32>, %c: tensor<4x256xf8E4M3FN>, %s: tensor<4x1xf32>) {
  // expected-error@+1 {{expected 'scales' of shape [4, 2], found [4, 1]}}
  %q:2 = bamba.quantize ins(%x : tensor<4x256xf32>) outs(%c, %s : tensor<4x256xf8E4M3FN>, tensor<4x1xf32>) group(128)
  return
}

// -----

func.func @negative_group(%x: tensor<4x256xf32>, %c: tensor<4x256xf8E4M3FN>, %s: tensor<4x1xf32>) {
  // expected-error@+1 {{expected group of at least 0, found -1}}
  %q:2 = bamba.quantize ins(%x : tensor<4x256xf32>) outs(%c, %s : tensor<4x256xf8E4M3FN>, tensor<4x1xf32>) group(-1)
  return
}

// -----

func.func @static_groups(%x: tensor<4x256xf32>, %t: tensor<1xf32>, %c: tensor<4x256xf8E4M3FN>, %s: tensor<4x2xf32>) {
  // expected-error@+1 {{expected group(0) with static scales, found 128}}
  %q:2 = bamba.quantize ins(%x : tensor<4x256xf32>) static(%t : tensor<1xf32>)
                        outs(%c, %s : tensor<4x256xf8E4M3FN>, tensor<4x2xf32>) group(128)
  return
}

// -----

func.func @codes_without_scales(%x: tensor<4x8xf8E4M3FN>, %w: tensor<6x8xf8E4M3FN>, %init: tensor<4x6xf32>) {
  // expected-error@+1 {{expected scales for operands of f8E4M3FN, found none}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xf8E4M3FN>, tensor<6x8xf8E4M3FN>) outs(%init : tensor<4x6xf32>) acc(f32)
  return
}

// -----

func.func @scales_of_numbers(%x: tensor<4x8xf32>, %w: tensor<6x8xbf16>, %xs: tensor<4x1xf32>, %ws: tensor<1x6xf32>,
                             %init: tensor<4x6xf32>) {
  // expected-error@+1 {{expected a weight of f8E4M3FN with scales, found 'bf16'}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<6x8xbf16>) scales(%xs, %ws : tensor<4x1xf32>, tensor<1x6xf32>)
                    group(0) outs(%init : tensor<4x6xf32>) acc(f32)
  return
}

// -----

func.func @scales_of_columns(%x: tensor<4x8xf32>, %w: tensor<6x8xf8E4M3FN>, %xs: tensor<4x1xf32>, %ws: tensor<6x1xf32>,
                             %init: tensor<4x6xf32>) {
  // expected-error@+1 {{expected 'scales of the weight' of shape [1, 6], found [6, 1]}}
  %y = bamba.linear ins(%x, %w : tensor<4x8xf32>, tensor<6x8xf8E4M3FN>)
                    scales(%xs, %ws : tensor<4x1xf32>, tensor<6x1xf32>) group(0) outs(%init : tensor<4x6xf32>) acc(f32)
  return
}

// -----

// expected-error@+2 {{expected rows of the 256 that the tensor has, found 300 from row 0 on}}
ml_program.global private @too_many(#ml_program.extern : tensor<3x300xf32>) : tensor<3x300xf32>
    {bamba.sources = [#bamba.source<"w_scale_inv", [2, 3], rows = [0, 300], repeat = 128>]}

// -----

func.func @fast_numbers(%x: tensor<4x300xf32>, %w: tensor<96x300xbf16>, %init: tensor<4x96xf32>) {
  // expected-error@+1 {{expected no fast_accumulate without scales, found it}}
  %y = bamba.linear ins(%x, %w : tensor<4x300xf32>, tensor<96x300xbf16>) outs(%init : tensor<4x96xf32>) acc(f32) fast_accumulate
  return
}

// -----

func.func @fast_groups(%x: tensor<4x300xf8E4M3FN>, %w: tensor<96x300xf8E4M3FN>, %xs: tensor<4x3xf32>,
                       %ws: tensor<3x96xf32>, %init: tensor<4x96xf32>) {
  // expected-error@+1 {{expected one scale a row with fast_accumulate, found 3}}
  %y = bamba.linear ins(%x, %w : tensor<4x300xf8E4M3FN>, tensor<96x300xf8E4M3FN>)
                    scales(%xs, %ws : tensor<4x3xf32>, tensor<3x96xf32>) group(128)
                    outs(%init : tensor<4x96xf32>) acc(f32) fast_accumulate
  return
}
