// RUN: bambac-opt %s -split-input-file --bamba-pack-weights --canonicalize --symbol-dce | FileCheck %s

// The tied embedding is read row by row by one kernel and packed, as a copy, for the other. Nothing else changes.
// CHECK-DAG: ml_program.global private @embed(#{{.*}}) : tensor<100x32xbf16> {
// CHECK-DAG: ml_program.global private @embed.panel(#{{.*}}) : tensor<100x32xbf16, #bamba.panel<32>> {
// CHECK-DAG: ml_program.global private @proj.panel(#{{.*}}) : tensor<32x32xbf16, #bamba.panel<32>> {
// CHECK-NOT: ml_program.global private @proj(
module attributes {bamba.target = #bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512,
    vector_registers = 32, l2_bytes = 1048576>} {
  ml_program.global private @embed(#ml_program.extern<tensor<100x32xbf16>>) : tensor<100x32xbf16> {bamba.sources = [#bamba.source<"embed", [100, 32]>]}
  ml_program.global private @proj(#ml_program.extern<tensor<32x32xbf16>>) : tensor<32x32xbf16> {bamba.sources = [#bamba.source<"proj", [32, 32]>]}

  // CHECK-LABEL: func.func @entry
  // CHECK: %[[T:.*]] = ml_program.global_load_const @embed : tensor<100x32xbf16>
  // CHECK: bamba.launch @embedding ins(%{{.*}}, %[[T]]
  // CHECK: %[[P:.*]] = ml_program.global_load_const @embed.panel : tensor<100x32xbf16, #bamba.panel<32>>
  // CHECK: bamba.launch @linear ins(%{{.*}}, %[[P]] : tensor<4x32xf32>, tensor<100x32xbf16, #bamba.panel<32>>)
  func.func @entry(%tokens: tensor<4xi32>) -> tensor<4x100xf32> {
    %t = ml_program.global_load_const @embed : tensor<100x32xbf16>
    %w = ml_program.global_load_const @proj : tensor<32x32xbf16>
    %e = tensor.empty() : tensor<4x32xf32>
    %l = tensor.empty() : tensor<4x100xf32>
    %x = bamba.launch @embedding ins(%tokens, %t : tensor<4xi32>, tensor<100x32xbf16>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
    %y = bamba.launch @square ins(%x, %w : tensor<4x32xf32>, tensor<32x32xbf16>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
    %z = bamba.launch @linear ins(%y, %t : tensor<4x32xf32>, tensor<100x32xbf16>) outs(%l : tensor<4x100xf32>) -> tensor<4x100xf32>
    return %z : tensor<4x100xf32>
  }
  // CHECK: func.func private @linear(%{{.*}}: tensor<4x32xf32>, %[[W:.*]]: tensor<100x32xbf16, #bamba.panel<32>>,
  // CHECK: bamba.linear ins(%{{.*}}, %[[W]] : tensor<4x32xf32>, tensor<100x32xbf16, #bamba.panel<32>>)
  func.func private @linear(%x: tensor<4x32xf32>, %w: tensor<100x32xbf16>, %e: tensor<4x100xf32>) -> tensor<4x100xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<4x32xf32>, tensor<100x32xbf16>) outs(%e : tensor<4x100xf32>) acc(f32)
    return %r : tensor<4x100xf32>
  }
  func.func private @square(%x: tensor<4x32xf32>, %w: tensor<32x32xbf16>, %e: tensor<4x32xf32>) -> tensor<4x32xf32> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<4x32xf32>, tensor<32x32xbf16>) outs(%e : tensor<4x32xf32>) acc(f32)
    return %r : tensor<4x32xf32>
  }
  // CHECK: func.func private @embedding(%{{.*}}: tensor<4xi32>, %{{.*}}: tensor<100x32xbf16>,
  func.func private @embedding(%t: tensor<4xi32>, %w: tensor<100x32xbf16>, %e: tensor<4x32xf32>) -> tensor<4x32xf32> attributes {bamba.kernel} {
    %r = bamba.embedding ins(%t, %w : tensor<4xi32>, tensor<100x32xbf16>) outs(%e : tensor<4x32xf32>)
    return %r : tensor<4x32xf32>
  }
}

// -----

// On CUDA panels are made of core matrices; what says how rows follow each other stays.
// CHECK: ml_program.global private @gate_up.panel(#{{.*}}) : tensor<100x36xbf16, #bamba.panel<8, group = 8, align = 64>> {bamba.interleave, bamba.sources
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132>} {
  ml_program.global private @gate_up(#ml_program.extern<tensor<100x36xbf16>>) : tensor<100x36xbf16> {bamba.sources = [#bamba.source<"gate", [50, 36]>, #bamba.source<"up", [50, 36]>], bamba.interleave}
  // CHECK-LABEL: func.func @entry
  // CHECK: bamba.launch @linear ins(%{{.*}}, %{{.*}} : tensor<4x36xbf16>, tensor<100x36xbf16, #bamba.panel<8, group = 8, align = 64>>)
  func.func @entry(%x: tensor<4x36xbf16>) -> tensor<4x100xbf16> {
    %w = ml_program.global_load_const @gate_up : tensor<100x36xbf16>
    %e = tensor.empty() : tensor<4x100xbf16>
    %y = bamba.launch @linear ins(%x, %w : tensor<4x36xbf16>, tensor<100x36xbf16>) outs(%e : tensor<4x100xbf16>) -> tensor<4x100xbf16>
    return %y : tensor<4x100xbf16>
  }
  func.func private @linear(%x: tensor<4x36xbf16>, %w: tensor<100x36xbf16>, %e: tensor<4x100xbf16>) -> tensor<4x100xbf16> attributes {bamba.kernel} {
    %r = bamba.linear ins(%x, %w : tensor<4x36xbf16>, tensor<100x36xbf16>) outs(%e : tensor<4x100xbf16>) acc(f32)
    return %r : tensor<4x100xbf16>
  }
}
