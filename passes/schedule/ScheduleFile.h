// A file of schedules that override those which the compiler chooses.
#ifndef BAMBAC_PASSES_SCHEDULE_SCHEDULEFILE_H
#define BAMBAC_PASSES_SCHEDULE_SCHEDULEFILE_H

#include "dialects/bamba/Bamba.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <vector>

namespace bambac {

/// A JSON object of entries: a kernel's name, or a beginning with a trailing '*', to the fields of its schedule to
/// replace. A key at the top that is a target's name (cpu, sm_80, ...) holds entries for that target alone; all other
/// entries apply to every target. Entries apply in the order of the file.
class ScheduleFile {
public:
  struct Field {
    std::string name;
    llvm::json::Value value;
  };
  struct Entry {
    std::string target; ///< empty: every target
    std::string pattern;
    std::vector<Field> fields; ///< in the order of the file
    bool isUsed = false;       ///< a kernel of some target has matched

    bool matches(StringRef kernel) const;
    /// "sm_90a.linear_*", or "linear_*" where the entry applies to every target.
    std::string key() const { return target.empty() ? pattern : target + "." + pattern; }
  };

  /// Reads the whole file. Errors name the file, the key, what was expected and what was found.
  static llvm::Expected<ScheduleFile> read(StringRef path);

  /// The entries for a kernel compiled for `target`, which from then on count as used.
  SmallVector<const Entry *> match(StringRef kernel, StringRef target);

  /// Fails where an entry has matched no kernel. Entries of targets other than `targets` are left out.
  llvm::Error checkAllUsed(ArrayRef<std::string> targets) const;

  StringRef getPath() const { return path; }
  /// The file's content on one line.
  StringRef getText() const { return text; }

private:
  std::string path, text;
  std::vector<Entry> entries;
};

} // namespace bambac

#endif // BAMBAC_PASSES_SCHEDULE_SCHEDULEFILE_H
