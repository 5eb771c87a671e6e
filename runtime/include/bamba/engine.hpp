// engine.h as C++17: an owner that closes what it created, and exceptions in place of statuses.
//
//   bamba::Library library(bamba_get_api);
//   bamba::Model model(library);
//   model.load("checkpoint");
//   bamba::Engine engine(model);
//   bamba::Request request({1, 2, 3});
//   request.max_tokens = 16;
//   for (int32_t token : engine.generate(request).tokens) ...
//
// As in bamba.hpp everything is inline, and an engine is to be destroyed before its model. Every function of an engine
// may be called from any thread.
#ifndef BAMBA_ENGINE_HPP
#define BAMBA_ENGINE_HPP

#include "bamba/bamba.hpp"
#include "bamba/engine.h"

namespace bamba {

/// What is asked for. Everything that it holds is copied when it is submitted.
struct Request {
  Request() = default;
  explicit Request(std::vector<int32_t> prompt) : prompt(std::move(prompt)) {}

  std::vector<int32_t> prompt;
  std::vector<int32_t> stop_tokens;
  std::vector<std::vector<int32_t>> stop_sequences;
  uint32_t max_tokens = 0; ///< 0: as many as the context has room for
  int32_t priority = 0;    ///< larger is earlier
  bool ignore_eos = false;
  bool logprobs = false;
  uint32_t top_logprobs = 0;
  bool prefix_cache = true;
  /// How tokens are drawn, see make_sampling(); zeros: each is the most likely one. The lists are those below.
  bamba_sampling sampling = make_sampling(0, 0);
  std::vector<bamba_logit_bias> bias;
  std::vector<uint32_t> allowed;        ///< a bit for each token; empty: all
  bamba_allow_callback allow = nullptr; ///< called with the `user` that the request is submitted with
};

/// A request that has ended.
struct Completion {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs; ///< where they were asked for
  bamba_finish finish = BAMBA_FINISH_NONE;
  uint32_t stop_tokens = 0;   ///< how many of the last tokens are the stop
  uint32_t cached_tokens = 0; ///< of the prompt
};

/// The sizes of an engine; 0 is the library's default.
struct EngineOptions {
  uint32_t slots = 0, threads = 0;
  uint64_t pages = 0;
  uint32_t max_step_rows = 0, queue_limit = 0;
  bool prefix_cache = true;
  uint32_t snapshot_interval = 0;
  uint64_t cache_device_bytes = 0, cache_host_bytes = 0;
};

/// Runs requests of any number of threads on a thread of its own.
class Engine {
public:
  explicit Engine(const Model &model, const EngineOptions &wanted = {})
      : functions(find(model.api())), handle(nullptr, functions->destroy) {
    bamba_engine_options options = {};
    options.struct_size = sizeof(options);
    options.slots = wanted.slots;
    options.threads = wanted.threads;
    options.pages = wanted.pages;
    options.max_step_rows = wanted.max_step_rows;
    options.queue_limit = wanted.queue_limit;
    options.prefix_cache = wanted.prefix_cache ? BAMBA_PREFIX_CACHE_DEFAULT : BAMBA_PREFIX_CACHE_OFF;
    options.snapshot_interval = wanted.snapshot_interval;
    options.cache_device_bytes = wanted.cache_device_bytes;
    options.cache_host_bytes = wanted.cache_host_bytes;
    bamba_engine *created = nullptr;
    status_name = model.api().status_name;
    call(functions->create, static_cast<const bamba_model *>(model.get()),
         static_cast<const bamba_engine_options *>(&options), &created);
    handle.reset(created);
  }

  /// Its events are to be polled; with a `callback` they are passed to that, on the engine's thread.
  bamba_request submit(const Request &request, bamba_event_callback callback = nullptr, void *user = nullptr) {
    std::vector<bamba_token_list> stops;
    stops.reserve(request.stop_sequences.size());
    for (const std::vector<int32_t> &stop : request.stop_sequences)
      stops.push_back({stop.data(), stop.size()});
    bamba_request_options options = {};
    options.struct_size = sizeof(options);
    options.prompt = request.prompt.data();
    options.num_prompt = request.prompt.size();
    options.stop_tokens = request.stop_tokens.data();
    options.num_stop_tokens = request.stop_tokens.size();
    options.stop_sequences = stops.data();
    options.num_stop_sequences = stops.size();
    options.callback = callback;
    options.user = user;
    options.max_tokens = request.max_tokens;
    options.priority = request.priority;
    options.ignore_eos = request.ignore_eos;
    options.logprobs = request.logprobs;
    options.top_logprobs = request.top_logprobs;
    options.no_prefix_cache = !request.prefix_cache;
    bamba_sampling sampling = request.sampling;
    sampling.bias = request.bias.data();
    sampling.num_bias = static_cast<uint32_t>(request.bias.size());
    sampling.allowed = request.allowed.empty() ? nullptr : request.allowed.data();
    options.sampling = &sampling;
    options.allow = request.allow;
    bamba_request number = 0;
    call(functions->submit, handle.get(), static_cast<const bamba_request_options *>(&options), &number);
    return number;
  }

  void cancel(bamba_request request) { call(functions->cancel, handle.get(), request); }

  /// Up to `most` events of a request, or of all that have no callback where it is 0; waits for the first one.
  std::vector<bamba_engine_event> poll(bamba_request request = 0, size_t most = 16, uint32_t timeout_ms = UINT32_MAX) {
    std::vector<bamba_engine_event> events(most);
    size_t count = 0;
    call(functions->poll, handle.get(), request, events.data(), events.size(), sizeof(bamba_engine_event), timeout_ms,
         &count);
    events.resize(count);
    return events;
  }

  /// Submits a request and waits for its end. Throws what has failed. `user` is for the request's `allow`.
  Completion generate(const Request &request, void *user = nullptr) {
    bamba_request number = submit(request, nullptr, user);
    Completion completion;
    while (completion.finish == BAMBA_FINISH_NONE)
      for (const bamba_engine_event &event : poll(number)) {
        if (event.token >= 0)
          completion.tokens.push_back(event.token);
        if (event.token >= 0 && request.logprobs)
          completion.logprobs.push_back(event.logprob);
        if (event.finish == BAMBA_FINISH_ERROR)
          throw Error(event.status, event.message);
        completion.finish = event.finish;
        completion.stop_tokens = event.stop_tokens;
        completion.cached_tokens = event.cached_tokens;
      }
    return completion;
  }

  /// Refuses requests from now on and waits for those that are there. Returns how many have not ended in time.
  size_t drain(uint32_t timeout_ms = UINT32_MAX) {
    size_t left = 0;
    call(functions->drain, handle.get(), timeout_ms, &left);
    return left;
  }

  bamba_engine_counters counters() const {
    bamba_engine_counters counters = {};
    counters.struct_size = sizeof(counters);
    call(functions->get_counters, static_cast<const bamba_engine *>(handle.get()), &counters);
    return counters;
  }

  bamba_engine *get() const noexcept { return handle.get(); }

private:
  /// The table of a library that has one.
  static const bamba_engine_api *find(const bamba_api &api) {
    if (api.struct_size < offsetof(bamba_api, engine) + sizeof(void *) || !api.engine)
      throw Error(BAMBA_UNSUPPORTED, "expected a model with an engine, found one of an earlier version");
    return api.engine;
  }

  template <typename... Parameters, typename... Arguments>
  void call(bamba_status (*function)(Parameters...), Arguments... arguments) const {
    bamba_error error = {};
    error.struct_size = sizeof(error);
    bamba_status status = function(arguments..., &error);
    if (status != BAMBA_OK)
      throw Error(status, error.message[0] ? std::string(error.message) : std::string(status_name(status)));
  }

  const bamba_engine_api *functions;
  const char *(*status_name)(bamba_status) = nullptr;
  detail::Handle<bamba_engine> handle;
};

} // namespace bamba

#endif // BAMBA_ENGINE_HPP
