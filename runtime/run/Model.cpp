#include "runtime/run/Model.h"
#include "runtime/run/Error.h"
#include "runtime/run/Progress.h"

namespace bambac::run {

Model::Model(const Library &library, const std::string &device) : library(library) {
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

Model::~Model() { library->model_close(handle); }

void Model::load(const std::string &path) {
  Progress progress("loading weights");
  auto report = [](void *user, uint64_t done, uint64_t total) {
    static_cast<Progress *>(user)->update(done, total);
    return 0;
  };
  bamba_error error = makeError();
  library.check(library->model_load(handle, path.c_str(), report, &progress, &error), error);
}

void Model::loadRandom(uint64_t seed) {
  bamba_error error = makeError();
  library.check(library->model_load_random(handle, seed, &error), error);
}

Session::Session(const Model &model, uint32_t slots, uint32_t threads, uint64_t context)
    : library(model.library), vocabSize(model.info.vocab_size) {
  bamba_session_options options = {};
  options.struct_size = sizeof(options);
  options.slots = slots;
  options.threads = threads;
  if (uint64_t page = model.info.page_tokens)
    options.pages = slots * ((context + page - 1) / page);
  bamba_error error = makeError();
  library.check(library->session_create(model.handle, &options, &handle, &error), error);
}

Session::~Session() { library->session_destroy(handle); }

bamba_sequence Session::create() {
  bamba_sequence sequence = 0;
  bamba_error error = makeError();
  library.check(library->sequence_create(handle, &sequence, &error), error);
  return sequence;
}

bamba_sequence Session::fork(bamba_sequence source) {
  bamba_sequence sequence = 0;
  bamba_error error = makeError();
  library.check(library->sequence_fork(handle, source, &sequence, &error), error);
  return sequence;
}

void Session::reset(bamba_sequence sequence) {
  bamba_error error = makeError();
  library.check(library->sequence_reset(handle, sequence, &error), error);
}

void Session::run(std::span<const bamba_batch_item> items) {
  bamba_error error = makeError();
  library.check(library->session_run(handle, items.data(), items.size(), &error), error);
}

void Session::run(bamba_sequence sequence, std::span<const int32_t> tokens, bamba_logits logits) {
  bamba_batch_item item = {sequence, static_cast<uint32_t>(tokens.size()), tokens.data(), logits, 0};
  run({&item, 1});
}

int32_t Session::getGreedy(size_t item) const {
  int32_t token = 0;
  bamba_error error = makeError();
  library.check(library->session_get_greedy(handle, item, &token, &error), error);
  return token;
}

std::span<const float> Session::getLogits(size_t item) const {
  const float *logits = nullptr;
  size_t rows = 0;
  bamba_error error = makeError();
  library.check(library->session_get_logits(handle, item, &logits, &rows, &error), error);
  return {logits, rows * vocabSize};
}

void checkContext(const Model &model, uint64_t tokens, const char *what) {
  if (tokens > model.getInfo().max_context)
    fail("{}: expected at most {} tokens of context, the limit that '{}' was compiled with, found {}", what,
         model.getInfo().max_context, model.getLibrary().path(), tokens);
}

} // namespace bambac::run
