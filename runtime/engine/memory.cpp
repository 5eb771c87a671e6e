// Slots and pages of the session: who has them, and who makes way.

#include "runtime/engine/runner.h"
#include <utility>

namespace bambac::rt {

/// True where as many pages are free, besides those that the step will take.
bool Runner::makeRoom(uint64_t pages) { return freePages() >= pages; }

/// Sends the least important of those that run back to the queue. False where there is no other.
bool Runner::preemptLast() {
  if (running.size() <= 1)
    return false;
  std::unique_ptr<Request> last = std::move(running.back());
  running.pop_back();
  save(*last);
  release(*last);
  enqueue(waiting, std::move(last));
  ++counters.preemptions;
  return true;
}

/// Copies the state to the host. Where there is no memory for it, the request starts again from its tokens.
void Runner::save(Request &request) noexcept {
  if (request.done == 0)
    return;
  try {
    request.saved.resize(session.savedBytes(*request.sequence));
    session.save(*request.sequence, request.saved);
  } catch (...) {
    request.saved = {};
    request.done = 0;
  }
}

/// Gives the request a slot, and what it had when it was preempted.
void Runner::resume(Request &request) {
  request.sequence = session.create();
  if (request.saved.empty())
    return;
  session.restore(*request.sequence, request.saved);
  request.saved = {};
}

void Runner::release(Request &request) noexcept {
  if (!request.sequence)
    return;
  try {
    session.free(*request.sequence);
  } catch (...) { // NOLINT(bugprone-empty-catch): it is a sequence of this session, in the process that made it
  }
  request.sequence.reset();
}

} // namespace bambac::rt
