#include "codegen/link/Link.h"

#include "codegen/link/PrefixSymbols.h"
#include "codegen/link/TemporaryFiles.h"
#include "lld/Common/Driver.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <deque>
#include <link.h>

LLD_HAS_DRIVER(elf)

using namespace bambac;
using namespace bambac::codegen;

namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

/// Everything but the interface stays inside the library: the C++ runtime, the kernels, the tables.
static std::string makeVersionScript(StringRef prefix) {
  return ("{ global: " + prefix + "bamba_*; local: *; };\n").str();
}

static constexpr StringLiteral kBefore[] = {"crti.o", "crtbeginS.o"};
static constexpr StringLiteral kArchives[] = {"libgcc.a", "libgcc_eh.a"};
/// The parts of the C library; those that are not needed leave no trace.
static constexpr StringLiteral kSystemLibraries[] = {"libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2"};
static constexpr StringLiteral kAfter[] = {"crtendS.o", "crtn.o"};

namespace {

/// The linker's command line; owns the strings in it.
class LinkerArguments {
public:
  void add(const Twine &argument) { arguments.push_back(strings.emplace_back(argument.str()).c_str()); }

  /// Adds a file of the runtime's folder.
  llvm::Error addRuntime(StringRef dir, StringRef name) {
    SmallString<128> file(dir);
    path::append(file, name);
    if (std::error_code code = fs::access(file, fs::AccessMode::Exist))
      return fileError("read", file, code);
    add(file);
    return llvm::Error::success();
  }

  /// Adds a library that this program has loaded itself: that one is sure to be there, wherever the system keeps it.
  llvm::Error addLoaded(StringRef name) {
    struct Search {
      StringRef name;
      std::string file;
    } search{name, {}};
    dl_iterate_phdr(
        [](dl_phdr_info *library, size_t, void *context) {
          auto &search = *static_cast<Search *>(context);
          if (path::filename(library->dlpi_name) == search.name)
            search.file = library->dlpi_name;
          return search.file.empty() ? 0 : 1;
        },
        &search);
    if (search.file.empty())
      return llvm::createStringError("cannot find '" + name + "' among the libraries of this program");
    add(search.file);
    return llvm::Error::success();
  }

  ArrayRef<const char *> get() const { return arguments; }

private:
  std::deque<std::string> strings;
  SmallVector<const char *> arguments;
};

} // namespace

static void addFlags(LinkerArguments &line, const LinkOptions &options) {
  // -Bsymbolic: the functions of one model must not be taken for those of another in the same process.
  for (StringRef flag : {"ld.lld", "-shared", "-Bsymbolic", "-O2", "--gc-sections", "--icf=none", "--eh-frame-hdr",
                         "--build-id=sha1", "--hash-style=gnu", "-z", "relro", "-z", "now", "-z", "noexecstack",
                         "--color-diagnostics=never", "--error-limit=0"})
    line.add(flag);
#ifndef BAMBAC_SANITIZED_RUNTIME
  // A sanitized runtime needs the sanitizer's functions, which the program that opens the library brings along.
  line.add("--no-undefined");
#endif
  if (options.threads)
    line.add("--threads=" + Twine(options.threads));
  if (!options.soname.empty())
    line.add("--soname=" + options.soname);
}

/// The runtime, with other names for its functions where the library is to have them.
static llvm::Error addRuntimeObject(LinkerArguments &line, const LinkOptions &options, TemporaryFiles &files) {
  constexpr StringLiteral name = "bamba_rt.o";
  if (options.symbolPrefix.empty())
    return line.addRuntime(options.runtimeDir, name);
  SmallString<128> file(options.runtimeDir);
  path::append(file, name);
  llvm::Expected<SmallVector<char, 0>> object = prefixSymbols(file, options.symbolPrefix);
  if (!object)
    return object.takeError();
  llvm::Expected<const char *> renamed = files.write("o", StringRef(object->data(), object->size()));
  if (!renamed)
    return renamed.takeError();
  line.add(*renamed);
  return llvm::Error::success();
}

static llvm::Error addInputs(LinkerArguments &line, const LinkOptions &options, TemporaryFiles &files) {
  for (StringRef name : kBefore)
    if (llvm::Error error = line.addRuntime(options.runtimeDir, name))
      return error;
  for (ArrayRef<char> object : options.objects) {
    llvm::Expected<const char *> file = files.write("o", StringRef(object.data(), object.size()));
    if (!file)
      return file.takeError();
    line.add(*file);
  }
  if (llvm::Error error = addRuntimeObject(line, options, files))
    return error;
  for (StringRef name : kArchives)
    if (llvm::Error error = line.addRuntime(options.runtimeDir, name))
      return error;
  line.add("--as-needed");
  for (StringRef name : kSystemLibraries)
    if (llvm::Error error = line.addLoaded(name))
      return error;
  for (StringRef name : kAfter)
    if (llvm::Error error = line.addRuntime(options.runtimeDir, name))
      return error;
  return llvm::Error::success();
}

/// The first of the linker's errors, and how many more there are.
static llvm::Error linkerError(StringRef output, StringRef diagnostics) {
  StringRef first;
  size_t errors = 0;
  for (StringRef line : llvm::split(diagnostics, '\n')) {
    size_t at = line.find("error: ");
    if (at == StringRef::npos)
      continue;
    if (errors++ == 0)
      first = line.drop_front(at).drop_front(strlen("error: "));
  }
  std::string more = errors > 1 ? " (and " + std::to_string(errors - 1) + " more errors)" : "";
  return llvm::createStringError("cannot link '" + output + "': " + (first.empty() ? "the linker failed" : first) +
                                 more);
}

/// Only a plain file may be replaced: as root, a rename would also replace a device.
static llvm::Error checkOutput(StringRef output) {
  fs::file_status status;
  if (fs::status(output, status) || fs::is_regular_file(status))
    return llvm::Error::success();
  return fileError(
      "write", output,
      std::make_error_code(fs::is_directory(status) ? std::errc::is_a_directory : std::errc::invalid_argument));
}

llvm::Error codegen::linkLibrary(const LinkOptions &options) {
  if (llvm::Error error = checkOutput(options.output))
    return error;
  TemporaryFiles files;
  llvm::Expected<const char *> unfinished = files.createBeside(options.output);
  if (!unfinished)
    return unfinished.takeError();
  llvm::Expected<const char *> versionScript = files.write("ver", makeVersionScript(options.symbolPrefix));
  if (!versionScript)
    return versionScript.takeError();

  LinkerArguments line;
  addFlags(line, options);
  line.add(Twine("--version-script=") + *versionScript);
  line.add("-o");
  line.add(*unfinished);
  if (llvm::Error error = addInputs(line, options, files))
    return error;

  std::string diagnostics;
  llvm::raw_string_ostream stream(diagnostics);
  lld::Result result = lld::lldMain(line.get(), stream, stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0)
    return linkerError(options.output, diagnostics);
  if (std::error_code code = fs::rename(*unfinished, options.output))
    return fileError("write", options.output, code);
  return llvm::Error::success();
}

std::string codegen::defaultRuntimeDir(const char *argv0) {
  // Any address of this program tells where its file is.
  SmallString<128> dir(fs::getMainExecutable(argv0, reinterpret_cast<void *>(&defaultRuntimeDir)));
  path::remove_filename(dir);
  path::append(dir, "..", "lib", "bambac");
  path::remove_dots(dir, /*remove_dot_dot=*/true);
  return std::string(dir);
}
