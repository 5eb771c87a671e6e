// Attributes: what a weight is made of and how it lies in memory, entry points, targets, schedules and buffers.
#ifndef BAMBAC_DIALECTS_BAMBA_BAMBAATTRIBUTES_TD
#define BAMBAC_DIALECTS_BAMBA_BAMBAATTRIBUTES_TD

include "dialects/bamba/BambaDialect.td"

def Bamba_EntryKind : I32EnumAttr<"EntryKind", "what an entry point computes", [
    I32EnumAttrCase<"Decode", 0, "decode">, I32EnumAttrCase<"Prefill", 1, "prefill">]> {
  let cppNamespace = "::bambac";
}

def Bamba_StateKind : I32EnumAttr<"StateKind", "what one item of a state pool belongs to", [
    I32EnumAttrCase<"Slot", 0, "slot">, I32EnumAttrCase<"Page", 1, "page">]> {
  let cppNamespace = "::bambac";
}

def Bamba_Device : I32EnumAttr<"Device", "the sort of device that a kernel runs on", [
    I32EnumAttrCase<"Cpu", 0, "cpu">, I32EnumAttrCase<"Cuda", 1, "cuda">]> {
  let cppNamespace = "::bambac";
}

def Bamba_Fusion : I32EnumAttr<"Fusion", "a kind of fusion that pays on a target", [
    I32EnumAttrCase<"Siblings", 0, "siblings">, I32EnumAttrCase<"Epilogue", 1, "epilogue">,
    I32EnumAttrCase<"NormPrologue", 2, "norm_prologue">, I32EnumAttrCase<"Interleave", 3, "interleave">,
    I32EnumAttrCase<"Gate", 4, "gate">, I32EnumAttrCase<"Conv", 5, "conv">, I32EnumAttrCase<"Rope", 6, "rope">,
    I32EnumAttrCase<"Argmax", 7, "argmax">, I32EnumAttrCase<"Quantize", 8, "quantize">,
    I32EnumAttrCase<"QuantizeEpilogue", 9, "quantize_epilogue">,
    I32EnumAttrCase<"SharedQuantize", 10, "shared_quantize">]> {
  let cppNamespace = "::bambac";
}

def Bamba_SourceAttr : Bamba_Attr<"Source", "source"> {
  let summary = "a tensor of the checkpoint";
  let description = [{
    The name of a checkpoint tensor and the shape that it must have there, the whole of it. Seen as a matrix
    `[shape[0], product of the rest]`, it gives all of its rows or, with `rows = [first, count]`, `count` rows from row
    `first` on: so a fused tensor of the checkpoint is cut into several weights. A weight's sources are stacked by rows.

    With `rotary_dim` = R > 0, rows that a rotary embedding turns into each other become neighbours: in every run of `head_dim`
    of the source's rows, row d goes to row 2d where d < R/2, to row 2(d - R/2) + 1 where R/2 <= d < R, and stays elsewhere. The rows of a
    bias are its elements.

    With `repeat` = P > 0, each row of the tensor counts P times, as rows of scales that P rows of a matrix share:
    `rows` counts what results, and only as many as it says.

    Examples: `#bamba.source<"model.layers.0.mamba.conv1d.weight", [320, 1, 4]>`,
    `#bamba.source<"model.layers.9.self_attn.q_proj.weight", [4096, 4096], head_dim = 128, rotary_dim = 64>`,
    `#bamba.source<"model.layers.0.shared_mlp.input_linear.weight", [2048, 1024], rows = [1024, 1024]>`,
    `#bamba.source<"model.layers.0.mamba.in_proj.weight_scale_inv", [11, 2], rows = [0, 1288], repeat = 128>`
  }];
  let parameters = (ins "mlir::StringAttr":$name, ArrayRefParameter<"int64_t">:$shape,
      DefaultValuedParameter<"::bambac::RowRange", "::bambac::RowRange()">:$rows,
      DefaultValuedParameter<"int64_t", "0">:$head_dim, DefaultValuedParameter<"int64_t", "0">:$rotary_dim,
      DefaultValuedParameter<"int64_t", "0">:$repeat);
  let assemblyFormat = "`<` $name `,` `[` $shape `]` (`,` struct($rows, $head_dim, $rotary_dim, $repeat)^)? `>`";
  let builders = [AttrBuilder<(ins "mlir::StringAttr":$name, "llvm::ArrayRef<int64_t>":$shape,
                                   CArg<"::bambac::RowRange", "{}">:$rows, CArg<"int64_t", "0">:$repeat), [{
    return $_get($_ctxt, name, shape, rows, /*head_dim=*/0, /*rotary_dim=*/0, repeat);
  }]>];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The first row that the weight takes, and how many.
    int64_t getFirstRow() const { return getRows().first; }
    int64_t getNumRows() const;
    /// The same rows in the order that the rotation of such heads asks for.
    SourceAttr withRowOrder(int64_t headDim, int64_t rotaryDim) const;
  }];
}

def Bamba_RotationAttr : Bamba_Attr<"Rotation", "rotation"> {
  let summary = "by how much a rotary embedding turns each pair of dimensions";
  let description = [{
    Pair `j` turns by `position * frequencies[j]` radians and becomes `scale` times as long (1 where it does not say):
    cosines and sines are both multiplied by it, so that a product of a query and a key grows by its square. The
    frequencies are computed once, in f64; what they were computed from (a base, a rule that stretches a model's context)
    nobody after the builder knows. Kernels round them to f32.

    Examples: `#bamba.rotation<[1.000000e+00, 1.000000e-01]>`,
    `#bamba.rotation<[1.000000e+00, 2.500000e-02], scale = 1.13862944>`
  }];
  let parameters = (ins "mlir::DenseF64ArrayAttr":$frequencies, "mlir::FloatAttr":$scale);
  let builders = [AttrBuilder<(ins "llvm::ArrayRef<double>":$frequencies, "double":$scale), [{
    mlir::Builder builder($_ctxt);
    return $_get($_ctxt, builder.getDenseF64ArrayAttr(frequencies), builder.getF64FloatAttr(scale));
  }]>];
  let hasCustomAssemblyFormat = 1;
  let genMnemonicAlias = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Dimensions that turn, two a pair.
    int64_t getRotaryDim() const { return 2 * getFrequencies().size(); }
    bool isScaled() const { return getScale().getValueAsDouble() != 1.0; }
  }];
}

def Bamba_PanelAttr : Bamba_Attr<"Panel", "panel", [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "row panels of a matrix, each stored column by column or group by group of columns";
  let description = [{
    The encoding of a weight matrix `[N, K]` that lies in memory in panels of `size` rows, each cut into groups of
    `group` columns (1 where it does not say): with `width` = `K` rounded up to a multiple of `align` (1 where it does not say),
    element `(n, k)` is at `((n / size) * (width / group) + k / group) * size * group + (n % size) * group + k % group`,
    zero where `n >= N` or `k >= K`.

    With groups of one column, a kernel that computes `size` outputs at a time reads the matrix as one stream, whatever
    the number of rows it multiplies. With groups of 8 columns of bf16 and as many rows, a group is a core matrix of
    the tensor cores: 128 bytes that `ldmatrix` and `wgmma` take as they are. With groups of two columns, a
    group is what a product of pairs of bf16 of a processor takes, in tile registers (AMX) or in vectors (AVX512-BF16).

    Examples: `tensor<712x128xbf16, #bamba.panel<32>>`, `tensor<712x100xbf16, #bamba.panel<8, group = 8, align = 64>>`
  }];
  let parameters = (ins "int64_t":$size, DefaultValuedParameter<"int64_t", "1">:$group,
      DefaultValuedParameter<"int64_t", "1">:$align);
  let assemblyFormat = "`<` $size (`,` struct($group, $align)^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Columns of a matrix of `columns` columns, with the padding.
    int64_t getWidth(int64_t columns) const { return contract::paddedWidth(columns, getAlign()); }
    /// Elements of a matrix `[rows, columns]`, with the padding.
    int64_t countElements(int64_t rows, int64_t columns) const {
      return contract::paddedRows(rows, getSize()) * getWidth(columns);
    }
  }];
}

def Bamba_TermsAttr : Bamba_Attr<"Terms", "terms"> {
  let summary = "how a row of numbers lies as sums of numbers of a narrower type";
  let description = [{
    A row of `K` numbers is cut into runs of `run` columns, the last filled up with zeros. Of each run the first terms
    follow each other, then the second ones, and so on for `count` terms: term `t` of number `k` is in column
    `(k / run * count + t) * run + k % run`. A run of zeros follows where the row would have an even number of runs, so
    that equal columns of neighbouring rows compete for no place in a cache.

    Example: `#bamba.terms<count = 3, run = 32>`, with which 64 numbers are a row of 224.
  }];
  let parameters = (ins "int64_t":$count, "int64_t":$run);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Columns that the terms of `columns` numbers fill.
    int64_t getFilled(int64_t columns) const { return llvm::divideCeilSigned(columns, getRun()) * getCount() * getRun(); }
    /// Columns of a row of `columns` numbers: an odd number of runs.
    int64_t getWidth(int64_t columns) const { return (getFilled(columns) / getRun() | 1) * getRun(); }
  }];
}

def Bamba_StateAttr : Bamba_Attr<"State", "state"> {
  let summary = "marks a global as a state pool, an item a sequence slot or a KV page";
  let parameters = (ins EnumParameter<Bamba_StateKind>:$kind);
  let assemblyFormat = "`<` $kind `>`";
}

def Bamba_EntryAttr : Bamba_Attr<"Entry", "entry"> {
  let summary = "marks a function as an entry point of the library";
  let description = [{
    `decode` runs one token of each of `batch` sequences and keeps the logits of all. `prefill` runs up to `chunk` rows,
    which are those of up to `batch` pieces: runs of tokens of different sequences, one after another. It keeps the
    logits of the rows that its input `kept` lists, for `kept` of which there is room, which may be more than it has
    rows (0, which is not printed: as many as those).

    Examples: `#bamba.entry<decode, batch = 4, chunk = 1>`, `#bamba.entry<prefill, batch = 4, chunk = 2048, kept = 512>`
  }];
  let parameters = (ins EnumParameter<Bamba_EntryKind>:$kind, "int64_t":$batch, "int64_t":$chunk,
      DefaultValuedParameter<"int64_t", "0">:$kept);
  let assemblyFormat = "`<` $kind `,` `batch` `=` $batch `,` `chunk` `=` $chunk (`,` `kept` `=` $kept^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getRows() const { return getKind() == EntryKind::Decode ? getBatch() : getChunk(); }
    /// Rows of logits at most.
    int64_t getKeptRows() const { return getKept() ? getKept() : getRows(); }
  }];
}

def Bamba_LimitsAttr : Bamba_Attr<"Limits", "limits"> {
  let summary = "what a library can hold: sequences a step, tokens a sequence, tokens a prefill step and a KV page";
  let description = [{
    `state_ring` is the number of decode steps after which SSM states are written: the tokens in between wait in rings.
    The default is 1, each step writes them.

    Example: `#bamba.limits<max_batch = 64, max_context = 4096, prefill_chunk = 128, page_tokens = 64, state_ring = 16>`
  }];
  let parameters = (ins "int64_t":$maxBatch, "int64_t":$maxContext, "int64_t":$prefillChunk, "int64_t":$pageTokens,
      DefaultValuedParameter<"int64_t", "1">:$stateRing);
  let assemblyFormat = [{
    `<` `max_batch` `=` $maxBatch `,` `max_context` `=` $maxContext `,` `prefill_chunk` `=` $prefillChunk `,`
        `page_tokens` `=` $pageTokens (`,` `state_ring` `=` $stateRing^)? `>`
  }];
  let genVerifyDecl = 1;
}

// The list of fusions that ends each target, `, fusions = [siblings, epilogue]`.
defvar fusionsDescription = [{

    `fusions` lists what fusion may do on the chip:

    - `siblings`: linears with the same input become one;
    - `interleave`: a gate and the value that it gates become one linear with their rows in turns;
    - `epilogue`: an element-wise op after a linear joins it;
    - `norm_prologue`: a norm joins the linear of few rows that reads it;
    - `gate`: a gate joins the state space op whose result it gates;
    - `conv`: a convolution joins the state space step that reads it;
    - `rope`: a rotation, and the append to the KV cache, join the projection that they read;
    - `argmax`: the argmax of logits joins the linear that makes them;
    - `quantize`: a quantization joins the norm or gate before it;
    - `quantize_epilogue`: a quantization whose scales are known joins the linear or attention before it;
    - `shared_quantize`: a quantization joins the linear that reads it, whose blocks make codes for each other.
}];

def Bamba_CpuTargetAttr : Bamba_Attr<"CpuTarget", "cpu_target"> {
  let summary = "a processor: its code generator's names, registers and cache";
  let description = [{
    `arch` and `features` are LLVM's names, `vector_bits` and `vector_registers` describe the register file, `l2_bytes` is
    the cache close to one core.
  }] # fusionsDescription # [{
    Example:
    ```mlir
    #bamba.cpu_target<arch = "x86-64-v4", features = "+avx512f,+fma", vector_bits = 512, vector_registers = 32,
                      l2_bytes = 1048576, fusions = [siblings, epilogue]>
    ```
  }];
  let parameters = (ins "mlir::StringAttr":$arch, "mlir::StringAttr":$features, "int64_t":$vector_bits,
      "int64_t":$vector_registers, "int64_t":$l2_bytes, OptionalArrayRefParameter<"Fusion">:$fusions);
  let assemblyFormat = [{
    `<` struct($arch, $features, $vector_bits, $vector_registers, $l2_bytes) `` custom<Fusions>($fusions) `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// 32-bit lanes of a vector register.
    int64_t getLanes() const { return getVectorBits() / 32; }
    /// True where a feature is switched on.
    bool has(llvm::StringRef feature) const;
    /// Rows of a tile register (AMX), and its columns of bf16.
    static constexpr int64_t kTileRows = 16, kTileColumns = 32;
    /// True where linears multiply pairs of bf16 in tile registers.
    bool multipliesTiles() const;
    /// True where linears of codes multiply pairs of bf16 in vector registers (AVX512-BF16): without tile registers.
    bool multipliesPairs() const;
  }];
}

def Bamba_CudaTargetAttr : Bamba_Attr<"CudaTarget", "cuda_target"> {
  let summary = "an NVIDIA GPU: its architecture, shared memory and multiprocessors";
  let description = [{
    `arch` is NVRTC's name of the architecture, `shared_bytes` the shared memory that one block may have,
    `multiprocessors` how many a launch should fill.
  }] # fusionsDescription # [{
    Example:
    ```mlir
    #bamba.cuda_target<arch = "sm_90a", shared_bytes = 232448, multiprocessors = 132, fusions = [siblings, interleave]>
    ```
  }];
  let parameters = (ins "mlir::StringAttr":$arch, "int64_t":$shared_bytes, "int64_t":$multiprocessors,
      OptionalArrayRefParameter<"Fusion">:$fusions);
  let assemblyFormat = [{
    `<` struct($arch, $shared_bytes, $multiprocessors) `` custom<Fusions>($fusions) `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Whether kernels may multiply by wgmma.
    bool hasWgmma() const { return getArch() == "sm_90a"; }
  }];
}

def Bamba_CpuScheduleAttr : Bamba_Attr<"CpuSchedule", "cpu_schedule"> {
  let summary = "how a kernel is cut up on a CPU";
  let description = [{
    `workgroup` is the tile of one workgroup in the iteration space of the kernel's last op (0: the whole dimension),
    `rows` the rows of the register tile of a linear, `depth` how much of a linear's `K` is run through before the next
    register tile (0: all of it), `chunk` the tokens of one matrix-form chunk of a scan (0: not a scan).

    Example: `#bamba.cpu_schedule<workgroup = [0, 64], rows = 8, depth = 512, chunk = 0>`
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$workgroup, "int64_t":$rows, "int64_t":$depth, "int64_t":$chunk);
  let assemblyFormat = [{
    `<` `workgroup` `=` `[` $workgroup `]` `,` `rows` `=` $rows `,` `depth` `=` $depth `,` `chunk` `=` $chunk `>`
  }];
  let genVerifyDecl = 1;
}

def Bamba_CudaScheduleAttr : Bamba_Attr<"CudaSchedule", "cuda_schedule"> {
  let summary = "which collective computes a kernel on CUDA, and its parameters";
  let description = [{
    `collective` is the device header under codegen/cuda that moves and multiplies, `fields` the constants that it asks
    for in addition to the shapes: each becomes a member of the kernel's shape, `tile_rows` as `kTileRows`.

    Example: `#bamba.cuda_schedule<collective = "wgmma/linear_skinny", fields = {stages = 12 : i64}>`
  }];
  let parameters = (ins "mlir::StringAttr":$collective, "mlir::DictionaryAttr":$fields);
  let assemblyFormat = "`<` `collective` `=` $collective `,` `fields` `=` $fields `>`";
  let genVerifyDecl = 1;
}

def Bamba_CostAttr : Bamba_Attr<"Cost", "cost"> {
  let summary = "bytes that a kernel must move and operations that it must do";
  let description = [{
    The floor of one launch: `weights`, `states` and `activations` in bytes read and written, `flops`, and what each
    token of context already held adds for each sequence (`context_bytes`, `context_flops`). Of the `flops`, those of
    products of codes, which a device may do faster, are `code_flops`; none are not printed.
  }];
  let parameters = (ins "int64_t":$weights, "int64_t":$states, "int64_t":$activations, "int64_t":$flops,
      "int64_t":$contextBytes, "int64_t":$contextFlops, DefaultValuedParameter<"int64_t", "0">:$codeFlops);
  let assemblyFormat = [{
    `<` `weights` `=` $weights `,` `states` `=` $states `,` `activations` `=` $activations `,` `flops` `=` $flops `,`
        `context_bytes` `=` $contextBytes `,` `context_flops` `=` $contextFlops
        (`,` `code_flops` `=` $codeFlops^)? `>`
  }];
}

def Bamba_BufferAttr : Bamba_Attr<"Buffer", "buffer"> {
  let summary = "a byte range in the arena of an entry point";
  let description = "Example: `#bamba.buffer<offset = 4096, bytes = 512>`";
  let parameters = (ins "int64_t":$offset, "int64_t":$bytes);
  let assemblyFormat = "`<` `offset` `=` $offset `,` `bytes` `=` $bytes `>`";
}

#endif
