// A file that appears under its name only when it is complete.
#ifndef BAMBAC_RUNTIME_RUN_ATOMIC_FILE_H
#define BAMBAC_RUNTIME_RUN_ATOMIC_FILE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bambac::run {

/// Written under no name, or a temporary one, and renamed by commit(). Without a commit nothing is left, where the file
/// system allows it not even by a process that is killed. Every member throws Failure on failure.
class AtomicFile {
public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;

  const std::string &path() const { return target; }

  /// Claims the space for `size` bytes now, so that a full disk is found out before the work is done.
  void reserve(uint64_t size);

  /// Any thread may write, each to its own bytes.
  void writeAt(uint64_t offset, const void *data, size_t size);

  /// Puts the file under its name, in place of a file that has it.
  void commit();

private:
  [[noreturn]] void failWrite() const;

  std::string target;
  std::string temporary; ///< name of the file until it is complete; its name on the way where it has none
  bool named = false;    ///< whether there is a file called `temporary`
  int descriptor = -1;
};

/// A whole small file at once.
void writeFile(const std::string &path, std::string_view text);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_ATOMIC_FILE_H
