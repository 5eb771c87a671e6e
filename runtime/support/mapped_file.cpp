#include "runtime/support/mapped_file.h"
#include "runtime/support/error.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace bambac::rt {
namespace {

/// Closes a file descriptor; a mapping outlives it.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0)
      close(fd);
  }
};

} // namespace

MappedFile::MappedFile(std::string path) : name(std::move(path)) {
  // Non-blocking, so that the path of a pipe is refused below and does not wait for a writer.
  Descriptor file{open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) {
    int reason = errno;
    bool missing = reason == ENOENT || reason == ENOTDIR;
    fail(missing ? BAMBA_NOT_FOUND : BAMBA_IO_ERROR, "{}: {}", name, std::strerror(reason));
  }
  struct stat status;
  if (fstat(file.fd, &status) != 0)
    fail(BAMBA_IO_ERROR, "{}: {}", name, std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    fail(BAMBA_IO_ERROR, "{}: expected a file, found something else", name);
  size = static_cast<size_t>(status.st_size);
  if (size == 0)
    return;
  void *address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED)
    fail(BAMBA_IO_ERROR, "{}: {}", name, std::strerror(errno));
  base = static_cast<const std::byte *>(address);
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : name(std::move(other.name)), base(std::exchange(other.base, nullptr)), size(std::exchange(other.size, 0)) {}

MappedFile::~MappedFile() {
  if (base)
    munmap(const_cast<std::byte *>(base), size);
}

} // namespace bambac::rt
