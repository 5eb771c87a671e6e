// The passes between the model and its scheduled kernels, in the order in which the pipelines run them.
#ifndef BAMBAC_PASSES_PASSES_TD
#define BAMBAC_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

def DecomposeGatedNorms : Pass<"bamba-decompose-gated-norms", "mlir::func::FuncOp"> {
  let summary = "Split gated norms into a gate and a norm";
  let description = [{
    A norm needs its whole row, a gate only its own channel. Apart, the gate joins the kernel of the state space op,
    whose result then goes to memory once, and the norm joins the linear after it: `gated_rms_norm(y, z, w)` becomes
    `rms_norm(swiglu(z, y), w)`. Only where the target lists the fusion `gate`; elsewhere the gated norm is one kernel.
  }];
  let dependentDialects = ["mlir::tensor::TensorDialect", "bambac::BambaDialect"];
}

def InterleaveRotaryPairs : Pass<"bamba-interleave-rotary-pairs", "mlir::ModuleOp"> {
  let summary = "Make the two dimensions of each rotary pair neighbours";
  let description = [{
    A checkpoint's projections have the dimensions that a rotation turns together half of `rotary_dim` apart: far apart
    in the tile of a product. The rows of the weight, and of the bias, of the projection before a `bamba.rope` are put
    in the order 0, r/2, 1, r/2 + 1, ... (`head_dim` and `rotary_dim` of `#bamba.source`), and the rotation becomes
    `interleaved`, so that it can join the projection. Scores are sums over all dimensions of a head, so attention does
    not see the order as long as queries and keys share it: all rotations of a module change, or none. Only where the
    target lists the fusion `rope`.
  }];
  let dependentDialects = ["bambac::BambaDialect"];
  let statistics = [Statistic<"numInterleaved", "interleaved", "rotations of neighbouring dimensions">];
}

def FuseSiblingLinears : Pass<"bamba-fuse-sibling-linears", "mlir::ModuleOp"> {
  let summary = "Merge linears that read the same input into one";
  let description = [{
    The projections q, k and v read the same activations. As one linear, whose weight stacks theirs by rows, they are one
    kernel with enough columns to fill the machine, and the input is read once. Each user takes its columns by
    `tensor.extract_slice`. Only where the target lists the fusion `siblings`.

    A gate and the value that it gates, which end in one and the same SwiGLU, stay apart: they share a kernel with that
    op anyway. Where the target lists `interleave`, they too become one linear, whose weight takes their rows in turns
    (`bamba.interleave`): what one element of the SwiGLU needs are then neighbours in one tile of one product, and the
    operands are slices with stride 2.
  }];
  let dependentDialects = ["mlir::tensor::TensorDialect", "mlir::ml_program::MLProgramDialect"];
  let statistics = [Statistic<"numMerged", "merged", "linears merged into another">];
}

def SplitInputs : Pass<"bamba-split-inputs", "mlir::func::FuncOp"> {
  let summary = "Split the inputs of linears into terms that the target multiplies faster";
  let description = [{
    A processor whose tile registers multiply pairs of bf16 takes an f32 as the sum of three of them. Linears of enough
    rows, as the target says, get a `bamba.split` of their input, which all linears that read it share: in a kernel of
    its own it is done once, where each workgroup of a linear would do it anew.
  }];
  let dependentDialects = ["mlir::tensor::TensorDialect", "bambac::BambaDialect"];
  let statistics = [Statistic<"numSplit", "split", "inputs that are split">];
}

def FormDispatches : Pass<"bamba-form-dispatches", "mlir::func::FuncOp"> {
  let summary = "Group the ops of an entry point into dispatches, one kernel each";
  let description = [{
    Every op becomes a dispatch, together with the producers that fuse into it, each where the target lists the fusion:

    - `epilogue`: a linear into the element-wise op that alone reads it, so that its result never goes to memory; also
      through the slices with stride 2 that `interleave` makes;
    - `norm_prologue`: a norm into the linear that alone reads it, for a few short rows only: each block repeats the norm;
    - `gate`: a state space op into the SwiGLU that gates it;
    - `conv`: a convolution whose state is a ring into the state space step that alone reads its result, slice by slice;
    - `rope`: a projection into the rotations of interleaved heads and the append to the cache that read its columns: the
      kernel has the rotated queries and the new states of the cache as its results;
    - `argmax`: a linear into the argmax of its result, which leaves as well;
    - `quantize`: a norm or a gate into the quantization that alone reads it, but no linear, since a quantization needs
      whole rows;
    - `quantize_epilogue`: a linear with its gate, or attention of one token, into the quantization that alone reads it,
      if its scales are known: no block has whole rows, which decide about other scales;
    - `shared_quantize`: a quantization whose scales are not known, after such a linear or attention, into the linear that
      alone reads it, for as many rows as a decode step has. Each block makes the codes of some rows and reads those of
      all, so that codes and scales are results of the dispatch as well.

    Slices of inputs move into the dispatch, so that what stays outside are whole buffers. A fused producer may have a
    state as a second result, or one that is also read after the kernel: the dispatch then yields it after the results
    of its last op, and the store of the state moves after the dispatch.
  }];
  let dependentDialects = ["bambac::BambaDialect"];
  let statistics = [Statistic<"numDispatches", "dispatches", "dispatches formed">,
                    Statistic<"numFused", "fused", "producers fused into a dispatch">];
}

def BoundRows : Pass<"bamba-bound-rows", "mlir::func::FuncOp"> {
  let summary = "Let dispatches leave out the rows that a step does not have";
  let description = [{
    An entry point has room for as many rows as its largest step. The input `rows` says how many are there; it becomes
    `rows` of each dispatch that computes row by row, whose kernel then costs what they cost. What follows the
    `bamba.take_rows` that picks the rows whose logits are kept has another number of rows: there it is the input
    `kept_count`, which may be zero (`may_be_empty`). Entry points of one row stay as they are.
  }];
  let dependentDialects = ["bambac::BambaDialect"];
  let statistics = [Statistic<"numBound", "bound", "dispatches that may have fewer rows">];
}

def OutlineKernels : Pass<"bamba-outline-kernels", "mlir::ModuleOp"> {
  let summary = "Turn dispatches into kernel functions, equal ones into the same";
  let description = [{
    A model repeats its layers; code for each distinct kernel is generated once. Two dispatches are one kernel when their
    regions are the same up to locations: weights and states are arguments, so layers differ in nothing else.
  }];
  let dependentDialects = ["mlir::func::FuncDialect", "bambac::BambaDialect"];
  let statistics = [Statistic<"numKernels", "kernels", "distinct kernels">,
                    Statistic<"numShared", "shared", "dispatches that share another's kernel">];
}

def PackWeights : Pass<"bamba-pack-weights", "mlir::ModuleOp"> {
  let summary = "Give the weights of linears the layout that the target reads as one stream";
  let description = [{
    A CPU kernel computes two vector registers of outputs at a time; with a weight in panels of as many rows, stored
    column by column, it reads memory in one stream for any number of input rows. On CUDA the panels are made of core
    matrices, 8 rows of 8 columns, which both families of tensor core instructions take as they lie, and rows are padded
    to what one step of a product goes through. The encoding `#bamba.panel` carries the
    layout from the global through every load and launch to the kernel; the runtime packs once, at load. A weight that
    another op reads as well (a tied embedding) is packed as a copy.
  }];
  let dependentDialects = ["bambac::BambaDialect", "mlir::ml_program::MLProgramDialect"];
}

def SelectSchedules : Pass<"bamba-select-schedules", "mlir::ModuleOp"> {
  let summary = "Choose how each kernel is cut up";
  let description = [{
    Attaches `bamba.schedule`, chosen from shape and target (see CpuSchedules.h and CudaSchedules.h). On CUDA the legal
    candidates that follow the chosen one become `bamba.fallbacks`, for code generation to try where registers spill. A
    file may override the choice: a JSON object whose keys are kernel names, a trailing `*` standing for any ending, and
    whose values give the fields of the schedule to replace: `{"linear_*": {"rows": 4, "workgroup": [0, 128]}}` on a
    CPU, and on CUDA the collective and any of its fields, `{"linear_*": {"stages": 8}}`. Entries inside of a key that is
    a target's name apply to that target alone. docs/schedules.md explains the fields.
  }];
  let dependentDialects = ["bambac::BambaDialect"];
  let options = [Option<"file", "file", "std::string", "", "JSON file of schedules that override the chosen ones">];
}

def EstimateCosts : Pass<"bamba-estimate-costs", "mlir::ModuleOp"> {
  let summary = "State what each kernel must move and compute";
  let description = [{
    Attaches `bamba.cost`: the bytes of weights, states and activations and the operations of one launch, from which
    `bamba-run bench` computes the floor of a step.
  }];
  let dependentDialects = ["bambac::BambaDialect"];
}

def PlanMemory : Pass<"bamba-plan-memory", "mlir::func::FuncOp"> {
  let summary = "Give every intermediate a place in the arena";
  let description = [{
    Nothing is allocated while a model runs: each launch result that is neither a state nor an output gets a fixed byte
    range, shared with others that are not alive at the same time. Largest first, each at the lowest free offset, which
    comes close to the lower bound (the largest sum of sizes alive at one launch) for the chains that models are.
  }];
  let dependentDialects = ["bambac::BambaDialect"];
  let options = [Option<"alignment", "alignment", "int64_t", "0",
      "alignment of each buffer in bytes; 0: what the target asks for, 64 without one">];
}

#endif
