#include "runtime/support/own_process.h"
#include <sys/mman.h>
#include <unistd.h>

namespace bambac::rt {

OwnProcess::OwnProcess()
    : mark(1, "the mark of a process"), maker(getpid()),
      isWiped(madvise(mark.data(), mark.size(), MADV_WIPEONFORK) == 0) {
  mark.data()[0] = std::byte{1};
}

bool OwnProcess::isMaker() const { return getpid() == maker; }

} // namespace bambac::rt
