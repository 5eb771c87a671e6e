// RUN: bambac-opt %s -split-input-file --bamba-form-dispatches --canonicalize | FileCheck %s

module attributes {bamba.target = #bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512,
    vector_registers = 32, l2_bytes = 1048576, fusions = [epilogue]>} {

  // The linear's result is read by the residual add alone: one kernel. The norm stays apart.
  // CHECK-LABEL: func.func @linear_add
  // CHECK: %[[N:.*]] = bamba.dispatch
  // CHECK:   bamba.rms_norm
  // CHECK: %[[R:.*]] = bamba.dispatch ins(%[[N]], %arg2, %arg0 : {{.*}}) outs(%{{.*}} : tensor<4x32xf32>)
  // CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<4x32xf32>, %[[W:.*]]: tensor<32x32xf32>, %[[RES:.*]]: tensor<4x32xf32>, %[[INIT:.*]]: tensor<4x32xf32>)
  // CHECK:   %[[L:.*]] = bamba.linear ins(%[[X]], %[[W]]
  // CHECK:   %[[S:.*]] = linalg.add ins(%[[RES]], %[[L]] : {{.*}}) outs(%[[INIT]]
  // CHECK:   bamba.yield %[[S]]
  // CHECK: return %[[R]]
  func.func @linear_add(%x: tensor<4x32xf32>, %n: tensor<32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x32xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(1.0e-05)
    %l = bamba.linear ins(%h, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%e : tensor<4x32xf32>) acc(f32)
    %r = linalg.add ins(%x, %l : tensor<4x32xf32>, tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
    return %r : tensor<4x32xf32>
  }

  // Both linears of a SwiGLU share its kernel.
  // CHECK-LABEL: func.func @swiglu
  // CHECK-COUNT-1: bamba.dispatch
  // CHECK-COUNT-2: bamba.linear
  // CHECK: bamba.swiglu
  // CHECK-NOT: bamba.dispatch
  // CHECK: return
  func.func @swiglu(%x: tensor<4x32xf32>, %g: tensor<48x32xf32>, %u: tensor<48x32xf32>) -> tensor<4x48xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x48xf32>
    %0 = bamba.linear ins(%x, %g : tensor<4x32xf32>, tensor<48x32xf32>) outs(%e : tensor<4x48xf32>) acc(f32)
    %1 = bamba.linear ins(%x, %u : tensor<4x32xf32>, tensor<48x32xf32>) outs(%e : tensor<4x48xf32>) acc(f32)
    %2 = bamba.swiglu ins(%0, %1 : tensor<4x48xf32>, tensor<4x48xf32>) outs(%e : tensor<4x48xf32>)
    return %2 : tensor<4x48xf32>
  }

  // A linear whose result is read elsewhere too keeps its own kernel.
  // CHECK-LABEL: func.func @two_readers
  // CHECK: bamba.dispatch
  // CHECK: bamba.linear
  // CHECK: bamba.yield
  // CHECK: bamba.dispatch
  // CHECK: linalg.add
  func.func @two_readers(%x: tensor<4x32xf32>, %w: tensor<32x32xf32>) -> (tensor<4x32xf32>, tensor<4x32xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x32xf32>
    %l = bamba.linear ins(%x, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%e : tensor<4x32xf32>) acc(f32)
    %r = linalg.add ins(%x, %l : tensor<4x32xf32>, tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
    return %r, %l : tensor<4x32xf32>, tensor<4x32xf32>
  }

  // A slice of an input moves into the dispatch, which reads the whole buffer.
  // CHECK-LABEL: func.func @slice
  // CHECK-NOT: tensor.extract_slice
  // CHECK: bamba.dispatch ins(%arg0, %arg1 : tensor<4x64xf32>, tensor<32xf32>)
  // CHECK: tensor.extract_slice %{{.*}}[0, 16] [4, 32] [1, 1]
  // CHECK: bamba.rms_norm
  func.func @slice(%x: tensor<4x64xf32>, %n: tensor<32xf32>) -> tensor<4x32xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x32xf32>
    %s = tensor.extract_slice %x[0, 16] [4, 32] [1, 1] : tensor<4x64xf32> to tensor<4x32xf32>
    %h = bamba.rms_norm ins(%s, %n : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(1.0e-05)
    return %h : tensor<4x32xf32>
  }

  // A state is both input and destination of its dispatch.
  // CHECK-LABEL: func.func @state
  // CHECK: bamba.dispatch ins({{.*}}) outs(%{{.*}}, %arg5 : tensor<1x8xf32>, tensor<?x3x8xf32>) -> tensor<1x8xf32>, tensor<?x3x8xf32>
  func.func @state(%x: tensor<1x8xf32>, %w: tensor<4x8xf32>, %b: tensor<8xf32>, %slots: tensor<1xi32>,
                   %starts: tensor<2xi32>, %s: tensor<?x3x8xf32>) -> (tensor<1x8xf32>, tensor<?x3x8xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 1, chunk = 1>} {
    %e = tensor.empty() : tensor<1x8xf32>
    %y, %s1 = bamba.causal_conv1d ins(%x, %w, %slots, %starts : tensor<1x8xf32>, tensor<4x8xf32>, tensor<1xi32>, tensor<2xi32>) bias(%b : tensor<8xf32>) outs(%e, %s : tensor<1x8xf32>, tensor<?x3x8xf32>)
    return %y, %s1 : tensor<1x8xf32>, tensor<?x3x8xf32>
  }

  // Functions that are no entry points stay as they are.
  // CHECK-LABEL: func.func @helper
  // CHECK-NOT: bamba.dispatch
  func.func @helper(%x: tensor<4x32xf32>, %n: tensor<32xf32>) -> tensor<4x32xf32> {
    %e = tensor.empty() : tensor<4x32xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(1.0e-05)
    return %h : tensor<4x32xf32>
  }
}

// -----

// What fuses is the target's say: here norms go into the linears that alone read them, epilogues do not.
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = [norm_prologue]>} {
  // CHECK-LABEL: func.func @norm_linear_add
  // CHECK: bamba.dispatch
  // CHECK: bamba.rms_norm
  // CHECK: bamba.linear
  // CHECK: bamba.yield
  // CHECK: bamba.dispatch
  // CHECK: linalg.add
  func.func @norm_linear_add(%x: tensor<4x32xf32>, %n: tensor<32xf32>, %w: tensor<32x32xf32>) -> tensor<4x32xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x32xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<4x32xf32>, tensor<32xf32>) outs(%e : tensor<4x32xf32>) eps(1.0e-05)
    %l = bamba.linear ins(%h, %w : tensor<4x32xf32>, tensor<32x32xf32>) outs(%e : tensor<4x32xf32>) acc(f32)
    %r = linalg.add ins(%x, %l : tensor<4x32xf32>, tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
    return %r : tensor<4x32xf32>
  }
}

// -----

#cuda = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = [interleave, epilogue, norm_prologue, gate, conv]>

module attributes {bamba.target = #cuda} {
  ml_program.global private mutable @conv(#ml_program.extern<tensor<?x4x24xf32>>) : tensor<?x4x24xf32> {bamba.state = #bamba.state<slot>}
  ml_program.global private mutable @ssm(#ml_program.extern<tensor<?x2x8x4xf32>>) : tensor<?x2x8x4xf32> {bamba.state = #bamba.state<slot>}

  // Convolution, state space step and gate are one kernel: its results are the gate's and the two states in their order,
  // which are stored after it. The projection that all three read is a kernel of its own.
  // CHECK-LABEL: func.func @mixer
  // CHECK: %[[P:.*]] = bamba.dispatch ins(%arg0, %arg1 :
  // CHECK:   bamba.linear
  // CHECK: %[[CONV:.*]] = ml_program.global_load @conv
  // CHECK: %[[SSM:.*]] = ml_program.global_load @ssm
  // CHECK-NOT: ml_program.global_store
  // CHECK: %[[D:.*]]:3 = bamba.dispatch ins(%[[P]], %arg2, %arg3, %arg4, %arg5, %arg6 : {{.*}}) outs(%{{.*}}, %[[CONV]], %[[SSM]] : tensor<2x16xbf16>, tensor<?x4x24xf32>, tensor<?x2x8x4xf32>) -> tensor<2x16xbf16>, tensor<?x4x24xf32>, tensor<?x2x8x4xf32>
  // CHECK: ^bb0({{.*}}, %[[G0:[^:]*]]: tensor<2x16xbf16>, %[[C0:[^:]*]]: tensor<?x4x24xf32>, %[[S0:[^:]*]]: tensor<?x2x8x4xf32>):
  // CHECK:   %[[CY:.*]], %[[C1:.*]] = bamba.causal_conv1d {{.*}} outs(%{{.*}}, %[[C0]] :
  // CHECK:   tensor.extract_slice %[[CY]][0, 0] [2, 16] [1, 1]
  // CHECK:   %[[SY:.*]], %[[S1:.*]] = bamba.ssm_step {{.*}} outs(%{{.*}}, %[[S0]] :
  // CHECK:   %[[G:.*]] = bamba.swiglu ins(%{{.*}}, %[[SY]] : {{.*}}) outs(%[[G0]]
  // CHECK:   bamba.yield %[[G]], %[[C1]], %[[S1]]
  // CHECK: ml_program.global_store @conv = %[[D]]#1
  // CHECK: ml_program.global_store @ssm = %[[D]]#2
  // CHECK: return %[[D]]#0
  func.func @mixer(%x: tensor<2x16xbf16>, %w: tensor<42x16xbf16>, %taps: tensor<4x24xf32>, %slots: tensor<2xi32>,
                   %starts: tensor<3xi32>, %p: tensor<2xi32>, %head: tensor<2xf32>) -> tensor<2x16xbf16>
      attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %e0 = tensor.empty() : tensor<2x42xbf16>
    %l = bamba.linear ins(%x, %w : tensor<2x16xbf16>, tensor<42x16xbf16>) outs(%e0 : tensor<2x42xbf16>) acc(f32)
    %z = tensor.extract_slice %l[0, 0] [2, 16] [1, 1] : tensor<2x42xbf16> to tensor<2x16xbf16>
    %xbc = tensor.extract_slice %l[0, 16] [2, 24] [1, 1] : tensor<2x42xbf16> to tensor<2x24xbf16>
    %dt = tensor.extract_slice %l[0, 40] [2, 2] [1, 1] : tensor<2x42xbf16> to tensor<2x2xbf16>
    %e1 = tensor.empty() : tensor<2x24xbf16>
    %c0 = ml_program.global_load @conv : tensor<?x4x24xf32>
    %y, %c1 = bamba.causal_conv1d ins(%xbc, %taps, %slots, %starts : tensor<2x24xbf16>, tensor<4x24xf32>, tensor<2xi32>, tensor<3xi32>) positions(%p : tensor<2xi32>) outs(%e1, %c0 : tensor<2x24xbf16>, tensor<?x4x24xf32>)
    ml_program.global_store @conv = %c1 : tensor<?x4x24xf32>
    %xs = tensor.extract_slice %y[0, 0] [2, 16] [1, 1] : tensor<2x24xbf16> to tensor<2x16xbf16>
    %b = tensor.extract_slice %y[0, 16] [2, 4] [1, 1] : tensor<2x24xbf16> to tensor<2x4xbf16>
    %c = tensor.extract_slice %y[0, 20] [2, 4] [1, 1] : tensor<2x24xbf16> to tensor<2x4xbf16>
    %e2 = tensor.empty() : tensor<2x16xbf16>
    %s0 = ml_program.global_load @ssm : tensor<?x2x8x4xf32>
    %o, %s1 = bamba.ssm_step ins(%xs, %dt, %b, %c, %head, %head, %head, %slots : tensor<2x16xbf16>, tensor<2x2xbf16>, tensor<2x4xbf16>, tensor<2x4xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xi32>) outs(%e2, %s0 : tensor<2x16xbf16>, tensor<?x2x8x4xf32>) dt_limit(0.0, 1.0) acc(f32)
    ml_program.global_store @ssm = %s1 : tensor<?x2x8x4xf32>
    %g = bamba.swiglu ins(%z, %o : tensor<2x16xbf16>, tensor<2x16xbf16>) outs(%e2 : tensor<2x16xbf16>)
    return %g : tensor<2x16xbf16>
  }

  // A convolution whose state moves its rows cannot share a kernel, nor one whose stored state is read before the kernel's end;
  // and a state space op that is the gate itself gates nothing.
  // CHECK-LABEL: func.func @apart
  // CHECK: bamba.dispatch
  // CHECK:   bamba.causal_conv1d
  // CHECK: bamba.dispatch
  // CHECK:   bamba.causal_conv1d
  // CHECK: ml_program.global_store @conv
  // CHECK: ml_program.global_load @conv
  // CHECK: bamba.dispatch
  // CHECK:   bamba.ssm_step
  // CHECK: bamba.dispatch
  // CHECK:   bamba.swiglu
  func.func @apart(%x: tensor<2x4xbf16>, %x2: tensor<2x24xbf16>, %dt: tensor<2x1xbf16>, %taps: tensor<4x4xf32>, %taps2: tensor<4x24xf32>, %i: tensor<2xi32>, %st: tensor<3xi32>, %head: tensor<1xf32>,
                   %shift: tensor<?x3x4xf32>, %s0: tensor<?x1x4x4xf32>) -> (tensor<2x4xbf16>, tensor<?x4x24xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>} {
    %e = tensor.empty() : tensor<2x4xbf16>
    %e2 = tensor.empty() : tensor<2x24xbf16>
    %y, %t = bamba.causal_conv1d ins(%x, %taps, %i, %st : tensor<2x4xbf16>, tensor<4x4xf32>, tensor<2xi32>, tensor<3xi32>) outs(%e, %shift : tensor<2x4xbf16>, tensor<?x3x4xf32>)
    %c0 = ml_program.global_load @conv : tensor<?x4x24xf32>
    %y2, %c1 = bamba.causal_conv1d ins(%x2, %taps2, %i, %st : tensor<2x24xbf16>, tensor<4x24xf32>, tensor<2xi32>, tensor<3xi32>) positions(%i : tensor<2xi32>) outs(%e2, %c0 : tensor<2x24xbf16>, tensor<?x4x24xf32>)
    ml_program.global_store @conv = %c1 : tensor<?x4x24xf32>
    %c2 = ml_program.global_load @conv : tensor<?x4x24xf32>
    %b = tensor.extract_slice %y2[0, 0] [2, 4] [1, 1] : tensor<2x24xbf16> to tensor<2x4xbf16>
    %o, %s1 = bamba.ssm_step ins(%y, %dt, %b, %b, %head, %head, %head, %i : tensor<2x4xbf16>, tensor<2x1xbf16>, tensor<2x4xbf16>, tensor<2x4xbf16>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<2xi32>) outs(%e, %s0 : tensor<2x4xbf16>, tensor<?x1x4x4xf32>) dt_limit(0.0, 1.0) acc(f32)
    %g = bamba.swiglu ins(%o, %x : tensor<2x4xbf16>, tensor<2x4xbf16>) outs(%e : tensor<2x4xbf16>)
    return %g, %c2 : tensor<2x4xbf16>, tensor<?x4x24xf32>
  }

  // The SwiGLU's operands are every other column of one linear, and a norm of few rows is computed before it.
  // CHECK-LABEL: func.func @interleaved
  // CHECK: bamba.dispatch ins(%arg0, %arg1, %arg2 :
  // CHECK:   bamba.rms_norm
  // CHECK:   %[[L:.*]] = bamba.linear
  // CHECK:   tensor.extract_slice %[[L]][0, 0] [16, 8] [1, 2]
  // CHECK:   tensor.extract_slice %[[L]][0, 1] [16, 8] [1, 2]
  // CHECK:   bamba.swiglu
  // CHECK-NOT: bamba.dispatch
  // CHECK: return
  func.func @interleaved(%x: tensor<16x8xf32>, %n: tensor<8xf32>, %w: tensor<16x8xbf16>) -> tensor<16x8xbf16>
      attributes {bamba.entry = #bamba.entry<decode, batch = 16, chunk = 1>} {
    %e = tensor.empty() : tensor<16x8xbf16>
    %e2 = tensor.empty() : tensor<16x16xbf16>
    %h = bamba.rms_norm ins(%x, %n : tensor<16x8xf32>, tensor<8xf32>) outs(%e : tensor<16x8xbf16>) eps(1.0e-05)
    %l = bamba.linear ins(%h, %w : tensor<16x8xbf16>, tensor<16x8xbf16>) outs(%e2 : tensor<16x16xbf16>) acc(f32)
    %g = tensor.extract_slice %l[0, 0] [16, 8] [1, 2] : tensor<16x16xbf16> to tensor<16x8xbf16>
    %u = tensor.extract_slice %l[0, 1] [16, 8] [1, 2] : tensor<16x16xbf16> to tensor<16x8xbf16>
    %f = bamba.swiglu ins(%g, %u : tensor<16x8xbf16>, tensor<16x8xbf16>) outs(%e : tensor<16x8xbf16>)
    return %f : tensor<16x8xbf16>
  }

  // Halves of a linear's columns are in different tiles: they go through memory. A norm of many rows has its own kernel.
  // CHECK-LABEL: func.func @halves
  // CHECK: bamba.dispatch
  // CHECK:   bamba.rms_norm
  // CHECK: bamba.dispatch
  // CHECK:   bamba.linear
  // CHECK: bamba.dispatch
  // CHECK:   bamba.swiglu
  func.func @halves(%x: tensor<24x8xf32>, %n: tensor<8xf32>, %w: tensor<16x8xbf16>) -> tensor<24x8xbf16>
      attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 24>} {
    %e = tensor.empty() : tensor<24x8xbf16>
    %e2 = tensor.empty() : tensor<24x16xbf16>
    %h = bamba.rms_norm ins(%x, %n : tensor<24x8xf32>, tensor<8xf32>) outs(%e : tensor<24x8xbf16>) eps(1.0e-05)
    %l = bamba.linear ins(%h, %w : tensor<24x8xbf16>, tensor<16x8xbf16>) outs(%e2 : tensor<24x16xbf16>) acc(f32)
    %g = tensor.extract_slice %l[0, 0] [24, 8] [1, 1] : tensor<24x16xbf16> to tensor<24x8xbf16>
    %u = tensor.extract_slice %l[0, 8] [24, 8] [1, 1] : tensor<24x16xbf16> to tensor<24x8xbf16>
    %f = bamba.swiglu ins(%g, %u : tensor<24x8xbf16>, tensor<24x8xbf16>) outs(%e : tensor<24x8xbf16>)
    return %f : tensor<24x8xbf16>
  }

  // Few rows, but wide ones: every block of the linear would normalize them all again.
  // CHECK-LABEL: func.func @wide_norm
  // CHECK: bamba.dispatch
  // CHECK:   bamba.rms_norm
  // CHECK: bamba.dispatch
  // CHECK-NOT: bamba.rms_norm
  // CHECK:   bamba.linear
  func.func @wide_norm(%x: tensor<8x4096xf32>, %n: tensor<4096xf32>, %w: tensor<16x4096xbf16>) -> tensor<8x16xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 8, chunk = 1>} {
    %e = tensor.empty() : tensor<8x4096xbf16>
    %e2 = tensor.empty() : tensor<8x16xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<8x4096xf32>, tensor<4096xf32>) outs(%e : tensor<8x4096xbf16>) eps(1.0e-05)
    %l = bamba.linear ins(%h, %w : tensor<8x4096xbf16>, tensor<16x4096xbf16>) outs(%e2 : tensor<8x16xf32>) acc(f32)
    return %l : tensor<8x16xf32>
  }

  // Where rows are interleaved, a kernel has one product: the second linear of a sum is a kernel of its own.
  // CHECK-LABEL: func.func @two_products
  // CHECK: bamba.dispatch
  // CHECK-COUNT-1: bamba.linear
  // CHECK: bamba.dispatch
  // CHECK-COUNT-1: bamba.linear
  // CHECK: linalg.add
  func.func @two_products(%x: tensor<4x32xbf16>, %v: tensor<32x32xbf16>, %w: tensor<32x32xbf16>) -> tensor<4x32xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x32xf32>
    %0 = bamba.linear ins(%x, %v : tensor<4x32xbf16>, tensor<32x32xbf16>) outs(%e : tensor<4x32xf32>) acc(f32)
    %1 = bamba.linear ins(%x, %w : tensor<4x32xbf16>, tensor<32x32xbf16>) outs(%e : tensor<4x32xf32>) acc(f32)
    %2 = linalg.add ins(%0, %1 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
    return %2 : tensor<4x32xf32>
  }
}
