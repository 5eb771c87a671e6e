// RUN: %bambac-opt %s --bamba-cpu-alloc-to-scratch --split-input-file --verify-diagnostics | FileCheck %s

#min = affine_map<(d0) -> (-d0 + 75, 64)>

// CHECK-LABEL: func.func private @temporaries
// CHECK-SAME: %[[SCRATCH:.*]]: memref<?xi8>) attributes {bamba.kernel, bamba.scratch_bytes = 896 : i64}
// CHECK: memref.view %[[SCRATCH]][%{{.*}}][] : memref<?xi8> to memref<3x10xf32>
// A size that is bounded by the loop: 3 x 64 x 4 bytes.
// CHECK: scf.forall
// CHECK: %[[SIZE:.*]] = affine.min
// CHECK: %[[SECOND:.*]] = arith.constant 128
// CHECK: memref.view %[[SCRATCH]][%[[SECOND]]][%[[SIZE]]] : memref<?xi8> to memref<3x?xf32>
func.func private @temporaries() attributes {bamba.kernel} {
  %f = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %a = memref.alloc() : memref<3x10xf32>
  memref.store %f, %a[%c0, %c0] : memref<3x10xf32>
  scf.forall (%i) = (0) to (75) step (64) {
    %size = affine.min #min(%i)
    %b = memref.alloc(%size) : memref<3x?xf32>
    memref.store %f, %b[%c0, %c0] : memref<3x?xf32>
  }
  return
}

// -----

func.func private @unbounded(%size: memref<index>) attributes {bamba.kernel} {
  %n = memref.load %size[] : memref<index>
  // expected-error@+1 {{expected a bounded size of the temporary 'memref<?xf32>'}}
  %b = memref.alloc(%n) : memref<?xf32>
  return
}

// -----

func.func private @copies(%a: memref<4xf32>, %b: memref<4xf32>) attributes {bamba.kernel} {
  // expected-error@+1 {{expected no copy of a buffer of 'memref<4xf32>'}}
  memref.copy %a, %b : memref<4xf32> to memref<4xf32>
  return
}
