// What a quantization shares its kernel with, and how linears of codes are merged.
// RUN: %bambac-opt %s --split-input-file --bamba-fuse-sibling-linears --bamba-form-dispatches | FileCheck %s

#cpu = #bamba.cpu_target<arch = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32,
                         l2_bytes = 1048576, fusions = [siblings, epilogue, quantize]>
module attributes {bamba.target = #cpu} {
  ml_program.global private @norm(#ml_program.extern : tensor<64xf32>) : tensor<64xf32>
      {bamba.sources = [#bamba.source<"norm", [64]>]}
  // The scales are merged like the codes.
  // CHECK-DAG: @"l.q_scale+k_scale"({{.*}}tensor<1x80xf32>{{.*}}bamba.sources = [#bamba.source<"q_scale", [48, 1]>, #bamba.source<"k_scale", [1], repeat = 32>]
  // CHECK-DAG: @"l.q+k"({{.*}}tensor<80x64xf8E4M3FN>{{.*}}bamba.scales = @"l.q_scale+k_scale"
  ml_program.global private @l.q_scale(#ml_program.extern : tensor<1x48xf32>) : tensor<1x48xf32>
      {bamba.positive, bamba.transpose, bamba.sources = [#bamba.source<"q_scale", [48, 1]>]}
  ml_program.global private @l.k_scale(#ml_program.extern : tensor<1x32xf32>) : tensor<1x32xf32>
      {bamba.positive, bamba.transpose, bamba.sources = [#bamba.source<"k_scale", [1], repeat = 32>]}
  ml_program.global private @l.q(#ml_program.extern : tensor<48x64xf8E4M3FN>) : tensor<48x64xf8E4M3FN>
      {bamba.scales = @l.q_scale, bamba.sources = [#bamba.source<"q", [48, 64]>]}
  ml_program.global private @l.k(#ml_program.extern : tensor<32x64xf8E4M3FN>) : tensor<32x64xf8E4M3FN>
      {bamba.scales = @l.k_scale, bamba.sources = [#bamba.source<"k", [32, 64]>]}

  // CHECK-LABEL: func.func @norm_and_siblings
  // CHECK: bamba.dispatch
  // CHECK: bamba.rms_norm
  // CHECK: bamba.quantize
  // CHECK: bamba.yield
  // CHECK: bamba.dispatch
  // CHECK-NOT: bamba.quantize
  // CHECK: bamba.linear {{.*}}tensor<80x64xf8E4M3FN>) scales(
  // CHECK-NOT: bamba.linear
  // CHECK: return
  func.func @norm_and_siblings(%x: tensor<4x64xf32>) -> (tensor<4x48xf32>, tensor<4x32xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %w = ml_program.global_load_const @norm : tensor<64xf32>
    %q = ml_program.global_load_const @l.q : tensor<48x64xf8E4M3FN>
    %k = ml_program.global_load_const @l.k : tensor<32x64xf8E4M3FN>
    %qs = ml_program.global_load_const @l.q_scale : tensor<1x48xf32>
    %ks = ml_program.global_load_const @l.k_scale : tensor<1x32xf32>
    %e = tensor.empty() : tensor<4x64xf32>
    %s = tensor.empty() : tensor<4x1xf32>
    %n = bamba.rms_norm ins(%x, %w : tensor<4x64xf32>, tensor<64xf32>) outs(%e : tensor<4x64xf32>) eps(1.0e-5)
    %c, %cs = bamba.quantize ins(%n : tensor<4x64xf32>) outs(%e, %s : tensor<4x64xf32>, tensor<4x1xf32>) group(0)
    %eq = tensor.empty() : tensor<4x48xf32>
    %ek = tensor.empty() : tensor<4x32xf32>
    %a = bamba.linear ins(%c, %q : tensor<4x64xf32>, tensor<48x64xf8E4M3FN>)
                      scales(%cs, %qs : tensor<4x1xf32>, tensor<1x48xf32>) group(0) outs(%eq : tensor<4x48xf32>) acc(f32)
    %b = bamba.linear ins(%c, %k : tensor<4x64xf32>, tensor<32x64xf8E4M3FN>)
                      scales(%cs, %ks : tensor<4x1xf32>, tensor<1x32xf32>) group(0) outs(%ek : tensor<4x32xf32>) acc(f32)
    return %a, %b : tensor<4x48xf32>, tensor<4x32xf32>
  }

  // A gate joins the quantization, and so not the linears before it.
  // CHECK-LABEL: func.func @gate
  // CHECK: bamba.linear
  // CHECK: bamba.linear
  // CHECK: bamba.dispatch
  // CHECK-NOT: bamba.linear
  // CHECK: bamba.swiglu
  // CHECK: bamba.quantize
  // CHECK: return
  func.func @gate(%x: tensor<4x64xf32>, %g: tensor<64x64xbf16>, %u: tensor<64x64xbf16>) -> (tensor<4x64xf32>, tensor<4x1xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 4, chunk = 1>} {
    %e = tensor.empty() : tensor<4x64xf32>
    %s = tensor.empty() : tensor<4x1xf32>
    %a = bamba.linear ins(%x, %g : tensor<4x64xf32>, tensor<64x64xbf16>) outs(%e : tensor<4x64xf32>) acc(f32)
    %b = bamba.linear ins(%x, %u : tensor<4x64xf32>, tensor<64x64xbf16>) outs(%e : tensor<4x64xf32>) acc(f32)
    %h = bamba.swiglu ins(%a, %b : tensor<4x64xf32>, tensor<4x64xf32>) outs(%e : tensor<4x64xf32>)
    %c, %cs = bamba.quantize ins(%h : tensor<4x64xf32>) outs(%e, %s : tensor<4x64xf32>, tensor<4x1xf32>) group(0)
    return %c, %cs : tensor<4x64xf32>, tensor<4x1xf32>
  }
}

// -----

// No block of a linear or of attention has whole rows, which decide about scales.
#gpu = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132,
                          fusions = [siblings, interleave, epilogue, norm_prologue, quantize, quantize_epilogue]>
module attributes {bamba.target = #gpu} {
  // CHECK-LABEL: func.func @gate_at_the_end
  // CHECK: bamba.dispatch {{.*}}outs({{.*}}tensor<32x64xbf16>)
  // CHECK: bamba.linear
  // CHECK: bamba.swiglu
  // CHECK-NEXT: bamba.yield
  // CHECK: bamba.dispatch {{.*}}outs({{.*}}tensor<32x64xf8E4M3FN>, tensor<32x1xf32>)
  // CHECK: bamba.quantize
  // CHECK: return
  func.func @gate_at_the_end(%x: tensor<32x64xbf16>, %w: tensor<128x64xbf16>) -> (tensor<32x64xf8E4M3FN>, tensor<32x1xf32>)
      attributes {bamba.entry = #bamba.entry<decode, batch = 32, chunk = 1>} {
    %e = tensor.empty() : tensor<32x128xf32>
    %eh = tensor.empty() : tensor<32x64xbf16>
    %ec = tensor.empty() : tensor<32x64xf8E4M3FN>
    %s = tensor.empty() : tensor<32x1xf32>
    %l = bamba.linear ins(%x, %w : tensor<32x64xbf16>, tensor<128x64xbf16>) outs(%e : tensor<32x128xf32>) acc(f32)
    %g = tensor.extract_slice %l[0, 0] [32, 64] [1, 2] : tensor<32x128xf32> to tensor<32x64xf32>
    %u = tensor.extract_slice %l[0, 1] [32, 64] [1, 2] : tensor<32x128xf32> to tensor<32x64xf32>
    %h = bamba.swiglu ins(%g, %u : tensor<32x64xf32>, tensor<32x64xf32>) outs(%eh : tensor<32x64xbf16>)
    %c, %cs = bamba.quantize ins(%h : tensor<32x64xbf16>) outs(%ec, %s : tensor<32x64xf8E4M3FN>, tensor<32x1xf32>) group(0)
    return %c, %cs : tensor<32x64xf8E4M3FN>, tensor<32x1xf32>
  }

  // A scale that is known needs no row, however many there are.
  // CHECK-LABEL: func.func @known_scale
  // CHECK: bamba.dispatch {{.*}}outs({{.*}}tensor<320x64xf8E4M3FN>, tensor<320x1xf32>) ->
  // CHECK: bamba.quantize
  // CHECK: return
  func.func @known_scale(%x: tensor<320x64xbf16>, %w: tensor<128x64xbf16>, %f: tensor<1xf32>) -> (tensor<320x64xf8E4M3FN>, tensor<320x1xf32>)
      attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 320>} {
    %e = tensor.empty() : tensor<320x128xf32>
    %eh = tensor.empty() : tensor<320x64xbf16>
    %ec = tensor.empty() : tensor<320x64xf8E4M3FN>
    %s = tensor.empty() : tensor<320x1xf32>
    %l = bamba.linear ins(%x, %w : tensor<320x64xbf16>, tensor<128x64xbf16>) outs(%e : tensor<320x128xf32>) acc(f32)
    %g = tensor.extract_slice %l[0, 0] [320, 64] [1, 2] : tensor<320x128xf32> to tensor<320x64xf32>
    %u = tensor.extract_slice %l[0, 1] [320, 64] [1, 2] : tensor<320x128xf32> to tensor<320x64xf32>
    %h = bamba.swiglu ins(%g, %u : tensor<320x64xf32>, tensor<320x64xf32>) outs(%eh : tensor<320x64xbf16>)
    %c, %cs = bamba.quantize ins(%h : tensor<320x64xbf16>) static(%f : tensor<1xf32>)
                             outs(%ec, %s : tensor<320x64xf8E4M3FN>, tensor<320x1xf32>) group(0)
    return %c, %cs : tensor<320x64xf8E4M3FN>, tensor<320x1xf32>
  }

  // A linear that quantizes its input itself takes nothing of the kernel before it.
  // CHECK-LABEL: func.func @in_the_next_kernel
  // CHECK: bamba.dispatch
  // CHECK: bamba.linear
  // CHECK: bamba.swiglu
  // CHECK: bamba.yield
  // CHECK: bamba.dispatch
  // CHECK: bamba.quantize
  // CHECK-NEXT: bamba.linear
  // CHECK: return
  func.func @in_the_next_kernel(%x: tensor<1x64xbf16>, %w: tensor<128x64xbf16>, %d: tensor<64x64xf8E4M3FN>, %ds: tensor<1x64xf32>) -> tensor<1x64xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 1, chunk = 1>} {
    %e = tensor.empty() : tensor<1x128xf32>
    %eh = tensor.empty() : tensor<1x64xbf16>
    %ec = tensor.empty() : tensor<1x64xf8E4M3FN>
    %ey = tensor.empty() : tensor<1x64xf32>
    %s = tensor.empty() : tensor<1x1xf32>
    %l = bamba.linear ins(%x, %w : tensor<1x64xbf16>, tensor<128x64xbf16>) outs(%e : tensor<1x128xf32>) acc(f32)
    %g = tensor.extract_slice %l[0, 0] [1, 64] [1, 2] : tensor<1x128xf32> to tensor<1x64xf32>
    %u = tensor.extract_slice %l[0, 1] [1, 64] [1, 2] : tensor<1x128xf32> to tensor<1x64xf32>
    %h = bamba.swiglu ins(%g, %u : tensor<1x64xf32>, tensor<1x64xf32>) outs(%eh : tensor<1x64xbf16>)
    %c, %cs = bamba.quantize ins(%h : tensor<1x64xbf16>) outs(%ec, %s : tensor<1x64xf8E4M3FN>, tensor<1x1xf32>) group(0)
    %y = bamba.linear ins(%c, %d : tensor<1x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs, %ds : tensor<1x1xf32>, tensor<1x64xf32>) group(0) outs(%ey : tensor<1x64xf32>) acc(f32)
    return %y : tensor<1x64xf32>
  }
}

// -----

// Codes that all blocks of a linear share are results of its dispatch, which nothing else reads.
#gpu = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132,
                          fusions = [siblings, interleave, epilogue, norm_prologue, quantize, quantize_epilogue, shared_quantize]>
module attributes {bamba.target = #gpu, bamba.limits = #bamba.limits<max_batch = 32, max_context = 4096, prefill_chunk = 64, page_tokens = 64>} {
  // CHECK-LABEL: func.func @for_all_blocks
  // CHECK: bamba.dispatch
  // CHECK: bamba.linear
  // CHECK: bamba.swiglu
  // CHECK-NEXT: bamba.yield
  // CHECK: %[[ALL:.*]]:3 = bamba.dispatch {{.*}}outs({{.*}}tensor<32x64xf32>, tensor<32x64xf8E4M3FN>, tensor<32x1xf32>)
  // CHECK: %[[Q:.*]], %[[S:.*]] = bamba.quantize
  // CHECK-NEXT: %[[L:.*]] = bamba.linear
  // CHECK-NEXT: bamba.yield %[[L]], %[[Q]], %[[S]]
  // CHECK: return %[[ALL]]#0
  func.func @for_all_blocks(%x: tensor<32x64xbf16>, %w: tensor<128x64xbf16>, %d: tensor<64x64xf8E4M3FN>, %ds: tensor<1x64xf32>) -> tensor<32x64xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 32, chunk = 1>} {
    %e = tensor.empty() : tensor<32x128xf32>
    %eh = tensor.empty() : tensor<32x64xf32>
    %ec = tensor.empty() : tensor<32x64xf8E4M3FN>
    %s = tensor.empty() : tensor<32x1xf32>
    %l = bamba.linear ins(%x, %w : tensor<32x64xbf16>, tensor<128x64xbf16>) outs(%e : tensor<32x128xf32>) acc(f32)
    %g = tensor.extract_slice %l[0, 0] [32, 64] [1, 2] : tensor<32x128xf32> to tensor<32x64xf32>
    %u = tensor.extract_slice %l[0, 1] [32, 64] [1, 2] : tensor<32x128xf32> to tensor<32x64xf32>
    %h = bamba.swiglu ins(%g, %u : tensor<32x64xf32>, tensor<32x64xf32>) outs(%eh : tensor<32x64xf32>)
    %c, %cs = bamba.quantize ins(%h : tensor<32x64xf32>) outs(%ec, %s : tensor<32x64xf8E4M3FN>, tensor<32x1xf32>) group(0)
    %y = bamba.linear ins(%c, %d : tensor<32x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs, %ds : tensor<32x1xf32>, tensor<1x64xf32>) group(0) outs(%eh : tensor<32x64xf32>) acc(f32)
    return %y : tensor<32x64xf32>
  }

  // More rows than a decode step has.
  // CHECK-LABEL: func.func @in_a_prompt
  // CHECK: bamba.dispatch {{.*}}outs({{.*}}tensor<33x64xf8E4M3FN>, tensor<33x1xf32>)
  // CHECK: bamba.quantize
  // CHECK-NEXT: bamba.yield
  // CHECK: bamba.dispatch {{.*}}outs({{[^,]*}}tensor<33x64xf32>)
  // CHECK: return
  func.func @in_a_prompt(%x: tensor<33x64xbf16>, %w: tensor<128x64xbf16>, %d: tensor<64x64xf8E4M3FN>, %ds: tensor<1x64xf32>) -> tensor<33x64xf32>
      attributes {bamba.entry = #bamba.entry<prefill, batch = 1, chunk = 33>} {
    %e = tensor.empty() : tensor<33x128xf32>
    %eh = tensor.empty() : tensor<33x64xf32>
    %ec = tensor.empty() : tensor<33x64xf8E4M3FN>
    %s = tensor.empty() : tensor<33x1xf32>
    %l = bamba.linear ins(%x, %w : tensor<33x64xbf16>, tensor<128x64xbf16>) outs(%e : tensor<33x128xf32>) acc(f32)
    %g = tensor.extract_slice %l[0, 0] [33, 64] [1, 2] : tensor<33x128xf32> to tensor<33x64xf32>
    %u = tensor.extract_slice %l[0, 1] [33, 64] [1, 2] : tensor<33x128xf32> to tensor<33x64xf32>
    %h = bamba.swiglu ins(%g, %u : tensor<33x64xf32>, tensor<33x64xf32>) outs(%eh : tensor<33x64xf32>)
    %c, %cs = bamba.quantize ins(%h : tensor<33x64xf32>) outs(%ec, %s : tensor<33x64xf8E4M3FN>, tensor<33x1xf32>) group(0)
    %y = bamba.linear ins(%c, %d : tensor<33x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs, %ds : tensor<33x1xf32>, tensor<1x64xf32>) group(0) outs(%eh : tensor<33x64xf32>) acc(f32)
    return %y : tensor<33x64xf32>
  }

  // A scale that is known needs no row: the kernel before stores the codes. A norm takes its quantization along.
  // CHECK-LABEL: func.func @left_to_the_kernel_before
  // CHECK: bamba.dispatch
  // CHECK: bamba.linear
  // CHECK: bamba.swiglu
  // CHECK-NEXT: bamba.quantize
  // CHECK-NEXT: bamba.yield
  // CHECK: bamba.dispatch
  // CHECK: bamba.linear
  // CHECK-NEXT: bamba.yield
  // CHECK: bamba.dispatch
  // CHECK: bamba.rms_norm
  // CHECK-NEXT: bamba.quantize
  // CHECK-NEXT: bamba.yield
  // CHECK: return
  func.func @left_to_the_kernel_before(%x: tensor<32x64xbf16>, %w: tensor<128x64xbf16>, %f: tensor<1xf32>, %d: tensor<64x64xf8E4M3FN>, %ds: tensor<1x64xf32>, %n: tensor<64xf32>) -> tensor<32x64xf32>
      attributes {bamba.entry = #bamba.entry<decode, batch = 32, chunk = 1>} {
    %e = tensor.empty() : tensor<32x128xf32>
    %eh = tensor.empty() : tensor<32x64xf32>
    %ec = tensor.empty() : tensor<32x64xf8E4M3FN>
    %s = tensor.empty() : tensor<32x1xf32>
    %l = bamba.linear ins(%x, %w : tensor<32x64xbf16>, tensor<128x64xbf16>) outs(%e : tensor<32x128xf32>) acc(f32)
    %g = tensor.extract_slice %l[0, 0] [32, 64] [1, 2] : tensor<32x128xf32> to tensor<32x64xf32>
    %u = tensor.extract_slice %l[0, 1] [32, 64] [1, 2] : tensor<32x128xf32> to tensor<32x64xf32>
    %h = bamba.swiglu ins(%g, %u : tensor<32x64xf32>, tensor<32x64xf32>) outs(%eh : tensor<32x64xf32>)
    %c, %cs = bamba.quantize ins(%h : tensor<32x64xf32>) static(%f : tensor<1xf32>) outs(%ec, %s : tensor<32x64xf8E4M3FN>, tensor<32x1xf32>) group(0)
    %y = bamba.linear ins(%c, %d : tensor<32x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs, %ds : tensor<32x1xf32>, tensor<1x64xf32>) group(0) outs(%eh : tensor<32x64xf32>) acc(f32)
    %m = bamba.rms_norm ins(%y, %n : tensor<32x64xf32>, tensor<64xf32>) outs(%eh : tensor<32x64xf32>) eps(1.0e-5)
    %c2, %cs2 = bamba.quantize ins(%m : tensor<32x64xf32>) outs(%ec, %s : tensor<32x64xf8E4M3FN>, tensor<32x1xf32>) group(0)
    %z = bamba.linear ins(%c2, %d : tensor<32x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>)
                      scales(%cs2, %ds : tensor<32x1xf32>, tensor<1x64xf32>) group(0) outs(%eh : tensor<32x64xf32>) acc(f32)
    return %z : tensor<32x64xf32>
  }
}
