// RUN: %bambac-opt %s --bamba-cpu-resolve-panels --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func private @linear
// CHECK-SAME: %{{.*}}: tensor<2x64xf32>, %[[W:.*]]: tensor<3x64x32xbf16>, %{{.*}}: tensor<2x75xf32>)
// CHECK: bamba.linear ins(%{{.*}}, %[[W]] : tensor<2x64xf32>, tensor<3x64x32xbf16>)
func.func private @linear(%x: tensor<2x64xf32>, %w: tensor<75x64xbf16, #bamba.panel<32>>, %init: tensor<2x75xf32>)
    -> tensor<2x75xf32> attributes {bamba.kernel} {
  %l = bamba.linear ins(%x, %w : tensor<2x64xf32>, tensor<75x64xbf16, #bamba.panel<32>>)
                    outs(%init : tensor<2x75xf32>) acc(f32)
  return %l : tensor<2x75xf32>
}

// -----

// CHECK-LABEL: func.func private @pairs
// CHECK-SAME: tensor<3x48x32x2xbf16>
func.func private @pairs(%x: tensor<2x70xf32>, %w: tensor<75x70xbf16, #bamba.panel<32, group = 2, align = 32>>,
                         %init: tensor<2x75xf32>) -> tensor<2x75xf32> attributes {bamba.kernel} {
  %l = bamba.linear ins(%x, %w : tensor<2x70xf32>, tensor<75x70xbf16, #bamba.panel<32, group = 2, align = 32>>)
                    outs(%init : tensor<2x75xf32>) acc(f32)
  return %l : tensor<2x75xf32>
}

// -----

func.func private @other_use(%tokens: tensor<2xi32>, %w: tensor<75x64xbf16, #bamba.panel<32>>, %init: tensor<2x64xf32>)
    -> tensor<2x64xf32> attributes {bamba.kernel} {
  // expected-error@+1 {{'bamba.embedding' op expected only linears to read a weight in panels}}
  %l = bamba.embedding ins(%tokens, %w : tensor<2xi32>, tensor<75x64xbf16, #bamba.panel<32>>)
                       outs(%init : tensor<2x64xf32>)
  return %l : tensor<2x64xf32>
}
