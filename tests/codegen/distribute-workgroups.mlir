// RUN: %bambac-opt %s --bamba-cpu-distribute-workgroups --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func private @grid
// CHECK-SAME: %[[OUT:.*]]: memref<8x75xf32>, %[[WORKGROUP:.*]]: index) attributes {bamba.kernel, bamba.workgroups = 8 : i64}
// CHECK-NOT: scf.forall
// CHECK: %[[AT:.*]]:2 = affine.delinearize_index %[[WORKGROUP]] into (4, 2)
// CHECK: %[[ROW:.*]] = affine.apply {{.*}}(%[[AT]]#0)
// CHECK: %[[COLUMN:.*]] = affine.apply {{.*}}(%[[AT]]#1)
// CHECK: memref.store %{{.*}}, %[[OUT]][%[[ROW]], %[[COLUMN]]]
func.func private @grid(%out: memref<8x75xf32>) attributes {bamba.kernel} {
  %f = arith.constant 1.0 : f32
  scf.forall (%i, %j) = (0, 0) to (8, 75) step (2, 64) {
    memref.store %f, %out[%i, %j] : memref<8x75xf32>
  }
  return
}

// -----

// A workgroup without any of the rows that are there does nothing.
// CHECK-LABEL: func.func private @rows
// CHECK-SAME: %[[ROWS:.*]]: memref<1xi32> {bamba.rows}, %[[OUT:.*]]: memref<8x75xf32>, %[[WORKGROUP:.*]]: index)
// CHECK: %[[ROW:.*]] = affine.apply
// CHECK: %[[LOADED:.*]] = memref.load %[[ROWS]][%{{.*}}]
// CHECK: %[[THERE:.*]] = arith.index_cast %[[LOADED]]
// CHECK: %[[IS:.*]] = arith.cmpi slt, %[[ROW]], %[[THERE]]
// CHECK: scf.if %[[IS]] {
// CHECK-NEXT: memref.store %{{.*}}, %[[OUT]][%[[ROW]], %{{.*}}]
func.func private @rows(%rows: memref<1xi32> {bamba.rows}, %out: memref<8x75xf32>) attributes {bamba.kernel} {
  %f = arith.constant 1.0 : f32
  scf.forall (%i, %j) = (0, 0) to (8, 75) step (2, 64) {
    memref.store %f, %out[%i, %j] : memref<8x75xf32>
  } {bamba.rows}
  return
}

// -----

// Workgroups of columns have all rows.
// CHECK-LABEL: func.func private @columns
// CHECK-NOT: scf.if
func.func private @columns(%rows: memref<1xi32> {bamba.rows}, %out: memref<8x75xf32>) attributes {bamba.kernel} {
  %f = arith.constant 1.0 : f32
  %c = arith.constant 0 : index
  scf.forall (%j) = (0) to (75) step (64) {
    memref.store %f, %out[%c, %j] : memref<8x75xf32>
  }
  return
}

// -----

// Of a kernel that may have no row, all is under the condition that it has one.
// CHECK-LABEL: func.func private @empty
// CHECK-SAME: (%[[ROWS:.*]]: memref<1xi32> {bamba.rows}, %[[OUT:.*]]: memref<8x75xf32>, %[[WORKGROUP:.*]]: index)
// CHECK: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK: memref.load %[[ROWS]][
// CHECK: %[[THERE:.*]] = arith.cmpi slt, %[[ZERO]], %{{.*}} : index
// CHECK-NEXT: scf.if %[[THERE]] {
// CHECK: memref.store
// CHECK: }
// CHECK-NEXT: return
func.func private @empty(%rows: memref<1xi32> {bamba.rows}, %out: memref<8x75xf32>)
    attributes {bamba.kernel, bamba.may_be_empty} {
  %f = arith.constant 1.0 : f32
  %c = arith.constant 0 : index
  scf.forall (%j) = (0) to (75) step (64) {
    memref.store %f, %out[%c, %j] : memref<8x75xf32>
  }
  return
}

// -----

// CHECK-LABEL: func.func private @one
// CHECK-SAME: bamba.workgroups = 1 : i64
func.func private @one(%out: memref<8xf32>) attributes {bamba.kernel} {
  return
}

// -----

func.func private @two(%out: memref<8xf32>) attributes {bamba.kernel} {
  %f = arith.constant 1.0 : f32
  scf.forall (%i) in (8) {
    memref.store %f, %out[%i] : memref<8xf32>
  }
  // expected-error@+1 {{expected at most one loop over workgroups in a kernel}}
  scf.forall (%i) in (8) {
    memref.store %f, %out[%i] : memref<8xf32>
  }
  return
}
