#include "runtime/model/model.h"
#include "runtime/cuda/cuda_device.h"
#include "runtime/host/cpu_device.h"
#include "runtime/model/model_table.h"
#include "runtime/support/error.h"
#include "runtime/support/memory.h"
#include "runtime/support/thread_pool.h"
#include <span>

namespace bambac::rt {
namespace {

/// Kernels are built on tables that have been checked.
const bamba_rt_model &checked(const bamba_rt_model &table) {
  checkTable(table);
  checkFeatures(table);
  return table;
}

} // namespace

Model::Model(const bamba_rt_model &table) : tables(checked(table)) {}

Model::Model(const bamba_rt_model &table, std::shared_ptr<const cuda::Context> context)
    : tables(checked(table)), kernels(std::make_shared<const cuda::Kernels>(std::move(context), table)) {}

void Model::expectNoWeights() const {
  if (loaded)
    fail(BAMBA_INVALID_ARGUMENT, "expected a model without weights, found one that is loaded already");
}

void Model::load(const std::string &path, Progress progress) {
  expectNoWeights();
  loaded = Weights::load(tables, path, availableProcessors(), progress, kernels);
}

void Model::loadRandom(uint64_t seed) {
  expectNoWeights();
  loaded = Weights::random(tables, seed, availableProcessors(), kernels);
}

const Weights &Model::weights() const {
  if (!loaded)
    fail(BAMBA_NOT_READY, "expected a model with weights, found one that is not loaded");
  return *loaded;
}

std::unique_ptr<Device> Model::makeDevice(unsigned threads, void *stream) const {
  if (kernels)
    return std::make_unique<cuda::CudaDevice>(kernels, stream);
  if (stream)
    fail(BAMBA_INVALID_ARGUMENT, "stream: expected NULL for a model on the processor, found a stream");
  return std::make_unique<CpuDevice>(threads);
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
  info.device = kernels ? kernels->context()->device().c_str() : "cpu";
  info.device_name = kernels ? kernels->context()->product().c_str() : "the processor";
}

Model openModel(const bamba_rt_library &library, const char *device, const char *driver) {
  checkLibrary(library);
  DeviceRequest request = parseDevice(device);
  cuda::Machine machine;
  if (needsCuda(library, request))
    machine = cuda::findDevices(driver);
  DeviceChoice choice = chooseDevice(library, request, machine.devices);
  if (!choice.index)
    return Model(*choice.model);
  unsigned index = *choice.index;
  return Model(*choice.model,
               std::make_shared<const cuda::Context>(machine.driver, index, machine.devices.found[index]));
}

uint64_t stateBytes(const bamba_rt_model &model, bamba_rt_state_kind kind) {
  uint64_t bytes = 0;
  for (const bamba_rt_state &state : std::span(model.states, model.num_states))
    if (state.kind == static_cast<uint32_t>(kind))
      bytes = checkedAdd(bytes, state.item_bytes, "a state");
  return bytes;
}

} // namespace bambac::rt
