// Tells a process from the children that it forks, at the cost of a load.
#ifndef BAMBA_RUNTIME_SUPPORT_OWN_PROCESS_H
#define BAMBA_RUNTIME_SUPPORT_OWN_PROCESS_H

#include "runtime/support/memory.h"
#include <sys/types.h>

namespace bambac::rt {

/// Knows the process that made it. A step asks for each sequence, and getpid() is a system call of 50 to 200 ns: the
/// answer is a byte of a page that the kernel clears in children. Immutable; any thread may ask.
class OwnProcess {
public:
  /// Throws Error BAMBA_OUT_OF_MEMORY.
  OwnProcess();

  /// False in a child that was forked since.
  bool isCurrent() const { return isWiped ? mark.data()[0] != std::byte{0} : isMaker(); }

private:
  bool isMaker() const;

  Region mark;
  pid_t maker;
  bool isWiped; ///< children find zeros in the mark; Linux before 4.14 and some sandboxes do not do that
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_OWN_PROCESS_H
