// RUN: %bambac-opt %s --bamba-cpu-kernel-abi --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @kernel
// CHECK-SAME: (%[[ARGS:.*]]: !llvm.ptr, %[[SCRATCH:.*]]: !llvm.ptr, %[[WORKGROUP:.*]]: i64)
// CHECK-SAME: bamba.scratch_bytes = 64 : i64, bamba.workgroups = 3 : i64
// CHECK: llvm.getelementptr %[[ARGS]][0]
// CHECK: llvm.load
// CHECK: llvm.getelementptr %[[ARGS]][1]
// CHECK: call @kernel__body
// CHECK-LABEL: func.func private @kernel__body
// CHECK-SAME: !llvm.ptr {llvm.noalias}, %{{[^ ]*}}: !llvm.ptr {llvm.noalias},
// CHECK-SAME: !llvm.ptr {llvm.noalias}, %{{[^ ]*}}: index) attributes {llvm.linkage = #llvm.linkage<internal>
// CHECK: builtin.unrealized_conversion_cast %{{.*}} to memref<?x2x16xf32>
func.func private @kernel(%x: memref<4x16xf32>, %state: memref<?x2x16xf32>, %scratch: memref<?xi8>, %workgroup: index)
    attributes {bamba.kernel, bamba.scratch_bytes = 64 : i64, bamba.workgroups = 3 : i64} {
  return
}

// -----

// expected-error@+1 {{expected buffers of static shape but for the leading dimension, found 'memref<4x?xf32>'}}
func.func private @dynamic(%x: memref<4x?xf32>, %scratch: memref<?xi8>, %workgroup: index) attributes {bamba.kernel} {
  return
}
