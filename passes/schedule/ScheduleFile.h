// Schedules read from a file, which override those that the cost model chooses.
#ifndef BAMBAC_PASSES_SCHEDULE_SCHEDULEFILE_H
#define BAMBAC_PASSES_SCHEDULE_SCHEDULEFILE_H

#include "dialects/bamba/Bamba.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <map>

namespace bambac {

/// A JSON object: kernel name, or a beginning with a trailing '*', to the fields of the kernel's schedule to replace.
/// On a CPU these are the fields of #bamba.cpu_schedule, on CUDA those of the collective that the cost model chose.
class ScheduleFile {
public:
  /// Reads and checks the whole file. Errors name file, key, field, what was expected and what was found.
  static llvm::Expected<ScheduleFile> read(StringRef path, Device device);

  /// The schedule of `kernel` with every matching override applied, in the order of the keys.
  CpuScheduleAttr apply(StringRef kernel, CpuScheduleAttr chosen) const;
  /// Fails where an override names a field that the collective does not have.
  llvm::Expected<CudaScheduleAttr> apply(StringRef kernel, CudaScheduleAttr chosen) const;

private:
  struct Override {
    std::string pattern;
    std::optional<SmallVector<int64_t>> workgroup;
    std::map<std::string, int64_t> sizes;

    bool matches(StringRef kernel) const;
  };
  static llvm::Expected<Override> parse(StringRef path, StringRef pattern, const llvm::json::Value &value,
                                        Device device);

  std::string path;
  std::vector<Override> overrides;
};

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULE_SCHEDULEFILE_H
