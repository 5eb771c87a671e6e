#include "codegen/plan/EmitTables.h"

#include "codegen/plan/TableBuilder.h"
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
static_assert(static_cast<int>(EntryKind::Score) == BAMBA_RT_SCORE);
static_assert(static_cast<int>(StateKind::Slot) == BAMBA_RT_STATE_SLOT);
static_assert(static_cast<int>(StateKind::Page) == BAMBA_RT_STATE_PAGE);

namespace {

/// Makes the tables one by one; what refers to another table by index is flattened on the way.
class Tables {
public:
  Tables(const Plan &plan, llvm::Module &module) : plan(plan), module(module), build(module) {}

  void emit(StringRef metadata);

private:
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
  SmallVector<Constant *> entries, launches, args, kernels, weights, sources, states, features;
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
         BAMBAC_FIELD(T, num_launches, build.i32(entry.launches.size())), BAMBAC_FIELD(T, reserved, build.i32(0)),
         BAMBAC_FIELD(T, arena_bytes, build.i64(entry.arenaBytes))}));
    for (const PlanLaunch &launch : entry.launches)
      addLaunch(launch);
  }
}

void Tables::addKernels() {
  using T = bamba_rt_kernel;
  llvm::LLVMContext &context = module.getContext();
  auto *pointer = llvm::PointerType::get(context, 0);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                                       {pointer, pointer, llvm::Type::getInt64Ty(context)}, /*isVarArg=*/false);
  for (const PlanKernel &kernel : plan.kernels)
    kernels.push_back(build.record<T>({BAMBAC_FIELD(T, name, build.string(kernel.name)),
                                       BAMBAC_FIELD(T, schedule, build.string(kernel.schedule)),
                                       BAMBAC_FIELD(T, cpu, build.function(kernel.name, type)),
                                       BAMBAC_FIELD(T, scratch_bytes, build.i64(kernel.code.scratchBytes))}));
}

void Tables::addSource(const PlanSource &source) {
  using T = bamba_rt_source;
  sources.push_back(
      build.record<T>({BAMBAC_FIELD(T, name, build.string(source.name)),
                       BAMBAC_FIELD(T, rank, build.i32(source.shape.size())), BAMBAC_FIELD(T, reserved, build.i32(0)),
                       BAMBAC_FIELD(T, shape, build.numbers(source.shape, std::extent_v<decltype(T::shape)>))}));
}

void Tables::addWeights() {
  using T = bamba_rt_weight;
  for (const PlanWeight &weight : plan.weights) {
    uint32_t flags = weight.transposed ? BAMBA_RT_WEIGHT_TRANSPOSE : 0;
    weights.push_back(build.record<T>(
        {BAMBAC_FIELD(T, name, build.string(weight.name)), BAMBAC_FIELD(T, dtype, build.i32(weight.dtype)),
         BAMBAC_FIELD(T, panel, build.i32(weight.panel)), BAMBAC_FIELD(T, flags, build.i32(flags)),
         BAMBAC_FIELD(T, num_sources, build.i32(weight.sources.size())),
         BAMBAC_FIELD(T, first_source, build.i32(sources.size())), BAMBAC_FIELD(T, reserved, build.i32(0)),
         BAMBAC_FIELD(T, rows, build.i64(weight.rows)), BAMBAC_FIELD(T, cols, build.i64(weight.cols)),
         BAMBAC_FIELD(T, bytes, build.i64(weight.bytes))}));
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

void Tables::emit(StringRef metadata) {
  addEntries();
  addKernels();
  addWeights();
  addStates();
  addFeatures();
  using T = bamba_rt_model;
  Constant *model = build.record<T>({BAMBAC_FIELD(T, abi_version, build.i32(BAMBA_RT_ABI_VERSION)),
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
                                     BAMBAC_FIELD(T, reserved, build.i32(0)),
                                     BAMBAC_FIELD(T, fingerprint, build.i64(plan.fingerprint)),
                                     BAMBAC_FIELD(T, metadata, build.string(metadata)),
                                     BAMBAC_FIELD(T, features, build.array("features", features)),
                                     BAMBAC_FIELD(T, entries, build.array("entries", entries)),
                                     BAMBAC_FIELD(T, launches, build.array("launches", launches)),
                                     BAMBAC_FIELD(T, args, build.array("args", args)),
                                     BAMBAC_FIELD(T, kernels, build.array("kernels", kernels)),
                                     BAMBAC_FIELD(T, weights, build.array("weights", weights)),
                                     BAMBAC_FIELD(T, sources, build.array("sources", sources)),
                                     BAMBAC_FIELD(T, states, build.array("states", states))});
  auto *table = new llvm::GlobalVariable(module, model->getType(), /*isConstant=*/true,
                                         llvm::GlobalValue::ExternalLinkage, model, "bamba_rt_model_table");
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

llvm::Expected<SmallVector<char, 0>> codegen::emitTables(const Plan &plan, StringRef metadata) {
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine = makeTargetMachine();
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  llvm::Module module("tables", context);
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  Tables(plan, module).emit(metadata);

  SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return llvm::createStringError("cannot emit tables: this target writes no object files");
  passes.run(module);
  return object;
}
