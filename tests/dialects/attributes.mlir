// Every attribute where it stands, read and printed.
// RUN: %bambac-opt %s | %bambac-opt | FileCheck %s

// CHECK: module attributes {
// CHECK-SAME: bamba.bos_token = 1 : i32
// CHECK-SAME: bamba.config = "{\22vocab_size\22: 256}"
// CHECK-SAME: bamba.eos_tokens = array<i32: 2, 7>
// CHECK-SAME: bamba.limits = #bamba.limits<max_batch = 2, max_context = 4096, prefill_chunk = 64, page_tokens = 16>
// CHECK-SAME: bamba.target = #bamba.cpu_target<arch = "x86-64-v4", features = "+avx512f,+fma", vector_bits = 512, vector_registers = 32, l2_bytes = 1048576, fusions = [siblings, epilogue, norm_prologue]>
module attributes {
  bamba.bos_token = 1 : i32,
  bamba.eos_tokens = array<i32: 2, 7>,
  bamba.config = "{\"vocab_size\": 256}",
  bamba.limits = #bamba.limits<max_batch = 2, max_context = 4096, prefill_chunk = 64, page_tokens = 16>,
  bamba.target = #bamba.cpu_target<arch = "x86-64-v4", features = "+avx512f,+fma", vector_bits = 512,
                               vector_registers = 32, l2_bytes = 1048576,
                               fusions = [siblings, epilogue, norm_prologue]>} {
  // CHECK: @weight{{.*}} : tensor<96x128xbf16, #bamba.panel<32>>
  // CHECK-SAME: bamba.sources = [#bamba.source<"q.weight", [64, 128]>, #bamba.source<"k.weight", [32, 128]>]
  ml_program.global private @weight(#ml_program.extern<tensor<96x128xbf16, #bamba.panel<32>>>)
      : tensor<96x128xbf16, #bamba.panel<32>>
      {bamba.sources = [#bamba.source<"q.weight", [64, 128]>, #bamba.source<"k.weight", [32, 128]>]}
  // CHECK: @packed{{.*}} : tensor<96x100xbf16, #bamba.panel<8, group = 8, align = 64>> {bamba.interleave, bamba.sources
  ml_program.global private @packed(#ml_program.extern<tensor<96x100xbf16, #bamba.panel<8, group = 8, align = 64>>>)
      : tensor<96x100xbf16, #bamba.panel<8, group = 8, align = 64>>
      {bamba.sources = [#bamba.source<"gate.weight", [48, 100]>, #bamba.source<"up.weight", [48, 100]>],
       bamba.interleave}
  // CHECK: @aligned{{.*}} : tensor<8x4xbf16, #bamba.panel<4, align = 16>>
  ml_program.global private @aligned(#ml_program.extern<tensor<8x4xbf16, #bamba.panel<4, group = 1, align = 16>>>)
      : tensor<8x4xbf16, #bamba.panel<4, align = 16>>
  // CHECK: @rotary
  // CHECK-SAME: #bamba.source<"q.weight", [64, 8], head_dim = 16, rotary_dim = 8>
  // CHECK-SAME: #bamba.source<"k.weight", [16, 8], head_dim = 16>, #bamba.source<"v.weight", [16, 8]>
  ml_program.global private @rotary(#ml_program.extern<tensor<96x8xf32>>) : tensor<96x8xf32>
      {bamba.sources = [#bamba.source<"q.weight", [64, 8], head_dim = 16, rotary_dim = 8>,
                        #bamba.source<"k.weight", [16, 8], head_dim = 16, rotary_dim = 0>,
                        #bamba.source<"v.weight", [16, 8], rotary_dim = 0>]}
  // CHECK: @cut
  // CHECK-SAME: #bamba.source<"qkv.weight", [96, 8], rows = [0, 64], head_dim = 16, rotary_dim = 8>
  // CHECK-SAME: #bamba.source<"qkv.weight", [96, 8], rows = [80, 16]>, #bamba.source<"qkv.bias", [96], rows = [95, 1]>
  ml_program.global private @cut(#ml_program.extern<tensor<81x8xf32>>) : tensor<81x8xf32>
      {bamba.sources = [#bamba.source<"qkv.weight", [96, 8], rotary_dim = 8, head_dim = 16, rows = [0, 64]>,
                        #bamba.source<"qkv.weight", [96, 8], rows = [80, 16]>,
                        #bamba.source<"qkv.bias", [96], rows = [95, 1]>]}
  // CHECK: @conv{{.*}} bamba.transpose
  ml_program.global private @conv(#ml_program.extern<tensor<4x320xf32>>) : tensor<4x320xf32>
      {bamba.sources = [#bamba.source<"conv1d.weight", [320, 1, 4]>], bamba.transpose}
  // CHECK: @ssm{{.*}}bamba.state = #bamba.state<slot>
  ml_program.global private mutable @ssm(#ml_program.extern<tensor<?x8x32x32xf32>>) : tensor<?x8x32x32xf32>
      {bamba.state = #bamba.state<slot>}
  // CHECK: @keys{{.*}}bamba.state = #bamba.state<page>
  ml_program.global private mutable @keys(#ml_program.extern<tensor<?x2x16x32xf32>>) : tensor<?x2x16x32xf32>
      {bamba.state = #bamba.state<page>}

  // CHECK: @kernel
  // CHECK-SAME: bamba.cost = #bamba.cost<weights = 1, states = 2, activations = 3, flops = 4, context_bytes = 5, context_flops = 6>
  // CHECK-SAME: bamba.kernel
  // CHECK-SAME: bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 8, depth = 512, chunk = 0>
  // CHECK-SAME: bamba.scratch_bytes = 4096 : i64
  // CHECK-SAME: bamba.workgroups = 3 : i64
  func.func private @kernel(tensor<4xf32>) -> tensor<4xf32> attributes {
    bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 64], rows = 8, depth = 512, chunk = 0>,
    bamba.cost = #bamba.cost<weights = 1, states = 2, activations = 3, flops = 4, context_bytes = 5, context_flops = 6>,
    bamba.workgroups = 3 : i64, bamba.scratch_bytes = 4096 : i64}

  // CHECK: @decode_b2(%{{.*}}: tensor<2xi32> {bamba.input = "tokens"}) -> (tensor<2xi32> {bamba.output = "greedy"})
  // CHECK-SAME: bamba.arena_bytes = 512 : i64
  // CHECK-SAME: bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>
  func.func @decode_b2(%tokens: tensor<2xi32> {bamba.input = "tokens"}) -> (tensor<2xi32> {bamba.output = "greedy"})
      attributes {bamba.entry = #bamba.entry<decode, batch = 2, chunk = 1>, bamba.arena_bytes = 512 : i64} {
    return %tokens : tensor<2xi32>
  }
  // CHECK: bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 64>
  func.func private @prefill_t64() attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 64>}
  // CHECK: bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 64, kept = 16>
  func.func private @few() attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 64, kept = 16>}
  // Room for more logits than it has rows.
  // CHECK: bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 64, kept = 128>
  func.func private @more() attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 64, kept = 128>}
}

// CHECK: module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132>}
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132>} {}

// CHECK: module attributes {bamba.target = #bamba.cuda_target<{{.*}}, multiprocessors = 108, fusions = [interleave, gate, conv, rope]>}
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108,
                                                fusions = [interleave, gate, conv, rope]>} {
  // CHECK: @tiled{{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {stages = 3 : i64, tile_rows = 64 : i64}>
  func.func private @tiled() attributes {
    bamba.kernel,
    bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 64, stages = 3}>}
  // CHECK: @plain{{.*}}bamba.schedule = #bamba.cuda_schedule<collective = "common/argmax", fields = {}>
  func.func private @plain() attributes {
    bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/argmax", fields = {}>}
}
