// The dialect itself and the classes that its ops and attributes share.
#ifndef BAMBAC_DIALECTS_BAMBA_BAMBADIALECT_TD
#define BAMBAC_DIALECTS_BAMBA_BAMBADIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/TensorEncoding.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"

def Bamba_Dialect : Dialect {
  let name = "bamba";
  let summary = "Hybrid Mamba2 and attention language models, from the model down to its kernels";
  let description = [{
    The ops of a Bamba model on tensors with value semantics, and the ops that group them into kernels.

    Shapes. `R` is the number of rows of a step: `B` sequences with `T` tokens each, row `b*T + t`. A *decode* step has
    `T = 1`; a *prefill* step has `B = 1`. Every width is static. Only the leading dimension of a state pool (how many
    sequences or pages a session holds) is dynamic.

    Destination style. Each op takes its results' initial values as `outs` operands. A plain result starts from a
    `tensor.empty`; a state (convolution, SSM, KV cache) is both operand and result, so that one-shot bufferization
    updates the pool in place and value semantics still order the uses.

    Padding. A step may have fewer sequences or tokens than its entry point was compiled for. A padding row has position
    -1, a padding sequence has count 0 and the spare state slot; what ops compute there is never read.

    Weights and states are `ml_program.global`s; `bamba.sources` on a global names the checkpoint tensors (or rows of
    them) that it is made of, stacked by rows or with `bamba.interleave` in turns row by row; `bamba.scales` names the global with the scales of one that holds codes;
    `bamba.state` marks a state pool.
  }];
  let cppNamespace = "::bambac";
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let dependentDialects = ["mlir::tensor::TensorDialect"];
  let extraClassDeclaration = "void registerAttributes();";
}

class Bamba_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Bamba_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

class Bamba_Op<string mnemonic, list<Trait> traits = []> : Op<Bamba_Dialect, mnemonic, traits>;

// An op whose operands end in the initial values of its results, one each and of the same type. (An optional operand comes
// after them: the type inference that ODS derives counts operands from the front.)
class Bamba_DpsOp<string mnemonic, list<Trait> traits = []>
    : Bamba_Op<mnemonic, !listconcat([Pure, DestinationStyleOpInterface], traits)> {
  let hasVerifier = 1;
  code dpsDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() {
      unsigned inits = getOperation()->getNumResults();
      return {getOperation(), getOperation()->getNumOperands() - inits, inits};
    }
  }];
  let extraClassDeclaration = dpsDeclaration;
}

// A destination-style op that can be cut into independent tiles, the workgroups of a kernel.
class Bamba_TiledOp<string mnemonic, list<Trait> traits = []>
    : Bamba_DpsOp<mnemonic, !listconcat([DeclareOpInterfaceMethods<TilingInterface,
          ["getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation", "getResultTilePosition",
           "generateResultTileValue"]>], traits)>;

// A tiled op with one result, whose iterations are the first `rank` dimensions of that result: a tile of the result is made
// by the iterations at the same place.
class Bamba_ResultTiledOp<string mnemonic, int rank, list<Trait> traits = []> : Bamba_TiledOp<mnemonic, traits> {
  let extraClassDefinition = [{
    llvm::SmallVector<mlir::utils::IteratorType> $cppClass::getLoopIteratorTypes() {
      return ::bambac::allParallel(}] # rank # [{);
    }
    llvm::SmallVector<mlir::Range> $cppClass::getIterationDomain(mlir::OpBuilder &builder) {
      return ::bambac::domainOfResult(builder, getInit(), }] # rank # [{);
    }
    llvm::LogicalResult $cppClass::getResultTilePosition(mlir::OpBuilder &builder, unsigned,
        llvm::ArrayRef<mlir::OpFoldResult> offsets, llvm::ArrayRef<mlir::OpFoldResult> sizes,
        llvm::SmallVector<mlir::OpFoldResult> &resultOffsets, llvm::SmallVector<mlir::OpFoldResult> &resultSizes) {
      return ::bambac::positionInResult(builder, getInit(), offsets, sizes, resultOffsets, resultSizes);
    }
    mlir::FailureOr<mlir::TilingResult> $cppClass::generateResultTileValue(mlir::OpBuilder &builder, unsigned,
        llvm::ArrayRef<mlir::OpFoldResult> offsets, llvm::ArrayRef<mlir::OpFoldResult> sizes) {
      return ::bambac::tileAtResult(*this, builder, offsets, sizes);
    }
  }];
}

// A tiled op that is always the root of its kernel: its consumers ask for no tile of it.
class Bamba_RootTiledOp<string mnemonic, list<Trait> traits = []> : Bamba_TiledOp<mnemonic, traits> {
  let extraClassDefinition = [{
    mlir::FailureOr<mlir::TilingResult> $cppClass::generateResultTileValue(mlir::OpBuilder &, unsigned,
        llvm::ArrayRef<mlir::OpFoldResult>, llvm::ArrayRef<mlir::OpFoldResult>) {
      return mlir::failure();
    }
  }];
}

class Bamba_ResultLike<string init, string result>
    : TypesMatchWith<"type of '" # result # "' matches that of its destination", init, result, "$_self">;

def Bamba_Activation : TensorRankOf<[F32, BF16, F16], [2]>;
// The same, or codes of a type that goes with scales.
def Bamba_Codes : TensorRankOf<[F32, BF16, F16, F8E4M3FN], [2]>;
def Bamba_Scales : TensorRankOf<[F32], [2]>;
def Bamba_Vector : TensorRankOf<[F32, BF16, F16], [1]>;
def Bamba_Matrix : TensorRankOf<[F32, BF16, F16], [2]>;
def Bamba_MatrixOrPanels : TensorRankOf<[F32, BF16, F16, F8E4M3FN], [2, 3, 4]>;
def Bamba_Indices : TensorRankOf<[I32], [1]>;
def Bamba_PageTable : TensorRankOf<[I32], [2]>;
def Bamba_StatePool : TensorRankOf<[F32, BF16, F16, F8E4M3FN], [3, 4]>;
// The same, or codes that go with a pool of scales.
def Bamba_SsmStatePool : TensorRankOf<[F32, BF16, F16, I8], [4]>;

#endif
