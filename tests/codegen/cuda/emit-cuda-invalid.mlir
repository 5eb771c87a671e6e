// Kernels whose CUDA text would compute something else than their ops: each is refused by name.
//
// RUN: %bambac-opt --bamba-emit-cuda --split-input-file --verify-diagnostics %s

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @heads(%x: tensor<2x64xbf16>, %w: tensor<24x64xbf16, #bamba.panel<8, group = 8, align = 64>>, %p: tensor<2xi32>,
      %pages: tensor<2x4xi32>, %k0: tensor<?x1x64x8xbf16>, %v0: tensor<?x1x64x8xbf16>, %q0: tensor<2x8xbf16>)
      -> (tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>, tensor<2x8xbf16>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 16, tile_columns = 32, stages = 4}>} {
    %e = tensor.empty() : tensor<2x24xf32>
    %l = bamba.linear ins(%x, %w : tensor<2x64xbf16>, tensor<24x64xbf16, #bamba.panel<8, group = 8, align = 64>>)
                     outs(%e : tensor<2x24xf32>) acc(f32)
    %q = tensor.extract_slice %l[0, 0] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %k = tensor.extract_slice %l[0, 8] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %v = tensor.extract_slice %l[0, 16] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %e8 = tensor.empty() : tensor<2x8xbf16>
    %q1 = bamba.rope ins(%q, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%q0 : tensor<2x8xbf16>)
                     head_dim(8) rotation(<[1.0, 0.1, 0.01, 0.001]>) interleaved
    // expected-error@+1 {{expected one rotation of all heads in a kernel}}
    %k1 = bamba.rope ins(%k, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%e8 : tensor<2x8xbf16>)
                     head_dim(8) rotation(<[1.0, 0.1, 0.01, 0.002]>) interleaved
    %k2, %v2 = bamba.kv_append ins(%k1, %v, %p, %pages : tensor<2x8xbf16>, tensor<2x8xf32>, tensor<2xi32>, tensor<2x4xi32>)
                               outs(%k0, %v0 : tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>)
    return %k2, %v2, %q1 : tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>, tensor<2x8xbf16>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @heads(%x: tensor<2x64xbf16>, %w: tensor<24x64xbf16, #bamba.panel<8, group = 8, align = 64>>, %p: tensor<2xi32>,
      %pages: tensor<2x4xi32>, %k0: tensor<?x1x64x8xbf16>, %v0: tensor<?x1x64x8xbf16>, %q0: tensor<2x8xbf16>)
      -> (tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>, tensor<2x8xbf16>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 16, tile_columns = 32, stages = 4}>} {
    %e = tensor.empty() : tensor<2x24xf32>
    // expected-error@+1 {{expected one reader of each column of the projection, found none or two of column 16}}
    %l = bamba.linear ins(%x, %w : tensor<2x64xbf16>, tensor<24x64xbf16, #bamba.panel<8, group = 8, align = 64>>)
                     outs(%e : tensor<2x24xf32>) acc(f32)
    %q = tensor.extract_slice %l[0, 0] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %k = tensor.extract_slice %l[0, 8] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %v = tensor.extract_slice %l[0, 8] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %e8 = tensor.empty() : tensor<2x8xbf16>
    %q1 = bamba.rope ins(%q, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%q0 : tensor<2x8xbf16>)
                     head_dim(8) rotation(<[1.0, 0.1, 0.01, 0.001]>) interleaved
    %k1 = bamba.rope ins(%k, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%e8 : tensor<2x8xbf16>)
                     head_dim(8) rotation(<[1.0, 0.1, 0.01, 0.001]>) interleaved
    %k2, %v2 = bamba.kv_append ins(%k1, %v, %p, %pages : tensor<2x8xbf16>, tensor<2x8xf32>, tensor<2xi32>, tensor<2x4xi32>)
                               outs(%k0, %v0 : tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>)
    return %k2, %v2, %q1 : tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>, tensor<2x8xbf16>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @rows(%x: tensor<2x64xbf16>, %w: tensor<24x64xbf16>, %init: tensor<2x24xf32>) -> tensor<2x24xf32>
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 16, tile_columns = 32, stages = 4}>} {
    // expected-error@+1 {{expected the weight in panels (#bamba.panel) on CUDA, found 'tensor<24x64xbf16>'}}
    %l = bamba.linear ins(%x, %w : tensor<2x64xbf16>, tensor<24x64xbf16>) outs(%init : tensor<2x24xf32>) acc(f32)
    return %l : tensor<2x24xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  // expected-error@+1 {{kernel 'dynamic': expected tensors of static shape, found 'tensor<4x?xf32>'}}
  func.func private @dynamic(%x: tensor<4x?xf32>, %y: tensor<4x?xf32>, %init: tensor<4x?xf32>) -> tensor<4x?xf32>
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/elementwise", fields = {}>} {
    %0 = linalg.add ins(%x, %y : tensor<4x?xf32>, tensor<4x?xf32>) outs(%init : tensor<4x?xf32>) -> tensor<4x?xf32>
    return %0 : tensor<4x?xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  // expected-error@+1 {{kernel 'wide': expected an element type of runtime/contract/element_types.h, int8 for SSM states only, found 'f64' in 'tensor<4x8xf64>'}}
  func.func private @wide(%x: tensor<4x8xf64>, %y: tensor<4x8xf64>, %init: tensor<4x8xf64>) -> tensor<4x8xf64>
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/elementwise", fields = {}>} {
    %0 = linalg.add ins(%x, %y : tensor<4x8xf64>, tensor<4x8xf64>) outs(%init : tensor<4x8xf64>) -> tensor<4x8xf64>
    return %0 : tensor<4x8xf64>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  // expected-error@+1 {{kernel 'narrow': expected an element type of runtime/contract/element_types.h, int8 for SSM states only, found 'i8' in 'tensor<4x8xi8>'}}
  func.func private @narrow(%x: tensor<4x8xi8>, %y: tensor<4x8xi8>, %init: tensor<4x8xi8>) -> tensor<4x8xi8>
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/elementwise", fields = {}>} {
    %0 = linalg.add ins(%x, %y : tensor<4x8xi8>, tensor<4x8xi8>) outs(%init : tensor<4x8xi8>) -> tensor<4x8xi8>
    return %0 : tensor<4x8xi8>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  // expected-error@+1 {{kernel 'other': expected a #bamba.cuda_schedule as 'bamba.schedule', found #bamba.cpu_schedule}}
  func.func private @other(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %init: tensor<4x8xf32>) -> tensor<4x8xf32>
      attributes {bamba.kernel, bamba.schedule = #bamba.cpu_schedule<workgroup = [0, 0], rows = 1, depth = 0, chunk = 0>} {
    %0 = linalg.add ins(%x, %y : tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  // expected-error@+1 {{kernel 'none': expected a #bamba.cuda_schedule as 'bamba.schedule', found none}}
  func.func private @none(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %init: tensor<4x8xf32>) -> tensor<4x8xf32>
      attributes {bamba.kernel} {
    %0 = linalg.add ins(%x, %y : tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @step(%in: tensor<2x12xf32>, %dt: tensor<2x2xf32>, %w: tensor<4x12xf32>, %s: tensor<2xi32>, %n: tensor<3xi32>,
      %p: tensor<2xi32>, %a: tensor<2xf32>, %cs0: tensor<?x4x12xf32>, %ss0: tensor<?x2x2x4xf32>, %init: tensor<2x4xf32>)
      -> (tensor<2x4xf32>, tensor<?x4x12xf32>, tensor<?x2x2x4xf32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/ssm_step", fields = {channel_tile = 2, threads = 32}>} {
    %e = tensor.empty() : tensor<2x12xbf16>
    %cv, %cs = bamba.causal_conv1d ins(%in, %w, %s, %n : tensor<2x12xf32>, tensor<4x12xf32>, tensor<2xi32>, tensor<3xi32>)
        positions(%p : tensor<2xi32>) outs(%e, %cs0 : tensor<2x12xbf16>, tensor<?x4x12xf32>)
    %x = tensor.extract_slice %cv[0, 0] [2, 4] [1, 1] : tensor<2x12xbf16> to tensor<2x4xbf16>
    %b = tensor.extract_slice %cv[0, 8] [2, 4] [1, 1] : tensor<2x12xbf16> to tensor<2x4xbf16>
    %c = tensor.extract_slice %cv[0, 4] [2, 4] [1, 1] : tensor<2x12xbf16> to tensor<2x4xbf16>
    // expected-error@+1 {{expected x, B and C to be columns 0, 4 and 8 of one convolution of 12 channels, found columns 0, 8 and 4 of 12}}
    %y, %ss = bamba.ssm_step ins(%x, %dt, %b, %c, %a, %a, %a, %s : tensor<2x4xbf16>, tensor<2x2xf32>, tensor<2x4xbf16>,
        tensor<2x4xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xi32>)
        outs(%init, %ss0 : tensor<2x4xf32>, tensor<?x2x2x4xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %cs, %ss : tensor<2x4xf32>, tensor<?x4x12xf32>, tensor<?x2x2x4xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @step(%in: tensor<2x12xf32>, %dt: tensor<2x2xf32>, %w: tensor<4x12xf32>, %s: tensor<2xi32>, %n: tensor<3xi32>,
      %p: tensor<2xi32>, %a: tensor<2xf32>, %cs0: tensor<?x4x12xf32>, %ss0: tensor<?x2x2x4xf32>, %init: tensor<2x4xf32>)
      -> (tensor<2x4xf32>, tensor<?x4x12xf32>, tensor<?x2x2x4xf32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "common/ssm_step", fields = {channel_tile = 2, threads = 32}>} {
    %e = tensor.empty() : tensor<2x12xbf16>
    %cv, %cs = bamba.causal_conv1d ins(%in, %w, %s, %n : tensor<2x12xf32>, tensor<4x12xf32>, tensor<2xi32>, tensor<3xi32>)
        positions(%p : tensor<2xi32>) outs(%e, %cs0 : tensor<2x12xbf16>, tensor<?x4x12xf32>)
    %x = tensor.extract_slice %cv[0, 0] [2, 4] [1, 1] : tensor<2x12xbf16> to tensor<2x4xbf16>
    %b = tensor.extract_slice %in[0, 4] [2, 4] [1, 1] : tensor<2x12xf32> to tensor<2x4xf32>
    %c = tensor.extract_slice %cv[0, 8] [2, 4] [1, 1] : tensor<2x12xbf16> to tensor<2x4xbf16>
    // expected-error@+1 {{expected x, B and C to be columns 0, 4 and 8 of one convolution of 12 channels, found columns of something else as well}}
    %y, %ss = bamba.ssm_step ins(%x, %dt, %b, %c, %a, %a, %a, %s : tensor<2x4xbf16>, tensor<2x2xf32>, tensor<2x4xf32>,
        tensor<2x4xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xi32>)
        outs(%init, %ss0 : tensor<2x4xf32>, tensor<?x2x2x4xf32>) dt_limit(0.0, 1.0) acc(f32)
    return %y, %cs, %ss : tensor<2x4xf32>, tensor<?x4x12xf32>, tensor<?x2x2x4xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132>} {
  func.func private @unknown_scales(%x: tensor<2x256xbf16>, %w: tensor<64x256xbf16, #bamba.panel<8, group = 8, align = 64>>,
      %c: tensor<2x64xf8E4M3FN>, %s: tensor<2x1xf32>) -> (tensor<2x64xf8E4M3FN>, tensor<2x1xf32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "wgmma/linear_skinny", fields = {stages = 2 : i64}>} {
    %h = tensor.empty() : tensor<2x64xbf16>
    %0 = bamba.linear ins(%x, %w : tensor<2x256xbf16>, tensor<64x256xbf16, #bamba.panel<8, group = 8, align = 64>>)
                      outs(%h : tensor<2x64xbf16>) acc(f32)
    // expected-error@+1 {{expected scales that are known, since a block has some columns of a row}}
    %q, %t = bamba.quantize ins(%0 : tensor<2x64xbf16>) outs(%c, %s : tensor<2x64xf8E4M3FN>, tensor<2x1xf32>) group(0)
    return %q, %t : tensor<2x64xf8E4M3FN>, tensor<2x1xf32>
  }
}

// -----

// Codes that blocks share.
module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @shared_codes(%x: tensor<2x256xf32>, %f: tensor<1xf32>, %w: tensor<64x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>, %ws: tensor<1x64xf32>,
      %init: tensor<2x64xf32>, %c: tensor<2x256xf8E4M3FN>, %s: tensor<2x1xf32>) -> (tensor<2x64xf32>, tensor<2x256xf8E4M3FN>, tensor<2x1xf32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 16, tile_columns = 32, stages = 4}>} {
    // expected-error@+1 {{expected scales that rows decide about, where blocks share codes}}
    %q, %t = bamba.quantize ins(%x : tensor<2x256xf32>) static(%f : tensor<1xf32>) outs(%c, %s : tensor<2x256xf8E4M3FN>, tensor<2x1xf32>) group(0)
    %0 = bamba.linear ins(%q, %w : tensor<2x256xf8E4M3FN>, tensor<64x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>)
                      scales(%t, %ws : tensor<2x1xf32>, tensor<1x64xf32>) group(0) outs(%init : tensor<2x64xf32>) acc(f32)
    return %0, %q, %t : tensor<2x64xf32>, tensor<2x256xf8E4M3FN>, tensor<2x1xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @shared_codes(%x: tensor<2x256xf32>, %n: tensor<256xf32>, %w: tensor<64x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>, %ws: tensor<1x64xf32>,
      %init: tensor<2x64xf32>, %c: tensor<2x256xf8E4M3FN>, %s: tensor<2x1xf32>) -> (tensor<2x64xf32>, tensor<2x256xf8E4M3FN>, tensor<2x1xf32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 16, tile_columns = 32, stages = 4}>} {
    %e = tensor.empty() : tensor<2x256xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<2x256xf32>, tensor<256xf32>) outs(%e : tensor<2x256xf32>) eps(1.0e-5)
    // expected-error@+1 {{expected rows that are an argument of the kernel, where blocks share codes}}
    %q, %t = bamba.quantize ins(%h : tensor<2x256xf32>) outs(%c, %s : tensor<2x256xf8E4M3FN>, tensor<2x1xf32>) group(0)
    %0 = bamba.linear ins(%q, %w : tensor<2x256xf8E4M3FN>, tensor<64x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>)
                      scales(%t, %ws : tensor<2x1xf32>, tensor<1x64xf32>) group(0) outs(%init : tensor<2x64xf32>) acc(f32)
    return %0, %q, %t : tensor<2x64xf32>, tensor<2x256xf8E4M3FN>, tensor<2x1xf32>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @shared_codes(%x: tensor<2x256xf32>, %w: tensor<64x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>, %ws: tensor<1x64xf32>,
      %init: tensor<2x64xf32>, %c: tensor<2x256xf8E4M3FN>) -> (tensor<2x64xf32>, tensor<2x256xf8E4M3FN>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 16, tile_columns = 32, stages = 4}>} {
    %s = tensor.empty() : tensor<2x1xf32>
    // expected-error@+1 {{expected scales that are a result of the kernel, as the codes are}}
    %q, %t = bamba.quantize ins(%x : tensor<2x256xf32>) outs(%c, %s : tensor<2x256xf8E4M3FN>, tensor<2x1xf32>) group(0)
    %0 = bamba.linear ins(%q, %w : tensor<2x256xf8E4M3FN>, tensor<64x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>)
                      scales(%t, %ws : tensor<2x1xf32>, tensor<1x64xf32>) group(0) outs(%init : tensor<2x64xf32>) acc(f32)
    return %0, %q : tensor<2x64xf32>, tensor<2x256xf8E4M3FN>
  }
}

// -----

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
  func.func private @shared_codes(%x: tensor<1025x256xf32>, %w: tensor<64x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>, %ws: tensor<1x64xf32>,
      %init: tensor<1025x64xf32>, %c: tensor<1025x256xf8E4M3FN>, %s: tensor<1025x1xf32>) -> (tensor<1025x64xf32>, tensor<1025x256xf8E4M3FN>, tensor<1025x1xf32>)
      attributes {bamba.kernel, bamba.schedule = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 128, tile_columns = 128, stages = 3}>} {
    // expected-error@+1 {{expected at most 1024 rows, where blocks share codes, found 1025}}
    %q, %t = bamba.quantize ins(%x : tensor<1025x256xf32>) outs(%c, %s : tensor<1025x256xf8E4M3FN>, tensor<1025x1xf32>) group(0)
    %0 = bamba.linear ins(%q, %w : tensor<1025x256xf8E4M3FN>, tensor<64x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>)
                      scales(%t, %ws : tensor<1025x1xf32>, tensor<1x64xf32>) group(0) outs(%init : tensor<1025x64xf32>) acc(f32)
    return %0, %q, %t : tensor<1025x64xf32>, tensor<1025x256xf8E4M3FN>, tensor<1025x1xf32>
  }
}
