// Ten thousand requests from several threads, half of them cancelled at random moments: none is lost, doubled or out of
// order, and nothing of the engine is in use afterwards.

#include "tests/runtime/engine/engine_checks.h"
#include <random>
#include <thread>
#include <unordered_map>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

constexpr unsigned numThreads = 4, requestsOfEach = 2500;

/// One client: keeps some requests in flight and polls each until it ends.
class Client {
public:
  Client(Engine &engine, unsigned seed) : engine(engine), random(seed) {}

  void run() {
    unsigned left = requestsOfEach;
    while (left > 0 || !inFlight.empty()) {
      while (left > 0 && inFlight.size() < 8) {
        ask();
        --left;
      }
      step();
    }
  }

  unsigned finished = 0, cancelled = 0, wrong = 0;

private:
  struct Asked {
    bamba_request id;
    unsigned prompt;
    uint32_t count;
    Answer answer;
  };

  static Numbers promptOf(unsigned number) { return someTokens(number, 1 + number % 15); }

  void ask() {
    Asked asked = {0, static_cast<unsigned>(random() % 40), static_cast<uint32_t>(1 + random() % 8), {}};
    Numbers prompt = promptOf(asked.prompt);
    bamba_request_options options = request(prompt, asked.count);
    options.priority = static_cast<int32_t>(random() % 3);
    asked.id = submit(engine, options);
    inFlight.push_back(std::move(asked));
  }

  void step() {
    size_t index = random() % inFlight.size();
    Asked &asked = inFlight[index];
    if (random() % 8 == 0)
      engine.cancel(asked.id);
    for (const bamba_engine_event &event : engine.poll(asked.id, 4, random() % 4 == 0 ? 1 : 0))
      take(asked.answer, event);
    if (asked.answer.last.finish == BAMBA_FINISH_NONE)
      return;
    check(asked);
    inFlight.erase(inFlight.begin() + static_cast<ptrdiff_t>(index));
  }

  void check(const Asked &asked) {
    // Longer answers begin with shorter ones.
    auto [known, isNew] = expected.try_emplace(asked.prompt);
    if (isNew)
      known->second = expectedAnswer(promptOf(asked.prompt), 8);
    const Numbers &tokens = asked.answer.tokens;
    bool isWhole = asked.answer.last.finish == BAMBA_FINISH_LENGTH && tokens.size() == asked.count;
    bool isCut = asked.answer.last.finish == BAMBA_FINISH_CANCELLED && tokens.size() < asked.count;
    wrong += !(isWhole || isCut) || !std::ranges::equal(tokens, std::span(known->second).first(tokens.size()));
    finished += isWhole;
    cancelled += isCut;
  }

  Engine &engine;
  std::minstd_rand random;
  std::vector<Asked> inFlight;
  std::unordered_map<unsigned, Numbers> expected;
};

} // namespace

using EngineStress = AheadOrNotTest;
INSTANTIATE_TEST_SUITE_P(Engine, EngineStress, testing::Bool(), aheadOrNot);

TEST_P(EngineStress, TenThousandRequestsWithRandomCancels) {
  bamba_engine_options options = engineOptions(4, maxPages, 6); // few pages: some are preempted
  options.prefix_cache = BAMBA_PREFIX_CACHE_ON;
  options.snapshot_interval = 4;
  options.cache_device_bytes =
      2 * (stateBytes(toyTable, BAMBA_RT_STATE_SLOT) + stateBytes(toyTable, BAMBA_RT_STATE_PAGE));
  options.cache_host_bytes = 16 << 10;
  Engine engine(*model, sized(options));
  std::vector<Client> clients;
  clients.reserve(numThreads);
  std::vector<std::thread> threads;
  threads.reserve(numThreads);
  for (unsigned i = 0; i < numThreads; ++i)
    clients.emplace_back(engine, i + 1);
  for (Client &client : clients)
    threads.emplace_back([&client] { client.run(); });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(engine.drain(UINT32_MAX), 0u);

  uint64_t finished = 0, cancelled = 0;
  for (const Client &client : clients) {
    EXPECT_EQ(client.wrong, 0u);
    finished += client.finished;
    cancelled += client.cancelled;
  }
  bamba_engine_counters counters = engine.counters();
  EXPECT_EQ(finished + cancelled, uint64_t{numThreads} * requestsOfEach);
  EXPECT_EQ(counters.finished, finished);
  EXPECT_EQ(counters.cancelled, cancelled);
  EXPECT_EQ(counters.failed, 0u);
  EXPECT_EQ(counters.running + counters.waiting, 0u);
  EXPECT_GT(cancelled, 0u);
  EXPECT_GT(counters.preemptions, 0u);
  EXPECT_GT(counters.cache_hits, 0u);
}
