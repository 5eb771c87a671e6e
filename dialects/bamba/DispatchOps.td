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
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, Variadic<AnyRankedTensor>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`ins` `(` $inputs^ `:` type($inputs) `)`)? `outs` `(` $inits `:` type($inits) `)` `->` type($results)
    attr-dict-with-keyword $body
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
    Runs the kernel function with the inputs and initial values as arguments and returns its results. Once memory is
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
