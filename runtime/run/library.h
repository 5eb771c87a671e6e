// A compiled model opened as a shared library, reached through the one table of functions that it exports.
#ifndef BAMBAC_RUNTIME_RUN_LIBRARY_H
#define BAMBAC_RUNTIME_RUN_LIBRARY_H

#include "bamba/bamba.h"

#include <memory>
#include <string>

namespace bambac::run {

/// Owns the handle of the library; everything obtained from it must be gone before.
class Library {
public:
  /// Throws Failure where `path` is not a library of ours.
  explicit Library(const std::string &path);

  const std::string &path() const { return name; }
  /// What `bambac compile --symbol-prefix` put before the names of its functions; mostly empty.
  const std::string &symbolPrefix() const { return prefix; }
  /// Functions at the end of the table may be missing where the library is older than this program.
  const bamba_api *operator->() const { return api; }

  /// Throws Failure unless `status` is BAMBA_OK.
  void check(bamba_status status, const bamba_error &error) const;

private:
  struct Close {
    void operator()(void *handle) const;
  };

  std::string name;
  std::string prefix;
  std::unique_ptr<void, Close> handle;
  const bamba_api *api = nullptr;
};

/// An error buffer as the interface wants it.
inline bamba_error makeError() {
  bamba_error error = {};
  error.struct_size = sizeof(error);
  return error;
}

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_LIBRARY_H
