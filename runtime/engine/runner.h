// The work of an engine's thread: takes requests in, runs steps of all that have a slot, and reports their tokens.
#ifndef BAMBA_RUNTIME_ENGINE_RUNNER_H
#define BAMBA_RUNTIME_ENGINE_RUNNER_H

#include "runtime/engine/engine_size.h"
#include "runtime/engine/histogram.h"
#include "runtime/engine/mailbox.h"
#include "runtime/engine/prefix_cache.h"
#include "runtime/session/session.h"
#include <memory>
#include <span>
#include <vector>

namespace bambac::rt {

/// Tokens of a request in a step: the first `count` that are pending.
struct Piece {
  Request *request; ///< null where it is gone since the step was launched
  uint32_t count;
  bool draws; ///< a token follows
};

/// Owns the session and all requests that were taken from the mailbox. Created on any thread, then used by one.
class Runner {
public:
  /// `model` and `mailbox` must outlive it. Throws what Session() throws.
  Runner(const Model &model, const EngineSize &size, Mailbox &mailbox);

  /// Works until the mailbox says stop; then all requests have ended.
  void loop();

private:
  using Requests = std::vector<std::unique_ptr<Request>>;

  // What comes in.
  void receive(Mail &&mail);
  void makeRoomFor(const Mail &mail);
  void admit();
  bool start(Request &request);
  void enqueue(Requests &requests, std::unique_ptr<Request> request);

  // A step.
  using Pieces = std::vector<Piece>;
  void step();
  void plan();
  bool planAhead();
  void startPlan();
  bool planDecodes(bool preempts);
  void planPrompts();
  void add(Request &request, uint32_t count, uint64_t pages);
  void allowTokens();
  void launch(Pieces &launched);
  void collect(const Pieces &launched);
  bool keepsStates(const Request &request) const;
  void keepState(const Request &request);
  void takeToken(Request &request, size_t item);
  void count(Request &request);

  // Memory.
  uint64_t freePages() const { return session.freePages() - plannedPages; }
  uint64_t pagesToStart(const Request &request) const;
  void takePrefix(Request &request);
  bool makeRoom(uint64_t pages);
  bool makeRoomToStart(const Request &request);
  bool preemptLast();
  void save(Request &request) noexcept;
  void resume(Request &request);
  void release(Request &request) noexcept;

  // Ends.
  Event &addEvent(const Request &request);
  void finish(Request &request);
  void cancel(Request &request);
  void fail(Request &request, bamba_status status, const char *message);
  void failRunning() noexcept;
  void retire(Request &request);
  void removeEnded();
  void endAll();
  void report();
  double secondsSince(Clock::time_point begin) const { return std::chrono::duration<double>(now - begin).count(); }

  const uint32_t slots, maxStepRows;
  Mailbox &mailbox;
  Session session;
  const bool launchesAhead;
  PrefixCache cache;
  Requests waiting, running; ///< the most important first
  Pieces pieces;             ///< of the step that is planned
  Pieces first, second;      ///< of steps that were launched and not collected, in that order
  std::vector<bamba_batch_item> items;
  uint64_t plannedPages = 0; ///< that they take
  uint32_t plannedRows = 0;
  bool anyEnded = false; ///< of the requests that wait or run

  Report news;
  bamba_engine_counters counters = {};
  RecentRate rate;
  double runTime = 0;             ///< seconds that the session took, and the device was waited for, in this step
  Clock::time_point created, now; ///< now: when the step began, and then when it was done
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_RUNNER_H
