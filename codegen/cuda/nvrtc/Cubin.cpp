// Finds the constants by name among the symbols of the cubin's ELF file, and the resources by the words of ptxas.
#include "codegen/cuda/nvrtc/Cubin.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ELFObjectFile.h"

namespace bambac::codegen {

using llvm::object::ELFObjectFileBase;
using llvm::object::ELFSymbolRef;

static llvm::Expected<std::optional<ELFSymbolRef>> findSymbol(const ELFObjectFileBase &cubin, StringRef name) {
  for (const ELFSymbolRef &symbol : cubin.symbols()) {
    llvm::Expected<StringRef> found = symbol.getName();
    if (!found)
      return found.takeError();
    if (*found == name)
      return symbol;
  }
  return std::nullopt;
}

/// The bytes that the file has for a symbol, which must be `size` of them.
static llvm::Expected<StringRef> bytesOf(const ELFObjectFileBase &cubin, const ELFSymbolRef &symbol, uint64_t size) {
  if (symbol.getSize() != size)
    return llvm::createStringError("of " + Twine(symbol.getSize()) + " bytes");
  llvm::Expected<llvm::object::section_iterator> section = symbol.getSection();
  if (!section)
    return section.takeError();
  llvm::Expected<uint64_t> offset = symbol.getValue();
  if (!offset)
    return offset.takeError();
  if (*section == cubin.section_end())
    return llvm::createStringError("without a value");
  llvm::Expected<StringRef> contents = (*section)->getContents();
  if (!contents)
    return contents.takeError();
  if (*offset > contents->size() || contents->size() - *offset < size)
    return llvm::createStringError("beyond the end of its section");
  return contents->substr(*offset, size);
}

/// Copies the constant of that name out of the cubin.
template <typename T>
static llvm::Error readConstant(const ELFObjectFileBase &cubin, const Twine &symbolName, T &constant) {
  std::string name = symbolName.str();
  llvm::Expected<std::optional<ELFSymbolRef>> symbol = findSymbol(cubin, name);
  if (!symbol)
    return symbol.takeError();
  if (!*symbol)
    return llvm::createStringError("expected the constant '" + name + "' in a cubin, found none");
  llvm::Expected<StringRef> bytes = bytesOf(cubin, **symbol, sizeof(T));
  if (!bytes)
    return llvm::createStringError("expected the constant '" + name + "' of " + Twine(sizeof(T)) +
                                   " bytes in a cubin, found one " + llvm::toString(bytes.takeError()));
  std::memcpy(&constant, bytes->bytes_begin(), sizeof(T));
  return llvm::Error::success();
}

// Kinds of parameters are numbered as in the tables.
static_assert(static_cast<int>(KernelParam::Kind::Pointer) == BAMBA_RT_PARAM_POINTER);
static_assert(static_cast<int>(KernelParam::Kind::TensorMap) == BAMBA_RT_PARAM_TENSOR_MAP);
static_assert(static_cast<int>(KernelParam::Kind::Workspace) == BAMBA_RT_PARAM_WORKSPACE);
static_assert(static_cast<int>(KernelParam::Kind::Piece) == BAMBA_RT_PARAM_PIECE);
static_assert(static_cast<int>(KernelParam::Kind::Size) == BAMBA_RT_PARAM_SIZE);

llvm::Error readLaunch(StringRef name, ArrayRef<KernelParam> params, CudaCode &code) {
  auto object = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(code.cubin, name));
  if (!object)
    return object.takeError();
  const auto &cubin = llvm::cast<ELFObjectFileBase>(**object);
  if (llvm::Error error = readConstant(cubin, name + "_launch", code.launch))
    return error;
  for (auto [number, param] : llvm::enumerate(params)) {
    bamba_rt_param described = {};
    described.kind = static_cast<uint32_t>(param.kind);
    described.arg = param.argument;
    if (param.kind == KernelParam::Kind::TensorMap)
      if (llvm::Error error = readConstant(cubin, name + "_map_" + Twine(number), described.map))
        return error;
    code.params.push_back(described);
  }
  return llvm::Error::success();
}

/// The number before `unit` in `line`; none where the line does not say it.
static std::optional<uint32_t> numberBefore(StringRef line, StringRef unit) {
  auto [before, after] = line.split(unit);
  uint32_t number = 0;
  if (before.size() == line.size() || before.rsplit(' ').second.getAsInteger(10, number))
    return std::nullopt;
  return number;
}

llvm::Error readResources(StringRef log, CudaCode &code) {
  bool saysRegisters = false, saysSpills = false;
  for (StringRef line : llvm::split(log, '\n')) {
    std::optional<uint32_t> stores = numberBefore(line, " bytes spill stores");
    std::optional<uint32_t> loads = numberBefore(line, " bytes spill loads");
    if (stores && loads) {
      saysSpills = true;
      code.spillBytes += *stores + *loads;
    }
    std::optional<uint32_t> registers = line.contains("Used ") ? numberBefore(line, " registers") : std::nullopt;
    if (registers) {
      saysRegisters = true;
      code.registers = std::max(code.registers, *registers);
      code.staticSharedBytes = std::max(code.staticSharedBytes, numberBefore(line, " bytes smem").value_or(0));
    }
  }
  if (!saysRegisters || !saysSpills)
    return llvm::createStringError(
        Twine("expected ") + (saysRegisters ? "'N bytes spill stores, N bytes spill loads'" : "'Used N registers'") +
        " in the log of NVRTC, found none");
  return llvm::Error::success();
}

} // namespace bambac::codegen
