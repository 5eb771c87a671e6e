// A small scheduled module with every sort of weight, state, input and output, for the tests of plan and linker.
#ifndef BAMBAC_TESTS_UNIT_SMALLMODEL_H
#define BAMBAC_TESTS_UNIT_SMALLMODEL_H

#include "codegen/plan/Plan.h"

#include <string>
#include <vector>

namespace bambac::test {

/// Its MLIR text. Two entry points, the larger kind first; 3 weights, one of them of two sources and one that nothing
/// uses; one state a slot and one a page.
std::string smallModel();

/// Code of its kernels: number i has i + 1 workgroups and 64 * i bytes of scratch.
std::vector<codegen::KernelCode> smallModelCode();

/// `text` with the first `from` replaced by `to`; the test fails where there is none.
std::string replaced(std::string text, StringRef from, StringRef to);

/// A parsed module and what was said about it.
class ParsedModule {
public:
  explicit ParsedModule(StringRef text);
  ModuleOp get() { return *module; }
  /// The errors, one a line.
  const std::string &errors() const { return diagnostics; }

private:
  MLIRContext context;
  std::string diagnostics;
  OwningOpRef<ModuleOp> module;
};

} // namespace bambac::test

#endif // BAMBAC_TESTS_UNIT_SMALLMODEL_H
