// Kernels that CPU code generation refuses, each by name and with what to do.
//
// RUN: %bambac-opt --bamba-cpu-loops --split-input-file --verify-diagnostics %s

// expected-error@+1 {{kernel 'dynamic': expected tensors of static shape, found 'tensor<4x?xf32>'}}
func.func private @dynamic(%x: tensor<4x?xf32>, %y: tensor<4x?xf32>, %init: tensor<4x?xf32>) -> tensor<4x?xf32>
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 1, depth = 0, chunk = 0>} {
  %0 = linalg.add ins(%x, %y : tensor<4x?xf32>, tensor<4x?xf32>) outs(%init : tensor<4x?xf32>) -> tensor<4x?xf32>
  return %0 : tensor<4x?xf32>
}

// -----

// expected-error@+1 {{kernel 'wide': expected an element type of runtime/contract/element_types.h, int8 for SSM states only, found 'f64' in 'tensor<4x8xf64>'}}
func.func private @wide(%x: tensor<4x8xf64>, %y: tensor<4x8xf64>, %init: tensor<4x8xf64>) -> tensor<4x8xf64>
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 1, depth = 0, chunk = 0>} {
  %0 = linalg.add ins(%x, %y : tensor<4x8xf64>, tensor<4x8xf64>) outs(%init : tensor<4x8xf64>) -> tensor<4x8xf64>
  return %0 : tensor<4x8xf64>
}

// -----

// expected-error@+1 {{kernel 'other': expected a #bamba.cpu_schedule as 'bamba.schedule', found #bamba.cuda_schedule}}
func.func private @other(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %init: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/elementwise", fields = {}>} {
  %0 = linalg.add ins(%x, %y : tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// expected-error@+1 {{kernel 'none': expected a #bamba.cpu_schedule as 'bamba.schedule', found none}}
func.func private @none(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %init: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {bamba.kernel} {
  %0 = linalg.add ins(%x, %y : tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

// expected-error@+1 {{kernel 'short': schedule: expected a workgroup of 2 sizes, one for each loop of 'linalg.add', found 1}}
func.func private @short(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %init: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [2], rows = 1, depth = 0, chunk = 0>} {
  %0 = linalg.add ins(%x, %y : tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

func.func private @terms_of_panels(%x: tensor<4x224xbf16>, %w: tensor<32x64xbf16, #bamba.panel<32>>, %init: tensor<4x32xf32>) -> tensor<4x32xf32>
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 4, depth = 0, chunk = 0>} {
  // expected-error@+2 {{expected a weight in groups of columns for an input of terms, found 'tensor<1x64x32xbf16>'}}
  // expected-error@+1 {{failed to bufferize op}}
  %0 = bamba.linear ins(%x, %w : tensor<4x224xbf16>, tensor<32x64xbf16, #bamba.panel<32>>) terms(<count = 3, run = 32>)
      outs(%init : tensor<4x32xf32>) acc(f32)
  return %0 : tensor<4x32xf32>
}

// -----

module attributes {bamba.target = #bamba.cpu_target<arch = "sapphirerapids", features = "+amx-tile,+amx-bf16,+gfni,+avx512vbmi",
    vector_bits = 512, vector_registers = 32, l2_bytes = 1048576>} {
  func.func private @short_runs(%x: tensor<4x208xbf16>, %w: tensor<32x64xbf16, #bamba.panel<32, group = 2, align = 32>>, %init: tensor<4x32xf32>) -> tensor<4x32xf32>
      attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 4, depth = 0, chunk = 0>} {
    // expected-error@+2 {{expected terms in runs of 32 for tile registers, found #bamba.terms<count = 3, run = 16>}}
    // expected-error@+1 {{failed to bufferize op}}
    %0 = bamba.linear ins(%x, %w : tensor<4x208xbf16>, tensor<32x64xbf16, #bamba.panel<32, group = 2, align = 32>>) terms(<count = 3, run = 16>)
        outs(%init : tensor<4x32xf32>) acc(f32)
    return %0 : tensor<4x32xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cpu_target<arch = "sapphirerapids", features = "+amx-tile,+amx-bf16,+gfni,+avx512vbmi",
    vector_bits = 512, vector_registers = 32, l2_bytes = 1048576>} {
  func.func private @unsplit(%x: tensor<20x64xf32>, %w: tensor<32x64xbf16, #bamba.panel<32, group = 2, align = 32>>, %init: tensor<20x32xf32>) -> tensor<20x32xf32>
      attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 20, depth = 0, chunk = 0>} {
    // expected-error@+2 {{expected an input of bf16, codes or terms, for tile registers, found 'tensor<20x64xf32>'}}
    // expected-error@+1 {{failed to bufferize op}}
    %0 = bamba.linear ins(%x, %w : tensor<20x64xf32>, tensor<32x64xbf16, #bamba.panel<32, group = 2, align = 32>>)
        outs(%init : tensor<20x32xf32>) acc(f32)
    return %0 : tensor<20x32xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cpu_target<arch = "sapphirerapids", features = "+amx-tile,+amx-bf16,+gfni,+avx512vbmi",
    vector_bits = 512, vector_registers = 32, l2_bytes = 1048576>} {
  func.func private @terms_of_halves(%x: tensor<4x64xf32>, %init: tensor<4x224xf16>) -> tensor<4x224xf16>
      attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0], rows = 1, depth = 0, chunk = 0>} {
    // expected-error@+2 {{expected terms of bf16 of numbers of f32 on the processor, found 'tensor<4x224xf16>' of 'tensor<4x64xf32>'}}
    // expected-error@+1 {{failed to bufferize op}}
    %0 = bamba.split ins(%x : tensor<4x64xf32>) terms(<count = 3, run = 32>) outs(%init : tensor<4x224xf16>)
    return %0 : tensor<4x224xf16>
  }
}

// -----

// An op that nothing gave loops to.
func.func private @unknown(%x: tensor<4x8xf32>, %init: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 1, depth = 0, chunk = 0>} {
  // expected-error@+1 {{expected an op that CPU code generation has loops for, found 'tosa.tanh': declare its emitOp in codegen/cpu/emit/Ops.h and attach EmitLoops to it in codegen/cpu/Bufferize.cpp}}
  %0 = tosa.tanh %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = linalg.add ins(%0, %x : tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

func.func private @pairs(%x: tensor<1x32xf32>, %w: tensor<32x32xbf16, #bamba.panel<32, group = 2, align = 32>>,
                         %init: tensor<1x32xf32>) -> tensor<1x32xf32>
    attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 1, depth = 0, chunk = 0>} {
  // expected-error@+2 {{failed to bufferize op}}
  // expected-error@+1 {{expected a target that multiplies pairs of bf16 (AMX, or AVX512-BF16 for codes) for a weight in groups of columns}}
  %0 = bamba.linear ins(%x, %w : tensor<1x32xf32>, tensor<32x32xbf16, #bamba.panel<32, group = 2, align = 32>>)
                    outs(%init : tensor<1x32xf32>) acc(f32)
  return %0 : tensor<1x32xf32>
}

// -----

// Vectors multiply codes, whose products have no more bits than an f32.
module attributes {bamba.target = #bamba.cpu_target<arch = "znver4", features = "+avx512bf16,+gfni,+avx512vbmi",
    vector_bits = 512, vector_registers = 32, l2_bytes = 1048576>} {
  func.func private @pairs_of_numbers(%x: tensor<1x32xf32>, %w: tensor<32x32xbf16, #bamba.panel<32, group = 2, align = 2>>,
                                      %init: tensor<1x32xf32>) -> tensor<1x32xf32>
      attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 1, depth = 0, chunk = 0>} {
    // expected-error@+2 {{failed to bufferize op}}
    // expected-error@+1 {{expected a target that multiplies pairs of bf16 (AMX, or AVX512-BF16 for codes) for a weight in groups of columns}}
    %0 = bamba.linear ins(%x, %w : tensor<1x32xf32>, tensor<32x32xbf16, #bamba.panel<32, group = 2, align = 2>>)
                      outs(%init : tensor<1x32xf32>) acc(f32)
    return %0 : tensor<1x32xf32>
  }
}
