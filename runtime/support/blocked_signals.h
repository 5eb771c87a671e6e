// Keeps signals away from the runtime's threads.
#ifndef BAMBA_RUNTIME_SUPPORT_BLOCKED_SIGNALS_H
#define BAMBA_RUNTIME_SUPPORT_BLOCKED_SIGNALS_H

#include <csignal>

namespace bambac::rt {

/// Blocks all signals in this thread, and so in the threads that it starts: a host's handlers run on its own threads.
class BlockedSignals {
public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
  BlockedSignals(const BlockedSignals &) = delete;
  BlockedSignals &operator=(const BlockedSignals &) = delete;

private:
  sigset_t before;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SUPPORT_BLOCKED_SIGNALS_H
