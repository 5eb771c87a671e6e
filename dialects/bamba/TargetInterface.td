// What passes, the builder and the plan ask of a device.
#ifndef BAMBAC_DIALECTS_BAMBA_TARGETINTERFACE_TD
#define BAMBAC_DIALECTS_BAMBA_TARGETINTERFACE_TD

include "mlir/IR/Interfaces.td"

def Bamba_TargetInterface : AttrInterface<"TargetInterface"> {
  let cppNamespace = "::bambac";
  let description = [{
    A device that a module is compiled for. Passes ask the target instead of knowing chips: a pass that needs to know
    something of a device gets a method here, and every device answers it in its own file of compiler/targets.

    The attributes `#bamba.cpu_target` and `#bamba.cuda_target` hold the numbers of one chip. `registerTargets()` of
    compiler/targets/Targets.h attaches what is derived from them; a program that compiles calls it once.
  }];
  let methods = [
    InterfaceMethod<"The sort of device, as the tables of a library number it.", "::bambac::Device", "getDevice">,
    InterfaceMethod<"What `--target` calls the device: `cpu`, `sm_90a`.", "llvm::StringRef", "getName">,
    InterfaceMethod<"The code generator's name of the chip: `x86-64-v4`, `sm_90a`.", "llvm::StringRef",
        "getArchitecture">,
    InterfaceMethod<"Features that generated code uses and a library checks when it is opened, without a `+`.",
        "llvm::SmallVector<llvm::StringRef>", "getRequiredFeatures">,
    InterfaceMethod<"Which GPUs can run the code; version 0 where the device is none.", "::bambac::ComputeCapability",
        "getComputeCapability">,
    InterfaceMethod<"The kinds of fusion that pay on the device.", "llvm::ArrayRef<::bambac::Fusion>",
        "getAllowedFusions">,
    InterfaceMethod<"The layout of a linear's weight with elements of this type, so that kernels read it as one stream.",
        "::bambac::PanelAttr", "getWeightPanel", (ins "mlir::Type":$element)>,
    InterfaceMethod<[{
        The terms of a narrower type as which a linear takes this many rows of f32 for a weight of this type; null where it
        takes f32.}], "::bambac::TermsAttr", "getInputTerms", (ins "int64_t":$rows, "mlir::Type":$weight)>,
    InterfaceMethod<"True where kernels on the device pack the weights; else the runtime does on the host.", "bool",
        "packsWeightsOnDevice">,
    InterfaceMethod<"Bytes to which the place of each intermediate is aligned.", "int64_t", "getBufferAlignment">,
    InterfaceMethod<"Tokens of a page of the KV cache.", "int64_t", "getPageTokens">,
    InterfaceMethod<"Tokens of the shortest prefill step worth an entry point; shorter ones would take as long.",
        "int64_t", "getLeastPrefillChunk">,
    InterfaceMethod<"The most tokens of a prefill step whose linears have one tile of rows; 0 where that makes no difference.",
        "int64_t", "getPrefillTile">,
    InterfaceMethod<"The most decode steps after which SSM states may be written; 1 where each step writes them.", "int64_t",
        "getLongestStateRing">,
    InterfaceMethod<"Rows by which the cost of a step of prompts goes up: the last of so many, all together.", "int64_t",
        "getRowTile">,
    InterfaceMethod<"Rows whose products take as long as reading the weights: the least that a step costs.", "int64_t",
        "getWeightRows">,
    InterfaceMethod<[{
        After how many decode steps of `batch` sequences SSM states are best written, when a sequence's state has
        `stateBytes` and each step in between adds an entry of `entryBytes` to its ring.}], "int64_t", "chooseStateRing",
        (ins "int64_t":$batch, "int64_t":$stateBytes, "int64_t":$entryBytes)>,
    InterfaceMethod<"The types of a model's tensors, for matrices of this type and, where the device has the choice, SSM states of that.",
        "::bambac::ElementTypes", "getElementTypes", (ins "mlir::Type":$matrix, "mlir::Type":$state)>,
    InterfaceMethod<[{
        Success where the device computes with matrices of this type; else an error through `emitError` that says which it
        does compute with.}], "llvm::LogicalResult", "verifyMatrixType",
        (ins "mlir::Type":$matrix, "llvm::function_ref<mlir::InFlightDiagnostic()>":$emitError)>,
  ];
  let extraSharedClassDeclaration = [{
    /// True where this kind of fusion pays.
    bool allows(::bambac::Fusion fusion) const {
      return llvm::is_contained($_attr.getAllowedFusions(), fusion);
    }
  }];
}

#endif
