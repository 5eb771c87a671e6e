// Checks on the caller's thread, and leaves the rest to the mailbox and the runner.

#include "runtime/engine/engine.h"
#include "runtime/support/blocked_signals.h"
#include "runtime/support/error.h"

namespace bambac::rt {
namespace {

std::optional<Clock::time_point> deadlineAfter(uint32_t timeoutMs) {
  if (timeoutMs == UINT32_MAX)
    return std::nullopt;
  return Clock::now() + std::chrono::milliseconds(timeoutMs);
}

} // namespace

Engine::Engine(const Model &model, const bamba_engine_options &options)
    : Engine(model, EngineSize(options, model.table())) {}

Engine::Engine(const Model &model, const EngineSize &size)
    : table(model.table()), mailbox(size.queueLimit), runner(model, size, mailbox) {
  BlockedSignals blocked;
  thread = std::thread([this] { runner.loop(); });
}

Engine::~Engine() {
  mailbox.stop();
  thread.join();
}

void Engine::expectOwner() const {
  if (!isOwner())
    fail(BAMBA_UNSUPPORTED, "expected the process that created the engine, found a child that it forked");
}

void Engine::submit(const bamba_request_options &options, bamba_request &id) {
  expectOwner();
  mailbox.submit(makeRequest(options, table), {options.callback, options.user}, id);
}

void Engine::cancel(bamba_request id) {
  expectOwner();
  mailbox.cancel(id);
}

std::vector<bamba_engine_event> Engine::poll(bamba_request id, size_t most, uint32_t timeoutMs) {
  expectOwner();
  std::vector<bamba_engine_event> events;
  mailbox.poll(id, most, deadlineAfter(timeoutMs), events);
  return events;
}

size_t Engine::drain(uint32_t timeoutMs) {
  expectOwner();
  return mailbox.drain(deadlineAfter(timeoutMs));
}

bamba_engine_counters Engine::counters() const {
  expectOwner();
  return mailbox.counters();
}

} // namespace bambac::rt
