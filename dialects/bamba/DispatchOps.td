// Ops that make kernels of the model: a region that becomes one kernel, and the call of such a kernel.
#ifndef BAMBAC_DIALECTS_BAMBA_DISPATCHOPS_TD
#define BAMBAC_DIALECTS_BAMBA_DISPATCHOPS_TD

include "dialects/bamba/BambaDialect.td"

def Bamba_DispatchOp : Bamba_DpsOp<"dispatch",
    [IsolatedFromAbove, AttrSizedOperandSegments, SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "ops that become one kernel";
  let description = [{
    Groups a root op with the producers and consumers that fuse with it. The region sees its operands as block arguments,
    inputs first, and yields the results, each computed into the `outs` argument of the same number.

    With `rows`, the first block argument, only as many rows are there as it says when the kernel runs: a row is an
    element of the leading dimension of what the kernel computes. Nothing reads the others, so that the kernel may leave
    them as they are. What it writes to states never depends on them. With `may_be_empty` there may be none: the kernel
    then does nothing.

    Example:
    ```mlir
    %y = bamba.dispatch ins(%h, %w, %x : tensor<4x256xf32>, tensor<128x256xbf16>, tensor<4x128xf32>)
                        outs(%init : tensor<4x128xf32>) -> tensor<4x128xf32> {
    ^bb0(%h0: tensor<4x256xf32>, %w0: tensor<128x256xbf16>, %x0: tensor<4x128xf32>, %init0: tensor<4x128xf32>):
      %e = tensor.empty() : tensor<4x128xf32>
      %l = bamba.linear ins(%h0, %w0 : tensor<4x256xf32>, tensor<128x256xbf16>) outs(%e : tensor<4x128xf32>) acc(f32)
      %s = linalg.add ins(%l, %x0 : tensor<4x128xf32>, tensor<4x128xf32>) outs(%init0 : tensor<4x128xf32>)
          -> tensor<4x128xf32>
      bamba.yield %s : tensor<4x128xf32>
    }
    %z = bamba.dispatch rows(%n : tensor<1xi32>) ins(%h, %w : tensor<4x256xf32>, tensor<256xf32>)
                        outs(%init2 : tensor<4x256xbf16>) -> tensor<4x256xbf16> {
    ^bb0(%n0: tensor<1xi32>, %h0: tensor<4x256xf32>, %w0: tensor<256xf32>, %init0: tensor<4x256xbf16>):
      %r = bamba.rms_norm ins(%h0, %w0 : tensor<4x256xf32>, tensor<256xf32>) outs(%init0 : tensor<4x256xbf16>) eps(1e-05)
      bamba.yield %r : tensor<4x256xbf16>
    }
    ```
  }];
  let arguments = (ins Optional<RankedTensorOf<[I32]>>:$rows, Variadic<AnyRankedTensor>:$inputs,
      Variadic<AnyRankedTensor>:$inits, UnitAttr:$may_be_empty);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`rows` `(` $rows^ `:` type($rows) `)` (`may_be_empty` $may_be_empty^)?)? (`ins` `(` $inputs^ `:` type($inputs) `)`)?
    `outs` `(` $inits `:` type($inits) `)` `->` type($results) attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 0;
}

def Bamba_YieldOp : Bamba_Op<"yield", [Pure, Terminator, ReturnLike, HasParent<"DispatchOp">]> {
  let summary = "ends a dispatch and gives its results";
  let description = "Example: `bamba.yield %y : tensor<4x128xf32>`";
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let builders = [OpBuilder<(ins), "build($_builder, $_state, mlir::ValueRange());">];
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def Bamba_LaunchOp : Bamba_DpsOp<"launch",
    [AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "calls a kernel";
  let description = [{
    Runs the kernel function with the inputs and initial values as arguments and returns its results. An input that is the
    number of rows of its dispatch is marked `bamba.rows` in the kernel's signature. Once memory is
    planned, `buffers` says where each result that is not a state lies in the arena (unit for a state or an output).

    Example:
    ```mlir
    %y = bamba.launch @linear_add_4x128x256 ins(%h, %w, %x : tensor<4x256xf32>, tensor<128x256xbf16>, tensor<4x128xf32>)
                                             outs(%init : tensor<4x128xf32>) -> tensor<4x128xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyRankedTensor>:$inputs, Variadic<AnyRankedTensor>:$inits,
      OptionalAttr<ArrayAttr>:$buffers);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel (`ins` `(` $inputs^ `:` type($inputs) `)`)? `outs` `(` $inits `:` type($inits) `)` `->` type($results)
    (`buffers` $buffers^)? attr-dict
  }];
}

#endif
