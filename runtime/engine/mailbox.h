// What the threads that use an engine and its own thread pass to each other: requests, cancellations, events, counters.
#ifndef BAMBA_RUNTIME_ENGINE_MAILBOX_H
#define BAMBA_RUNTIME_ENGINE_MAILBOX_H

#include "runtime/engine/request.h"
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bambac::rt {

/// One event of a request, without what its caller said when it was submitted.
struct Event {
  bamba_request request = 0;
  int32_t token = -1;
  uint32_t index = 0;
  uint32_t cachedTokens = 0;
  Stop stop;
  bamba_status status = BAMBA_OK;
  std::string message;
  float logprob = 0;
  std::vector<bamba_token_logprob> best;
};

/// What the engine's thread finds when it looks.
struct Mail {
  std::vector<std::unique_ptr<Request>> requests;
  std::vector<bamba_request> cancelled;
  bool stop = false;
};

/// What it leaves after a step.
struct Report {
  std::vector<Event> events;
  uint32_t leftQueue = 0; ///< requests that no longer wait for their first slot
  bamba_engine_counters counters = {};
};

/// Thread-safe. Callers' threads use the functions up to counters(), the engine's thread the others.
class Mailbox {
public:
  /// A request that is to be known; `callback` may be null.
  struct Sender {
    bamba_event_callback callback;
    void *user;
  };

  explicit Mailbox(uint32_t queueLimit) : queueLimit(queueLimit) {}

  /// Throws Error BAMBA_EXHAUSTED or BAMBA_NOT_READY. `id` is set before the engine's thread can see the request.
  void submit(std::unique_ptr<Request> request, Sender sender, bamba_request &id);

  /// Throws Error BAMBA_NOT_FOUND.
  void cancel(bamba_request id);

  /// Takes events of one request, or of any where `id` is 0; waits for the first until `deadline`, without an end where
  /// there is none. `events` gets at most `most`. Throws Error BAMBA_NOT_FOUND or BAMBA_NOT_READY.
  void poll(bamba_request id, size_t most, std::optional<Clock::time_point> deadline,
            std::vector<bamba_engine_event> &events);

  /// Accepts no more, and waits until all have ended. Returns how many have not.
  size_t drain(std::optional<Clock::time_point> deadline);

  /// The last report's, with what has come in since.
  bamba_engine_counters counters() const;

  /// Tells the engine's thread to end.
  void stop();

  /// What has come in; waits for something where `wait` says so.
  Mail take(bool wait);

  /// Files the events of a step, which it takes; those of requests with callbacks are passed on, on this thread, before
  /// it returns. Waits where there is no memory for them.
  void publish(Report &report) noexcept;

private:
  struct Known {
    Sender sender;
    uint32_t promptTokens;
    std::list<bamba_request> entry;           ///< its own, but for the time that it is in `ready`
    std::list<bamba_request>::iterator place; ///< of the entry
    std::vector<Event> events;                ///< cleared when all were polled; keeps its memory, for the next step
    size_t polled = 0;                        ///< of the events
    bool ended = false;                       ///< the last event is there, or was passed on
  };
  using KnownRequests = std::unordered_map<bamba_request, Known>;

  static bamba_engine_event expand(const Event &event, const Known &known);
  bool hasEvents(bamba_request id) const;
  bool isExhausted() const;
  void takeEvents(KnownRequests::iterator request, size_t most, std::vector<bamba_engine_event> &events);
  void file(Event &&event, KnownRequests::iterator request);

  mutable std::mutex mutex;
  std::condition_variable work, news;
  const uint32_t queueLimit;
  Mail mail;
  KnownRequests known;
  std::list<bamba_request> ready; ///< requests with events to be polled
  bamba_request lastId = 0;
  size_t active = 0; ///< requests that have not ended
  uint32_t queued = 0;
  uint64_t submitted = 0, rejected = 0;
  bool draining = false;
  bamba_engine_counters latest = {};
  std::vector<std::pair<Sender, bamba_engine_event>> calls; ///< of the engine's thread
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_MAILBOX_H
