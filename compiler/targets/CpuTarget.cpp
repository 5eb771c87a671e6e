// The processors of --cpu (their features, vector registers and caches) and how models are laid out for them.
#include "compiler/targets/CpuTarget.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"
#include <sys/syscall.h>
#include <unistd.h>

using namespace mlir;

namespace bambac {

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

/// Names of the features that the runtime can check.
static constexpr StringLiteral kCheckedFeatures[] = {
#define BAMBA_CPU_FEATURE(name, leaf, subleaf, reg, bit, state) StringLiteral(name),
#include "runtime/contract/cpu_features.def"
#undef BAMBA_CPU_FEATURE
};

namespace {
struct Processor {
  StringRef arch;
  /// Whether it has a feature, for those of which that is known.
  llvm::StringMap<bool> features;
  int64_t cacheBytes;

  bool has(StringRef feature) const { return features.lookup(feature); }
};
} // namespace

static constexpr int64_t kTypicalCache = 1 << 20;

/// L2 of this machine, kept within what processors have when the system does not say or says too much.
static int64_t hostCacheBytes() {
  long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (bytes <= 0)
    return kTypicalCache;
  return std::clamp<int64_t>(bytes, 256 << 10, 2 << 20);
}

/// Whether the system lets processes use tile registers. The runtime asks for them.
static bool systemGrantsTiles() {
  constexpr long kGetSupported = 0x1021; // ARCH_GET_XCOMP_SUPP
  constexpr uint64_t kTileData = uint64_t{1} << 18;
  uint64_t supported = 0;
  return syscall(SYS_arch_prctl, kGetSupported, &supported) == 0 && (supported & kTileData);
}

static Processor describeHost() {
  Processor processor{llvm::sys::getHostCPUName(), llvm::sys::getHostCPUFeatures(), hostCacheBytes()};
  if (!systemGrantsTiles())
    for (auto &feature : processor.features)
      if (feature.first().starts_with("amx-"))
        feature.second = false;
  return processor;
}

/// A level of x86-64 or a processor of that name.
static Processor describeModel(StringRef name) {
  Processor processor{name, {}, kTypicalCache};
  SmallVector<StringRef> features;
  llvm::X86::getFeaturesForCPU(name, features);
  for (StringRef feature : features) {
    processor.features[feature] = true;
    llvm::X86::updateImpliedFeatures(feature, /*Enabled=*/true, processor.features);
  }
  return processor;
}

/// "+" for what kernels may use, "-" for what they must not although `arch` may imply it (on a virtual machine, say).
static std::string listFeatures(const Processor &processor, bool wide) {
  SmallVector<std::string> list;
  for (StringRef feature : kCheckedFeatures) {
    // No kernel multiplies tiles of integers.
    if (processor.has(feature) && feature != "amx-int8")
      list.push_back(("+" + feature).str());
    else if (processor.features.contains(feature))
      list.push_back(("-" + feature).str());
  }
  // Some processors are tuned for 256 bits, which would split every vector of 512.
  if (wide)
    list.push_back("-prefer-256-bit");
  return llvm::join(list, ",");
}

llvm::Expected<CpuTargetAttr> makeCpuTarget(MLIRContext *context, StringRef name) {
  if (!llvm::is_contained({"native", "x86-64-v3", "x86-64-v4", "sapphirerapids"}, name))
    return llvm::createStringError("option '--cpu': expected native, x86-64-v3, x86-64-v4 or sapphirerapids, found '" +
                                   name + "'");
  Processor processor = name == "native" ? describeHost() : describeModel(name);
  if (!processor.has("avx2") || !processor.has("fma"))
    return llvm::createStringError("option '--cpu': expected a processor with AVX2 and FMA, found " + processor.arch);
  bool wide = llvm::all_of(ArrayRef<StringRef>{"avx512f", "avx512bw", "avx512dq", "avx512vl"},
                           [&](StringRef feature) { return processor.has(feature); });
  const Fusion fusions[] = {Fusion::Siblings, Fusion::Epilogue, Fusion::Quantize};
  return CpuTargetAttr::get(context, StringAttr::get(context, processor.arch),
                            StringAttr::get(context, listFeatures(processor, wide)), /*vector_bits=*/wide ? 512 : 256,
                            /*vector_registers=*/wide ? 32 : 16, processor.cacheBytes, fusions);
}

/// The features that are switched on in LLVM's notation, "+avx2,-sse4a,+fma".
static SmallVector<StringRef> enabledFeatures(CpuTargetAttr target) {
  SmallVector<StringRef> names;
  for (StringRef feature : llvm::split(target.getFeatures().getValue(), ','))
    if (feature.consume_front("+"))
      names.push_back(feature);
  return names;
}

namespace {

struct CpuTargetModel : TargetInterface::ExternalModel<CpuTargetModel, CpuTargetAttr> {
  Device getDevice(Attribute) const { return Device::Cpu; }
  StringRef getName(Attribute) const { return "cpu"; }
  StringRef getArchitecture(Attribute target) const { return cast<CpuTargetAttr>(target).getArch(); }
  SmallVector<StringRef> getRequiredFeatures(Attribute target) const {
    return enabledFeatures(cast<CpuTargetAttr>(target));
  }
  ComputeCapability getComputeCapability(Attribute) const { return {}; }
  ArrayRef<Fusion> getAllowedFusions(Attribute target) const { return cast<CpuTargetAttr>(target).getFusions(); }

  /// Two vector registers of outputs, column by column: one stream for any number of input rows. Two columns at a time
  /// for products of pairs, and as many as a tile register has.
  PanelAttr getWeightPanel(Attribute target, Type element) const {
    auto cpu = cast<CpuTargetAttr>(target);
    bool isCode = isa<Float8E4M3FNType>(element), tiles = cpu.multipliesTiles() && (isCode || element.isBF16());
    int64_t group = tiles || (isCode && cpu.multipliesPairs()) ? 2 : 1;
    return PanelAttr::get(target.getContext(), 2 * cpu.getLanes(), group,
                          /*align=*/tiles ? CpuTargetAttr::kTileColumns : group);
  }
  /// Three terms of 8 bits are the 24 of an f32; a run is the columns of a tile register. Fewer rows take no longer in
  /// vectors.
  TermsAttr getInputTerms(Attribute target, int64_t rows, Type weight) const {
    constexpr int64_t kStreamedRows = 8;
    if (!cast<CpuTargetAttr>(target).multipliesTiles() || !weight.isBF16() || rows <= kStreamedRows)
      return {};
    return TermsAttr::get(target.getContext(), /*count=*/3, /*run=*/CpuTargetAttr::kTileColumns);
  }
  bool packsWeightsOnDevice(Attribute) const { return false; }
  /// A cache line.
  int64_t getBufferAlignment(Attribute) const { return 64; }
  int64_t getPageTokens(Attribute) const { return 16; }
  /// Rows that fit a register tile.
  int64_t getLeastPrefillChunk(Attribute) const { return 8; }
  int64_t getPrefillTile(Attribute) const { return 0; }

  int64_t getLongestStateRing(Attribute) const { return 1; }

  // Two cores multiply a number with each weight in a sixteenth of the time that its two bytes take.
  int64_t getRowTile(Attribute) const { return 1; }
  int64_t getWeightRows(Attribute) const { return 16; }
  int64_t chooseStateRing(Attribute, int64_t, int64_t, int64_t) const { return 1; }

  /// Everything but the matrices is f32. The codes that they multiply are stored as what the processor multiplies,
  /// which widening would cost again for each column of the result.
  ElementTypes getElementTypes(Attribute target, Type matrix, Type) const {
    Type f32 = Float32Type::get(target.getContext());
    ElementTypes types;
    types.matrix = matrix;
    types.activation = types.cache = types.ssmState = types.wide = types.inputCodes = f32;
    if (auto cpu = cast<CpuTargetAttr>(target); cpu.multipliesTiles() || cpu.multipliesPairs())
      types.inputCodes = BFloat16Type::get(target.getContext());
    types.codes = Float8E4M3FNType::get(target.getContext());
    return types;
  }
  LogicalResult verifyMatrixType(Attribute target, Type matrix, EmitError emitError) const {
    auto cpu = cast<CpuTargetAttr>(target);
    if (matrix.isF16() && !cpu.has("f16c"))
      return emitError() << "expected bf16 or f32 for a processor without F16C like " << cpu.getArch().getValue()
                         << ", found " << matrix;
    return success();
  }
};

} // namespace

void attachCpuTargetInterface(MLIRContext *context) { CpuTargetAttr::attachInterface<CpuTargetModel>(*context); }

} // namespace bambac
