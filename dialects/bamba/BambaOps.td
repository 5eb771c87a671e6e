// Ops without state: embedding, norms, linear, rope, SwiGLU and the sampling head.
#ifndef BAMBAC_DIALECTS_BAMBA_BAMBAOPS_TD
#define BAMBAC_DIALECTS_BAMBA_BAMBAOPS_TD

include "dialects/bamba/BambaAttributes.td"

def Bamba_EmbeddingOp : Bamba_ResultTiledOp<"embedding", 2, [Bamba_ResultLike<"init", "result">]> {
  let summary = "rows of an embedding table";
  let description = [{
    `result[r, :] = table[tokens[r], :]`, converted to the result's type.

    Shapes: tokens `[R]`, table `[V, H]`, result `[R, H]`.

    Example:
    ```mlir
    %x = bamba.embedding ins(%tokens, %table : tensor<4xi32>, tensor<256x128xbf16>)
                         outs(%init : tensor<4x128xf32>)
    ```
  }];
  let arguments = (ins Bamba_Indices:$tokens, Bamba_Matrix:$table, Bamba_Activation:$init);
  let results = (outs Bamba_Activation:$result);
  let assemblyFormat = [{
    `ins` `(` $tokens `,` $table `:` type($tokens) `,` type($table) `)` `outs` `(` $init `:` type($init) `)` attr-dict
  }];
}

def Bamba_RmsNormOp : Bamba_ResultTiledOp<"rms_norm", 1, [Bamba_ResultLike<"init", "result">]> {
  let summary = "root mean square normalization of each row";
  let description = [{
    `result[r, :] = input[r, :] * rsqrt(mean(input[r, :]^2) + eps) * weight`, statistics in f32.

    Shapes: input and result `[R, H]`, weight `[H]`. Source: Zhang and Sennrich, "Root Mean Square Layer Normalization".

    Example:
    ```mlir
    %h = bamba.rms_norm ins(%x, %w : tensor<4x128xf32>, tensor<128xf32>) outs(%init : tensor<4x128xf32>)
                        eps(1.000000e-05)
    ```
  }];
  let arguments = (ins Bamba_Activation:$input, Bamba_Vector:$weight, Bamba_Activation:$init, F64Attr:$eps);
  let results = (outs Bamba_Activation:$result);
  let assemblyFormat = [{
    `ins` `(` $input `,` $weight `:` type($input) `,` type($weight) `)` `outs` `(` $init `:` type($init) `)`
    `eps` `(` custom<Float>($eps) `)` attr-dict
  }];
}

def Bamba_GatedRmsNormOp : Bamba_ResultTiledOp<"gated_rms_norm", 1, [Bamba_ResultLike<"init", "result">]> {
  let summary = "SiLU gate, then root mean square normalization of each row";
  let description = [{
    With `g[r, :] = input[r, :] * silu(gate[r, :])` and `silu(v) = v / (1 + exp(-v))`:
    `result[r, :] = g[r, :] * rsqrt(mean(g[r, :]^2) + eps) * weight`, statistics in f32 over the whole row. The gate comes
    before the norm, as in Mamba2 with `norm_before_gate = false`.

    Shapes: input, gate and result `[R, E]`, weight `[E]`.

    Example:
    ```mlir
    %h = bamba.gated_rms_norm ins(%y, %z, %w : tensor<4x256xf32>, tensor<4x256xf32>, tensor<256xf32>)
                              outs(%init : tensor<4x256xf32>) eps(1.000000e-05)
    ```
  }];
  let arguments = (ins Bamba_Activation:$input, Bamba_Activation:$gate, Bamba_Vector:$weight, Bamba_Activation:$init,
      F64Attr:$eps);
  let results = (outs Bamba_Activation:$result);
  let assemblyFormat = [{
    `ins` `(` $input `,` $gate `,` $weight `:` type($input) `,` type($gate) `,` type($weight) `)`
    `outs` `(` $init `:` type($init) `)` `eps` `(` custom<Float>($eps) `)` attr-dict
  }];
}

def Bamba_QuantizeOp : Bamba_TiledOp<"quantize",
    [Bamba_ResultLike<"init", "result">, Bamba_ResultLike<"scales_init", "scales">]> {
  let summary = "codes and scales of the rows of a matrix";
  let description = [{
    Each row is cut into `S` groups of `group` columns, the last of which may be shorter; `group` 0 is the whole row.
    With `a = max |input[r, k]|` over the group `s` that `k` is in: `scales[r, s] = max(a / 448, 1 / (448 * 512))`, and
    `result[r, k] = e4m3(min(max(input[r, k] / scales[r, s], -448), 448))`, rounded to nearest, ties to even, all of it
    in f32. With static scales `t`, `scales[r, 0] = max_i t[i]` instead: those of all linears that read the result.

    The result holds numbers of e4m3 (4 bits of exponent, 3 of fraction, up to 448), in that type or in a wider one that
    a device multiplies.

    Shapes: input and result `[R, K]`, scales `[R, S]`, static scales `[T]`.

    Example:
    ```mlir
    %q, %s = bamba.quantize ins(%x : tensor<4x256xbf16>)
                            outs(%codes, %scales : tensor<4x256xf8E4M3FN>, tensor<4x2xf32>) group(128)
    ```
  }];
  let arguments = (ins Bamba_Activation:$input, Bamba_Codes:$init, Bamba_Scales:$scales_init,
      Optional<Bamba_Vector>:$static_scales, I64Attr:$group);
  let results = (outs Bamba_Codes:$result, Bamba_Scales:$scales);
  let assemblyFormat = [{
    `ins` `(` $input `:` type($input) `)` (`static` `(` $static_scales^ `:` type($static_scales) `)`)?
    `outs` `(` $init `,` $scales_init `:` type($init) `,` type($scales_init) `)`
    `group` `(` custom<Int>($group) `)` attr-dict
  }];
  let extraClassDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() { return {getOperation(), 1, 2}; }
    /// Columns that share a scale, but for the last ones of a row.
    int64_t getGroupSize() { return getGroup() ? getGroup() : getInput().getType().getDimSize(1); }
  }];
}

def Bamba_SplitOp : Bamba_ResultTiledOp<"split", 1, [Bamba_ResultLike<"init", "result">]> {
  let summary = "numbers as sums of numbers of a narrower type";
  let description = [{
    Each number becomes `count` terms, the first of which has its sign, exponent and leading bits, the second those of
    what is left, and so on: as many as the type has, cut off. Three of bf16, of 8 bits each, add up to the f32. Of an
    infinity all terms after the first are zero. `#bamba.terms` says where they lie.

    It lets a linear multiply f32 by instructions that take narrower numbers and add in f32.

    Shapes: input `[R, K]`, result `[R, terms.width(K)]`.

    Example:
    ```mlir
    %t = bamba.split ins(%x : tensor<4x64xf32>) terms(<count = 3, run = 32>) outs(%init : tensor<4x224xbf16>)
    ```
  }];
  let arguments = (ins Bamba_Activation:$input, Bamba_TermsAttr:$terms, Bamba_Activation:$init);
  let results = (outs Bamba_Activation:$result);
  let assemblyFormat = [{
    `ins` `(` $input `:` type($input) `)` `terms` `(` $terms `)` `outs` `(` $init `:` type($init) `)` attr-dict
  }];
}

def Bamba_LinearOp : Bamba_ResultTiledOp<"linear", 2, [AttrSizedOperandSegments, Bamba_ResultLike<"init", "result">]> {
  let summary = "product with the transpose of a weight matrix, and a bias";
  let description = [{
    `result[r, n] = sum_k input[r, k] * weight[n, k] + bias[n]`, summed in `acc`.

    With scales, the operands are codes: `result[r, n] = sum_g x[r, g] * w[g, n] * sum_k input[r, k] * weight[n, k] +
    bias[n]`, where the inner sum runs over the columns of group `g`. Groups have `group` columns, the last may have
    fewer; `group` 0 is all columns.

    With `fast_accumulate`, the sum over all columns may be left to instructions that add products of codes with fewer
    bits than `acc` has; without it, code generation takes such sums over into `acc` often enough. It says what may be
    lost, so it is part of the op, as fast-math flags are in `arith`: every target decides what it gains.

    With `terms`, the input is the result of a `bamba.split` with the same terms, and each `input[r, k]` their sum.

    Shapes: input `[R, K]`, or `[R, terms.width(K)]`, weight `[N, K]` (as checkpoints store it; the encoding
    `#bamba.panel` says how it lies in memory), bias `[N]`, result `[R, N]`, scales of the input `x` `[R, G]` and of the
    weight `w` `[G, N]`. Code generation replaces an encoded weight by the panels themselves, `[ceil(N/p), K, p]`, or
    with groups of `g` columns `[ceil(N/p), ceil(K/g), p, g]`.

    Example:
    ```mlir
    %q = bamba.linear ins(%h, %w : tensor<4x128xf32>, tensor<96x128xbf16>) bias(%b : tensor<96xf32>)
                      outs(%init : tensor<4x96xf32>) acc(f32)
    %p = bamba.linear ins(%c, %v : tensor<4x128xf8E4M3FN>, tensor<96x128xf8E4M3FN>)
                      scales(%cs, %vs : tensor<4x1xf32>, tensor<1x96xf32>) group(0)
                      outs(%init : tensor<4x96xf32>) acc(f32)
    ```
  }];
  let arguments = (ins Bamba_Codes:$input, Bamba_MatrixOrPanels:$weight, Bamba_Activation:$init,
      Optional<Bamba_Vector>:$bias, Optional<Bamba_Scales>:$input_scales, Optional<Bamba_Scales>:$weight_scales,
      TypeAttr:$acc, DefaultValuedAttr<I64Attr, "0">:$group, UnitAttr:$fast_accumulate,
      OptionalAttr<Bamba_TermsAttr>:$terms);
  let results = (outs Bamba_Activation:$result);
  let assemblyFormat = [{
    `ins` `(` $input `,` $weight `:` type($input) `,` type($weight) `)` (`terms` `(` $terms^ `)`)?
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`scales` `(` $input_scales^ `,` $weight_scales `:` type($input_scales) `,` type($weight_scales) `)`
     `group` `(` custom<Int>($group) `)`)?
    `outs` `(` $init `:` type($init) `)` `acc` `(` $acc `)` (`fast_accumulate` $fast_accumulate^)? attr-dict
  }];
  let extraClassDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    /// True where the operands are codes with scales.
    bool isScaled() { return static_cast<bool>(getInputScales()); }
    /// Columns of the weight as it lies: in groups, with their padding.
    int64_t getWeightColumns() {
      auto type = getWeight().getType();
      bool hasGroups = type.getRank() == 4 && !type.isDynamicDim(1);
      return hasGroups ? type.getDimSize(1) * type.getDimSize(3) : type.getDimSize(1);
    }
    /// Columns that share a scale, but for the last ones of a row.
    int64_t getGroupSize() { return getGroup() ? getGroup() : getInput().getType().getDimSize(1); }
  }];
}

def Bamba_RopeOp : Bamba_ResultTiledOp<"rope", 1, [Bamba_ResultLike<"init", "result">]> {
  let summary = "rotary position embedding of the first dimensions of each head";
  let description = [{
    For the `h` frequencies of the rotation, with `angle = position * frequencies[j]`, a product in f32,
    `c = scale * cos(angle)` and `s = scale * sin(angle)`: `result[j] = x[j] c - x[j + h] s` and
    `result[j + h] = x[j + h] c + x[j] s`; the dimensions from `2h` on pass through. A padding row (position -1) is
    computed like any other and never read.

    With `interleaved`, the two dimensions of a pair are neighbours, `2j` and `2j + 1`, instead of half-split, `j` and
    `j + h`: a kernel then has both in one place. Queries and keys must agree.

    Shapes: input and result `[R, heads * head_dim]`, positions `[R]`. Source: Su et al., "RoFormer", with half-split
    pairing as in GPT-NeoX, or interleaved as in GPT-J.

    Example:
    ```mlir
    %q1 = bamba.rope ins(%q, %positions : tensor<4x128xf32>, tensor<4xi32>) outs(%init : tensor<4x128xf32>)
                     head_dim(32) rotation(<[1.000000e+00, 1.000000e-02]>)
    ```
  }];
  let arguments = (ins Bamba_Activation:$input, Bamba_Indices:$positions, Bamba_Activation:$init, I64Attr:$head_dim,
      Bamba_RotationAttr:$rotation, UnitAttr:$interleaved);
  let results = (outs Bamba_Activation:$result);
  let assemblyFormat = [{
    `ins` `(` $input `,` $positions `:` type($input) `,` type($positions) `)` `outs` `(` $init `:` type($init) `)`
    `head_dim` `(` custom<Int>($head_dim) `)` `rotation` `(` $rotation `)` (`interleaved` $interleaved^)? attr-dict
  }];
  let extraClassDeclaration = dpsDeclaration # [{
    int64_t getRotaryDim() { return getRotation().getRotaryDim(); }
  }];
  let hasFolder = 1;
}

def Bamba_SwigluOp : Bamba_ResultTiledOp<"swiglu", 2, [Bamba_ResultLike<"init", "result">]> {
  let summary = "SiLU of a gate times a value";
  let description = [{
    `result = silu(gate) * up`, `silu(v) = v / (1 + exp(-v))`. Source: Shazeer, "GLU Variants Improve Transformer".

    Shapes: all `[R, I]`.

    Example:
    ```mlir
    %f = bamba.swiglu ins(%gate, %up : tensor<4x256xf32>, tensor<4x256xf32>) outs(%init : tensor<4x256xf32>)
    ```
  }];
  let arguments = (ins Bamba_Activation:$gate, Bamba_Activation:$up, Bamba_Activation:$init);
  let results = (outs Bamba_Activation:$result);
  let assemblyFormat = [{
    `ins` `(` $gate `,` $up `:` type($gate) `,` type($up) `)` `outs` `(` $init `:` type($init) `)` attr-dict
  }];
}

def Bamba_TakeRowsOp : Bamba_ResultTiledOp<"take_rows", 2, [Bamba_ResultLike<"init", "result">]> {
  let summary = "the rows of a matrix that a list names";
  let description = [{
    `result[k, :] = input[rows[k], :]`, converted to the result's type. The numbers are in `[0, R)`, in any order; a
    kernel that is told how many of them are there reads no others.

    Shapes: input `[R, H]`, rows `[K]`, result `[K, H]`.

    Example:
    ```mlir
    %x1 = bamba.take_rows ins(%x, %kept : tensor<64x128xf32>, tensor<8xi32>) outs(%init : tensor<8x128xf32>)
    ```
  }];
  let arguments = (ins Bamba_Activation:$input, Bamba_Indices:$rows, Bamba_Activation:$init);
  let results = (outs Bamba_Activation:$result);
  let assemblyFormat = [{
    `ins` `(` $input `,` $rows `:` type($input) `,` type($rows) `)` `outs` `(` $init `:` type($init) `)` attr-dict
  }];
}

def Bamba_ArgmaxOp : Bamba_ResultTiledOp<"argmax", 1, [Bamba_ResultLike<"init", "result">]> {
  let summary = "the column of each row's largest element, the greedy token";
  let description = [{
    `result[r]` is the first column `v` with the largest `input[r, v]`, and -1 where one of them is not a number.

    Shapes: input `[R, V]`, result `[R]`.

    Example:
    ```mlir
    %token = bamba.argmax ins(%logits : tensor<4x256xf32>) outs(%init : tensor<4xi32>)
    ```
  }];
  let arguments = (ins Bamba_Activation:$input, Bamba_Indices:$init);
  let results = (outs Bamba_Indices:$result);
  let assemblyFormat = "`ins` `(` $input `:` type($input) `)` `outs` `(` $init `:` type($init) `)` attr-dict";
}

def Bamba_SampleOp : Bamba_ResultTiledOp<"sample", 1, [Bamba_ResultLike<"init", "result">]> {
  let summary = "a token drawn from each row of logits, and log-probabilities";
  let description = [{
    Row `r` of `sampling` holds the parameters of row `r` of the logits, the 18 words of a `bamba_rt_sampling`
    (runtime/contract/sampling.h, which says what each means), row `r` of the result the 42 words of a
    `bamba_rt_sample`. With `z` the logits after the edits that the parameters name, `T` the temperature, and `S` the
    tokens that the mask, `top_k`, `top_p` and `min_p` leave: `token = argmax_{v in S} z[v] / T + g(v)`, a draw from
    softmax of `z / T` over `S`; where `T` is 0, `argmax z[v]`. `g(v) = -log(-log(u))` is noise of the seed, of `v` and of
    the position of the token, `positions[kept[r]] + 1`, alone: neither the other rows nor their number change a token.
    Where all parameters are zero, the token is `greedy[r]`, and so it is where a logit is not a number (-1).

    `logprob = logits[r, token] - log(sum_v exp(logits[r, v]))`, and the same for the most likely tokens.

    Shapes: logits `[R, V]`, greedy `[R]`, positions `[P]`, sampling `[R, 16]`, kept `[R]`, result `[R, 42]`. Without
    `kept`, row `r` belongs to position `r`. Sources: the Gumbel-max trick (Maddison, Tarlow and Minka, "A* Sampling");
    nucleus sampling (Holtzman et al., "The Curious Case of Neural Text Degeneration"); min-p (Nguyen et al., "Turning Up
    the Heat"); the repetition penalty (Keskar et al., "CTRL"); Philox (Salmon et al., "Parallel Random Numbers: As Easy
    as 1, 2, 3").

    Example:
    ```mlir
    %s = bamba.sample ins(%logits, %greedy, %positions, %sampling : tensor<4x256xf32>, tensor<4xi32>, tensor<4xi32>,
                          tensor<4x18xi32>) outs(%init : tensor<4x42xi32>)
    ```
  }];
  let arguments = (ins TensorRankOf<[F32], [2]>:$logits, Bamba_Indices:$greedy, Bamba_Indices:$positions,
      Bamba_PageTable:$sampling, Bamba_PageTable:$init, Optional<Bamba_Indices>:$kept);
  let results = (outs Bamba_PageTable:$result);
  let assemblyFormat = [{
    `ins` `(` $logits `,` $greedy `,` $positions `,` $sampling `:` type($logits) `,` type($greedy) `,` type($positions)
    `,` type($sampling) `)` (`kept` `(` $kept^ `:` type($kept) `)`)? `outs` `(` $init `:` type($init) `)` attr-dict
  }];
  let extraClassDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }];
}

#endif
