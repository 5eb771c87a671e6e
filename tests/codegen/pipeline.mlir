// RUN: %bambac-opt %s --bamba-cpu-loops --bamba-cpu-llvm | FileCheck %s

module attributes {bamba.target = #bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512,
                                               vector_registers = 32, l2_bytes = 1048576>} {
  // CHECK-LABEL: llvm.func @rms_norm
  // CHECK-SAME: (%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr, %{{.*}}: i64)
  // CHECK-SAME: bamba.scratch_bytes = 0 : i64, bamba.workgroups = 2 : i64
  // CHECK: llvm.call @rms_norm__body
  // CHECK: llvm.func internal @rms_norm__body
  // CHECK-SAME: !llvm.ptr {llvm.noalias}
  // CHECK: vector.reduce.fadd
  // CHECK-NOT: unrealized_conversion_cast
  func.func private @rms_norm(%x: tensor<4x64xf32>, %w: tensor<64xf32>, %init: tensor<4x64xf32>) -> tensor<4x64xf32>
      attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [2], rows = 1, depth = 0, chunk = 0>} {
    %r = bamba.rms_norm ins(%x, %w : tensor<4x64xf32>, tensor<64xf32>) outs(%init : tensor<4x64xf32>) eps(1.0e-05)
    return %r : tensor<4x64xf32>
  }
}
