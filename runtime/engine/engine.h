// The engine: the thread that runs requests, and the functions by which others reach it.
#ifndef BAMBA_RUNTIME_ENGINE_ENGINE_H
#define BAMBA_RUNTIME_ENGINE_ENGINE_H

#include "runtime/engine/mailbox.h"
#include "runtime/engine/runner.h"
#include "runtime/model/model.h"
#include "runtime/support/own_process.h"
#include <thread>

namespace bambac::rt {

/// Every function may be called from any thread. The model must outlive it.
class Engine {
public:
  /// Throws Error BAMBA_INVALID_ARGUMENT, and what Session() throws.
  Engine(const Model &model, const bamba_engine_options &options);
  Engine(const Model &model, const EngineSize &size);

  /// Ends what is left. A child that was forked must not destroy an engine.
  ~Engine();
  Engine(const Engine &) = delete;
  Engine &operator=(const Engine &) = delete;

  /// True in the process that created it: a child has no thread of it.
  bool isOwner() const { return owner.isCurrent(); }

  /// As the functions of engine.h.
  void submit(const bamba_request_options &options, bamba_request &id);
  void cancel(bamba_request id);
  std::vector<bamba_engine_event> poll(bamba_request id, size_t most, uint32_t timeoutMs);
  size_t drain(uint32_t timeoutMs);
  bamba_engine_counters counters() const;

private:
  void expectOwner() const;

  const bamba_rt_model &table;
  const OwnProcess owner;
  Mailbox mailbox;
  Runner runner;
  std::thread thread;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_ENGINE_H
