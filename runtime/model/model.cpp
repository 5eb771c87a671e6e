// Loads the weights once, and describes the model to callers of the C interface.
#include "runtime/model/model.h"
#include "runtime/support/error.h"
#include "runtime/support/memory.h"
#include "runtime/support/processors.h"
#include <span>

namespace bambac::rt {

void Model::expectNoWeights() const {
  if (loaded)
    fail(BAMBA_INVALID_ARGUMENT, "expected a model without weights, found one that is loaded already");
}

void Model::load(const std::string &path, const bamba_load_options &options) {
  expectNoWeights();
  loaded = Weights::load(tables, *backend, path, availableProcessors(), options);
}

void Model::loadRandom(uint64_t seed) {
  expectNoWeights();
  loaded = Weights::random(tables, *backend, seed, availableProcessors());
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
  info.target = tables.target;
  info.device = backend->device();
  info.device_name = backend->product();
  info.eos_tokens = tables.eos_tokens;
  info.num_eos_tokens = tables.num_eos_tokens;
  info.bos_token = tables.bos_token;
  info.state_ring = tables.state_ring;
}

uint64_t stateBytes(const bamba_rt_model &model, bamba_rt_state_kind kind) {
  uint64_t bytes = 0;
  for (const bamba_rt_state &state : std::span(model.states, model.num_states))
    if (state.kind == static_cast<uint32_t>(kind))
      bytes = checkedAdd(bytes, state.item_bytes, "a state");
  return bytes;
}

uint64_t mostKeptRows(const bamba_rt_model &model) {
  uint64_t most = 0;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries))
    most = std::max<uint64_t>(most, entry.kept);
  return most;
}

} // namespace bambac::rt
