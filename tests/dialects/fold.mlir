// The folds: ops that do nothing give way to their input.
// RUN: %bambac-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: @rope_of_no_dimension
// CHECK-SAME: (%[[Q:[a-z0-9]+]]: tensor<4x128xf32>
// CHECK-NEXT: return %[[Q]]
func.func @rope_of_no_dimension(%q: tensor<4x128xf32>, %positions: tensor<4xi32>, %init: tensor<4x128xf32>)
    -> tensor<4x128xf32> {
  %r = bamba.rope ins(%q, %positions : tensor<4x128xf32>, tensor<4xi32>) outs(%init : tensor<4x128xf32>)
                  head_dim(32) rotation(<[]>)
  return %r : tensor<4x128xf32>
}

// CHECK-LABEL: @rope_of_some_dimensions
// CHECK: bamba.rope
func.func @rope_of_some_dimensions(%q: tensor<4x128xf32>, %positions: tensor<4xi32>, %init: tensor<4x128xf32>)
    -> tensor<4x128xf32> {
  %r = bamba.rope ins(%q, %positions : tensor<4x128xf32>, tensor<4xi32>) outs(%init : tensor<4x128xf32>)
                  head_dim(32) rotation(<[1.0]>)
  return %r : tensor<4x128xf32>
}

// A conversion stays even where nothing turns.
// CHECK-LABEL: @rope_that_converts
// CHECK: bamba.rope
func.func @rope_that_converts(%q: tensor<4x128xbf16>, %positions: tensor<4xi32>, %init: tensor<4x128xf32>)
    -> tensor<4x128xf32> {
  %r = bamba.rope ins(%q, %positions : tensor<4x128xbf16>, tensor<4xi32>) outs(%init : tensor<4x128xf32>)
                  head_dim(32) rotation(<[]>)
  return %r : tensor<4x128xf32>
}
