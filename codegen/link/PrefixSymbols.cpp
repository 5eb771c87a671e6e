// Finds the functions in the symbol table and leaves the renaming to LLVM's objcopy.
#include "codegen/link/PrefixSymbols.h"
#include "codegen/link/TemporaryFiles.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/raw_ostream.h"

#include <deque>

using namespace bambac;
namespace object = llvm::object;

static llvm::Expected<bool> isInterfaceFunction(const object::SymbolRef &symbol) {
  llvm::Expected<StringRef> name = symbol.getName();
  if (!name)
    return name.takeError();
  llvm::Expected<uint32_t> flags = symbol.getFlags();
  if (!flags)
    return flags.takeError();
  llvm::Expected<object::SymbolRef::Type> type = symbol.getType();
  if (!type)
    return type.takeError();
  return name->starts_with("bamba_") && *type == object::SymbolRef::ST_Function &&
         (*flags & object::SymbolRef::SF_Global) && !(*flags & object::SymbolRef::SF_Undefined);
}

llvm::Expected<SmallVector<char, 0>> codegen::prefixSymbols(StringRef path, StringRef prefix) {
  llvm::Expected<object::OwningBinary<object::Binary>> file = object::createBinary(path);
  if (!file)
    return fileError("read", path, llvm::errorToErrorCode(file.takeError()));
  auto *elf = llvm::dyn_cast<object::ELFObjectFileBase>(file->getBinary());
  if (!elf)
    return fileError("read", path, std::make_error_code(std::errc::executable_format_error));

  std::deque<std::string> names; // which the configuration refers to
  llvm::objcopy::ConfigManager config;
  for (const object::ELFSymbolRef &symbol : elf->symbols()) {
    llvm::Expected<bool> renamed = isInterfaceFunction(symbol);
    if (!renamed)
      return renamed.takeError();
    if (!*renamed)
      continue;
    StringRef name = llvm::cantFail(symbol.getName());
    config.Common.SymbolsToRename[name] = names.emplace_back((prefix + name).str());
  }
  SmallVector<char, 0> result;
  llvm::raw_svector_ostream stream(result);
  if (llvm::Error error = llvm::objcopy::executeObjcopyOnBinary(config, *elf, stream))
    return std::move(error);
  return result;
}
