// RUN: bambac-opt %s --bamba-estimate-costs | FileCheck %s

// A linear reads its weights once: 48*32 bf16, 4 rows of 32 in and 48 out in f32, 2*4*48*32 operations.
// CHECK: func.func private @linear{{.*}}bamba.cost = #bamba.cost<weights = 3072, states = 0, activations = 1280, flops = 12288, context_bytes = 0, context_flops = 0>
// Only the rows that are looked up count: 4 of 32 bf16.
// CHECK: func.func private @embedding{{.*}}weights = 256, states = 0, activations = 528, flops = 0,
// The state of 4 sequences is read and written: 2*4*(2*8*16) f32; 5 operations an element.
// CHECK: func.func private @step{{.*}}weights = 0, states = 8192, activations = {{[0-9]+}}, flops = 5120, context_bytes = 0, context_flops = 0>
// With a ring of 3 entries the state of 4 sequences is read, 4096 bytes, and half of the entries, 4*3*(32*2+2*4)/2; of 4
// steps one writes the state and three an entry, a quarter of both.
// CHECK: func.func private @with_ring{{.*}}weights = 0, states = 5768,
// A prompt mostly finds nothing to fold.
// CHECK: func.func private @fold{{.*}}states = 0,
// Each token of context costs a key and a value of 2 heads of 8 in f32, and 4 operations for each of 32 query channels.
// CHECK: func.func private @attention{{.*}}states = 0,{{.*}}context_bytes = 128, context_flops = 128>
// Of a ring the 3 inputs before and the one of the step move, for each of 4 sequences 16 f32; bf16 halves activations.
// CHECK: func.func private @ring{{.*}}weights = 0, states = 1024, activations = 548, flops = 512,
// Keys and values go to the cache in its own type: 2*4*16 f32.
// CHECK: func.func private @append{{.*}}weights = 0, states = 512, activations = 304,
ml_program.global private @w(#ml_program.extern<tensor<48x32xbf16>>) : tensor<48x32xbf16>
func.func @entry(%hx: tensor<4x16xbf16>, %taps: tensor<4x16xf32>, %ring: tensor<?x4x16xf32>, %t: tensor<4xi32>, %st: tensor<5xi32>, %x: tensor<4x32xf32>, %pages: tensor<4x2xi32>, %dt: tensor<4x2xf32>, %head: tensor<2xf32>, %x2: tensor<4x16xf32>, %s: tensor<?x2x8x16xf32>, %k: tensor<?x2x16x8xf32>, %entries: tensor<?x3x32xbf16>, %deltas: tensor<?x3x2xf32>) {
  %w = ml_program.global_load_const @w : tensor<48x32xbf16>
  %e = tensor.empty() : tensor<4x32xf32>
  %l = tensor.empty() : tensor<4x48xf32>
  %i = tensor.empty() : tensor<4x16xf32>
  %0 = bamba.launch @linear ins(%x, %w : tensor<4x32xf32>, tensor<48x32xbf16>) outs(%l : tensor<4x48xf32>) -> tensor<4x48xf32>
  %1 = bamba.launch @embedding ins(%t, %w : tensor<4xi32>, tensor<48x32xbf16>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %2, %s1 = bamba.launch @step ins(%x2, %dt, %head, %t : tensor<4x16xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xi32>) outs(%i, %s : tensor<4x16xf32>, tensor<?x2x8x16xf32>) -> tensor<4x16xf32>, tensor<?x2x8x16xf32>
  %y2 = tensor.empty() : tensor<4x16xbf16>
  %5:4 = bamba.launch @with_ring ins(%hx, %dt, %head, %t : tensor<4x16xbf16>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xi32>) outs(%y2, %s1, %entries, %deltas : tensor<4x16xbf16>, tensor<?x2x8x16xf32>, tensor<?x3x32xbf16>, tensor<?x3x2xf32>) -> tensor<4x16xbf16>, tensor<?x2x8x16xf32>, tensor<?x3x32xbf16>, tensor<?x3x2xf32>
  %6 = bamba.launch @fold ins(%head, %t, %entries, %deltas : tensor<2xf32>, tensor<4xi32>, tensor<?x3x32xbf16>, tensor<?x3x2xf32>) outs(%s1 : tensor<?x2x8x16xf32>) -> tensor<?x2x8x16xf32>
  %3 = bamba.launch @attention ins(%x, %k, %t, %pages : tensor<4x32xf32>, tensor<?x2x16x8xf32>, tensor<4xi32>, tensor<4x2xi32>) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %h = tensor.empty() : tensor<4x16xbf16>
  %4, %r1 = bamba.launch @ring ins(%hx, %taps, %t, %st : tensor<4x16xbf16>, tensor<4x16xf32>, tensor<4xi32>, tensor<5xi32>) outs(%h, %ring : tensor<4x16xbf16>, tensor<?x4x16xf32>) -> tensor<4x16xbf16>, tensor<?x4x16xf32>
  %n = tensor.empty() : tensor<1xi32>
  %9 = bamba.launch @head ins(%n, %x, %w : tensor<1xi32>, tensor<4x32xf32>, tensor<48x32xbf16>) outs(%l : tensor<4x48xf32>) -> tensor<4x48xf32>
  %k1, %v1 = bamba.launch @append ins(%hx, %hx, %t, %pages : tensor<4x16xbf16>, tensor<4x16xbf16>, tensor<4xi32>, tensor<4x2xi32>) outs(%k, %k : tensor<?x2x16x8xf32>, tensor<?x2x16x8xf32>) -> tensor<?x2x16x8xf32>, tensor<?x2x16x8xf32>
  return
}
func.func private @linear(%x: tensor<4x32xf32>, %w: tensor<48x32xbf16>, %e: tensor<4x48xf32>) -> tensor<4x48xf32> attributes {bamba.kernel} {
  %r = bamba.linear ins(%x, %w : tensor<4x32xf32>, tensor<48x32xbf16>) outs(%e : tensor<4x48xf32>) acc(f32)
  return %r : tensor<4x48xf32>
}
func.func private @embedding(%t: tensor<4xi32>, %w: tensor<48x32xbf16>, %e: tensor<4x32xf32>) -> tensor<4x32xf32> attributes {bamba.kernel} {
  %r = bamba.embedding ins(%t, %w : tensor<4xi32>, tensor<48x32xbf16>) outs(%e : tensor<4x32xf32>)
  return %r : tensor<4x32xf32>
}
func.func private @step(%x: tensor<4x16xf32>, %dt: tensor<4x2xf32>, %h: tensor<2xf32>, %i: tensor<4xi32>, %e: tensor<4x16xf32>, %s: tensor<?x2x8x16xf32>) -> (tensor<4x16xf32>, tensor<?x2x8x16xf32>) attributes {bamba.kernel} {
  %y, %s1 = bamba.ssm_step ins(%x, %dt, %x, %x, %h, %h, %h, %i : tensor<4x16xf32>, tensor<4x2xf32>, tensor<4x16xf32>, tensor<4x16xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<4xi32>) outs(%e, %s : tensor<4x16xf32>, tensor<?x2x8x16xf32>) dt_limit(0.0, 1.0) acc(f32)
  return %y, %s1 : tensor<4x16xf32>, tensor<?x2x8x16xf32>
}
func.func private @with_ring(%x: tensor<4x16xbf16>, %dt: tensor<4x2xf32>, %h: tensor<2xf32>, %i: tensor<4xi32>, %y: tensor<4x16xbf16>, %s: tensor<?x2x8x16xf32>, %e: tensor<?x3x32xbf16>, %d: tensor<?x3x2xf32>) -> (tensor<4x16xbf16>, tensor<?x2x8x16xf32>, tensor<?x3x32xbf16>, tensor<?x3x2xf32>) attributes {bamba.kernel} {
  %r:4 = bamba.ssm_step ins(%x, %dt, %x, %x, %h, %h, %h, %i : tensor<4x16xbf16>, tensor<4x2xf32>, tensor<4x16xbf16>, tensor<4x16xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<4xi32>) outs(%y, %s : tensor<4x16xbf16>, tensor<?x2x8x16xf32>) ring(%i, %e, %d : tensor<4xi32>, tensor<?x3x32xbf16>, tensor<?x3x2xf32>) dt_limit(0.0, 1.0) acc(f32)
  return %r#0, %r#1, %r#2, %r#3 : tensor<4x16xbf16>, tensor<?x2x8x16xf32>, tensor<?x3x32xbf16>, tensor<?x3x2xf32>
}
func.func private @fold(%h: tensor<2xf32>, %i: tensor<4xi32>, %e: tensor<?x3x32xbf16>, %d: tensor<?x3x2xf32>, %s: tensor<?x2x8x16xf32>) -> tensor<?x2x8x16xf32> attributes {bamba.kernel} {
  %r = bamba.ssm_fold ins(%h, %i, %i, %e, %d : tensor<2xf32>, tensor<4xi32>, tensor<4xi32>, tensor<?x3x32xbf16>, tensor<?x3x2xf32>) outs(%s : tensor<?x2x8x16xf32>) acc(f32)
  return %r : tensor<?x2x8x16xf32>
}
func.func private @attention(%q: tensor<4x32xf32>, %k: tensor<?x2x16x8xf32>, %p: tensor<4xi32>, %pages: tensor<4x2xi32>, %e: tensor<4x32xf32>) -> tensor<4x32xf32> attributes {bamba.kernel} {
  %r = bamba.attention ins(%q, %k, %k, %p, %pages : tensor<4x32xf32>, tensor<?x2x16x8xf32>, tensor<?x2x16x8xf32>, tensor<4xi32>, tensor<4x2xi32>) outs(%e : tensor<4x32xf32>) scale(0.5) acc(f32)
  return %r : tensor<4x32xf32>
}
func.func private @ring(%x: tensor<4x16xbf16>, %w: tensor<4x16xf32>, %i: tensor<4xi32>, %st: tensor<5xi32>, %e: tensor<4x16xbf16>, %s: tensor<?x4x16xf32>) -> (tensor<4x16xbf16>, tensor<?x4x16xf32>) attributes {bamba.kernel} {
  %y, %s1 = bamba.causal_conv1d ins(%x, %w, %i, %st : tensor<4x16xbf16>, tensor<4x16xf32>, tensor<4xi32>, tensor<5xi32>) positions(%i : tensor<4xi32>) outs(%e, %s : tensor<4x16xbf16>, tensor<?x4x16xf32>)
  return %y, %s1 : tensor<4x16xbf16>, tensor<?x4x16xf32>
}
func.func private @append(%k: tensor<4x16xbf16>, %v: tensor<4x16xbf16>, %p: tensor<4xi32>, %pages: tensor<4x2xi32>, %kc: tensor<?x2x16x8xf32>, %vc: tensor<?x2x16x8xf32>) -> (tensor<?x2x16x8xf32>, tensor<?x2x16x8xf32>) attributes {bamba.kernel} {
  %k1, %v1 = bamba.kv_append ins(%k, %v, %p, %pages : tensor<4x16xbf16>, tensor<4x16xbf16>, tensor<4xi32>, tensor<4x2xi32>) outs(%kc, %vc : tensor<?x2x16x8xf32>, tensor<?x2x16x8xf32>)
  return %k1, %v1 : tensor<?x2x16x8xf32>, tensor<?x2x16x8xf32>
}

// A scan costs what its kernel's chunks cost, not what the model's chunk of 128 would: for each of 2 heads and 256 tokens
// chunk * (16 + 8) + 4 * 16 * 8 operations.
// CHECK: func.func private @scan_by_the_model{{.*}}flops = 1835008,
// CHECK: func.func private @scan_on_the_processor{{.*}}flops = 655360,
// CHECK: func.func private @scan_with_a_field{{.*}}flops = 655360,
// CHECK: func.func private @scan_of_wgmma{{.*}}flops = 1048576,
func.func @scans(%x: tensor<256x16xf32>, %dt: tensor<256x2xf32>, %b: tensor<256x16xf32>, %h: tensor<2xf32>, %i: tensor<1xi32>, %st: tensor<2xi32>, %e: tensor<256x16xf32>, %s: tensor<?x2x8x16xf32>) {
  %y_by_the_model, %s_by_the_model = bamba.launch @scan_by_the_model ins(%x, %dt, %b, %h, %i, %st : tensor<256x16xf32>, tensor<256x2xf32>, tensor<256x16xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<256x16xf32>, tensor<?x2x8x16xf32>) -> tensor<256x16xf32>, tensor<?x2x8x16xf32>
  %y_on_the_processor, %s_on_the_processor = bamba.launch @scan_on_the_processor ins(%x, %dt, %b, %h, %i, %st : tensor<256x16xf32>, tensor<256x2xf32>, tensor<256x16xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<256x16xf32>, tensor<?x2x8x16xf32>) -> tensor<256x16xf32>, tensor<?x2x8x16xf32>
  %y_with_a_field, %s_with_a_field = bamba.launch @scan_with_a_field ins(%x, %dt, %b, %h, %i, %st : tensor<256x16xf32>, tensor<256x2xf32>, tensor<256x16xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<256x16xf32>, tensor<?x2x8x16xf32>) -> tensor<256x16xf32>, tensor<?x2x8x16xf32>
  %y_of_wgmma, %s_of_wgmma = bamba.launch @scan_of_wgmma ins(%x, %dt, %b, %h, %i, %st : tensor<256x16xf32>, tensor<256x2xf32>, tensor<256x16xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<256x16xf32>, tensor<?x2x8x16xf32>) -> tensor<256x16xf32>, tensor<?x2x8x16xf32>
  return
}
func.func private @scan_by_the_model(%x: tensor<256x16xf32>, %dt: tensor<256x2xf32>, %b: tensor<256x16xf32>, %h: tensor<2xf32>, %i: tensor<1xi32>, %st: tensor<2xi32>, %e: tensor<256x16xf32>, %s: tensor<?x2x8x16xf32>) -> (tensor<256x16xf32>, tensor<?x2x8x16xf32>) attributes {bamba.kernel} {
  %y, %s1 = bamba.ssm_scan ins(%x, %dt, %b, %b, %h, %h, %h, %i, %st : tensor<256x16xf32>, tensor<256x2xf32>, tensor<256x16xf32>, tensor<256x16xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<256x16xf32>, tensor<?x2x8x16xf32>) dt_limit(0.0, 1.0) chunk(128) acc(f32)
  return %y, %s1 : tensor<256x16xf32>, tensor<?x2x8x16xf32>
}
func.func private @scan_on_the_processor(%x: tensor<256x16xf32>, %dt: tensor<256x2xf32>, %b: tensor<256x16xf32>, %h: tensor<2xf32>, %i: tensor<1xi32>, %st: tensor<2xi32>, %e: tensor<256x16xf32>, %s: tensor<?x2x8x16xf32>) -> (tensor<256x16xf32>, tensor<?x2x8x16xf32>) attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [1], rows = 1, depth = 0, chunk = 32>} {
  %y, %s1 = bamba.ssm_scan ins(%x, %dt, %b, %b, %h, %h, %h, %i, %st : tensor<256x16xf32>, tensor<256x2xf32>, tensor<256x16xf32>, tensor<256x16xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<256x16xf32>, tensor<?x2x8x16xf32>) dt_limit(0.0, 1.0) chunk(128) acc(f32)
  return %y, %s1 : tensor<256x16xf32>, tensor<?x2x8x16xf32>
}
func.func private @scan_with_a_field(%x: tensor<256x16xf32>, %dt: tensor<256x2xf32>, %b: tensor<256x16xf32>, %h: tensor<2xf32>, %i: tensor<1xi32>, %st: tensor<2xi32>, %e: tensor<256x16xf32>, %s: tensor<?x2x8x16xf32>) -> (tensor<256x16xf32>, tensor<?x2x8x16xf32>) attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "mma/ssm_scan", fields = {chunk = 32}>} {
  %y, %s1 = bamba.ssm_scan ins(%x, %dt, %b, %b, %h, %h, %h, %i, %st : tensor<256x16xf32>, tensor<256x2xf32>, tensor<256x16xf32>, tensor<256x16xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<256x16xf32>, tensor<?x2x8x16xf32>) dt_limit(0.0, 1.0) chunk(128) acc(f32)
  return %y, %s1 : tensor<256x16xf32>, tensor<?x2x8x16xf32>
}
func.func private @scan_of_wgmma(%x: tensor<256x16xf32>, %dt: tensor<256x2xf32>, %b: tensor<256x16xf32>, %h: tensor<2xf32>, %i: tensor<1xi32>, %st: tensor<2xi32>, %e: tensor<256x16xf32>, %s: tensor<?x2x8x16xf32>) -> (tensor<256x16xf32>, tensor<?x2x8x16xf32>) attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/ssm_scan", fields = {}>} {
  %y, %s1 = bamba.ssm_scan ins(%x, %dt, %b, %b, %h, %h, %h, %i, %st : tensor<256x16xf32>, tensor<256x2xf32>, tensor<256x16xf32>, tensor<256x16xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1xi32>, tensor<2xi32>) outs(%e, %s : tensor<256x16xf32>, tensor<?x2x8x16xf32>) dt_limit(0.0, 1.0) chunk(128) acc(f32)
  return %y, %s1 : tensor<256x16xf32>, tensor<?x2x8x16xf32>
}
// Of the rows whose logits are kept, a prompt keeps one: activations of 32 in and 48 out, 2*48*32 operations.
// CHECK: func.func private @head{{.*}}bamba.cost = #bamba.cost<weights = 3072, states = 0, activations = 321, flops = 3072,
func.func private @head(%n: tensor<1xi32> {bamba.rows}, %x: tensor<4x32xf32>, %w: tensor<48x32xbf16>, %e: tensor<4x48xf32>) -> tensor<4x48xf32> attributes {bamba.kernel, bamba.may_be_empty} {
  %r = bamba.linear ins(%x, %w : tensor<4x32xf32>, tensor<48x32xbf16>) outs(%e : tensor<4x48xf32>) acc(f32)
  return %r : tensor<4x48xf32>
}
