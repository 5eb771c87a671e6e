// A callback on the engine's thread notes when each token comes.

#include "runtime/run/bench/engine_run.h"
#include "runtime/run/failure.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace bambac::run {
namespace {

using Clock = std::chrono::steady_clock;

/// One request's events. Written by the engine's thread, read when the engine is drained.
struct Watched {
  std::vector<Clock::time_point> tokens;
  Clock::time_point submitted;
  std::string failure;
};

void note(void *user, const bamba_engine_event *event) noexcept {
  auto *watched = static_cast<Watched *>(user);
  if (event->token >= 0)
    watched->tokens.push_back(Clock::now()); // has room
  if (event->finish == BAMBA_FINISH_ERROR)
    watched->failure = event->message;
}

class EngineHandle {
public:
  EngineHandle(const LoadedModel &model, const bamba_engine_options &options)
      : library(model.getLibrary()), api(model.getEngineApi()) {
    bamba_error error = makeError();
    library.check(api.create(model.getHandle(), &options, &handle, &error), error);
  }
  ~EngineHandle() { api.destroy(handle); }
  EngineHandle(const EngineHandle &) = delete;
  EngineHandle &operator=(const EngineHandle &) = delete;

  void submit(const LoadRequest &request, const bamba_sampling &sampling, Watched &watched) {
    bamba_request_options options = {};
    options.struct_size = sizeof(options);
    options.prompt = request.prompt.data();
    options.num_prompt = request.prompt.size();
    options.max_tokens = request.answer;
    options.ignore_eos = 1;
    options.callback = note;
    options.user = &watched;
    options.sampling = &sampling;
    bamba_request id = 0;
    bamba_error error = makeError();
    watched.tokens.reserve(request.answer);
    watched.submitted = Clock::now();
    library.check(api.submit(handle, &options, &id, &error), error);
  }

  void drain() {
    size_t left = 0;
    bamba_error error = makeError();
    library.check(api.drain(handle, UINT32_MAX, &left, &error), error);
  }

  bamba_engine_counters counters() const {
    bamba_engine_counters counters = {};
    counters.struct_size = sizeof(counters);
    bamba_error error = makeError();
    library.check(api.get_counters(handle, &counters, &error), error);
    return counters;
  }

private:
  const Library &library;
  const bamba_engine_api &api;
  bamba_engine *handle = nullptr;
};

double secondsFrom(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

void summarize(const std::vector<Watched> &requests, Clock::time_point begin, EngineRun &run) {
  for (const Watched &watched : requests) {
    if (!watched.failure.empty())
      fail("a request failed: {}", watched.failure);
    run.tokens += watched.tokens.size();
    run.toFirstToken.push_back(secondsFrom(watched.submitted, watched.tokens.front()));
    run.inAll.push_back(secondsFrom(watched.submitted, watched.tokens.back()));
    for (size_t i = 1; i < watched.tokens.size(); ++i)
      run.betweenTokens.push_back(secondsFrom(watched.tokens[i - 1], watched.tokens[i]));
    run.seconds = std::max(run.seconds, secondsFrom(begin, watched.tokens.back()));
  }
}

} // namespace

EngineRun runLoad(const LoadedModel &model, const bamba_engine_options &options, const std::vector<LoadRequest> &load,
                  const bamba_sampling &sampling) {
  std::vector<Watched> requests(load.size()); // outlives the engine
  EngineRun run;
  EngineHandle engine(model, options);
  Clock::time_point begin = Clock::now();
  for (size_t i = 0; i < load.size(); ++i) {
    std::this_thread::sleep_until(
        begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(load[i].seconds)));
    bamba_sampling own = sampling;
    own.seed += i;
    engine.submit(load[i], own, requests[i]);
  }
  engine.drain();
  run.counters = engine.counters();
  summarize(requests, begin, run);
  return run;
}

} // namespace bambac::run
