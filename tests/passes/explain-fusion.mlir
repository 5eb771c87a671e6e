// RUN: bambac-opt %s --bamba-form-dispatches --remarks-filter=fusion -o /dev/null 2>&1 | FileCheck %s
// RUN: bambac-opt %s --bamba-form-dispatches -o /dev/null 2>&1 | count 0

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108,
    fusions = [epilogue, norm_prologue]>} {
  func.func @decode(%x: tensor<4x64xf32>, %g: tensor<64xf32>, %w: tensor<32x64xbf16>, %r: tensor<4x32xf32>)
      -> (tensor<4xi32>, tensor<4x64xf32>) attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %n0 = tensor.empty() : tensor<4x64xf32>
    // A reader outside of the kernel keeps a producer out, whatever the rules say.
    // CHECK: [[#@LINE+1]]:10: remark: [Missed] stays-apart | Category:fusion | Function=decode | Remark="'bamba.rms_norm' stays out of the kernel of 'bamba.linear': 'func.return' reads it outside of the kernel too"
    %n = bamba.rms_norm ins(%x, %g : tensor<4x64xf32>, tensor<64xf32>) outs(%n0 : tensor<4x64xf32>) eps(1.0e-05)
    %l0 = tensor.empty() : tensor<4x32xf32>
    %l = bamba.linear ins(%n, %w : tensor<4x64xf32>, tensor<32x64xbf16>) outs(%l0 : tensor<4x32xf32>) acc(f32)
    %a0 = tensor.empty() : tensor<4x32xf32>
    %a = linalg.add ins(%l, %r : tensor<4x32xf32>, tensor<4x32xf32>) outs(%a0 : tensor<4x32xf32>) -> tensor<4x32xf32>
    %t0 = tensor.empty() : tensor<4xi32>
    %t = bamba.argmax ins(%a : tensor<4x32xf32>) outs(%t0 : tensor<4xi32>)
    return %t, %n : tensor<4xi32>, tensor<4x64xf32>
  }
}
