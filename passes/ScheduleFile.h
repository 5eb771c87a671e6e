// Schedules read from a file, which override those that the cost model chooses.
#ifndef BAMBAC_PASSES_SCHEDULEFILE_H
#define BAMBAC_PASSES_SCHEDULEFILE_H

#include "dialects/bamba/Bamba.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace bambac {

/// A JSON object: kernel name, or a beginning with a trailing '*', to the fields of #bamba.cpu_schedule to replace.
class ScheduleFile {
public:
  /// Reads and checks the whole file. Errors name file, key, field, what was expected and what was found.
  static llvm::Expected<ScheduleFile> read(StringRef path);

  /// The schedule of `kernel` with every matching override applied, in the order of the keys.
  CpuScheduleAttr apply(StringRef kernel, CpuScheduleAttr chosen) const;

private:
  struct Override {
    std::string pattern;
    std::optional<SmallVector<int64_t>> workgroup;
    std::optional<int64_t> rows, depth, chunk;
  };
  static llvm::Expected<Override> parse(StringRef path, StringRef pattern, const llvm::json::Value &value);

  std::vector<Override> overrides;
};

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULEFILE_H
