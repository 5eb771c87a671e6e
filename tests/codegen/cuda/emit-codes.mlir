// The CUDA text of quantizations and of linears of codes: how scales are read, and which collective multiplies by them.
//
// RUN: %bambac-opt --bamba-emit-cuda %s -o /dev/null > %t.txt
// RUN: FileCheck %s < %t.txt

!weight = tensor<64x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>
#skinny = #bamba.cuda_schedule<collective = "mma/linear", fields = {tile_rows = 16, tile_columns = 32, stages = 4}>
#quantize = #bamba.cuda_schedule<collective = "common/quantize", fields = {}>

module attributes {bamba.target = #bamba.cuda_target<arch = "sm_80", shared_bytes = 166912, multiprocessors = 108, fusions = []>} {
// CHECK-LABEL: //--- quantize.cu
// CHECK:       #include "common/quantize.cuh"
// CHECK:       kColumns = 256;
// CHECK-NEXT:  static constexpr int kGroup = 128;
// CHECK-NEXT:  static constexpr int kFixedScales = 0;
// CHECK-NEXT:  static constexpr int kVector = 8;
// CHECK:       using Kernel = Quantize<Shape>;
// CHECK:         const bf16 *input,
// CHECK-NEXT:    e4m3 *codes,
// CHECK-NEXT:    float *scales) {
// CHECK-NEXT:    Kernel::run(Rows<const bf16, 256>{input}, nullptr, Rows<e4m3, 256>{codes}, scales);
  func.func private @quantize(%x: tensor<2x256xbf16>, %c: tensor<2x256xf8E4M3FN>, %s: tensor<2x2xf32>)
      -> (tensor<2x256xf8E4M3FN>, tensor<2x2xf32>) attributes {bamba.kernel, bamba.schedule = #quantize} {
    %q, %t = bamba.quantize ins(%x : tensor<2x256xbf16>) outs(%c, %s : tensor<2x256xf8E4M3FN>, tensor<2x2xf32>) group(128)
    return %q, %t : tensor<2x256xf8E4M3FN>, tensor<2x2xf32>
  }

// CHECK-LABEL: //--- quantize_fixed.cu
// CHECK:       kFixedScales = 3;
// CHECK:         Kernel::run(Rows<const float, 250>{input}, fixedScales, Rows<e4m3, 250>{codes}, scales);
  func.func private @quantize_fixed(%x: tensor<2x250xf32>, %f: tensor<3xf32>, %c: tensor<2x250xf8E4M3FN>, %s: tensor<2x1xf32>)
      -> (tensor<2x250xf8E4M3FN>, tensor<2x1xf32>) attributes {bamba.kernel, bamba.schedule = #quantize} {
    %q, %t = bamba.quantize ins(%x : tensor<2x250xf32>) static(%f : tensor<3xf32>)
                            outs(%c, %s : tensor<2x250xf8E4M3FN>, tensor<2x1xf32>) group(0)
    return %q, %t : tensor<2x250xf8E4M3FN>, tensor<2x1xf32>
  }

// What comes before stays in f32 until it is rounded to codes.
// CHECK-LABEL: //--- quantize_norm.cu
// CHECK:       kEpsilon = 1e-05f;
// CHECK:         Kernel::run(
// CHECK-NEXT:      NormalizedRows<Rows<const float, 256>>{Rows<const float, 256>{input}, normWeight},
// CHECK-NEXT:      nullptr,
// CHECK-NEXT:      Rows<e4m3, 256>{codes},
// CHECK-NEXT:      scales);
  func.func private @quantize_norm(%x: tensor<2x256xf32>, %n: tensor<256xf32>, %c: tensor<2x256xf8E4M3FN>, %s: tensor<2x1xf32>)
      -> (tensor<2x256xf8E4M3FN>, tensor<2x1xf32>) attributes {bamba.kernel, bamba.schedule = #quantize} {
    %e = tensor.empty() : tensor<2x256xbf16>
    %h = bamba.rms_norm ins(%x, %n : tensor<2x256xf32>, tensor<256xf32>) outs(%e : tensor<2x256xbf16>) eps(1.0e-5)
    %q, %t = bamba.quantize ins(%h : tensor<2x256xbf16>) outs(%c, %s : tensor<2x256xf8E4M3FN>, tensor<2x1xf32>) group(0)
    return %q, %t : tensor<2x256xf8E4M3FN>, tensor<2x1xf32>
  }

// CHECK-LABEL: //--- quantize_swiglu.cu
// CHECK:       GatedRows<Rows<const float, 256>, Rows<const float, 256>>{Rows<const float, 256>{gate}, Rows<const float, 256>{up}},
  func.func private @quantize_swiglu(%g: tensor<2x256xf32>, %u: tensor<2x256xf32>, %c: tensor<2x256xf8E4M3FN>, %s: tensor<2x1xf32>)
      -> (tensor<2x256xf8E4M3FN>, tensor<2x1xf32>) attributes {bamba.kernel, bamba.schedule = #quantize} {
    %e = tensor.empty() : tensor<2x256xbf16>
    %h = bamba.swiglu ins(%g, %u : tensor<2x256xf32>, tensor<2x256xf32>) outs(%e : tensor<2x256xbf16>)
    %q, %t = bamba.quantize ins(%h : tensor<2x256xbf16>) outs(%c, %s : tensor<2x256xf8E4M3FN>, tensor<2x1xf32>) group(0)
    return %q, %t : tensor<2x256xf8E4M3FN>, tensor<2x1xf32>
  }

// One scale a row and one a column: the epilogue multiplies by both, before the bias.
// CHECK-LABEL: //--- linear.cu
// CHECK:       using Operand = e4m3;
// CHECK:       kPanelGroup = 16;
// CHECK-NEXT:  static constexpr int kPanelAlign = 128;
// CHECK:       using Element = e4m3;
// CHECK:       struct Epilogue {
// CHECK-NEXT:    using Element = float;
// CHECK-NEXT:    static constexpr int kInputs = 1, kColumns = 64, kVector = 8;
// CHECK-NEXT:    const float *bias;
// CHECK-NEXT:    const float *inputScales;
// CHECK-NEXT:    const float *weightScales;
// CHECK-NEXT:    Element *result;
// CHECK:           float inputScale;
// CHECK-NEXT:      float weightScales[V * kInputs];
// CHECK:           extra.inputScale = inputScales[row];
// CHECK-NEXT:      loadVector<V * kInputs>(weightScales + column * kInputs, extra.weightScales);
// CHECK:           values[i] = ((sums[i] * extra.inputScale * extra.weightScales[i]) + extra.bias[i]);
// CHECK:         Kernel::run(Input{input}, weight, Epilogue{bias, inputScales, weightScales, result});
  func.func private @linear(%x: tensor<2x256xf8E4M3FN>, %w: !weight, %xs: tensor<2x1xf32>, %ws: tensor<1x64xf32>, %b: tensor<64xf32>,
      %init: tensor<2x64xf32>) -> tensor<2x64xf32> attributes {bamba.kernel, bamba.schedule = #skinny} {
    %0 = bamba.linear ins(%x, %w : tensor<2x256xf8E4M3FN>, !weight) bias(%b : tensor<64xf32>)
                      scales(%xs, %ws : tensor<2x1xf32>, tensor<1x64xf32>) group(0) outs(%init : tensor<2x64xf32>) acc(f32)
    return %0 : tensor<2x64xf32>
  }

// Groups of columns of the depth have their own: the collective multiplies by them, and asks where they are.
// CHECK-LABEL: //--- linear_groups.cu
// CHECK:       struct Epilogue {
// CHECK:         const float *inputScales;
// CHECK-NEXT:    const float *weightScales;
// CHECK-NEXT:    static constexpr int kGroup = 128;
// CHECK-NEXT:    __device__ __forceinline__ float inputScale(int row, int group) const {
// CHECK-NEXT:      return inputScales[row * 2 + group];
// CHECK:         __device__ __forceinline__ float weightScale(int column, int group) const {
// CHECK-NEXT:      return weightScales[group * 64 + column];
// CHECK:           values[i] = sums[i];
  func.func private @linear_groups(%x: tensor<2x256xf8E4M3FN>, %w: !weight, %xs: tensor<2x2xf32>, %ws: tensor<2x64xf32>,
      %init: tensor<2x64xf32>) -> tensor<2x64xf32> attributes {bamba.kernel, bamba.schedule = #skinny} {
    %0 = bamba.linear ins(%x, %w : tensor<2x256xf8E4M3FN>, !weight)
                      scales(%xs, %ws : tensor<2x2xf32>, tensor<2x64xf32>) group(128) outs(%init : tensor<2x64xf32>) acc(f32)
    return %0 : tensor<2x64xf32>
  }

// Codes that are results of the kernel: blocks make them for each other, and read them as any others.
// CHECK-LABEL: //--- linear_shares.cu
// CHECK:       #include "common/shared_codes.cuh"
// CHECK:       struct Quantized {
// CHECK-NEXT:    static constexpr int kColumns = 256, kVector = 4, kGroup = 0, kFixedScales = 0;
// CHECK-NEXT:  };
// CHECK-NEXT:  using Input = SharedCodes<Quantized, Rows<const float, 256>>;
// CHECK:         const float *inputScales;
// CHECK:       using Kernel = Linear<Shape, Input, Epilogue>;
// CHECK:         const float *input,
// CHECK-NEXT:    const e4m3 *weight,
// CHECK-NEXT:    const float *weightScales,
// CHECK-NEXT:    float *result,
// CHECK-NEXT:    e4m3 *codes,
// CHECK-NEXT:    float *scales,
// CHECK-NEXT:    void *workspace) {
// CHECK-NEXT:    Kernel::run(
// CHECK-NEXT:      Input{codes, Rows<const float, 256>{input}, scales, workspace},
// CHECK-NEXT:      weight,
// CHECK-NEXT:      Epilogue{scales, weightScales, result});
  func.func private @linear_shares(%x: tensor<2x256xf32>, %w: !weight, %ws: tensor<1x64xf32>, %init: tensor<2x64xf32>,
      %c: tensor<2x256xf8E4M3FN>, %s: tensor<2x1xf32>) -> (tensor<2x64xf32>, tensor<2x256xf8E4M3FN>, tensor<2x1xf32>)
      attributes {bamba.kernel, bamba.schedule = #skinny} {
    %q, %t = bamba.quantize ins(%x : tensor<2x256xf32>) outs(%c, %s : tensor<2x256xf8E4M3FN>, tensor<2x1xf32>) group(0)
    %0 = bamba.linear ins(%q, %w : tensor<2x256xf8E4M3FN>, !weight)
                      scales(%t, %ws : tensor<2x1xf32>, tensor<1x64xf32>) group(0) outs(%init : tensor<2x64xf32>) acc(f32)
    return %0, %q, %t : tensor<2x64xf32>, tensor<2x256xf8E4M3FN>, tensor<2x1xf32>
  }

// Quantized in the kernel, under a norm: the collective knows the rows' scales, the epilogue only the weight's. Those of
// gate and up are interleaved as their rows are.
// CHECK-LABEL: //--- linear_quantizes.cu
// CHECK:       /// What the linear multiplies: its input under an RMS norm, as codes.
// CHECK-NEXT:  struct Input {
// CHECK-NEXT:    using Element = float;
// CHECK-NEXT:    static constexpr bool kNormalizes = true;
// CHECK-NEXT:    static constexpr int kStride = 256;
// CHECK-NEXT:    static constexpr float kEpsilon = 1e-05f;
// CHECK-NEXT:    static constexpr bool kQuantizes = true;
// CHECK-NEXT:    static constexpr int kFixedScales = 1;
// CHECK-NEXT:    const Element *data;
// CHECK-NEXT:    const float *weight;
// CHECK-NEXT:    const float *fixedScales;
// CHECK:       struct Epilogue {
// CHECK-NOT:     inputScales
// CHECK:         const float v0 = silu((sums[2 * i] * extra.weightScales[2 * i])) * (sums[2 * i + 1] * extra.weightScales[2 * i + 1]); // bamba.swiglu
// CHECK:         Kernel::run(Input{input, normWeight, fixedScales}, weight, Epilogue{weightScales, result});
  func.func private @linear_quantizes(%x: tensor<2x256xf32>, %n: tensor<256xf32>, %f: tensor<1xf32>, %w: !weight,
      %ws: tensor<1x64xf32>, %init: tensor<2x32xbf16>) -> tensor<2x32xbf16> attributes {bamba.kernel, bamba.schedule = #skinny} {
    %e = tensor.empty() : tensor<2x256xbf16>
    %c = tensor.empty() : tensor<2x256xf8E4M3FN>
    %s = tensor.empty() : tensor<2x1xf32>
    %e64 = tensor.empty() : tensor<2x64xf32>
    %h = bamba.rms_norm ins(%x, %n : tensor<2x256xf32>, tensor<256xf32>) outs(%e : tensor<2x256xbf16>) eps(1.0e-5)
    %q, %t = bamba.quantize ins(%h : tensor<2x256xbf16>) static(%f : tensor<1xf32>)
                            outs(%c, %s : tensor<2x256xf8E4M3FN>, tensor<2x1xf32>) group(0)
    %l = bamba.linear ins(%q, %w : tensor<2x256xf8E4M3FN>, !weight)
                      scales(%t, %ws : tensor<2x1xf32>, tensor<1x64xf32>) group(0) outs(%e64 : tensor<2x64xf32>) acc(f32)
    %g = tensor.extract_slice %l[0, 0] [2, 32] [1, 2] : tensor<2x64xf32> to tensor<2x32xf32>
    %u = tensor.extract_slice %l[0, 1] [2, 32] [1, 2] : tensor<2x64xf32> to tensor<2x32xf32>
    %r = bamba.swiglu ins(%g, %u : tensor<2x32xf32>, tensor<2x32xf32>) outs(%init : tensor<2x32xbf16>)
    return %r : tensor<2x32xbf16>
  }

// Heads: as many scales as columns of a call.
// CHECK-LABEL: //--- heads.cu
// CHECK:         const float *inputScales;
// CHECK-NEXT:    const float *weightScales;
// CHECK:           long long place;
// CHECK-NEXT:      float inputScale;
// CHECK-NEXT:      float weightScales[2 * V];
// CHECK:           loadVector<2 * V>(weightScales + 2 * column, extra.weightScales);
// CHECK:           vector[i] = (sums[i] * extra.inputScale * extra.weightScales[i]);
// CHECK:         Epilogue{positions, pages, inputScales, weightScales, rotated, kCache, vCache});
  func.func private @heads(%x: tensor<2x256xf8E4M3FN>, %w: tensor<24x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>,
      %xs: tensor<2x1xf32>, %ws: tensor<1x24xf32>, %p: tensor<2xi32>,
      %pages: tensor<2x4xi32>, %k0: tensor<?x1x64x8xbf16>, %v0: tensor<?x1x64x8xbf16>, %q0: tensor<2x8xbf16>)
      -> (tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>, tensor<2x8xbf16>) attributes {bamba.kernel, bamba.schedule = #skinny} {
    %e = tensor.empty() : tensor<2x24xf32>
    %l = bamba.linear ins(%x, %w : tensor<2x256xf8E4M3FN>, tensor<24x256xf8E4M3FN, #bamba.panel<8, group = 16, align = 128>>)
                      scales(%xs, %ws : tensor<2x1xf32>, tensor<1x24xf32>) group(0) outs(%e : tensor<2x24xf32>) acc(f32)
    %q = tensor.extract_slice %l[0, 0] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %k = tensor.extract_slice %l[0, 8] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %v = tensor.extract_slice %l[0, 16] [2, 8] [1, 1] : tensor<2x24xf32> to tensor<2x8xf32>
    %e8 = tensor.empty() : tensor<2x8xbf16>
    %q1 = bamba.rope ins(%q, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%q0 : tensor<2x8xbf16>)
                     head_dim(8) rotation(<[1.0, 0.1, 0.01, 0.001]>) interleaved
    %k1 = bamba.rope ins(%k, %p : tensor<2x8xf32>, tensor<2xi32>) outs(%e8 : tensor<2x8xbf16>)
                     head_dim(8) rotation(<[1.0, 0.1, 0.01, 0.001]>) interleaved
    %k2, %v2 = bamba.kv_append ins(%k1, %v, %p, %pages : tensor<2x8xbf16>, tensor<2x8xf32>, tensor<2xi32>, tensor<2x4xi32>)
                               outs(%k0, %v0 : tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>)
    return %k2, %v2, %q1 : tensor<?x1x64x8xbf16>, tensor<?x1x64x8xbf16>, tensor<2x8xbf16>
  }

// The largest result is that of sums with their scales.
// CHECK-LABEL: //--- argmax.cu
// CHECK:         const float *inputScales;
// CHECK-NEXT:    const float *weightScales;
// CHECK-NEXT:    Element *result;
// CHECK-NEXT:    int *largest;
// CHECK:           values[i] = (sums[i] * extra.inputScale * extra.weightScales[i]);
// CHECK:         Maxima::offer(row, column, values);
  func.func private @argmax(%x: tensor<2x256xf8E4M3FN>, %w: !weight, %xs: tensor<2x1xf32>, %ws: tensor<1x64xf32>,
      %init: tensor<2x64xf32>, %a: tensor<2xi32>) -> (tensor<2xi32>, tensor<2x64xf32>)
      attributes {bamba.kernel, bamba.schedule = #skinny} {
    %0 = bamba.linear ins(%x, %w : tensor<2x256xf8E4M3FN>, !weight)
                      scales(%xs, %ws : tensor<2x1xf32>, tensor<1x64xf32>) group(0) outs(%init : tensor<2x64xf32>) acc(f32)
    %1 = bamba.argmax ins(%0 : tensor<2x64xf32>) outs(%a : tensor<2xi32>)
    return %1, %0 : tensor<2xi32>, tensor<2x64xf32>
  }

// With known scales codes are stored, and nothing else.
// CHECK-LABEL: //--- known_scales.cu
// CHECK:         Element *result;
// CHECK-NEXT:    float *scales;
// CHECK-NEXT:    const float *fixedScales;
// CHECK:           const float scale = largestScale<1>(fixedScales);
// CHECK:             value = CodeDivider(scale)(toFloat(fromFloat<bf16>(value)));
// CHECK:           storeVector<V>(result
  func.func private @known_scales(%x: tensor<2x256xbf16>, %w: tensor<64x256xbf16, #bamba.panel<8, group = 8, align = 64>>,
      %f: tensor<1xf32>, %c: tensor<2x64xf8E4M3FN>, %s: tensor<2x1xf32>)
      -> (tensor<2x64xf8E4M3FN>, tensor<2x1xf32>) attributes {bamba.kernel, bamba.schedule = #skinny} {
    %h = tensor.empty() : tensor<2x64xbf16>
    %0 = bamba.linear ins(%x, %w : tensor<2x256xbf16>, tensor<64x256xbf16, #bamba.panel<8, group = 8, align = 64>>)
                      outs(%h : tensor<2x64xbf16>) acc(f32)
    %q, %t = bamba.quantize ins(%0 : tensor<2x64xbf16>) static(%f : tensor<1xf32>)
                            outs(%c, %s : tensor<2x64xf8E4M3FN>, tensor<2x1xf32>) group(0)
    return %q, %t : tensor<2x64xf8E4M3FN>, tensor<2x1xf32>
  }
}
