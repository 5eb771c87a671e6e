// One function for each table; the record of a struct names each of its fields.
#include "codegen/plan/EmitTables.h"

#include "codegen/plan/TableBuilder.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace bambac;
using namespace bambac::codegen;
using llvm::Constant;

// The numbers in the tables are those of the dialect's enumerations.
static_assert(static_cast<int>(EntryKind::Decode) == BAMBA_RT_DECODE);
static_assert(static_cast<int>(EntryKind::Prefill) == BAMBA_RT_PREFILL);
static_assert(static_cast<int>(StateKind::Slot) == BAMBA_RT_STATE_SLOT);
static_assert(static_cast<int>(StateKind::Page) == BAMBA_RT_STATE_PAGE);
static_assert(static_cast<int>(Device::Cpu) == BAMBA_RT_CPU);
static_assert(static_cast<int>(Device::Cuda) == BAMBA_RT_CUDA);

namespace {

/// Makes the tables of one model one by one; what refers to another table by index is flattened on the way.
class Tables {
public:
  Tables(const Plan &plan, llvm::Module &module) : plan(plan), module(module), build(module) {}

  /// The address of the model.
  Constant *emit(StringRef metadata);

private:
  Constant *cpuFunction(const PlanKernel &kernel);
  Constant *cudaKernel(const PlanKernel &kernel);
  Constant *param(const bamba_rt_param &param);
  void addEntries();
  void addKernels();
  void addWeights();
  void addStates();
  void addFeatures();
  void addLaunch(const PlanLaunch &launch);
  void addSource(const PlanSource &source);

  const Plan &plan;
  llvm::Module &module;
  TableBuilder build;
  llvm::StringMap<Constant *> cubins; ///< by symbol
  SmallVector<Constant *> entries, launches, args, kernels, weights, sources, states, features, eosTokens;
};

} // namespace

void Tables::addLaunch(const PlanLaunch &launch) {
  using T = bamba_rt_launch;
  launches.push_back(build.record<T>(
      {BAMBAC_FIELD(T, kernel, build.i32(launch.kernel)),
       BAMBAC_FIELD(T, num_workgroups, build.i32(plan.kernels[launch.kernel].code.numWorkgroups)),
       BAMBAC_FIELD(T, first_arg, build.i32(args.size())), BAMBAC_FIELD(T, num_args, build.i32(launch.args.size()))}));
  using A = bamba_rt_arg;
  for (const bamba_rt_arg &arg : launch.args)
    args.push_back(
        build.record<A>({BAMBAC_FIELD(A, space, build.i32(arg.space)), BAMBAC_FIELD(A, index, build.i32(arg.index)),
                         BAMBAC_FIELD(A, offset, build.i64(arg.offset))}));
}

void Tables::addEntries() {
  using T = bamba_rt_entry;
  for (const PlanEntry &entry : plan.entries) {
    entries.push_back(build.record<T>(
        {BAMBAC_FIELD(T, name, build.string(entry.name)),
         BAMBAC_FIELD(T, kind, build.i32(static_cast<uint32_t>(entry.kind))),
         BAMBAC_FIELD(T, batch, build.i32(entry.batch)), BAMBAC_FIELD(T, chunk, build.i32(entry.chunk)),
         BAMBAC_FIELD(T, first_launch, build.i32(launches.size())),
         BAMBAC_FIELD(T, num_launches, build.i32(entry.launches.size())), BAMBAC_FIELD(T, kept, build.i32(entry.kept)),
         BAMBAC_FIELD(T, arena_bytes, build.i64(entry.arenaBytes))}));
    for (const PlanLaunch &launch : entry.launches)
      addLaunch(launch);
  }
}

Constant *Tables::cpuFunction(const PlanKernel &kernel) {
  llvm::LLVMContext &context = module.getContext();
  auto *pointer = llvm::PointerType::get(context, 0);
  if (kernel.code.cuda)
    return llvm::ConstantPointerNull::get(pointer);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                                       {pointer, pointer, llvm::Type::getInt64Ty(context)}, /*isVarArg=*/false);
  return build.function(kernel.name, type);
}

Constant *Tables::param(const bamba_rt_param &param) {
  using M = bamba_rt_tensor_map;
  Constant *map = build.record<M>(
      {BAMBAC_FIELD(M, element_bytes, build.i32(param.map.element_bytes)),
       BAMBAC_FIELD(M, rank, build.i32(param.map.rank)),
       BAMBAC_FIELD(M, swizzle_bytes, build.i32(param.map.swizzle_bytes)),
       BAMBAC_FIELD(M, dims, build.numbers(param.map.dims)), BAMBAC_FIELD(M, box, build.numbers(param.map.box)),
       BAMBAC_FIELD(M, reserved, build.i32(0)), BAMBAC_FIELD(M, strides, build.numbers(param.map.strides))});
  using T = bamba_rt_param;
  return build.record<T>({BAMBAC_FIELD(T, kind, build.i32(param.kind)), BAMBAC_FIELD(T, arg, build.i32(param.arg)),
                          BAMBAC_FIELD(T, map, map)});
}

Constant *Tables::cudaKernel(const PlanKernel &kernel) {
  if (!kernel.code.cuda)
    return build.array("cuda", {});
  const CudaCode &code = *kernel.code.cuda;
  SmallVector<Constant *> params;
  for (const bamba_rt_param &item : code.params)
    params.push_back(param(item));
  using L = bamba_rt_cuda_launch;
  const L &launch = code.launch;
  Constant *shape = build.record<L>({BAMBAC_FIELD(L, grid, build.numbers(launch.grid)),
                                     BAMBAC_FIELD(L, threads, build.i32(launch.threads)),
                                     BAMBAC_FIELD(L, cluster, build.i32(launch.cluster)),
                                     BAMBAC_FIELD(L, shared_bytes, build.i32(launch.shared_bytes)),
                                     BAMBAC_FIELD(L, dependent, build.i32(launch.dependent)),
                                     BAMBAC_FIELD(L, workspace, build.i32(launch.workspace))});
  Constant *&cubin = cubins[code.symbol];
  if (!cubin)
    cubin = build.blob("cubin", code.cubin);
  using T = bamba_rt_cuda_kernel;
  return build.array(
      "cuda",
      build.record<T>({BAMBAC_FIELD(T, cubin, cubin), BAMBAC_FIELD(T, cubin_bytes, build.i64(code.cubin.size())),
                       BAMBAC_FIELD(T, symbol, build.string(code.symbol)), BAMBAC_FIELD(T, launch, shape),
                       BAMBAC_FIELD(T, num_params, build.i32(params.size())),
                       BAMBAC_FIELD(T, params, build.array("params", params))}));
}

void Tables::addKernels() {
  using T = bamba_rt_kernel;
  for (const PlanKernel &kernel : plan.kernels)
    kernels.push_back(build.record<T>(
        {BAMBAC_FIELD(T, name, build.string(kernel.name)), BAMBAC_FIELD(T, schedule, build.string(kernel.schedule)),
         BAMBAC_FIELD(T, cpu, cpuFunction(kernel)), BAMBAC_FIELD(T, cuda, cudaKernel(kernel)),
         BAMBAC_FIELD(T, scratch_bytes, build.i64(kernel.code.scratchBytes))}));
}

void Tables::addSource(const PlanSource &source) {
  using T = bamba_rt_source;
  sources.push_back(build.record<T>(
      {BAMBAC_FIELD(T, name, build.string(source.name)), BAMBAC_FIELD(T, rank, build.i32(source.shape.size())),
       BAMBAC_FIELD(T, head_dim, build.i32(source.headDim)), BAMBAC_FIELD(T, rotary_dim, build.i32(source.rotaryDim)),
       BAMBAC_FIELD(T, repeat, build.i32(source.repeat)),
       BAMBAC_FIELD(T, shape, build.numbers<std::extent_v<decltype(T::shape)>>(source.shape)),
       BAMBAC_FIELD(T, first_row, build.i64(source.firstRow)), BAMBAC_FIELD(T, num_rows, build.i64(source.numRows))}));
}

void Tables::addWeights() {
  using T = bamba_rt_weight;
  for (const PlanWeight &weight : plan.weights) {
    uint32_t flags =
        (weight.transposed ? BAMBA_RT_WEIGHT_TRANSPOSE : 0) | (weight.interleaved ? BAMBA_RT_WEIGHT_INTERLEAVE : 0) |
        (weight.positive ? BAMBA_RT_WEIGHT_POSITIVE : 0) | (weight.optional ? BAMBA_RT_WEIGHT_OPTIONAL : 0);
    weights.push_back(build.record<T>(
        {BAMBAC_FIELD(T, name, build.string(weight.name)), BAMBAC_FIELD(T, dtype, build.i32(weight.dtype)),
         BAMBAC_FIELD(T, panel, build.i32(weight.panel)), BAMBAC_FIELD(T, flags, build.i32(flags)),
         BAMBAC_FIELD(T, num_sources, build.i32(weight.sources.size())),
         BAMBAC_FIELD(T, first_source, build.i32(sources.size())),
         BAMBAC_FIELD(T, panel_group, build.i32(weight.panelGroup)),
         BAMBAC_FIELD(T, panel_align, build.i32(weight.panelAlign)),
         BAMBAC_FIELD(T, pack_kernel, build.i32(weight.packKernel)), BAMBAC_FIELD(T, scales, build.i32(weight.scales)),
         BAMBAC_FIELD(T, reserved, build.i32(0)), BAMBAC_FIELD(T, rows, build.i64(weight.rows)),
         BAMBAC_FIELD(T, cols, build.i64(weight.cols)), BAMBAC_FIELD(T, bytes, build.i64(weight.bytes))}));
    for (const PlanSource &source : weight.sources)
      addSource(source);
  }
}

void Tables::addStates() {
  using T = bamba_rt_state;
  for (const PlanState &state : plan.states)
    states.push_back(build.record<T>({BAMBAC_FIELD(T, name, build.string(state.name)),
                                      BAMBAC_FIELD(T, kind, build.i32(static_cast<uint32_t>(state.kind))),
                                      BAMBAC_FIELD(T, dtype, build.i32(state.dtype)),
                                      BAMBAC_FIELD(T, item_bytes, build.i64(state.itemBytes))}));
}

void Tables::addFeatures() {
  for (const std::string &feature : plan.features)
    features.push_back(build.string(feature));
}

Constant *Tables::emit(StringRef metadata) {
  addEntries();
  addKernels();
  addWeights();
  addStates();
  addFeatures();
  for (int32_t token : plan.eosTokens)
    eosTokens.push_back(build.i32(static_cast<uint32_t>(token)));
  using T = bamba_rt_model;
  Constant *model = build.record<T>({BAMBAC_FIELD(T, target, build.string(plan.target)),
                                     BAMBAC_FIELD(T, device, build.i32(static_cast<uint32_t>(plan.device))),
                                     BAMBAC_FIELD(T, compute, build.i32(plan.compute.version)),
                                     BAMBAC_FIELD(T, exact, build.i32(plan.compute.exact)),
                                     BAMBAC_FIELD(T, vocab_size, build.i32(plan.vocabSize)),
                                     BAMBAC_FIELD(T, max_batch, build.i32(plan.maxBatch)),
                                     BAMBAC_FIELD(T, max_context, build.i32(plan.maxContext)),
                                     BAMBAC_FIELD(T, prefill_chunk, build.i32(plan.prefillChunk)),
                                     BAMBAC_FIELD(T, page_tokens, build.i32(plan.pageTokens)),
                                     BAMBAC_FIELD(T, max_pages, build.i32(plan.maxPages)),
                                     BAMBAC_FIELD(T, num_entries, build.i32(entries.size())),
                                     BAMBAC_FIELD(T, num_launches, build.i32(launches.size())),
                                     BAMBAC_FIELD(T, num_args, build.i32(args.size())),
                                     BAMBAC_FIELD(T, num_kernels, build.i32(kernels.size())),
                                     BAMBAC_FIELD(T, num_weights, build.i32(weights.size())),
                                     BAMBAC_FIELD(T, num_sources, build.i32(sources.size())),
                                     BAMBAC_FIELD(T, num_states, build.i32(states.size())),
                                     BAMBAC_FIELD(T, num_features, build.i32(features.size())),
                                     BAMBAC_FIELD(T, num_eos_tokens, build.i32(eosTokens.size())),
                                     BAMBAC_FIELD(T, fingerprint, build.i64(plan.fingerprint)),
                                     BAMBAC_FIELD(T, metadata, build.string(metadata)),
                                     BAMBAC_FIELD(T, checkpoint, build.string(plan.checkpoint)),
                                     BAMBAC_FIELD(T, features, build.array("features", features)),
                                     BAMBAC_FIELD(T, entries, build.array("entries", entries)),
                                     BAMBAC_FIELD(T, launches, build.array("launches", launches)),
                                     BAMBAC_FIELD(T, args, build.array("args", args)),
                                     BAMBAC_FIELD(T, kernels, build.array("kernels", kernels)),
                                     BAMBAC_FIELD(T, weights, build.array("weights", weights)),
                                     BAMBAC_FIELD(T, sources, build.array("sources", sources)),
                                     BAMBAC_FIELD(T, states, build.array("states", states)),
                                     BAMBAC_FIELD(T, eos_tokens, build.array("eos_tokens", eosTokens)),
                                     BAMBAC_FIELD(T, bos_token, build.i32(static_cast<uint32_t>(plan.bosToken))),
                                     BAMBAC_FIELD(T, state_ring, build.i32(plan.stateRing)),
                                     BAMBAC_FIELD(T, row_tile, build.i32(plan.rowTile)),
                                     BAMBAC_FIELD(T, weight_rows, build.i32(plan.weightRows))});
  return build.array("model", model);
}

/// The library's one exported table, with a model for each plan.
static void emitLibrary(ArrayRef<Plan> plans, const CompilerInfo &compiler, llvm::Module &module) {
  TableBuilder build(module);
  SmallVector<Constant *> models;
  SmallVector<std::string> metadata;
  for (const Plan &plan : plans) {
    metadata.push_back(makeMetadata(plan, compiler));
    models.push_back(Tables(plan, module).emit(metadata.back()));
  }
  using T = bamba_rt_library;
  Constant *library = build.record<T>({BAMBAC_FIELD(T, abi_version, build.i32(BAMBA_RT_ABI_VERSION)),
                                       BAMBAC_FIELD(T, num_models, build.i32(models.size())),
                                       BAMBAC_FIELD(T, models, build.array("models", models)),
                                       BAMBAC_FIELD(T, metadata, build.string(joinMetadata(metadata)))});
  auto *table = new llvm::GlobalVariable(module, library->getType(), /*isConstant=*/true,
                                         llvm::GlobalValue::ExternalLinkage, library, "bamba_rt_library_table");
  table->setVisibility(llvm::GlobalValue::HiddenVisibility);
}

/// Tables hold no instructions, so that any processor of the system's family will do.
static llvm::Expected<std::unique_ptr<llvm::TargetMachine>> makeTargetMachine() {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return llvm::createStringError("cannot emit tables: " + error);
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, /*CPU=*/"", /*Features=*/"", llvm::TargetOptions(), llvm::Reloc::PIC_));
}

llvm::Expected<SmallVector<char, 0>> codegen::emitTables(ArrayRef<Plan> plans, const CompilerInfo &compiler) {
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine = makeTargetMachine();
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  llvm::Module module("tables", context);
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  emitLibrary(plans, compiler, module);

  SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return llvm::createStringError("cannot emit tables: this target writes no object files");
  passes.run(module);
  return object;
}
