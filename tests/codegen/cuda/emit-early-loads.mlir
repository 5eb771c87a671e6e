// A step loads its state before it waits for its predecessors, unless a kernel of the same entry point writes that state
// before.
//
// RUN: %bambac-opt --bamba-emit-cuda --split-input-file %s | FileCheck %s

// CHECK-LABEL: //--- first.cu
// CHECK: static constexpr bool kLoadsEarly = true;

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  ml_program.global private mutable @state : tensor<?x2x2x4xf32>
  ml_program.global private mutable @other : tensor<?x2x2x4xf32>
  func.func @decode(%x: tensor<2x4xf32>, %dt: tensor<2x2xf32>, %b: tensor<2x4xf32>, %a: tensor<2xf32>, %s: tensor<2xi32>) {
    %e = tensor.empty() : tensor<2x4xf32>
    %other = ml_program.global_load @other : tensor<?x2x2x4xf32>
    %1:2 = bamba.launch @first ins(%x, %dt, %b, %a, %s : tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xi32>)
                               outs(%e, %other : tensor<2x4xf32>, tensor<?x2x2x4xf32>) -> tensor<2x4xf32>, tensor<?x2x2x4xf32>
    ml_program.global_store @other = %1#1 : tensor<?x2x2x4xf32>
    %state = ml_program.global_load @state : tensor<?x2x2x4xf32>
    %2:2 = bamba.launch @first ins(%1#0, %dt, %b, %a, %s : tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xi32>)
                               outs(%e, %state : tensor<2x4xf32>, tensor<?x2x2x4xf32>) -> tensor<2x4xf32>, tensor<?x2x2x4xf32>
    ml_program.global_store @state = %2#1 : tensor<?x2x2x4xf32>
    return
  }
  func.func private @first(%x: tensor<2x4xf32>, %dt: tensor<2x2xf32>, %b: tensor<2x4xf32>, %a: tensor<2xf32>, %s: tensor<2xi32>,
      %init: tensor<2x4xf32>, %ss0: tensor<?x2x2x4xf32>) -> (tensor<2x4xf32>, tensor<?x2x2x4xf32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/ssm_step", fields = {channel_tile = 2, threads = 32}>} {
    %y, %ss = bamba.ssm_step ins(%x, %dt, %b, %b, %a, %a, %a, %s : tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x4xf32>,
        tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xi32>)
        outs(%init, %ss0 : tensor<2x4xf32>, tensor<?x2x2x4xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %ss : tensor<2x4xf32>, tensor<?x2x2x4xf32>
  }
}

// -----

// CHECK-LABEL: //--- second.cu
// CHECK: static constexpr bool kLoadsEarly = false;

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  ml_program.global private mutable @state : tensor<?x2x2x4xf32>
  func.func @decode(%x: tensor<2x4xf32>, %dt: tensor<2x2xf32>, %b: tensor<2x4xf32>, %a: tensor<2xf32>, %s: tensor<2xi32>) {
    %e = tensor.empty() : tensor<2x4xf32>
    %state = ml_program.global_load @state : tensor<?x2x2x4xf32>
    %1:2 = bamba.launch @second ins(%x, %dt, %b, %a, %s : tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xi32>)
                                outs(%e, %state : tensor<2x4xf32>, tensor<?x2x2x4xf32>) -> tensor<2x4xf32>, tensor<?x2x2x4xf32>
    ml_program.global_store @state = %1#1 : tensor<?x2x2x4xf32>
    %again = ml_program.global_load @state : tensor<?x2x2x4xf32>
    %2:2 = bamba.launch @second ins(%1#0, %dt, %b, %a, %s : tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x4xf32>, tensor<2xf32>, tensor<2xi32>)
                                outs(%e, %again : tensor<2x4xf32>, tensor<?x2x2x4xf32>) -> tensor<2x4xf32>, tensor<?x2x2x4xf32>
    ml_program.global_store @state = %2#1 : tensor<?x2x2x4xf32>
    return
  }
  func.func private @second(%x: tensor<2x4xf32>, %dt: tensor<2x2xf32>, %b: tensor<2x4xf32>, %a: tensor<2xf32>, %s: tensor<2xi32>,
      %init: tensor<2x4xf32>, %ss0: tensor<?x2x2x4xf32>) -> (tensor<2x4xf32>, tensor<?x2x2x4xf32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/ssm_step", fields = {channel_tile = 2, threads = 32}>} {
    %y, %ss = bamba.ssm_step ins(%x, %dt, %b, %b, %a, %a, %a, %s : tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x4xf32>,
        tensor<2x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xi32>)
        outs(%init, %ss0 : tensor<2x4xf32>, tensor<?x2x2x4xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %ss : tensor<2x4xf32>, tensor<?x2x2x4xf32>
  }
}
