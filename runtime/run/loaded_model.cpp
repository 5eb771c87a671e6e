#include "runtime/run/loaded_model.h"
#include "runtime/run/failure.h"
#include "runtime/run/progress_line.h"

#include <algorithm>
#include <cstring>

namespace bambac::run {

LoadedModel::LoadedModel(const Library &library, const std::string &device) : library(library) {
  bamba_model_options options = {};
  options.struct_size = sizeof(options);
  options.device = device.empty() ? nullptr : device.c_str();
  bamba_error error = makeError();
  library.check(library->model_open(&options, &handle, &error), error);
  info.struct_size = sizeof(info);
  bamba_status status = library->model_get_info(handle, &info, &error);
  if (status != BAMBA_OK)
    library->model_close(handle); // the destructor of an object that was never complete does not run
  library.check(status, error);
}

LoadedModel::~LoadedModel() { library->model_close(handle); }

const bamba_engine_api &LoadedModel::getEngineApi() const {
  if (library->struct_size < offsetof(bamba_api, engine) + sizeof(void *))
    fail("expected a library with an engine, found '{}' of an earlier version", library.path());
  return *library->engine;
}

std::string LoadedModel::describeDevice() const {
  return fmt::format("{} ({}), code for {}", info.device, info.device_name, info.target);
}

bool LoadedModel::endsText(int32_t token) const {
  std::span<const int32_t> ends(info.eos_tokens, info.num_eos_tokens);
  return std::ranges::find(ends, token) != ends.end();
}

void LoadedModel::reportDevice() const { fmt::print(stderr, "device   {}\n", describeDevice()); }

void LoadedModel::load(const std::string &path, bool anyConfig) {
  ProgressLine progress("loading weights");
  auto report = [](void *user, uint64_t done, uint64_t total) {
    static_cast<ProgressLine *>(user)->update(done, total);
    return 0;
  };
  bamba_load_options options = {};
  options.struct_size = sizeof(options);
  options.progress = report;
  options.warning = [](void *, const char *message) { fmt::print(stderr, "bamba-run: warning: {}\n", message); };
  options.user = &progress;
  options.any_config = anyConfig;
  bamba_error error = makeError();
  library.check(library->model_load(handle, path.c_str(), &options, &error), error);
}

void LoadedModel::loadRandom(uint64_t seed) {
  bamba_error error = makeError();
  library.check(library->model_load_random(handle, seed, &error), error);
}

ModelSession::ModelSession(const LoadedModel &model, uint32_t slots, uint32_t threads, uint64_t context, void *stream)
    : library(model.library), vocabSize(model.info.vocab_size) {
  bamba_session_options options = {};
  options.struct_size = sizeof(options);
  options.slots = slots;
  options.threads = threads;
  options.pages = slots * countPages(model, context);
  options.stream = stream;
  bamba_error error = makeError();
  library.check(library->session_create(model.handle, &options, &handle, &error), error);
}

ModelSession::~ModelSession() { library->session_destroy(handle); }

bamba_sequence ModelSession::create() {
  bamba_sequence sequence = 0;
  bamba_error error = makeError();
  library.check(library->sequence_create(handle, &sequence, &error), error);
  return sequence;
}

bamba_sequence ModelSession::fork(bamba_sequence source) {
  bamba_sequence sequence = 0;
  bamba_error error = makeError();
  library.check(library->sequence_fork(handle, source, &sequence, &error), error);
  return sequence;
}

void ModelSession::reset(bamba_sequence sequence) {
  bamba_error error = makeError();
  library.check(library->sequence_reset(handle, sequence, &error), error);
}

uint32_t ModelSession::getLength(bamba_sequence sequence) const {
  uint32_t length = 0;
  bamba_error error = makeError();
  library.check(library->sequence_get_length(handle, sequence, &length, &error), error);
  return length;
}

std::vector<std::byte> ModelSession::save(bamba_sequence sequence) const {
  size_t size = 0;
  bamba_error error = makeError();
  library.check(library->sequence_save(handle, sequence, nullptr, &size, &error), error);
  std::vector<std::byte> state(size);
  library.check(library->sequence_save(handle, sequence, state.data(), &size, &error), error);
  return state;
}

void ModelSession::restore(bamba_sequence sequence, std::span<const std::byte> state) {
  bamba_error error = makeError();
  library.check(library->sequence_restore(handle, sequence, state.data(), state.size(), &error), error);
}

void ModelSession::run(std::span<const bamba_batch_item> items) {
  bamba_error error = makeError();
  library.check(library->session_run(handle, items.data(), items.size(), sizeof(bamba_batch_item), &error), error);
}

void ModelSession::run(bamba_sequence sequence, std::span<const int32_t> tokens, bamba_logits logits) {
  bamba_batch_item item = makeItem(sequence, tokens, logits);
  run({&item, 1});
}

std::vector<bamba_launch_time> ModelSession::profile(std::span<const bamba_batch_item> items, uint32_t repeats) {
  std::vector<bamba_launch_time> times;
  auto add = [](void *user, const bamba_launch_time *time) noexcept {
    bamba_launch_time known = {}; // a library of an earlier version fills in less
    std::memcpy(&known, time, std::min(time->struct_size, sizeof(known)));
    static_cast<std::vector<bamba_launch_time> *>(user)->push_back(known);
  };
  bamba_error error = makeError();
  library.check(library->session_profile(handle, items.data(), items.size(), sizeof(bamba_batch_item), repeats, add,
                                         &times, &error),
                error);
  return times;
}

int32_t ModelSession::getGreedy(size_t item) const {
  int32_t token = 0;
  bamba_error error = makeError();
  library.check(library->session_get_greedy(handle, item, &token, &error), error);
  return token;
}

bamba_sample ModelSession::getSample(size_t item) const {
  bamba_sample sample = {};
  sample.struct_size = sizeof(sample);
  bamba_error error = makeError();
  library.check(library->session_get_sample(handle, item, 0, &sample, &error), error);
  return sample;
}

std::span<const float> ModelSession::getLogits(size_t item) const {
  const float *logits = nullptr;
  size_t rows = 0;
  bamba_error error = makeError();
  library.check(library->session_get_logits(handle, item, &logits, &rows, &error), error);
  return {logits, rows * vocabSize};
}

uint64_t countPages(const LoadedModel &model, uint64_t context) {
  uint64_t page = model.getInfo().page_tokens;
  return page ? (context + page - 1) / page : 0;
}

void checkContext(const LoadedModel &model, uint64_t tokens, const char *what) {
  if (tokens > model.getInfo().max_context)
    fail("{}: expected at most {} tokens of context, the limit that '{}' was compiled with, found {}", what,
         model.getInfo().max_context, model.getLibrary().path(), tokens);
}

} // namespace bambac::run
