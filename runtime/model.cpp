#include "runtime/model.h"
#include "runtime/error.h"
#include "runtime/model_table.h"
#include "runtime/thread_pool.h"
#include <span>
#include <string_view>

namespace bambac::rt {

Model::Model(const bamba_rt_model &table, const char *device) : tables(table) {
  if (device && std::string_view(device) != "cpu")
    fail(BAMBA_UNSUPPORTED, "device: expected \"cpu\", found \"{}\"", device);
  checkTable(table);
  checkFeatures(table);
}

void Model::expectNoWeights() const {
  if (loaded)
    fail(BAMBA_INVALID_ARGUMENT, "expected a model without weights, found one that is loaded already");
}

void Model::load(const std::string &path, Progress progress) {
  expectNoWeights();
  loaded = Weights::load(tables, path, availableProcessors(), progress);
}

void Model::loadRandom(uint64_t seed) {
  expectNoWeights();
  loaded = Weights::random(tables, seed, availableProcessors());
}

const Weights &Model::weights() const {
  if (!loaded)
    fail(BAMBA_NOT_READY, "expected a model with weights, found one that is not loaded");
  return *loaded;
}

void Model::describe(bamba_model_info &info) const {
  info.vocab_size = tables.vocab_size;
  info.max_batch = tables.max_batch;
  info.max_context = tables.max_context;
  info.prefill_chunk = tables.prefill_chunk;
  info.page_tokens = tables.page_tokens;
  info.reserved = 0;
  info.weight_bytes = 0;
  for (const bamba_rt_weight &weight : std::span(tables.weights, tables.num_weights))
    info.weight_bytes += weight.bytes;
  info.slot_bytes = stateBytes(tables, BAMBA_RT_STATE_SLOT);
  info.page_bytes = stateBytes(tables, BAMBA_RT_STATE_PAGE);
}

uint64_t stateBytes(const bamba_rt_model &model, bamba_rt_state_kind kind) {
  uint64_t bytes = 0;
  for (const bamba_rt_state &state : std::span(model.states, model.num_states))
    if (state.kind == static_cast<uint32_t>(kind))
      bytes = checkedAdd(bytes, state.item_bytes, "a state");
  return bytes;
}

} // namespace bambac::rt
