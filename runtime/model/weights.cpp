// Finds the sources, allocates one region for all weights, and has the backend pack them.
#include "runtime/model/weights.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/config_check.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/support/element.h"
#include "runtime/support/error.h"
#include "runtime/support/hash.h"
#include "runtime/support/memory.h"
#include "runtime/support/thread_pool.h"

namespace bambac::rt {
namespace {

uint64_t bytesWithoutPadding(const bamba_rt_model &model) {
  uint64_t total = 0;
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights))
    total += weight.rows * weight.cols * elementBytes(weight.dtype);
  return total;
}

} // namespace

Weights::Weights(const bamba_rt_model &model, const DeviceBackend &backend) {
  size_t bytes = 0;
  std::vector<size_t> offsets;
  for (const bamba_rt_weight &weight : std::span(model.weights, model.num_weights)) {
    offsets.push_back(bytes);
    bytes = alignUp(checkedAdd(bytes, weight.bytes, "the weights"), deviceAlignment, "the weights");
  }
  memory = backend.allocateWeights(bytes);
  for (size_t offset : offsets)
    addresses.push_back(memory.get() + offset);
}

void Weights::fill(const bamba_rt_model &model, std::span<const WeightSource> sources, unsigned threads,
                   Progress progress, const DeviceBackend &backend) {
  ThreadPool pool(threads);
  LoadReporter reporter(progress, bytesWithoutPadding(model));
  backend.packWeights(sources, addresses, pool, reporter);
  reporter.report();
  if (reporter.stopped())
    fail(BAMBA_IO_ERROR, "loading the weights was given up by the progress callback");
  for (const WeightSource &source : sources)
    hash = hashWord(hash, source.key);
  hash = hashWord(hash, reporter.sampleSum());
}

Weights Weights::load(const bamba_rt_model &model, const DeviceBackend &backend, const std::string &path,
                      unsigned threads, const bamba_load_options &options) {
  CheckpointRules rules(model.checkpoint);
  Checkpoint checkpoint(path);
  if (!options.any_config)
    checkConfigNextTo(checkpoint, rules);
  std::vector<WeightSource> sources = matchSources(model, rules, checkpoint, [&](const std::string &message) {
    if (options.warning)
      options.warning(options.user, message.c_str());
  });
  Weights weights(model, backend);
  weights.fill(model, sources, threads, {options.progress, options.user}, backend);
  return weights;
}

Weights Weights::random(const bamba_rt_model &model, const DeviceBackend &backend, uint64_t seed, unsigned threads) {
  Weights weights(model, backend);
  weights.fill(model, randomSources(model, seed), threads, {}, backend);
  return weights;
}

} // namespace bambac::rt
