// RUN: %bambac-opt %s --bamba-cpu-lower-math | FileCheck %s

// CHECK-LABEL: func.func @exponentials
// CHECK-NOT: math.exp
// CHECK-NOT: math.log1p
// CHECK-NOT: math.log
// CHECK: math.sin
func.func @exponentials(%x: vector<16xf32>, %y: f32) -> (vector<16xf32>, f32) {
  %0 = math.exp %x : vector<16xf32>
  %1 = math.log1p %0 : vector<16xf32>
  %2 = math.sin %y : f32
  return %1, %2 : vector<16xf32>, f32
}

// CHECK-LABEL: func.func @transposition
// CHECK-NOT: vector.transpose
// CHECK: vector.shuffle
func.func @transposition(%x: vector<16x16xf32>, %y: vector<8x8xf32>) -> (vector<16x16xf32>, vector<8x8xf32>) {
  %0 = vector.transpose %x, [1, 0] : vector<16x16xf32> to vector<16x16xf32>
  %1 = vector.transpose %y, [1, 0] : vector<8x8xf32> to vector<8x8xf32>
  return %0, %1 : vector<16x16xf32>, vector<8x8xf32>
}
