// Opens regular files only, and reads until all bytes are there.
#include "runtime/support/input_file.h"
#include "runtime/support/error.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bambac::rt {

// Non-blocking, so that the path of a pipe is refused below and does not wait for a writer.
InputFile::InputFile(std::string path)
    : name(std::move(path)), fd(open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (fd < 0) {
    int reason = errno;
    bool missing = reason == ENOENT || reason == ENOTDIR;
    fail(missing ? BAMBA_NOT_FOUND : BAMBA_IO_ERROR, "{}: {}", name, std::strerror(reason));
  }
  struct stat status;
  int result = fstat(fd, &status), reason = errno;
  if (result == 0 && S_ISREG(status.st_mode)) {
    bytes = static_cast<uint64_t>(status.st_size);
    return;
  }
  close(fd); // the destructor of an object that was never complete does not run
  fail(BAMBA_IO_ERROR, "{}: {}", name, result == 0 ? "expected a file, found something else" : std::strerror(reason));
}

InputFile::InputFile(InputFile &&other) noexcept
    : name(std::move(other.name)), fd(std::exchange(other.fd, -1)), bytes(std::exchange(other.bytes, 0)) {}

InputFile::~InputFile() {
  if (fd >= 0)
    close(fd);
}

void InputFile::read(uint64_t offset, std::span<std::byte> to) const {
  while (!to.empty()) {
    ssize_t count = pread(fd, to.data(), to.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      fail(BAMBA_IO_ERROR, "{}: byte {}: {}", name, offset, std::strerror(errno));
    if (count == 0) {
      struct stat status = {};
      fstat(fd, &status);
      fail(BAMBA_IO_ERROR, "{}: expected {} bytes, found {} (was the file cut while it was read?)", name, bytes,
           status.st_size);
    }
    to = to.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
}

void InputFile::readAhead(uint64_t offset, uint64_t count) const noexcept {
  posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(count), POSIX_FADV_WILLNEED);
}

} // namespace bambac::rt
