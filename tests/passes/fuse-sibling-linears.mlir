// RUN: bambac-opt %s -split-input-file --bamba-fuse-sibling-linears --symbol-dce --canonicalize | FileCheck %s

#avx512 = #bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32,
                        l2_bytes = 1048576, fusions = [siblings, epilogue]>

// q and k become one linear whose weight and bias stack theirs; the users take their columns.
// CHECK-NOT: @layers.1.k_proj(
// CHECK: ml_program.global private @"layers.1.q_proj+k_proj"
// CHECK-SAME: : tensor<80x32xbf16>
// CHECK-SAME: bamba.sources = [#bamba.source<"q.weight", [64, 32]>, #bamba.source<"k.weight", [16, 32]>]
// CHECK: ml_program.global private @"layers.1.q_bias+k_bias"
// CHECK-SAME: : tensor<80xf32>
module attributes {bamba.target = #avx512} {
  ml_program.global private @"layers.1.q_proj"(#ml_program.extern<tensor<64x32xbf16>>) : tensor<64x32xbf16> {bamba.sources = [#bamba.source<"q.weight", [64, 32]>]}
  ml_program.global private @"layers.1.k_proj"(#ml_program.extern<tensor<16x32xbf16>>) : tensor<16x32xbf16> {bamba.sources = [#bamba.source<"k.weight", [16, 32]>]}
  ml_program.global private @"layers.1.q_bias"(#ml_program.extern<tensor<64xf32>>) : tensor<64xf32> {bamba.sources = [#bamba.source<"q.bias", [64]>]}
  ml_program.global private @"layers.1.k_bias"(#ml_program.extern<tensor<16xf32>>) : tensor<16xf32> {bamba.sources = [#bamba.source<"k.bias", [16]>]}

  // CHECK-LABEL: func.func @siblings
  // CHECK: %[[L:.*]] = bamba.linear ins(%{{.*}}, %{{.*}} : tensor<4x32xf32>, tensor<80x32xbf16>) bias(%{{.*}} : tensor<80xf32>) outs(%{{.*}} : tensor<4x80xf32>) acc(f32)
  // CHECK-NOT: bamba.linear
  // CHECK-DAG: tensor.extract_slice %[[L]][0, 0] [4, 64] [1, 1]
  // CHECK-DAG: tensor.extract_slice %[[L]][0, 64] [4, 16] [1, 1]
  func.func @siblings(%x: tensor<4x32xf32>) -> (tensor<4x64xf32>, tensor<4x16xf32>) {
    %wq = ml_program.global_load_const @"layers.1.q_proj" : tensor<64x32xbf16>
    %wk = ml_program.global_load_const @"layers.1.k_proj" : tensor<16x32xbf16>
    %bq = ml_program.global_load_const @"layers.1.q_bias" : tensor<64xf32>
    %bk = ml_program.global_load_const @"layers.1.k_bias" : tensor<16xf32>
    %eq = tensor.empty() : tensor<4x64xf32>
    %ek = tensor.empty() : tensor<4x16xf32>
    %q = bamba.linear ins(%x, %wq : tensor<4x32xf32>, tensor<64x32xbf16>) bias(%bq : tensor<64xf32>) outs(%eq : tensor<4x64xf32>) acc(f32)
    %k = bamba.linear ins(%x, %wk : tensor<4x32xf32>, tensor<16x32xbf16>) bias(%bk : tensor<16xf32>) outs(%ek : tensor<4x16xf32>) acc(f32)
    return %q, %k : tensor<4x64xf32>, tensor<4x16xf32>
  }

  // Gate and up end in one swiglu, whose kernel they share as they are.
  // CHECK-LABEL: func.func @gate_and_up
  // CHECK-COUNT-2: bamba.linear
  // CHECK: bamba.swiglu
  func.func @gate_and_up(%x: tensor<4x32xf32>) -> tensor<4x64xf32> {
    %w = ml_program.global_load_const @"layers.1.q_proj" : tensor<64x32xbf16>
    %e = tensor.empty() : tensor<4x64xf32>
    %g = bamba.linear ins(%x, %w : tensor<4x32xf32>, tensor<64x32xbf16>) outs(%e : tensor<4x64xf32>) acc(f32)
    %u = bamba.linear ins(%x, %w : tensor<4x32xf32>, tensor<64x32xbf16>) outs(%e : tensor<4x64xf32>) acc(f32)
    %f = bamba.swiglu ins(%g, %u : tensor<4x64xf32>, tensor<4x64xf32>) outs(%e : tensor<4x64xf32>)
    return %f : tensor<4x64xf32>
  }

  // One with a bias and one without stay apart, as do linears of different inputs.
  // CHECK-LABEL: func.func @not_siblings
  // CHECK-COUNT-3: bamba.linear
  func.func @not_siblings(%x: tensor<4x32xf32>, %y: tensor<4x32xf32>) -> (tensor<4x64xf32>, tensor<4x16xf32>, tensor<4x16xf32>) {
    %wq = ml_program.global_load_const @"layers.1.q_proj" : tensor<64x32xbf16>
    %wk = ml_program.global_load_const @"layers.1.k_proj" : tensor<16x32xbf16>
    %bq = ml_program.global_load_const @"layers.1.q_bias" : tensor<64xf32>
    %eq = tensor.empty() : tensor<4x64xf32>
    %ek = tensor.empty() : tensor<4x16xf32>
    %q = bamba.linear ins(%x, %wq : tensor<4x32xf32>, tensor<64x32xbf16>) bias(%bq : tensor<64xf32>) outs(%eq : tensor<4x64xf32>) acc(f32)
    %k = bamba.linear ins(%x, %wk : tensor<4x32xf32>, tensor<16x32xbf16>) outs(%ek : tensor<4x16xf32>) acc(f32)
    %k2 = bamba.linear ins(%y, %wk : tensor<4x32xf32>, tensor<16x32xbf16>) outs(%ek : tensor<4x16xf32>) acc(f32)
    return %q, %k, %k2 : tensor<4x64xf32>, tensor<4x16xf32>, tensor<4x16xf32>
  }
}

// -----

// Gate and up become one linear whose weight and bias take their rows in turns, the gate's first whatever the order of the
// linears; the SwiGLU reads every other column.
// CHECK: ml_program.global private @"mlp.gate|up"
// CHECK-SAME: : tensor<128x32xbf16> {bamba.interleave, bamba.sources = [#bamba.source<"gate.weight", [64, 32]>, #bamba.source<"up.weight", [64, 32]>]}
// CHECK: ml_program.global private @"mlp.gate_bias|up_bias"
// CHECK-SAME: : tensor<128xf32> {bamba.interleave, bamba.sources = [#bamba.source<"gate.bias", [64]>, #bamba.source<"up.bias", [64]>]}
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = [siblings, interleave]>} {
  ml_program.global private @mlp.gate(#ml_program.extern<tensor<64x32xbf16>>) : tensor<64x32xbf16> {bamba.sources = [#bamba.source<"gate.weight", [64, 32]>]}
  ml_program.global private @mlp.up(#ml_program.extern<tensor<64x32xbf16>>) : tensor<64x32xbf16> {bamba.sources = [#bamba.source<"up.weight", [64, 32]>]}
  ml_program.global private @mlp.gate_bias(#ml_program.extern<tensor<64xf32>>) : tensor<64xf32> {bamba.sources = [#bamba.source<"gate.bias", [64]>]}
  ml_program.global private @mlp.up_bias(#ml_program.extern<tensor<64xf32>>) : tensor<64xf32> {bamba.sources = [#bamba.source<"up.bias", [64]>]}

  // CHECK-LABEL: func.func @interleaved
  // CHECK: %[[L:.*]] = bamba.linear ins(%{{.*}}, %{{.*}} : tensor<4x32xbf16>, tensor<128x32xbf16>) bias(%{{.*}} : tensor<128xf32>) outs(%{{.*}} : tensor<4x128xbf16>) acc(f32)
  // CHECK-NOT: bamba.linear
  // CHECK-DAG: %[[G:.*]] = tensor.extract_slice %[[L]][0, 0] [4, 64] [1, 2]
  // CHECK-DAG: %[[U:.*]] = tensor.extract_slice %[[L]][0, 1] [4, 64] [1, 2]
  // CHECK: bamba.swiglu ins(%[[G]], %[[U]]
  func.func @interleaved(%x: tensor<4x32xbf16>) -> tensor<4x64xbf16> {
    %wg = ml_program.global_load_const @mlp.gate : tensor<64x32xbf16>
    %wu = ml_program.global_load_const @mlp.up : tensor<64x32xbf16>
    %bg = ml_program.global_load_const @mlp.gate_bias : tensor<64xf32>
    %bu = ml_program.global_load_const @mlp.up_bias : tensor<64xf32>
    %e = tensor.empty() : tensor<4x64xbf16>
    %u = bamba.linear ins(%x, %wu : tensor<4x32xbf16>, tensor<64x32xbf16>) bias(%bu : tensor<64xf32>) outs(%e : tensor<4x64xbf16>) acc(f32)
    %g = bamba.linear ins(%x, %wg : tensor<4x32xbf16>, tensor<64x32xbf16>) bias(%bg : tensor<64xf32>) outs(%e : tensor<4x64xbf16>) acc(f32)
    %f = bamba.swiglu ins(%g, %u : tensor<4x64xbf16>, tensor<4x64xbf16>) outs(%e : tensor<4x64xbf16>)
    return %f : tensor<4x64xbf16>
  }

  // Other siblings are stacked there as anywhere.
  // CHECK-LABEL: func.func @stacked
  // CHECK: %[[L:.*]] = bamba.linear ins(%{{.*}}, %{{.*}} : tensor<4x32xbf16>, tensor<128x32xbf16>)
  // CHECK-DAG: tensor.extract_slice %[[L]][0, 64] [4, 64] [1, 1]
  func.func @stacked(%x: tensor<4x32xbf16>) -> (tensor<4x64xbf16>, tensor<4x64xbf16>) {
    %wg = ml_program.global_load_const @mlp.gate : tensor<64x32xbf16>
    %wu = ml_program.global_load_const @mlp.up : tensor<64x32xbf16>
    %e = tensor.empty() : tensor<4x64xbf16>
    %g = bamba.linear ins(%x, %wg : tensor<4x32xbf16>, tensor<64x32xbf16>) outs(%e : tensor<4x64xbf16>) acc(f32)
    %u = bamba.linear ins(%x, %wu : tensor<4x32xbf16>, tensor<64x32xbf16>) outs(%e : tensor<4x64xbf16>) acc(f32)
    return %g, %u : tensor<4x64xbf16>, tensor<4x64xbf16>
  }
}
