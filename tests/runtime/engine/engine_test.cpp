// Requests through an engine on the toy model: the answers, in whatever company, and the ways to an end.

#include "tests/runtime/engine/engine_checks.h"
#include <atomic>
#include <cstring>
#include <limits>
#include <optional>
#include <thread>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

class EngineTest : public AheadOrNotTest {};

INSTANTIATE_TEST_SUITE_P(Engine, EngineTest, testing::Bool(), aheadOrNot);

} // namespace

TEST_P(EngineTest, AnswersOneRequest) {
  Engine engine(*model, sized(engineOptions()));
  Numbers prompt = someTokens(1, 9);
  Answer answer = wait(engine, submit(engine, request(prompt, 6)));
  EXPECT_EQ(answer.tokens, expectedAnswer(prompt, 6));
  EXPECT_EQ(answer.last.finish, BAMBA_FINISH_LENGTH);
  EXPECT_EQ(answer.last.prompt_tokens, 9u);
}

TEST_P(EngineTest, AnswersDoNotDependOnTheCompany) {
  Engine engine(*model, sized(engineOptions(3, 0, 5))); // prompts are cut, and most requests wait
  std::map<bamba_request, Numbers> prompts;
  for (unsigned i = 0; i < 20; ++i) {
    Numbers prompt = someTokens(i, 1 + i * 7 % 20);
    prompts[submit(engine, request(prompt, 1 + i % 9))] = prompt;
  }
  std::map<bamba_request, Answer> answers = waitAll(engine, 20);
  ASSERT_EQ(answers.size(), 20u);
  for (const auto &[id, prompt] : prompts)
    EXPECT_EQ(answers[id].tokens, expectedAnswer(prompt, 1 + (id - 1) % 9)) << id;
}

TEST_P(EngineTest, PreemptedRequestsComeBack) {
  // Four requests of up to 36 tokens, 9 pages each, with 12 pages.
  Engine engine(*model, sized(engineOptions(4, 12)));
  std::map<bamba_request, Numbers> prompts;
  std::optional<HeldEngine> held(std::in_place, engine); // else the first could end before the last comes
  for (unsigned i = 0; i < 4; ++i) {
    Numbers prompt = someTokens(i, 6);
    prompts[submit(engine, request(prompt, 30))] = prompt;
  }
  held.reset();
  std::map<bamba_request, Answer> answers = waitAll(engine, 4);
  for (const auto &[id, prompt] : prompts)
    EXPECT_EQ(answers[id].tokens, expectedAnswer(prompt, 30)) << id;
  bamba_engine_counters counters = engine.counters();
  EXPECT_GT(counters.preemptions, 0u);
  EXPECT_EQ(counters.free_pages, counters.pages);
  EXPECT_EQ(counters.finished, 5u);
}

TEST_P(EngineTest, PromptsThatHoldAllPagesMakeWay) {
  // Two prompts of ten pages each grow together in pieces, with eleven pages.
  Engine engine(*model, sized(engineOptions(2, 11, 4)));
  Numbers first = someTokens(1, 38), second = someTokens(2, 38);
  submit(engine, request(first, 2));
  submit(engine, request(second, 2));
  std::map<bamba_request, Answer> answers = waitAll(engine, 2);
  EXPECT_EQ(answers[1].tokens, expectedAnswer(first, 2));
  EXPECT_EQ(answers[2].tokens, expectedAnswer(second, 2));
}

TEST_P(EngineTest, TheMoreImportantComeFirst) {
  Engine engine(*model, sized(engineOptions(1)));
  Numbers prompt = someTokens(1, 4);
  std::vector<bamba_request> ends;
  std::atomic<bool> go = false;
  struct Context {
    std::vector<bamba_request> *ends;
    std::atomic<bool> *go;
  } context = {&ends, &go};
  bamba_request_options options = request(prompt, 1);
  options.user = &context;
  options.callback = [](void *user, const bamba_engine_event *event) {
    auto *own = static_cast<Context *>(user);
    own->ends->push_back(event->request);
    while (!*own->go) // the first one holds the slot until all others wait
      std::this_thread::yield();
  };
  submit(engine, options);
  while (engine.counters().waiting > 0)
    std::this_thread::yield();
  for (int priority : {0, 5, -1, 5}) {
    options.priority = priority;
    submit(engine, options);
  }
  go = true;
  EXPECT_EQ(engine.drain(UINT32_MAX), 0u);
  EXPECT_EQ(ends, (std::vector<bamba_request>{1, 3, 5, 2, 4}));
}

TEST_P(EngineTest, StopsEndAnAnswer) {
  Engine engine(*model, sized(engineOptions()));
  Numbers prompt = someTokens(3, 7), expected = expectedAnswer(prompt, 8);
  bamba_request_options options = request(prompt, 8);
  // The first answer that is cut: at the third token, where that is not among the first two.
  Numbers stop = {expected[2]};
  options.stop_tokens = stop.data();
  options.num_stop_tokens = 1;
  Answer answer = wait(engine, submit(engine, options));
  EXPECT_EQ(answer.last.finish, BAMBA_FINISH_STOP_TOKEN);
  EXPECT_EQ(answer.last.stop_tokens, 1u);
  size_t end = static_cast<size_t>(std::ranges::find(expected, stop[0]) - expected.begin()) + 1;
  EXPECT_EQ(answer.tokens, Numbers(expected.begin(), expected.begin() + static_cast<long>(end)));

  Numbers pair = {expected[3], expected[4]}, other = {expected[0], expected[0], expected[0], expected[0] ^ 1};
  bamba_token_list lists[] = {{other.data(), 4}, {pair.data(), 2}};
  options = request(prompt, 8);
  options.stop_sequences = lists;
  options.num_stop_sequences = 2;
  answer = wait(engine, submit(engine, options));
  EXPECT_EQ(answer.last.finish, BAMBA_FINISH_STOP_SEQUENCE);
  EXPECT_EQ(answer.last.stop_tokens, 2u);
  EXPECT_EQ(answer.last.stop_index, 1u);
  EXPECT_TRUE(std::ranges::equal(std::span(answer.tokens).last(2), pair));
  EXPECT_LE(answer.tokens.size(), 5u);
}

TEST_P(EngineTest, TheContextIsAnEnd) {
  Engine engine(*model, sized(engineOptions()));
  Numbers prompt = someTokens(2, 36);
  Answer answer = wait(engine, submit(engine, request(prompt, 0)));
  EXPECT_EQ(answer.last.finish, BAMBA_FINISH_LENGTH);
  EXPECT_EQ(answer.tokens, expectedAnswer(prompt, maxContext - 36 + 1));
}

TEST_P(EngineTest, AFullQueueRefuses) {
  bamba_engine_options options = engineOptions(1);
  options.queue_limit = 3;
  Engine engine(*model, sized(options));
  Numbers prompt = someTokens(1, 4);
  std::atomic<bool> go = false;
  bamba_request_options asked = request(prompt, 1);
  asked.user = &go;
  asked.callback = [](void *user, const bamba_engine_event *) {
    while (!*static_cast<std::atomic<bool> *>(user))
      std::this_thread::yield();
  };
  submit(engine, asked);
  while (engine.counters().running + engine.counters().finished == 0 || engine.counters().waiting > 0)
    std::this_thread::yield();
  for (int i = 0; i < 3; ++i)
    submit(engine, asked);
  bamba_request none = 77;
  expectFailure(failureOf([&] { engine.submit(asked, none); }), BAMBA_EXHAUSTED, {"queue", "3"});
  EXPECT_EQ(none, 77u);
  go = true;
  EXPECT_EQ(engine.drain(UINT32_MAX), 0u);
  EXPECT_EQ(engine.counters().rejected, 1u);
  expectFailure(failureOf([&] { engine.submit(asked, none); }), BAMBA_NOT_READY, {"drained"});
  expectFailure(failureOf([&] { engine.poll(0, 1, UINT32_MAX); }), BAMBA_NOT_READY, {"drained"});
}

TEST_P(EngineTest, CancelledRequestsEndOnce) {
  Engine engine(*model, sized(engineOptions(2)));
  Numbers prompt = someTokens(1, 30);
  std::vector<bamba_request> ids;
  ids.reserve(8);
  for (int i = 0; i < 8; ++i)
    ids.push_back(submit(engine, request(prompt, 10)));
  for (size_t i = 0; i < ids.size(); i += 2)
    engine.cancel(ids[i]);
  std::map<bamba_request, Answer> answers = waitAll(engine, ids.size());
  Numbers expected = expectedAnswer(prompt, 10);
  for (size_t i = 0; i < ids.size(); ++i) {
    const Answer &answer = answers[ids[i]];
    EXPECT_TRUE(std::ranges::equal(answer.tokens, std::span(expected).first(answer.tokens.size())));
    if (i % 2 == 1)
      EXPECT_EQ(answer.last.finish, BAMBA_FINISH_LENGTH);
    else if (answer.last.finish == BAMBA_FINISH_CANCELLED)
      EXPECT_EQ(answer.last.token, -1);
    expectFailure(failureOf([&] { engine.cancel(ids[i]); }), BAMBA_NOT_FOUND, {std::to_string(ids[i])});
    expectFailure(failureOf([&] { engine.poll(ids[i], 1, 0); }), BAMBA_NOT_FOUND, {std::to_string(ids[i])});
  }
  expectFailure(failureOf([&] { engine.cancel(1000); }), BAMBA_NOT_FOUND, {"1000"});
}

TEST_P(EngineTest, CancellingTwiceIsOneEnd) {
  Engine engine(*model, sized(engineOptions(1)));
  Numbers prompt = someTokens(1, 4);
  for (int i = 0; i < 50; ++i) {
    bamba_request id = submit(engine, request(prompt, 30));
    for (int again = 0; again < 3; ++again)
      engine.cancel(id);
    wait(engine, id);
  }
  engine.drain(UINT32_MAX);
  expectFailure(failureOf([&] { engine.poll(0, 1, 0); }), BAMBA_NOT_READY, {"drained"}); // no event is left
}

TEST_P(EngineTest, DestructionEndsWhatIsLeft) {
  std::atomic<int> ends = 0;
  {
    Engine engine(*model, sized(engineOptions(1)));
    Numbers prompt = someTokens(1, 4);
    bamba_request_options options = request(prompt, 30);
    options.user = &ends;
    options.callback = [](void *user, const bamba_engine_event *event) {
      *static_cast<std::atomic<int> *>(user) += event->finish != BAMBA_FINISH_NONE;
    };
    for (int i = 0; i < 5; ++i)
      submit(engine, options);
  }
  EXPECT_EQ(ends, 5);
}

TEST_P(EngineTest, LogitsThatAreNoNumbersEndTheirRequestOnly) {
  TemporaryFolder folder;
  std::vector<TestTensor> tensors = toyTensors();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(tensors[0].bytes.data() + size_t{3} * dim * sizeof(float), &nan, sizeof(nan)); // of token 3
  folder.write("model.safetensors", safetensors(tensors));
  Model broken = openToy();
  broken.load(folder.path(), {});
  Engine engine(broken, sized(engineOptions(3)));
  Numbers good = {1, 2}, bad = {1, 3, 2};
  bamba_sampling sampling = {};
  sampling.struct_size = sizeof(sampling);
  const bamba_logit_bias bias[] = {{3, 1e5F}}; // the answer itself brings the token
  sampling.bias = bias;
  sampling.num_bias = 1;
  bamba_request_options later = request(good, 6);
  later.sampling = &sampling;
  bamba_request ids[] = {submit(engine, request(good, 6)), submit(engine, request(bad, 6)), submit(engine, later)};
  std::map<bamba_request, Answer> answers = waitAll(engine, 3);
  EXPECT_EQ(answers[ids[0]].tokens, expectedAnswer(good, 6));
  EXPECT_EQ(answers[ids[1]].tokens, Numbers());
  EXPECT_EQ(answers[ids[2]].tokens, Numbers{3});
  for (size_t i : {1U, 2U})
    EXPECT_EQ(answers[ids[i]].last.status, BAMBA_NOT_A_NUMBER);
  EXPECT_EQ(engine.counters().free_pages, engine.counters().pages);
}

TEST_P(EngineTest, ManyThreadsSubmitAndPoll) {
  Engine engine(*model, sized(engineOptions(4, 20, 6)));
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  threads.reserve(4);
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 25; ++i) {
        Numbers prompt = someTokens(t * 25 + i, 1 + (t + i) % 12);
        Answer answer = wait(engine, submit(engine, request(prompt, 1 + i % 6)));
        right += answer.tokens == expectedAnswer(prompt, 1 + i % 6);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(right, 100);
}

TEST_P(EngineTest, CountsWhatItDoes) {
  Engine engine(*model, sized(engineOptions(2)));
  Numbers prompt = someTokens(1, 5);
  for (int i = 0; i < 3; ++i)
    submit(engine, request(prompt, 4));
  waitAll(engine, 3);
  engine.drain(UINT32_MAX);
  bamba_engine_counters counters = engine.counters();
  EXPECT_EQ(counters.submitted, 3u);
  EXPECT_EQ(counters.finished, 3u);
  EXPECT_EQ(counters.running + counters.waiting + counters.preempted, 0u);
  EXPECT_EQ(counters.slots, 2u);
  EXPECT_EQ(counters.prompt_tokens, 15u);
  EXPECT_EQ(counters.generated_tokens, 12u);
  EXPECT_EQ(counters.step_rows, 15u + 9u); // the last token of an answer is not run
  EXPECT_EQ(counters.time_to_first_token.count, 3u);
  EXPECT_EQ(counters.time_between_tokens.count, 9u);
  EXPECT_EQ(counters.request_time.count, 3u);
  EXPECT_EQ(counters.queue_time.count, 3u);
  EXPECT_EQ(counters.step_time.count, counters.steps);
  EXPECT_GT(counters.tokens_per_second, 0);
  uint64_t sum = 0;
  for (uint64_t bucket : counters.step_time.buckets)
    sum += bucket;
  EXPECT_EQ(sum, counters.step_time.count);
}
