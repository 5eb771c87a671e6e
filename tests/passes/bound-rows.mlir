// RUN: %bambac-opt %s --pass-pipeline='builtin.module(func.func(bamba-bound-rows), bamba-outline-kernels)' | FileCheck %s

// What computes row by row has the number of rows, also where states are all that it gives. What follows the rows that
// are kept has their number, though they may be as many.
// CHECK-LABEL: func.func @prefill
// CHECK: bamba.launch @rms_norm_4x8 ins(%arg1, %arg0, %{{.*}} : tensor<1xi32>, tensor<4x8xf32>, tensor<8xf32>)
// CHECK: bamba.launch @kv_append_4x16 ins(%arg1, %
// CHECK: bamba.launch @take_rows_4x8 ins(%arg10, %{{.*}}, %arg3 : tensor<1xi32>, tensor<4x8xf32>, tensor<4xi32>)
// CHECK: bamba.launch @rms_norm_4x8_0 ins(%arg10, %{{.*}}, %{{.*}} : tensor<1xi32>, tensor<4x8xf32>, tensor<8xf32>)
func.func @prefill(%x: tensor<4x8xf32>, %rows: tensor<1xi32> {bamba.input = "rows"}, %w: tensor<8xf32>,
                   %kept: tensor<4xi32> {bamba.input = "kept"}, %k: tensor<4x16xf32>, %positions: tensor<4xi32>,
                   %pieces: tensor<4xi32>, %pages: tensor<1x4xi32>,
                   %kCache: tensor<?x2x16x8xbf16>, %vCache: tensor<?x2x16x8xbf16>,
                   %keptCount: tensor<1xi32> {bamba.input = "kept_count"})
    -> (tensor<4x8xf32>, tensor<?x2x16x8xbf16>, tensor<?x2x16x8xbf16>, tensor<4x8xf32>)
    attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 4>} {
  %e = tensor.empty() : tensor<4x8xf32>
  %f = tensor.empty() : tensor<4x8xf32>
  %0 = bamba.dispatch ins(%x, %w : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%a: tensor<4x8xf32>, %b: tensor<8xf32>, %c: tensor<4x8xf32>):
    %r = bamba.rms_norm ins(%a, %b : tensor<4x8xf32>, tensor<8xf32>) outs(%c : tensor<4x8xf32>) eps(1.0e-05)
    bamba.yield %r : tensor<4x8xf32>
  }
  %keys = tensor.empty() : tensor<4x16xf32>
  %1 = linalg.add ins(%k, %k : tensor<4x16xf32>, tensor<4x16xf32>) outs(%keys : tensor<4x16xf32>) -> tensor<4x16xf32>
  %2:2 = bamba.dispatch ins(%1, %positions, %pages, %pieces : tensor<4x16xf32>, tensor<4xi32>, tensor<1x4xi32>, tensor<4xi32>)
                        outs(%kCache, %vCache : tensor<?x2x16x8xbf16>, tensor<?x2x16x8xbf16>)
                        -> tensor<?x2x16x8xbf16>, tensor<?x2x16x8xbf16> {
  ^bb0(%a: tensor<4x16xf32>, %p: tensor<4xi32>, %t: tensor<1x4xi32>, %of: tensor<4xi32>,
       %kc: tensor<?x2x16x8xbf16>, %vc: tensor<?x2x16x8xbf16>):
    %r:2 = bamba.kv_append ins(%a, %a, %p, %t : tensor<4x16xf32>, tensor<4x16xf32>, tensor<4xi32>, tensor<1x4xi32>)
                           pieces(%of : tensor<4xi32>) outs(%kc, %vc : tensor<?x2x16x8xbf16>, tensor<?x2x16x8xbf16>)
    bamba.yield %r#0, %r#1 : tensor<?x2x16x8xbf16>, tensor<?x2x16x8xbf16>
  }
  %3 = bamba.dispatch ins(%0, %kept : tensor<4x8xf32>, tensor<4xi32>) outs(%f : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%a: tensor<4x8xf32>, %b: tensor<4xi32>, %c: tensor<4x8xf32>):
    %r = bamba.take_rows ins(%a, %b : tensor<4x8xf32>, tensor<4xi32>) outs(%c : tensor<4x8xf32>)
    bamba.yield %r : tensor<4x8xf32>
  }
  %4 = bamba.dispatch ins(%3, %w : tensor<4x8xf32>, tensor<8xf32>) outs(%f : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%a: tensor<4x8xf32>, %b: tensor<8xf32>, %c: tensor<4x8xf32>):
    %r = bamba.rms_norm ins(%a, %b : tensor<4x8xf32>, tensor<8xf32>) outs(%c : tensor<4x8xf32>) eps(1.0e-05)
    bamba.yield %r : tensor<4x8xf32>
  }
  return %0, %2#0, %2#1, %4 : tensor<4x8xf32>, tensor<?x2x16x8xbf16>, tensor<?x2x16x8xbf16>, tensor<4x8xf32>
}

// Weights and states may have as many rows by chance: a fold has none of the step's.
// CHECK-LABEL: func.func @fold
// CHECK: bamba.launch @ssm_fold_4 ins(%{{.*}}, %arg1, %arg1, %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<1xi32>
ml_program.global private @a_log(#ml_program.extern<tensor<4xf32>>) : tensor<4xf32>
func.func @fold(%rows: tensor<1xi32> {bamba.input = "rows"}, %slots: tensor<1xi32>, %e: tensor<?x3x8xf32>,
                %d: tensor<?x3x4xf32>, %s: tensor<?x4x1x4xf32>) -> tensor<?x4x1x4xf32>
    attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 4>} {
  %a = ml_program.global_load_const @a_log : tensor<4xf32>
  %0 = bamba.dispatch ins(%a, %slots, %slots, %e, %d : tensor<4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<?x3x8xf32>,
                          tensor<?x3x4xf32>) outs(%s : tensor<?x4x1x4xf32>) -> tensor<?x4x1x4xf32> {
  ^bb0(%h: tensor<4xf32>, %i: tensor<1xi32>, %p: tensor<1xi32>, %de: tensor<?x3x8xf32>, %dd: tensor<?x3x4xf32>,
       %ds: tensor<?x4x1x4xf32>):
    %r = bamba.ssm_fold ins(%h, %i, %p, %de, %dd : tensor<4xf32>, tensor<1xi32>, tensor<1xi32>, tensor<?x3x8xf32>,
                            tensor<?x3x4xf32>) outs(%ds : tensor<?x4x1x4xf32>) acc(f32)
    bamba.yield %r : tensor<?x4x1x4xf32>
  }
  return %0 : tensor<?x4x1x4xf32>
}

// An entry point of one row has it.
// CHECK-LABEL: func.func @decode
// CHECK: bamba.launch @{{.*}} ins(%arg0, %arg2 :

// The kernel's signature says which argument it is; no op reads it.
// CHECK: func.func private @rms_norm_4x8(%arg0: tensor<1xi32> {bamba.rows}, %arg1: tensor<4x8xf32>
// CHECK: func.func private @kv_append_4x16(%arg0: tensor<1xi32> {bamba.rows}, %arg1: tensor<4x16xf32>
// CHECK: func.func private @take_rows_4x8(%arg0: tensor<1xi32> {bamba.rows}, {{.*}}bamba.may_be_empty
// CHECK: func.func private @rms_norm_4x8_0(%arg0: tensor<1xi32> {bamba.rows}, {{.*}}bamba.may_be_empty
// CHECK: func.func private @rms_norm_1x8(%arg0: tensor<1x8xf32>

func.func @decode(%x: tensor<1x8xf32>, %rows: tensor<1xi32> {bamba.input = "rows"}, %w: tensor<8xf32>) -> tensor<1x8xf32>
    attributes {bamba.entry = #bamba.entry<decode, batch = 1, chunk = 1>} {
  %e = tensor.empty() : tensor<1x8xf32>
  %0 = bamba.dispatch ins(%x, %w : tensor<1x8xf32>, tensor<8xf32>) outs(%e : tensor<1x8xf32>) -> tensor<1x8xf32> {
  ^bb0(%a: tensor<1x8xf32>, %b: tensor<8xf32>, %c: tensor<1x8xf32>):
    %r = bamba.rms_norm ins(%a, %b : tensor<1x8xf32>, tensor<8xf32>) outs(%c : tensor<1x8xf32>) eps(0.5)
    bamba.yield %r : tensor<1x8xf32>
  }
  return %0 : tensor<1x8xf32>
}
