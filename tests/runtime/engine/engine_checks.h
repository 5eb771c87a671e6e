// An engine on the toy model, and what it must answer.
#ifndef BAMBA_TESTS_RUNTIME_ENGINE_ENGINE_CHECKS_H
#define BAMBA_TESTS_RUNTIME_ENGINE_ENGINE_CHECKS_H

#include "runtime/engine/engine.h"
#include "tests/runtime/toy_model.h"
#include <atomic>
#include <map>

namespace bambac::rt::toy {

using Numbers = std::vector<int32_t>;

/// The greedy tokens after a prompt, one at a time, until there are `count`.
Numbers expectedAnswer(Numbers prompt, size_t count);

/// A request for `count` tokens that only ends by their number.
bamba_request_options request(const Numbers &prompt, uint32_t count);

/// Without a cache of prefixes.
bamba_engine_options engineOptions(uint32_t slots = 0, uint64_t pages = 0, uint32_t maxStepRows = 0);

/// Tests with this fixture are run for engines that launch steps ahead of the tokens of those before, and that do not.
class AheadOrNotTest : public testing::TestWithParam<bool> {
protected:
  EngineSize sized(const bamba_engine_options &options) const;

  std::unique_ptr<Model> model = loadToy();
};

/// The names of both.
inline std::string aheadOrNot(const testing::TestParamInfo<bool> &info) { return info.param ? "Ahead" : "InTurn"; }

/// Holds an engine's thread in the callback of a request of its own until it is destroyed, so that all that is
/// submitted meanwhile starts together.
class HeldEngine {
public:
  explicit HeldEngine(Engine &engine);
  ~HeldEngine();
  HeldEngine(const HeldEngine &) = delete;
  HeldEngine &operator=(const HeldEngine &) = delete;

private:
  std::atomic<bool> isHeld = false, goes = false, isGone = false;
};

/// What came of a request.
struct Answer {
  Numbers tokens;
  bamba_engine_event last = {};
};

/// Adds an event to an answer, and expects it to be in order.
void take(Answer &answer, const bamba_engine_event &event);

/// Polls one request until it ends.
Answer wait(Engine &engine, bamba_request id);

/// Polls all requests until `count` have ended.
std::map<bamba_request, Answer> waitAll(Engine &engine, size_t count);

bamba_request submit(Engine &engine, const bamba_request_options &options);

} // namespace bambac::rt::toy
#endif // BAMBA_TESTS_RUNTIME_ENGINE_ENGINE_CHECKS_H
