#include "tests/runtime/engine/engine_checks.h"
#include <optional>
#include <thread>

namespace bambac::rt::toy {

Numbers expectedAnswer(Numbers prompt, size_t count) {
  Numbers answer;
  while (answer.size() < count) {
    answer.push_back(argmax(expectedLogits(prompt).back()));
    prompt.push_back(answer.back());
  }
  return answer;
}

bamba_request_options request(const Numbers &prompt, uint32_t count) {
  bamba_request_options options = {};
  options.struct_size = sizeof(options);
  options.prompt = prompt.data();
  options.num_prompt = prompt.size();
  options.max_tokens = count;
  options.ignore_eos = 1;
  return options;
}

bamba_engine_options engineOptions(uint32_t slots, uint64_t pages, uint32_t maxStepRows) {
  bamba_engine_options options = {};
  options.struct_size = sizeof(options);
  options.slots = slots;
  options.threads = 1;
  options.pages = pages;
  options.max_step_rows = maxStepRows;
  options.prefix_cache = BAMBA_PREFIX_CACHE_OFF;
  return options;
}

EngineSize AheadOrNotTest::sized(const bamba_engine_options &options) const {
  EngineSize size(options, model->table());
  size.launchesAhead = GetParam();
  return size;
}

HeldEngine::HeldEngine(Engine &engine) {
  const Numbers prompt = {1};
  bamba_request_options options = request(prompt, 1);
  options.user = this;
  options.callback = [](void *user, const bamba_engine_event *) {
    auto &own = *static_cast<HeldEngine *>(user);
    own.isHeld = true;
    while (!own.goes)
      std::this_thread::yield();
    own.isGone = true;
  };
  submit(engine, options);
  while (!isHeld)
    std::this_thread::yield();
}

HeldEngine::~HeldEngine() {
  goes = true;
  while (!isGone)
    std::this_thread::yield();
}

void take(Answer &answer, const bamba_engine_event &event) {
  EXPECT_EQ(answer.last.finish, BAMBA_FINISH_NONE) << "an event after the last one of request " << event.request;
  EXPECT_EQ(event.index, answer.tokens.size());
  if (event.token >= 0)
    answer.tokens.push_back(event.token);
  answer.last = event;
}

Answer wait(Engine &engine, bamba_request id) {
  Answer answer;
  while (answer.last.finish == BAMBA_FINISH_NONE)
    for (const bamba_engine_event &event : engine.poll(id, 3, UINT32_MAX))
      take(answer, event);
  return answer;
}

std::map<bamba_request, Answer> waitAll(Engine &engine, size_t count) {
  std::map<bamba_request, Answer> answers;
  while (count > 0)
    for (const bamba_engine_event &event : engine.poll(0, 16, UINT32_MAX)) {
      take(answers[event.request], event);
      count -= event.finish != BAMBA_FINISH_NONE;
    }
  return answers;
}

bamba_request submit(Engine &engine, const bamba_request_options &options) {
  bamba_request id = 0;
  engine.submit(options, id);
  return id;
}

} // namespace bambac::rt::toy
