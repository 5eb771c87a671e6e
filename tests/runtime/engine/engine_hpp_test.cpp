// engine.hpp and through it the C interface of the engine, on the toy model that this program is linked to.

#include "bamba/engine.hpp"
#include "tests/runtime/engine/engine_checks.h"
#include <atomic>
#include <sys/wait.h>
#include <unistd.h>

namespace toy = bambac::rt::toy;

namespace {

class EngineHppTest : public testing::Test {
protected:
  EngineHppTest() {
    toy::TemporaryFolder folder;
    folder.write("model.safetensors", toy::safetensors(toy::toyTensors()));
    model.load(folder.path());
    options.slots = 2;
    options.threads = 1;
  }

  bamba::Request request(uint32_t tokens) const {
    bamba::Request asked(prompt);
    asked.max_tokens = tokens;
    asked.ignore_eos = true;
    return asked;
  }

  std::vector<int32_t> prompt = toy::someTokens(1, 9);
  bamba::Library library{bamba_get_api};
  bamba::Model model{library, "cpu"};
  bamba::EngineOptions options;
};

template <typename Body> bamba_status statusOf(const Body &body) {
  try {
    body();
  } catch (const bamba::Error &error) {
    return error.status();
  }
  return BAMBA_OK;
}

} // namespace

TEST_F(EngineHppTest, Generates) {
  bamba::Engine engine(model, options);
  bamba::Request asked = request(5);
  asked.logprobs = true;
  bamba::Completion completion = engine.generate(asked);
  EXPECT_EQ(completion.tokens, toy::expectedAnswer(prompt, 5));
  EXPECT_EQ(completion.finish, BAMBA_FINISH_LENGTH);
  ASSERT_EQ(completion.logprobs.size(), 5u);
  EXPECT_LT(completion.logprobs[0], 0);
  asked.stop_sequences = {{completion.tokens[1], completion.tokens[2]}};
  completion = engine.generate(asked);
  EXPECT_EQ(completion.finish, BAMBA_FINISH_STOP_SEQUENCE);
  EXPECT_EQ(completion.stop_tokens, 2u);
  EXPECT_EQ(engine.counters().finished, 2u);
}

TEST_F(EngineHppTest, Draws) {
  bamba::Engine engine(model, options);
  bamba::Request asked = request(12);
  asked.sampling = bamba::make_sampling(15, 3);
  std::vector<int32_t> drawn = engine.generate(asked).tokens;
  EXPECT_EQ(engine.generate(asked).tokens, drawn);
  EXPECT_NE(drawn, toy::expectedAnswer(prompt, 12));
  asked.bias = {{5, 1000}};
  EXPECT_EQ(engine.generate(asked).tokens, std::vector<int32_t>(12, 5));
  asked.allowed = {1U << 3 | 1U << 4};
  asked.bias = {{5, 1000}, {4, 500}};
  EXPECT_EQ(engine.generate(asked).tokens, std::vector<int32_t>(12, 4));
  int calls = 0;
  asked.allow = [](void *user, int32_t, uint32_t *allowed) {
    ++*static_cast<int *>(user);
    *allowed = 1U << 3 | 1U << 5;
    return 0;
  };
  EXPECT_EQ(engine.generate(asked, &calls).tokens, std::vector<int32_t>(12, 3));
  EXPECT_EQ(calls, 12);
  asked.sampling.min_p = 3;
  EXPECT_EQ(statusOf([&] { engine.submit(asked); }), BAMBA_INVALID_ARGUMENT);
}

TEST_F(EngineHppTest, CallersOfOtherVersionsDraw) {
  bamba::Engine engine(model, options);
  const bamba_engine_api &api = *library.api().engine;
  bamba_error error = {};
  error.struct_size = sizeof(error);
  bamba_request number = 0;
  struct {
    bamba_sampling known;
    uint64_t later;
  } sampling = {};
  sampling.known.struct_size = sizeof(sampling);
  bamba_request_options asked = toy::request(prompt, 2);
  asked.sampling = &sampling.known;
  EXPECT_EQ(api.submit(engine.get(), &asked, &number, &error), BAMBA_OK) << error.message;
  sampling.later = 1;
  EXPECT_EQ(api.submit(engine.get(), &asked, &number, &error), BAMBA_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(error.message).find("sampling: expected zeros"), 0u) << error.message;
  sampling.known.struct_size = 8;
  EXPECT_EQ(api.submit(engine.get(), &asked, &number, &error), BAMBA_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(error.message).find("sampling: struct_size: expected at least"), 0u) << error.message;
  asked.struct_size = offsetof(bamba_request_options, sampling); // of a caller that knows neither field
  EXPECT_EQ(api.submit(engine.get(), &asked, &number, &error), BAMBA_OK) << error.message;
  EXPECT_EQ(engine.drain(), 0u);
}

TEST_F(EngineHppTest, CallsBack) {
  bamba::Engine engine(model, options);
  std::atomic<int> tokens = 0;
  auto count = [](void *user, const bamba_engine_event *event) {
    *static_cast<std::atomic<int> *>(user) += event->token >= 0;
  };
  for (int i = 0; i < 3; ++i)
    engine.submit(request(4), count, &tokens);
  EXPECT_EQ(engine.drain(), 0u);
  EXPECT_EQ(tokens, 12);
  EXPECT_EQ(statusOf([&] { engine.submit(request(1)); }), BAMBA_NOT_READY);
}

TEST_F(EngineHppTest, ErrorsHaveTheirStatus) {
  bamba::Engine engine(model, options);
  bamba::Request asked = request(4);
  asked.prompt = {1000};
  EXPECT_EQ(statusOf([&] { engine.submit(asked); }), BAMBA_OUT_OF_RANGE);
  EXPECT_EQ(statusOf([&] { engine.cancel(99); }), BAMBA_NOT_FOUND);
  bamba::EngineOptions wrong = options;
  wrong.max_step_rows = 1;
  EXPECT_EQ(statusOf([&] { bamba::Engine other(model, wrong); }), BAMBA_INVALID_ARGUMENT);
  bamba_engine_event events[2] = {};
  size_t count = 7;
  const bamba_engine_api &api = *library.api().engine;
  EXPECT_EQ(api.poll(engine.get(), 0, events, 2, sizeof(events[0]) - 8, 0, &count, nullptr), BAMBA_INVALID_ARGUMENT);
  EXPECT_EQ(api.poll(engine.get(), 0, events, 0, sizeof(events[0]), 0, &count, nullptr), BAMBA_INVALID_ARGUMENT);
  EXPECT_EQ(api.poll(engine.get(), 0, events, 2, sizeof(events[0]), 0, &count, nullptr), BAMBA_OK);
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(api.submit(nullptr, nullptr, nullptr, nullptr), BAMBA_INVALID_ARGUMENT);
  api.destroy(nullptr);
}

TEST_F(EngineHppTest, ALibraryWithoutAnEngineIsAnError) {
  static bamba_api old = *bamba_get_api(BAMBA_ABI_VERSION);
  old.struct_size = offsetof(bamba_api, engine);
  bamba::Library earlier([](uint32_t) -> const bamba_api * { return &old; });
  bamba::Model other(earlier, "cpu");
  EXPECT_EQ(statusOf([&] { bamba::Engine engine(other); }), BAMBA_UNSUPPORTED);
}

TEST_F(EngineHppTest, AForkedChildIsToldAndMayDestroy) {
  auto engine = std::make_unique<bamba::Engine>(model, options);
  pid_t child = fork();
  if (child == 0) {
    alarm(30);
    bool refused = statusOf([&] { engine->submit(request(1)); }) == BAMBA_UNSUPPORTED &&
                   statusOf([&] { engine->counters(); }) == BAMBA_UNSUPPORTED;
    engine.reset();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(engine->generate(request(2)).tokens, toy::expectedAnswer(prompt, 2));
}
