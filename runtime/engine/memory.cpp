// Slots and pages of the session: who has them, and who makes way.

#include "runtime/engine/runner.h"
#include <utility>

namespace bambac::rt {

/// True where as many pages are free, besides those that the step will take: prefixes make way.
bool Runner::makeRoom(uint64_t pages) {
  if (freePages() + cache.pages() < pages)
    return false; // what the cache has is worth more than nothing
  while (freePages() < pages && cache.evict()) {
  }
  return freePages() >= pages;
}

/// Pages that a request takes with a slot and for all the tokens that it has.
uint64_t Runner::pagesToStart(const Request &request) const {
  uint64_t pages = session.pagesFor(request.tokens.size());
  if (!request.usesCache || !request.saved.empty())
    return pages;
  uint32_t shared = cache.findOnDevice(std::span(request.tokens).first(request.tokens.size() - 1));
  return pages - session.fullPages(shared);
}

/// Makes room for a request to start, and for the others to run what they have. What makes way may be the prefix whose
/// pages the request would have shared: then it needs more than before.
bool Runner::makeRoomToStart(const Request &request) {
  uint64_t others = 0;
  for (const std::unique_ptr<Request> &other : running)
    others += session.newPages(*other->sequence, other->pending());
  uint64_t pages = 0;
  do {
    pages = pagesToStart(request);
    if (!makeRoom(pages + others))
      return false;
  } while (pagesToStart(request) > pages);
  return true;
}

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
  if (request.saved.empty() && request.usesCache && cache.isOn())
    takePrefix(request);
  if (!request.sequence)
    request.sequence = session.create();
  if (request.saved.empty())
    return;
  session.restore(*request.sequence, request.saved);
  request.saved = {};
}

/// The last token is always run, since its logits are wanted.
void Runner::takePrefix(Request &request) {
  PrefixCache::Start start = cache.take(std::span(request.tokens).first(request.tokens.size() - 1));
  request.sequence = start.sequence;
  request.done = start.length;
  request.branch = start.branch;
  if (request.started)
    return;
  request.cachedTokens = start.length;
  ++counters.cache_lookups;
  counters.cache_hits += start.length > 0;
  counters.cached_tokens += start.length;
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
