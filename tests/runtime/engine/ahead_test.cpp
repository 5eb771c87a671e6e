// Steps that are launched before the tokens of those before are known: on a device that does nothing until somebody
// waits for it, and by a session alone.

#include "tests/runtime/cuda_toy.h"
#include "tests/runtime/engine/engine_checks.h"
#include <optional>

using namespace bambac::rt;
using namespace bambac::rt::toy;

namespace {

bamba_batch_item item(bamba_sequence sequence, std::span<const int32_t> tokens) {
  return {sequence, static_cast<uint32_t>(tokens.size()), tokens.data(), BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr};
}

/// Answers of two prompts, each step launched before the one before is collected; the sequences change their places in
/// the batch from step to step.
struct Ahead {
  static constexpr size_t count = 9;
  Numbers prompts[2] = {someTokens(1, 5), someTokens(2, 11)}, answers[2];
  bamba_sampling sampling[2] = {}; ///< of each

  explicit Ahead(Session &session, const bamba_sampling *parameters = nullptr);
};

Ahead::Ahead(Session &session, const bamba_sampling *parameters) {
  bamba_sequence sequences[2] = {session.create(), session.create()};
  session.prepareToLaunch();
  for (size_t step = 0; step <= count; ++step) {
    size_t first = step % 2; // of the batch
    // The token after item i of the batch before, where the sequences had the other order.
    const int32_t references[2] = {-2, -1};
    bamba_batch_item items[2];
    for (size_t i : {0U, 1U}) {
      size_t which = i == 0 ? first : 1 - first;
      items[i] = item(sequences[which],
                      step == 0 ? std::span<const int32_t>(prompts[which]) : std::span(references).subspan(i, 1));
      if (!parameters)
        continue;
      sampling[which] = parameters[which];
      sampling[which].prompt = prompts[which].data();
      sampling[which].num_prompt = static_cast<uint32_t>(prompts[which].size());
      sampling[which].generated = answers[which].data(); // without the last one
      sampling[which].num_generated = static_cast<uint32_t>(answers[which].size());
      items[i].sampling = &sampling[which];
    }
    session.launch(items);
    EXPECT_EQ(session.numLaunched(), step == 0 ? 1u : 2u);
    if (step == 0)
      continue;
    session.collect(); // the step before, whose first was the other
    for (size_t i : {0U, 1U})
      answers[i == 0 ? 1 - first : first].push_back(session.sample(i, 0).token);
  }
  session.collect();
  for (bamba_sequence sequence : sequences)
    session.free(sequence);
}

void expectAnswersAhead(Session &session) {
  Ahead ahead(session);
  for (size_t i : {0U, 1U})
    EXPECT_EQ(ahead.answers[i], expectedAnswer(ahead.prompts[i], Ahead::count));
}

/// Penalties that make a token less likely each time: one of two sequences draws, too.
void expectPenaltiesAhead(Session &session) {
  bamba_sampling parameters[2] = {};
  for (bamba_sampling &one : parameters) {
    one.struct_size = sizeof(one);
    one.frequency_penalty = 7;
    one.repetition_penalty = 1.5F;
  }
  parameters[1].temperature = 9;
  parameters[1].seed = 3;
  Ahead ahead(session, parameters);
  for (size_t i : {0U, 1U}) {
    Numbers answer, last = ahead.prompts[i];
    bamba_sequence sequence = session.create();
    while (answer.size() < Ahead::count) {
      bamba_sampling sampling = parameters[i];
      sampling.prompt = ahead.prompts[i].data();
      sampling.num_prompt = static_cast<uint32_t>(ahead.prompts[i].size());
      sampling.generated = answer.data();
      sampling.num_generated = static_cast<uint32_t>(answer.size());
      bamba_batch_item next = item(sequence, last);
      next.sampling = &sampling;
      session.run({&next, 1});
      answer.push_back(session.sample(0, 0).token);
      last = {answer.back()};
    }
    EXPECT_EQ(ahead.answers[i], answer);
    EXPECT_NE(answer, expectedAnswer(ahead.prompts[i], Ahead::count)) << "penalties change it";
    session.free(sequence);
  }
}

} // namespace

TEST(AheadTest, ASessionTakesTokensThatAreNotKnownYet) {
  std::unique_ptr<Model> model = loadToy();
  Session session(*model, {.slots = 2, .threads = 1});
  expectAnswersAhead(session);
}

TEST(AheadTest, PenaltiesCountTokensThatAreNotKnownYet) {
  std::unique_ptr<Model> model = loadToy();
  Session session(*model, {.slots = 2, .threads = 1});
  expectPenaltiesAhead(session);
}

TEST_F(CudaTest, PenaltiesCountTokensThatOnlyTheDeviceHas) {
  std::unique_ptr<Model> model = toy.load();
  Session session(*model, {.slots = 2});
  expectPenaltiesAhead(session);
}

TEST(AheadTest, TokensMustBeThoseOfTheBatchBefore) {
  std::unique_ptr<Model> model = loadToy();
  Session session(*model, {.slots = 2, .threads = 1});
  session.prepareToLaunch();
  Numbers prompt = {1, 2, 3};
  bamba_batch_item items[] = {item(session.create(), prompt), item(session.create(), prompt)};
  items[1].logits = BAMBA_LOGITS_NONE;
  const int32_t first[] = {-1}, second[] = {-2}, third[] = {-3}, two[] = {-1, -1};
  auto refuse = [&](std::span<const int32_t> tokens) {
    bamba_batch_item next = item(items[0].sequence, tokens);
    expectFailure(failureOf([&] { session.launch({&next, 1}); }), BAMBA_OUT_OF_RANGE, {"token 0", "found -"});
  };
  refuse(first); // nothing was launched
  session.launch(items);
  refuse(second); // leaves no token
  refuse(third);
  refuse(two);
  bamba_batch_item next = item(items[0].sequence, first);
  session.launch({&next, 1});
  session.collect();
  session.collect();
  refuse(first); // is known
}

TEST_F(CudaTest, TheNextStepIsLaunchedBeforeTheTokensAreThere) {
  std::unique_ptr<Model> model = toy.load();
  {
    Session session(*model, {.slots = 2});
    int left = fake.waitsThatLeaveWork, waits = fake.synchronizations;
    expectAnswersAhead(session);
    EXPECT_EQ(fake.waitsThatLeaveWork - left, 9) << "each but the last one";
    EXPECT_EQ(fake.synchronizations - waits, 1) << "for all: for memory, before the first step";
  }
}

TEST_F(CudaTest, AnEngineKeepsTheDeviceBusy) {
  constexpr uint32_t count = 12;
  std::unique_ptr<Model> model = toy.load();
  int left = 0;
  {
    Engine engine(*model, engineOptions(2));
    int before = fake.waitsThatLeaveWork;
    Numbers prompt = someTokens(1, 5);
    Answer answer = wait(engine, submit(engine, request(prompt, count)));
    EXPECT_EQ(answer.tokens, expectedAnswer(prompt, count));
    engine.drain(UINT32_MAX);
    EXPECT_EQ(engine.counters().steps, count) << "no row too many where the end is known";
    left = fake.waitsThatLeaveWork - before;
  }
  EXPECT_EQ(left, static_cast<int>(count) - 1) << "each step but the last one was followed by another";
}

TEST_F(CudaTest, PenaltiesKeepTheDeviceBusyToo) {
  constexpr uint32_t count = 12;
  std::unique_ptr<Model> model = toy.load();
  bamba_sampling sampling = {};
  sampling.struct_size = sizeof(sampling);
  sampling.presence_penalty = 4;
  int left = 0;
  {
    Engine engine(*model, engineOptions(2));
    int before = fake.waitsThatLeaveWork;
    Numbers prompt = someTokens(1, 5);
    bamba_request_options one = request(prompt, count);
    one.sampling = &sampling;
    EXPECT_EQ(wait(engine, submit(engine, one)).tokens.size(), count);
    engine.drain(UINT32_MAX);
    left = fake.waitsThatLeaveWork - before;
  }
  EXPECT_EQ(left, static_cast<int>(count) - 1);
}

TEST_F(CudaTest, AnEngineOnADeviceAnswersAsOnTheHost) {
  std::unique_ptr<Model> model = toy.load();
  bamba_engine_options options = engineOptions(4, maxPages, 6);
  options.prefix_cache = BAMBA_PREFIX_CACHE_ON;
  options.snapshot_interval = 4;
  options.cache_host_bytes = 8 << 10;
  Engine engine(*model, options);
  std::map<bamba_request, std::pair<Numbers, uint32_t>> asked;
  std::map<bamba_request, int32_t> stops;
  std::optional<HeldEngine> held(std::in_place, engine);
  for (unsigned i = 0; i < 60; ++i) {
    Numbers prompt = someTokens(i % 9, 1 + i * 7 % 20), stop = {static_cast<int32_t>(i % vocab)};
    bamba_request_options one = request(prompt, 1 + i % 15);
    one.stop_tokens = stop.data();
    one.num_stop_tokens = i % 3 == 0 ? 1 : 0;
    bamba_request id = submit(engine, one);
    asked[id] = {prompt, one.max_tokens};
    stops[id] = stop[0];
  }
  held.reset();
  for (bamba_request id = 12; id < 60; id += 12)
    engine.cancel(id);
  std::map<bamba_request, Answer> answers = waitAll(engine, asked.size());
  for (const auto &[id, one] : asked) {
    const Answer &answer = answers[id];
    Numbers expected = expectedAnswer(one.first, one.second);
    EXPECT_TRUE(std::ranges::equal(answer.tokens, std::span(expected).first(answer.tokens.size()))) << id;
    if (answer.last.finish == BAMBA_FINISH_LENGTH)
      EXPECT_EQ(answer.tokens.size(), expected.size());
    else if (answer.last.finish == BAMBA_FINISH_STOP_TOKEN)
      EXPECT_EQ(answer.tokens.back(), stops[id]);
    else
      EXPECT_EQ(answer.last.finish, BAMBA_FINISH_CANCELLED);
  }
  engine.drain(UINT32_MAX);
  EXPECT_GT(engine.counters().preemptions, 0u);
  EXPECT_GT(engine.counters().cache_hits, 0u);
}

TEST_F(CudaTest, AnEngineOnADeviceDrawsAsOnTheHost) {
  auto answersOf = [](const Model &model) {
    Engine engine(model, engineOptions(4, 12, 6));
    bamba_sampling sampling = {};
    sampling.struct_size = sizeof(sampling);
    std::optional<HeldEngine> held(std::in_place, engine);
    for (unsigned i = 0; i < 24; ++i) {
      Numbers prompt = someTokens(i % 9, 1 + i * 7 % 20);
      bamba_request_options one = request(prompt, 4 + i % 9);
      sampling.temperature = 15;
      sampling.seed = i;
      sampling.top_k = i % 5;
      sampling.frequency_penalty = i % 2 == 0 ? 0.0F : 3.0F;
      one.sampling = i % 3 == 0 ? nullptr : &sampling;
      submit(engine, one);
    }
    held.reset();
    std::vector<Numbers> answers;
    for (const auto &[id, answer] : waitAll(engine, 24))
      answers.push_back(answer.tokens);
    return answers;
  };
  std::unique_ptr<Model> onHost = loadToy(), onDevice = toy.load();
  EXPECT_EQ(answersOf(*onDevice), answersOf(*onHost));
}

TEST_F(CudaTest, ADeviceThatFailsEndsWhatRuns) {
  std::unique_ptr<Model> model = toy.load();
  Engine engine(*model, engineOptions(2));
  Numbers prompt = someTokens(1, 5);
  EXPECT_EQ(wait(engine, submit(engine, request(prompt, 4))).last.finish, BAMBA_FINISH_LENGTH);
  fake.failLaunch = 700;
  Answer answer = wait(engine, submit(engine, request(prompt, 4)));
  EXPECT_EQ(answer.last.finish, BAMBA_FINISH_ERROR);
  EXPECT_EQ(answer.last.status, BAMBA_DEVICE_ERROR);
  fake.failLaunch = 0;
  EXPECT_EQ(wait(engine, submit(engine, request(prompt, 4))).tokens, expectedAnswer(prompt, 4));
}
