// Ops that read or update a sequence's state: causal convolution, selective state space, KV cache, attention.
#ifndef BAMBAC_DIALECTS_BAMBA_BAMBASTATEOPS_TD
#define BAMBAC_DIALECTS_BAMBA_BAMBASTATEOPS_TD

include "dialects/bamba/BambaDialect.td"

def Bamba_CausalConv1dOp : Bamba_TiledOp<"causal_conv1d",
    [AttrSizedOperandSegments, Bamba_ResultLike<"init", "result">, Bamba_ResultLike<"state", "new_state">]> {
  let summary = "depthwise causal convolution over time, bias and SiLU, continuing from a state";
  let description = [{
    The rows are those of pieces, one after another: piece `p`, tokens of one sequence, has rows `starts[p]` to
    `starts[p+1]`. For each, with `u[t]` the input at its token `t` and `u[-K+1..-1]` the inputs before, from the state:
    `result[t, c] = silu(bias[c] + sum_j weight[j, c] * u[t - K + 1 + j, c])`.

    A piece without rows does nothing. Results of rows from `starts[P]` on may be anything, and so may their inputs.

    Without `positions` the state holds the last `K-1` inputs, oldest first, after a piece of `count` tokens:
    `new_state[slot, i, c] = u[count - K + 1 + i, c]`.

    With `positions` the state is a ring of `S >= K` rows: the input at position `q` lies in row `q mod S`, and token
    `t` is at position `positions[starts[p]] + t`. A step of one token then writes a row that nothing of the same step
    reads, so that a kernel may read the state in many places and write it in one.

    Shapes: input and result `[R, C]`, weight `[K, C]`, bias `[C]`, slots `[P]`, starts `[P+1]`, positions `[R]`, state
    `[?, K-1, C]` or with positions `[?, S, C]`.

    Examples:
    ```mlir
    %y, %s1 = bamba.causal_conv1d ins(%xBC, %w, %slots, %starts : tensor<4x320xf32>, tensor<4x320xf32>, tensor<2xi32>,
                                      tensor<3xi32>) bias(%b : tensor<320xf32>)
                                  outs(%init, %s : tensor<4x320xf32>, tensor<?x3x320xf32>)
    %y, %r1 = bamba.causal_conv1d ins(%xBC, %w, %slots, %starts : tensor<4x320xf32>, tensor<4x320xf32>, tensor<2xi32>,
                                      tensor<3xi32>) bias(%b : tensor<320xf32>) positions(%p : tensor<4xi32>)
                                  outs(%init, %r : tensor<4x320xf32>, tensor<?x4x320xf32>)
    ```
  }];
  let arguments = (ins Bamba_Activation:$input, Bamba_Matrix:$weight, Bamba_Indices:$slots, Bamba_Indices:$starts,
      Bamba_Activation:$init, Bamba_StatePool:$state, Optional<Bamba_Vector>:$bias, Optional<Bamba_Indices>:$positions);
  let results = (outs Bamba_Activation:$result, Bamba_StatePool:$new_state);
  let assemblyFormat = [{
    `ins` `(` $input `,` $weight `,` $slots `,` $starts `:` type($input) `,` type($weight) `,` type($slots) `,`
    type($starts) `)` (`bias` `(` $bias^ `:` type($bias) `)`)? (`positions` `(` $positions^ `:` type($positions) `)`)?
    `outs` `(` $init `,` $state `:` type($init) `,` type($state) `)` attr-dict
  }];
  let extraClassDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() {
      return {getOperation(), getInitMutable().getOperandNumber(), getOperation()->getNumResults()};
    }
    /// The width of the convolution.
    int64_t getTaps() { return getWeight().getType().getDimSize(0); }
  }];
}

class Bamba_SsmOp<string mnemonic, list<Trait> traits = []> : Bamba_RootTiledOp<mnemonic, traits> {
  let results = (outs Bamba_Activation:$result, Bamba_SsmStatePool:$new_state, Variadic<Bamba_StatePool>:$new_scales);
  let extraClassDeclaration = dpsDeclaration # [{
    /// Heads, channels a head and state size, from the state pool's type [?, heads, P, N].
    int64_t getNumHeads() { return getState().getType().getDimSize(1); }
    int64_t getHeadDim() { return getState().getType().getDimSize(2); }
    int64_t getStateSize() { return getState().getType().getDimSize(3); }
    /// Columns of B and C for each head group.
    int64_t getNumGroups() { return getB().getType().getDimSize(1) / getStateSize(); }
    int64_t getNumRows() { return getX().getType().getDimSize(0); }
  }];
}

// Its results are tied to their destinations by hand, since those of the ring are optional.
def Bamba_SsmStepOp : Bamba_SsmOp<"ssm_step",
    [AttrSizedOperandSegments, DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "one token of the selective state space recurrence, which writes the state now or later";
  let description = [{
    For head `h` of group `g = h / (heads/G)`, channel `p` and state index `n`, with
    `delta = clamp(softplus(dt[h] + dt_bias[h]), dt_min, dt_max)` and `A = -exp(a_log[h])`:

        S[h,p,n] = S[h,p,n] * exp(delta * A) + delta * x[h,p] * B[g,n]
        result[h,p] = sum_n S[h,p,n] * C[g,n] + d[h] * x[h,p]

    computed in `acc`. `softplus` does not overflow. The row `b` of the batch updates slot `slots[b]`; rows with the same
    slot (padding) may leave it with the update of either.

    With a `ring` of `E` entries the state is written at each `E+1`-th token only. `pending[b]` tokens of the sequence
    are not in the state yet: of the token `j` of them, the oldest first, `entries[slot, j]` holds `x | B` and
    `deltas[slot, j]` holds delta. With `a[j]` the sum of `delta*A` over the tokens after `j`, the new one included, and
    `a` that over all of them,

        result[h,p] = exp(a) sum_n S[h,p,n] * C[g,n] + sum_j exp(a[j]) delta[j,h] (B[j,g] . C[g]) x[j,h,p]
                      + delta * (B[g] . C[g]) * x[h,p] + d[h] * x[h,p]

    which is what the recurrence gives. Where fewer than `E` tokens are pending, the new one becomes the entry
    `pending[b]` and the state stays; else the state is written with the pending tokens and the new one in it, and none is
    pending after the step.

    With a ring the state may be codes of 8 bits, with `scales` of its rows: `S[h,p,n] = scales[slot,h,p] * code[slot,h,p,n]`.
    A state is written with

        scales[slot,h,p] = max_n |S[h,p,n]| / 127
        code[slot,h,p,n] = round(S[h,p,n] * (127 / max_n |S[h,p,n]|)), ties to even

    and 0 for both in rows of no magnitude of 2^-100 or more.

    Shapes: x and result `[B, heads*P]`, dt `[B, heads]`, b and c `[B, G*N]`, a_log, d and dt_bias `[heads]`, slots and
    pending `[B]`, state `[?, heads, P, N]`, entries `[?, E, heads*P + G*N]` of the type of x, deltas `[?, E, heads]`,
    scales `[?, heads, P]`. Source: Dao and Gu, "Transformers are SSMs" (Mamba2), the recurrent form; the ring: "ReplaySSM".

    Examples:
    ```mlir
    %y, %s1 = bamba.ssm_step
        ins(%x, %dt, %B, %C, %A_log, %D, %dt_bias, %slots : tensor<4x256xf32>, tensor<4x8xf32>, tensor<4x32xf32>,
            tensor<4x32xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<4xi32>)
        outs(%init, %s : tensor<4x256xf32>, tensor<?x8x32x32xf32>) dt_limit(0.0, 0x7FF0000000000000) acc(f32)
    %y, %s1, %e1, %d1 = bamba.ssm_step
        ins(%x, %dt, %B, %C, %A_log, %D, %dt_bias, %slots : tensor<4x256xf32>, tensor<4x8xf32>, tensor<4x32xf32>,
            tensor<4x32xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<4xi32>)
        outs(%init, %s : tensor<4x256xf32>, tensor<?x8x32x32xf32>)
        ring(%pending, %e, %d : tensor<4xi32>, tensor<?x15x288xf32>, tensor<?x15x8xf32>)
        dt_limit(0.0, 0x7FF0000000000000) acc(f32)
    ```
  }];
  let arguments = (ins Bamba_Activation:$x, Bamba_Activation:$dt, Bamba_Activation:$b, Bamba_Activation:$c,
      Bamba_Vector:$a_log, Bamba_Vector:$d, Bamba_Vector:$dt_bias, Bamba_Indices:$slots,
      Optional<Bamba_Indices>:$pending, Bamba_Activation:$init, Bamba_SsmStatePool:$state,
      Optional<Bamba_StatePool>:$entries, Optional<Bamba_StatePool>:$deltas, Optional<Bamba_StatePool>:$scales,
      F64Attr:$dt_min, F64Attr:$dt_max, TypeAttr:$acc);
  let results = (outs Bamba_Activation:$result, Bamba_SsmStatePool:$new_state, Variadic<Bamba_StatePool>:$new_ring);
  let assemblyFormat = [{
    `ins` `(` $x `,` $dt `,` $b `,` $c `,` $a_log `,` $d `,` $dt_bias `,` $slots `:` type($x) `,` type($dt) `,` type($b)
    `,` type($c) `,` type($a_log) `,` type($d) `,` type($dt_bias) `,` type($slots) `)`
    `outs` `(` $init `,` $state `:` type($init) `,` type($state) `)`
    (`ring` `(` $pending^ `,` $entries `,` $deltas `:` type($pending) `,` type($entries) `,` type($deltas) `)`)?
    (`scales` `(` $scales^ `:` type($scales) `)`)?
    `dt_limit` `(` custom<Float>($dt_min) `,` custom<Float>($dt_max) `)` `acc` `(` $acc `)` attr-dict
  }];
}

def Bamba_SsmFoldOp : Bamba_RootTiledOp<"ssm_fold", [DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "takes states over the tokens that wait in their rings";
  let description = [{
    For each sequence whose ring (see `bamba.ssm_step`) has `pending[b] > 0` entries, with `a[j]` the sum of `delta*A` over
    the entries after `j` and `a` that over all of them:

        new_state[slot,h,p,n] = exp(a) S[slot,h,p,n] + sum_j exp(a[j]) delta[j,h] x[j,h,p] B[j,g,n]

    After it none is pending: a scan of the tokens that follow begins with this state. A state of codes goes with
    `scales`, see there.

    Shapes: a_log `[heads]`, slots and pending `[B]`, entries `[?, E, heads*P + G*N]`, deltas `[?, E, heads]`, state
    `[?, heads, P, N]`, scales `[?, heads, P]`.

    Example:
    ```mlir
    %s1 = bamba.ssm_fold ins(%A_log, %slots, %pending, %e, %d : tensor<8xf32>, tensor<1xi32>, tensor<1xi32>,
                             tensor<?x15x288xf32>, tensor<?x15x8xf32>)
                         outs(%s : tensor<?x8x32x32xf32>) acc(f32)
    ```
  }];
  let arguments = (ins Bamba_Vector:$a_log, Bamba_Indices:$slots, Bamba_Indices:$pending, Bamba_StatePool:$entries,
      Bamba_StatePool:$deltas, Bamba_SsmStatePool:$state, Optional<Bamba_StatePool>:$scales, TypeAttr:$acc);
  let results = (outs Bamba_SsmStatePool:$new_state, Variadic<Bamba_StatePool>:$new_scales);
  let assemblyFormat = [{
    `ins` `(` $a_log `,` $slots `,` $pending `,` $entries `,` $deltas `:` type($a_log) `,` type($slots) `,`
    type($pending) `,` type($entries) `,` type($deltas) `)` `outs` `(` $state `:` type($state) `)`
    (`scales` `(` $scales^ `:` type($scales) `)`)? `acc` `(` $acc `)` attr-dict
  }];
  let extraClassDeclaration = dpsDeclaration # [{
    /// Heads, channels a head and state size, as the state pool has them.
    int64_t getNumHeads() { return getState().getType().getDimSize(1); }
    int64_t getHeadDim() { return getState().getType().getDimSize(2); }
    int64_t getStateSize() { return getState().getType().getDimSize(3); }
    /// Columns of B for each head group.
    int64_t getNumGroups() {
      return (getEntries().getType().getDimSize(2) - getNumHeads() * getHeadDim()) / getStateSize();
    }
  }];
}

def Bamba_SsmScanOp : Bamba_SsmOp<"ssm_scan", [DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "a run of tokens of the selective state space recurrence, in its chunked matrix form";
  let description = [{
    The rows are those of pieces, one after another: piece `p`, tokens of one sequence, has rows `starts[p]` to
    `starts[p+1]`. For each the same function as steps of `bamba.ssm_step` in order. Computed in chunks of `chunk` tokens,
    counted from the start of the piece, with `delta` and `A` as there and `a[t]` the sum of `delta*A` from the chunk's start to `t`:

        Y = (C B^T masked to s <= t, times exp(a[t] - a[s]) delta[s]) X + exp(a[t]) C S^T + D X
        S = exp(a[last]) S + sum_s exp(a[last] - a[s]) delta[s] x[s] B[s]^T

    Only differences <= 0 are exponentiated. A state of codes goes with `scales`, as in `bamba.ssm_step`; it is f32 from
    the first token of a piece to its last. A piece without rows leaves its state as it is. Inputs of rows from the end
    of the last piece on may be anything, and so may their results.

    Shapes, of K pieces: x and result `[R, heads*P]`, dt `[R, heads]`, b and c `[R, G*N]`, a_log, d and dt_bias
    `[heads]`, slots `[K]`, starts `[K+1]`, state `[?, heads, P, N]`, scales `[?, heads, P]`. Source: Dao and Gu, "Transformers are SSMs", the block decomposition.

    Example:
    ```mlir
    %y, %s1 = bamba.ssm_scan
        ins(%x, %dt, %B, %C, %A_log, %D, %dt_bias, %slots, %starts : tensor<64x256xf32>, tensor<64x8xf32>,
            tensor<64x32xf32>, tensor<64x32xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<4xi32>,
            tensor<5xi32>)
        outs(%init, %s : tensor<64x256xf32>, tensor<?x8x32x32xf32>) dt_limit(0.0, 0x7FF0000000000000) chunk(64) acc(f32)
    ```
  }];
  let arguments = (ins Bamba_Activation:$x, Bamba_Activation:$dt, Bamba_Activation:$b, Bamba_Activation:$c,
      Bamba_Vector:$a_log, Bamba_Vector:$d, Bamba_Vector:$dt_bias, Bamba_Indices:$slots, Bamba_Indices:$starts,
      Bamba_Activation:$init, Bamba_SsmStatePool:$state, Optional<Bamba_StatePool>:$scales, F64Attr:$dt_min,
      F64Attr:$dt_max, I64Attr:$chunk, TypeAttr:$acc);
  let assemblyFormat = [{
    `ins` `(` $x `,` $dt `,` $b `,` $c `,` $a_log `,` $d `,` $dt_bias `,` $slots `,` $starts `:` type($x) `,` type($dt)
    `,` type($b) `,` type($c) `,` type($a_log) `,` type($d) `,` type($dt_bias) `,` type($slots) `,` type($starts) `)`
    `outs` `(` $init `,` $state `:` type($init) `,` type($state) `)` (`scales` `(` $scales^ `:` type($scales) `)`)?
    `dt_limit` `(` custom<Float>($dt_min) `,` custom<Float>($dt_max) `)` `chunk` `(` custom<Int>($chunk) `)`
    `acc` `(` $acc `)` attr-dict
  }];
}

def Bamba_KvAppendOp : Bamba_RootTiledOp<"kv_append",
    [AttrSizedOperandSegments, Bamba_ResultLike<"k_cache", "new_k_cache">, Bamba_ResultLike<"v_cache", "new_v_cache">]> {
  let summary = "writes the keys and values of new tokens to the paged KV cache";
  let description = [{
    For each row `r` with `q = positions[r] >= 0`, each KV head `h` and dimension `d`:
    `new_k_cache[pages[p, q / page], h, q % page, d] = k[r, h*head_dim + d]`, and the same for v, where `p = pieces[r]`,
    or without pieces `p = r`: each row is a sequence. Padding rows write nothing. With scales, keys are divided by the first and values by the second, rounded to nearest; so they are to a
    cache of f8E4M3FN without scales, whose numbers end at +-448.

    Shapes: k and v `[R, kv_heads*head_dim]`, positions and pieces `[R]`, pages `[P, max_pages]`, caches
    `[?, kv_heads, page, head_dim]`, scales `[2]`. Source: Kwon et al., "PagedAttention".

    Example:
    ```mlir
    %k2, %v2 = bamba.kv_append ins(%k, %v, %positions, %pages : tensor<4x64xf32>, tensor<4x64xf32>, tensor<4xi32>,
                                   tensor<4x8xi32>)
                               outs(%k1, %v1 : tensor<?x2x16x32xf32>, tensor<?x2x16x32xf32>)
    ```
  }];
  let arguments = (ins Bamba_Activation:$k, Bamba_Activation:$v, Bamba_Indices:$positions, Bamba_PageTable:$pages,
      Bamba_StatePool:$k_cache, Bamba_StatePool:$v_cache, Optional<Bamba_Vector>:$scales,
      Optional<Bamba_Indices>:$pieces);
  let results = (outs Bamba_StatePool:$new_k_cache, Bamba_StatePool:$new_v_cache);
  let assemblyFormat = [{
    `ins` `(` $k `,` $v `,` $positions `,` $pages `:` type($k) `,` type($v) `,` type($positions) `,` type($pages) `)`
    (`scales` `(` $scales^ `:` type($scales) `)`)? (`pieces` `(` $pieces^ `:` type($pieces) `)`)?
    `outs` `(` $k_cache `,` $v_cache `:` type($k_cache) `,` type($v_cache) `)` attr-dict
  }];
  let extraClassDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() {
      return {getOperation(), getKCacheMutable().getOperandNumber(), getOperation()->getNumResults()};
    }
  }];
}

def Bamba_AttentionOp : Bamba_RootTiledOp<"attention",
    [AttrSizedOperandSegments, Bamba_ResultLike<"init", "result">]> {
  let summary = "causal grouped-query attention over the paged KV cache";
  let description = [{
    For row `r` at position `q = positions[r]`, query head `h` and KV head `g = h / (heads/kv_heads)`:
    `result[r, h, :] = sum_{s <= q} softmax_s(scale * query[r, h, :] . K[s, g, :]) V[s, g, :]`, where position `s` lies in
    page `pages[p, s / page]`; softmax and sums in `acc`. The caches already hold the row's own key and value.

    With `starts` the rows are those of pieces, one after another: piece `p`, tokens of one sequence in order, has rows
    `starts[p]` to `starts[p+1]`; results of rows after the last piece may be anything. Without it each row is a sequence,
    `p = r`, and the result of a padding row (position -1) is zero. With scales, `K` is the cache's numbers times the first and `V` times the
    second.

    Shapes: query and result `[R, heads*head_dim]`, caches `[?, kv_heads, page, head_dim]`, positions `[R]`, pages
    `[P, max_pages]`, scales `[2]`, starts `[P+1]`. Source: Dao, "FlashAttention-2" (running maximum and sum over blocks of keys).

    Example:
    ```mlir
    %o = bamba.attention ins(%q, %k, %v, %positions, %pages : tensor<4x128xf32>, tensor<?x2x16x32xf32>,
                             tensor<?x2x16x32xf32>, tensor<4xi32>, tensor<4x8xi32>)
                         outs(%init : tensor<4x128xf32>) scale(0.17677669529663687) acc(f32)
    ```
  }];
  let arguments = (ins Bamba_Activation:$query, Bamba_StatePool:$k_cache, Bamba_StatePool:$v_cache,
      Bamba_Indices:$positions, Bamba_PageTable:$pages, Bamba_Activation:$init, Optional<Bamba_Vector>:$cache_scales,
      Optional<Bamba_Indices>:$starts,
      F64Attr:$scale, TypeAttr:$acc);
  let results = (outs Bamba_Activation:$result);
  let assemblyFormat = [{
    `ins` `(` $query `,` $k_cache `,` $v_cache `,` $positions `,` $pages `:` type($query) `,` type($k_cache) `,`
    type($v_cache) `,` type($positions) `,` type($pages) `)` (`scales` `(` $cache_scales^ `:` type($cache_scales) `)`)?
    (`starts` `(` $starts^ `:` type($starts) `)`)?
    `outs` `(` $init `:` type($init) `)`
    `scale` `(` custom<Float>($scale) `)` `acc` `(` $acc `)` attr-dict
  }];
  let extraClassDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    int64_t getNumKvHeads() { return getKCache().getType().getDimSize(1); }
    int64_t getPageTokens() { return getKCache().getType().getDimSize(2); }
    int64_t getHeadDim() { return getKCache().getType().getDimSize(3); }
    /// Whether the rows are runs of tokens; else each is the only one of its sequence.
    bool hasRuns() { return getStarts() != nullptr; }
    int64_t getNumRows() { return getQuery().getType().getDimSize(0); }
    /// Query heads that share one KV head.
    int64_t getGroupSize() { return getQuery().getType().getDimSize(1) / (getNumKvHeads() * getHeadDim()); }
  }];
}

#endif
