// RUN: bambac-opt %s --bamba-form-dispatches --split-input-file --verify-diagnostics

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108>} {
  func.func @dynamic(%x: tensor<4x?xf32>, %init: tensor<4x?xf32>, %size: index) -> tensor<4x?xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty(%size) : tensor<4x?xf32>
    // expected-error @+1 {{expected static shapes in an entry point, found 'tensor<4x?xf32>'}}
    %s = bamba.swiglu ins(%x, %x : tensor<4x?xf32>, tensor<4x?xf32>) outs(%e : tensor<4x?xf32>)
    return %s : tensor<4x?xf32>
  }
}

// -----

// expected-error @+1 {{expected the attribute 'bamba.target' on the module}}
module {
  func.func @untargeted() attributes {bamba.entry = #bamba.entry<decode, batch = 1, chunk = 1>} { return }
}
