// A request: what its caller asked for, and how far the engine has come with it.
#ifndef BAMBA_RUNTIME_ENGINE_REQUEST_H
#define BAMBA_RUNTIME_ENGINE_REQUEST_H

#include "runtime/contract/abi.h"
#include "runtime/engine/draws.h"
#include "runtime/engine/stop_rule.h"
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace bambac::rt {

using Clock = std::chrono::steady_clock;

/// Belongs to the engine's thread once it is submitted.
struct Request {
  bamba_request id = 0;
  int32_t priority = 0;
  uint32_t promptTokens = 0;
  uint32_t maxTokens = 0; ///< of the answer, at least 1; as many as the context has room for
  StopRule stops;
  Draws draws;
  bool usesCache = true;
  Clock::time_point submitted;

  std::vector<int32_t> tokens; ///< the prompt, and then the answer so far
  uint32_t awaited = 0;        ///< tokens after these that the device draws or has drawn, and that are not known yet
  int32_t reference = 0;       ///< to the last awaited one, for Session::launch()
  uint32_t done = 0;           ///< tokens that its sequence holds
  std::optional<bamba_sequence> sequence;
  std::vector<std::byte> saved; ///< the state of one that was preempted
  bool started = false;         ///< it has had a slot
  bool ended = false;           ///< its last event was reported
  uint32_t cachedTokens = 0;
  uint32_t branch = 0; ///< the length at which its prompt parts from others, or 0
  Clock::time_point lastToken;

  /// Tokens that its sequence has yet to take, awaited ones too; never none.
  uint32_t pending() const { return static_cast<uint32_t>(tokens.size()) + awaited - done; }
  /// All but the last token of what it has were run: each step gives it a token.
  bool decodes() const { return pending() == 1; }
  /// The answer has all its tokens with those that are awaited.
  bool isFull() const { return answer().size() + awaited >= maxTokens; }
  std::span<const int32_t> prompt() const { return std::span(tokens).first(promptTokens); }
  std::span<const int32_t> answer() const { return std::span(tokens).subspan(promptTokens); }
};

/// True where `a` is served before `b`.
inline bool isBefore(const Request &a, const Request &b) {
  return a.priority != b.priority ? a.priority > b.priority : a.id < b.id;
}

/// Checks what a caller asks for, and copies it. Throws Error BAMBA_INVALID_ARGUMENT or BAMBA_OUT_OF_RANGE that names
/// the field.
std::unique_ptr<Request> makeRequest(const bamba_request_options &options, const bamba_rt_model &model);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_REQUEST_H
