// One mutex guards everything; it is held for copies only. Callbacks run without it.

#include "runtime/engine/mailbox.h"
#include "runtime/engine/with_memory.h"
#include "runtime/support/error.h"
#include <algorithm>
#include <cstring>
#include <utility>

namespace bambac::rt {
namespace {

/// Waits for a condition, until a deadline if there is one.
template <typename Condition>
void waitUntil(std::condition_variable &news, std::unique_lock<std::mutex> &lock,
               std::optional<Clock::time_point> deadline, const Condition &condition) {
  if (deadline)
    news.wait_until(lock, *deadline, condition);
  else
    news.wait(lock, condition);
}

} // namespace

void Mailbox::submit(std::unique_ptr<Request> request, Sender sender, bamba_request &id) {
  std::unique_lock lock(mutex);
  if (draining || mail.stop)
    fail(BAMBA_NOT_READY, "expected an engine that takes requests, found one that is drained");
  if (queued >= queueLimit) {
    ++rejected;
    fail(BAMBA_EXHAUSTED, "expected fewer than {} requests in the queue, its limit, found {}", queueLimit, queued);
  }
  request->id = lastId + 1;
  request->submitted = Clock::now();
  auto [place, added] = known.try_emplace(request->id, Known{sender, request->promptTokens, {}, {}, {}, 0, false});
  try {
    place->second.place = place->second.entry.insert(place->second.entry.end(), request->id);
    mail.requests.push_back(std::move(request));
  } catch (...) {
    known.erase(place);
    throw;
  }
  id = ++lastId;
  ++queued;
  ++active;
  ++submitted;
  lock.unlock();
  work.notify_one();
}

void Mailbox::cancel(bamba_request id) {
  {
    std::lock_guard lock(mutex);
    auto found = known.find(id);
    if (found == known.end())
      fail(BAMBA_NOT_FOUND, "expected a request of this engine that has not ended, found the number {}", id);
    if (found->second.ended)
      return;
    mail.cancelled.push_back(id);
  }
  work.notify_one();
}

bool Mailbox::hasEvents(bamba_request id) const {
  if (id == 0)
    return !ready.empty();
  auto found = known.find(id);
  return found == known.end() || found->second.sender.callback || !found->second.events.empty(); // or an error
}

/// Nothing is there, and nothing can come.
bool Mailbox::isExhausted() const { return draining && active == 0 && ready.empty(); }

void Mailbox::poll(bamba_request id, size_t most, std::optional<Clock::time_point> deadline,
                   std::vector<bamba_engine_event> &events) {
  std::unique_lock lock(mutex);
  waitUntil(news, lock, deadline, [&] { return hasEvents(id) || (id == 0 && isExhausted()); });
  if (id == 0) {
    if (isExhausted())
      fail(BAMBA_NOT_READY, "expected an engine with requests, found one that is drained and has none left");
    while (!ready.empty() && events.size() < most)
      takeEvents(known.find(ready.front()), most - events.size(), events);
    return;
  }
  auto found = known.find(id);
  if (found == known.end())
    fail(BAMBA_NOT_FOUND, "expected a request of this engine whose end was not taken yet, found the number {}", id);
  if (found->second.sender.callback)
    fail(BAMBA_INVALID_ARGUMENT, "expected a request without a callback, found request {}", id);
  takeEvents(found, most, events);
}

/// Forgets the request with its last event.
void Mailbox::takeEvents(KnownRequests::iterator request, size_t most, std::vector<bamba_engine_event> &events) {
  Known &own = request->second;
  if (own.events.empty())
    return;
  for (; most > 0 && own.polled < own.events.size(); --most, ++own.polled)
    events.push_back(expand(own.events[own.polled], own));
  if (own.polled < own.events.size()) {
    // What was polled goes once it is half of what is kept.
    if (2 * own.polled >= own.events.size()) {
      own.events.erase(own.events.begin(), own.events.begin() + static_cast<ptrdiff_t>(own.polled));
      own.polled = 0;
    }
    return;
  }
  own.events.clear();
  own.polled = 0;
  own.entry.splice(own.entry.end(), ready, own.place);
  if (own.ended)
    known.erase(request);
}

size_t Mailbox::drain(std::optional<Clock::time_point> deadline) {
  std::unique_lock lock(mutex);
  draining = true;
  news.notify_all(); // those that poll for what cannot come any more
  waitUntil(news, lock, deadline, [&] { return active == 0; });
  return active;
}

bamba_engine_counters Mailbox::counters() const {
  std::lock_guard lock(mutex);
  bamba_engine_counters now = latest;
  now.waiting += static_cast<uint32_t>(mail.requests.size());
  now.submitted = submitted;
  now.rejected = rejected;
  return now;
}

void Mailbox::stop() {
  {
    std::lock_guard lock(mutex);
    mail.stop = true;
  }
  work.notify_one();
}

Mail Mailbox::take(bool wait) {
  std::unique_lock lock(mutex);
  if (wait)
    work.wait(lock, [&] { return mail.stop || !mail.requests.empty() || !mail.cancelled.empty(); });
  Mail taken = std::move(mail);
  mail = {};
  mail.stop = taken.stop;
  return taken;
}

bamba_engine_event Mailbox::expand(const Event &event, const Known &known) {
  bamba_engine_event full = {};
  full.struct_size = sizeof(full);
  full.request = event.request;
  full.user = known.sender.user;
  full.token = event.token;
  full.index = event.index;
  full.finish = event.stop.reason;
  full.stop_tokens = event.stop.tokens;
  full.stop_index = event.stop.sequence;
  full.status = event.status;
  full.prompt_tokens = known.promptTokens;
  full.cached_tokens = event.cachedTokens;
  full.logprob = event.logprob;
  full.num_top_logprobs = static_cast<uint32_t>(event.best.size());
  std::ranges::copy(event.best, full.top_logprobs);
  if (!event.message.empty()) {
    bamba_error text = {sizeof(text), {}};
    static_assert(BAMBA_EVENT_MESSAGE < sizeof(text.message));
    text.struct_size = offsetof(bamba_error, message) + BAMBA_EVENT_MESSAGE;
    fillError(&text, event.message.c_str());
    std::memcpy(full.message, text.message, BAMBA_EVENT_MESSAGE);
  }
  return full;
}

/// Takes the event, or throws and leaves it. Allocates only where more events wait than ever before.
void Mailbox::file(Event &&event, KnownRequests::iterator request) {
  Known &own = request->second;
  bool last = event.stop.reason != BAMBA_FINISH_NONE;
  if (own.sender.callback) {
    calls.emplace_back(own.sender, expand(event, own)); // has room
    if (last)
      known.erase(request);
    return;
  }
  own.events.push_back(std::move(event));
  ready.splice(ready.end(), own.entry); // where it is not there already
  own.ended = own.ended || last;
}

void Mailbox::publish(Report &report) noexcept {
  size_t filed = 0, ended = 0;
  withMemory([&] { calls.reserve(report.events.size()); });
  withMemory([&] {
    std::lock_guard lock(mutex);
    latest = report.counters;
    queued -= std::exchange(report.leftQueue, 0);
    for (; filed < report.events.size(); ++filed) {
      Event &event = report.events[filed];
      bool last = event.stop.reason != BAMBA_FINISH_NONE;
      file(std::move(event), known.find(event.request));
      ended += last;
    }
  });
  for (const auto &[sender, event] : calls)
    sender.callback(sender.user, &event);
  calls.clear();
  report.events.clear();
  if (ended > 0) { // all that they brought was passed on
    std::lock_guard lock(mutex);
    active -= ended;
  }
  news.notify_all();
}

} // namespace bambac::rt
