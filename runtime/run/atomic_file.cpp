#include "runtime/run/atomic_file.h"
#include "runtime/run/failure.h"

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bambac::run {

void AtomicFile::failWrite() const { fail("cannot write '{}': {}", target, systemMessage()); }

AtomicFile::AtomicFile(std::string path) : target(std::move(path)) {
  // Renaming over a device or a folder is never what was meant.
  struct stat info = {};
  if (stat(target.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    fail("cannot write '{}': expected the name of a file, found a {}", target,
         S_ISDIR(info.st_mode) ? "folder" : "device");

  std::string folder = std::filesystem::path(target).parent_path();
  temporary = fmt::format("{}.{}.tmp", target, getpid());
  // A file without a name can be given one through /proc only; file systems without such files refuse O_TMPFILE.
  if (access("/proc/self/fd", X_OK) == 0)
    descriptor = open(folder.empty() ? "." : folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor >= 0)
    return;
  descriptor = open(temporary.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor < 0)
    failWrite();
  named = true;
}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : target(std::move(other.target)), temporary(std::move(other.temporary)), named(std::exchange(other.named, false)),
      descriptor(std::exchange(other.descriptor, -1)) {}

AtomicFile::~AtomicFile() {
  if (descriptor >= 0)
    close(descriptor);
  if (named)
    unlink(temporary.c_str());
}

void AtomicFile::reserve(uint64_t size) {
  auto length = static_cast<off_t>(size);
  // posix_fallocate would write every block on a file system that cannot reserve; there, the write finds out.
  if (size && fallocate(descriptor, 0, 0, length) != 0 && errno != EOPNOTSUPP)
    failWrite();
}

void AtomicFile::writeAt(uint64_t offset, const void *data, size_t size) {
  const char *bytes = static_cast<const char *>(data);
  while (size) {
    ssize_t written = pwrite(descriptor, bytes, size, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      failWrite();
    bytes += written;
    offset += static_cast<uint64_t>(written);
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (!named) {
    std::string self = fmt::format("/proc/self/fd/{}", descriptor);
    if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0)
      failWrite();
    named = true;
  }
  // Some file systems report a failed write only here.
  int closed = close(std::exchange(descriptor, -1));
  if (closed != 0 || std::rename(temporary.c_str(), target.c_str()) != 0)
    failWrite();
  named = false;
}

void writeFile(const std::string &path, std::string_view text) {
  AtomicFile file(path);
  file.writeAt(0, text.data(), text.size());
  file.commit();
}

} // namespace bambac::run
