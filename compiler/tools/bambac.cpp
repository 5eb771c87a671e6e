// bambac: compiles a Bamba configuration to a library.
#include "compiler/tools/CompileCommand.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

static constexpr StringLiteral kUsage =
    R"(bambac compiles the configuration of a Bamba model to a shared library that runs it.

usage: bambac compile CONFIG -o OUT.so [options]
       bambac compile --help
       bambac --version
)";

static int complain(const Twine &message) {
  errs() << "bambac: error: " << message << '\n';
  return 1;
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  StringRef command = argc > 1 ? argv[1] : "";
  if (command == "compile")
    return bambac::runCompileCommand(argv[0], ArrayRef<const char *>(argv, argc).drop_front(2));
  if (command == "--help" || command == "-h" || command == "help") {
    outs() << kUsage;
    return 0;
  }
  if (command == "--version") {
    outs() << bambac::versionText();
    return 0;
  }
  if (command.empty())
    return complain("expected a command; see bambac --help");
  return complain("expected the command 'compile', found '" + command + "'; see bambac --help");
}
