// See Cubin.h.
#include "codegen/cuda/nvrtc/Cubin.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ELFObjectFile.h"

namespace bambac::codegen {

// The structs of codegen/cuda/collectives/common/launch.cuh.
namespace {
struct Launch {
  uint32_t grid[3], threads, cluster, sharedBytes, dependent, workspace;
};
struct TensorMap {
  uint32_t elementBytes, rank, swizzleBytes, dims[5], box[5], reserved;
  uint64_t strides[4];
};
} // namespace

/// Copies the constant of that name out of the cubin.
template <typename T>
static llvm::Error readConstant(const llvm::object::ObjectFile &cubin, StringRef name, T &constant) {
  for (const llvm::object::SymbolRef &symbol : cubin.symbols()) {
    llvm::Expected<StringRef> found = symbol.getName();
    if (!found || *found != name) {
      llvm::consumeError(found.takeError());
      continue;
    }
    auto section = symbol.getSection();
    llvm::Expected<uint64_t> offset = symbol.getValue();
    if (!section || !offset || *section == cubin.section_end())
      break;
    llvm::Expected<StringRef> bytes = (*section)->getContents();
    if (!bytes || *offset + sizeof(T) > bytes->size())
      break;
    std::memcpy(&constant, bytes->data() + *offset, sizeof(T));
    return llvm::Error::success();
  }
  return llvm::createStringError("expected the constant '" + name + "' in a cubin, found none");
}

// Kinds of parameters are numbered as in the tables.
static_assert(static_cast<int>(KernelParam::Kind::Pointer) == BAMBA_RT_PARAM_POINTER);
static_assert(static_cast<int>(KernelParam::Kind::TensorMap) == BAMBA_RT_PARAM_TENSOR_MAP);
static_assert(static_cast<int>(KernelParam::Kind::Workspace) == BAMBA_RT_PARAM_WORKSPACE);
static_assert(static_cast<int>(KernelParam::Kind::Piece) == BAMBA_RT_PARAM_PIECE);

static bamba_rt_param describe(const TensorMap &map, unsigned argument) {
  bamba_rt_param param = {};
  param.kind = BAMBA_RT_PARAM_TENSOR_MAP;
  param.arg = argument;
  param.element_bytes = map.elementBytes;
  param.rank = map.rank;
  param.swizzle_bytes = map.swizzleBytes;
  llvm::copy(map.dims, param.dims);
  llvm::copy(map.box, param.box);
  llvm::copy(map.strides, param.strides);
  return param;
}

llvm::Error readLaunch(StringRef name, ArrayRef<KernelParam> params, KernelCode &code) {
  CudaCode &cuda = *code.cuda;
  auto object = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(cuda.cubin, name));
  if (!object)
    return object.takeError();
  Launch launch;
  if (llvm::Error error = readConstant(**object, (name + "_launch").str(), launch))
    return error;
  llvm::copy(launch.grid, cuda.grid);
  cuda.threads = launch.threads;
  cuda.cluster = launch.cluster;
  cuda.sharedBytes = launch.sharedBytes;
  cuda.dependent = launch.dependent != 0;
  code.scratchBytes = launch.workspace;
  for (auto [number, param] : llvm::enumerate(params)) {
    bamba_rt_param described = {};
    described.kind = static_cast<uint32_t>(param.kind);
    described.arg = param.argument;
    if (param.kind == KernelParam::Kind::TensorMap) {
      TensorMap map;
      if (llvm::Error error = readConstant(**object, (name + "_map_" + Twine(number)).str(), map))
        return error;
      described = describe(map, param.argument);
    }
    cuda.params.push_back(described);
  }
  return llvm::Error::success();
}

/// The number in front of `unit` in `line`, 0 where there is none.
static uint32_t numberBefore(StringRef line, StringRef unit) {
  uint32_t number = 0;
  StringRef before = line.split(unit).first;
  if (before.size() != line.size())
    before.rsplit(' ').second.getAsInteger(10, number);
  return number;
}

void readResources(StringRef log, CudaCode &code) {
  for (StringRef line : llvm::split(log, '\n')) {
    code.spillBytes += numberBefore(line, " bytes spill stores") + numberBefore(line, " bytes spill loads");
    if (line.contains("Used ")) {
      code.registers = std::max(code.registers, numberBefore(line, " registers"));
      code.staticSharedBytes = std::max(code.staticSharedBytes, numberBefore(line, " bytes smem"));
    }
  }
}

} // namespace bambac::codegen
