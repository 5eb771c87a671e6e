// Requests on their way: from the mailbox to the queue, to a slot, and to their end. step.cpp has the steps, memory.cpp
// slots and pages.

#include "runtime/engine/runner.h"
#include "runtime/engine/with_memory.h"
#include "runtime/support/error.h"
#include <algorithm>
#include <utility>

namespace bambac::rt {

Runner::Runner(const Model &model, const EngineSize &size, Mailbox &mailbox)
    : slots(size.slots), maxStepRows(size.maxStepRows), mailbox(mailbox), session(model, size.session()),
      launchesAhead(size.launchesAhead.value_or(!session.runsAtOnce())), cache(session, size.cache),
      created(Clock::now()), now(created) {
  session.prepareToLaunch();
  running.reserve(slots);
  for (Pieces *list : {&pieces, &first, &second})
    list->reserve(slots);
  items.reserve(slots);
  counters.slots = slots;
  counters.pages = session.numPages();
  report();
}

void Runner::loop() {
  Clock::time_point begin; // of the step, what followed the one before included
  while (true) {
    bool sleeps = waiting.empty() && running.empty() && first.empty();
    Mail mail = mailbox.take(sleeps);
    now = Clock::now();
    if (sleeps)
      begin = now;
    runTime = 0;
    bool stops = mail.stop;
    receive(std::move(mail));
    if (stops)
      break;
    try {
      admit();
      step();
    } catch (...) {
      failRunning();
    }
    if (runTime > 0) {
      Clock::time_point end = Clock::now();
      double seconds = std::chrono::duration<double>(end - std::exchange(begin, end)).count();
      observe(counters.step_time, seconds);
      observe(counters.host_time, seconds - runTime);
    }
    report();
  }
  endAll();
  report();
}

/// So that what ends requests, or sends them back to the queue, need not allocate until the next mail: a request has at
/// most a token and an end by then.
void Runner::makeRoomFor(const Mail &mail) {
  size_t all = waiting.size() + running.size() + mail.requests.size();
  auto reserve = [](auto &list, size_t size) {
    if (list.capacity() < size)
      list.reserve(std::max(size, 2 * list.capacity()));
  };
  withMemory([&] {
    reserve(waiting, all);
    reserve(news.events, 2 * all);
  });
}

void Runner::receive(Mail &&mail) {
  makeRoomFor(mail);
  for (std::unique_ptr<Request> &request : mail.requests)
    enqueue(waiting, std::move(request));
  for (bamba_request id : mail.cancelled)
    for (Requests *requests : {&waiting, &running})
      for (std::unique_ptr<Request> &request : *requests)
        if (request->id == id && !request->ended) // a caller may cancel twice
          cancel(*request);
  removeEnded();
}

/// Puts a request where it belongs by priority and age.
void Runner::enqueue(Requests &requests, std::unique_ptr<Request> request) {
  auto isEarlier = [](const std::unique_ptr<Request> &a, const std::unique_ptr<Request> &b) {
    return isBefore(*a, *b);
  };
  auto after = std::ranges::upper_bound(requests, request, isEarlier);
  requests.insert(after, std::move(request));
}

/// Gives slots to the first in the queue, as far as slots and pages go: nobody overtakes one that waits for pages.
void Runner::admit() {
  while (!waiting.empty() && running.size() < slots) {
    if (!start(*waiting.front()))
      return;
    std::unique_ptr<Request> taken = std::move(waiting.front());
    waiting.erase(waiting.begin());
    if (!taken->ended)
      enqueue(running, std::move(taken));
  }
}

/// Returns false where there is no room yet. A request that cannot be started ends.
bool Runner::start(Request &request) {
  if (!makeRoomToStart(request) && !running.empty())
    return false;
  try {
    resume(request);
  } catch (...) {
    bamba_error error = {sizeof(error), {}};
    bamba_status status = reportException(&error);
    fail(request, status, error.message);
    return true;
  }
  if (!request.started) {
    request.started = true;
    ++news.leftQueue;
    observe(counters.queue_time, secondsSince(request.submitted));
    counters.prompt_tokens += request.promptTokens;
  }
  return true;
}

/// An event without a token, and the place of the next one.
Event &Runner::addEvent(const Request &request) {
  Event &event = news.events.emplace_back();
  event.request = request.id;
  event.index = static_cast<uint32_t>(request.answer().size());
  event.cachedTokens = request.cachedTokens;
  return event;
}

void Runner::cancel(Request &request) {
  addEvent(request).stop.reason = BAMBA_FINISH_CANCELLED;
  ++counters.cancelled;
  retire(request);
}

void Runner::fail(Request &request, bamba_status status, const char *message) {
  Event &event = addEvent(request);
  event.stop.reason = BAMBA_FINISH_ERROR;
  event.status = status;
  try {
    event.message = message;
  } catch (const std::bad_alloc &) { // NOLINT(bugprone-empty-catch): the status says it too
  }
  ++counters.failed;
  retire(request);
}

/// In a catch block: all that run have lost what they had, or may have.
void Runner::failRunning() noexcept {
  bamba_error error = {sizeof(error), {}};
  bamba_status status = reportException(&error);
  plannedPages = 0;
  session.abandon();
  first.clear();
  second.clear();
  for (std::unique_ptr<Request> &request : running)
    if (!request->ended)
      fail(*request, status, error.message);
  removeEnded();
}

/// After its last event.
void Runner::retire(Request &request) {
  request.ended = anyEnded = true;
  if (!request.started)
    ++news.leftQueue;
  request.started = true;
  release(request);
}

void Runner::removeEnded() {
  if (!std::exchange(anyEnded, false))
    return; // so that a step without an end does not look at all requests
  for (Pieces *launched : {&first, &second})
    for (Piece &piece : *launched)
      if (piece.request && piece.request->ended)
        piece.request = nullptr;
  auto ended = [](const std::unique_ptr<Request> &request) { return request->ended; };
  std::erase_if(waiting, ended);
  std::erase_if(running, ended);
}

void Runner::endAll() {
  for (Requests *requests : {&waiting, &running})
    for (std::unique_ptr<Request> &request : *requests)
      cancel(*request);
  removeEnded();
}

void Runner::report() {
  counters.seconds = secondsSince(created);
  counters.tokens_per_second = rate.perSecond(counters.seconds);
  counters.running = static_cast<uint32_t>(running.size());
  counters.waiting = static_cast<uint32_t>(waiting.size());
  counters.preempted = static_cast<uint32_t>(
      std::ranges::count_if(waiting, [](const std::unique_ptr<Request> &request) { return request->started; }));
  counters.free_pages = session.freePages();
  CacheCounts cached = cache.counts();
  counters.cache_entries = cached.entries;
  counters.cache_device_bytes = cached.deviceBytes;
  counters.cache_host_bytes = cached.hostBytes;
  counters.cache_evictions = cached.evictions;
  counters.cache_moves_to_host = cached.movesToHost;
  news.counters = counters;
  mailbox.publish(news);
}

} // namespace bambac::rt
