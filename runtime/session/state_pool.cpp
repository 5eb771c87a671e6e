#include "runtime/session/state_pool.h"
#include "runtime/support/memory.h"
#include <span>

namespace bambac::rt {

StatePool::StatePool(const bamba_rt_model &model, uint32_t slots, uint64_t pages, Device &device)
    : model(model), device(device), numSlots(uint64_t{slots} + 1), numPages(pages) {
  for (uint32_t i = 0; i < model.num_states; ++i) {
    const bamba_rt_state &state = model.states[i];
    pools.push_back(device.allocate(checkedMul(items(i), state.item_bytes, state.name), state.name));
  }
}

std::vector<void *> StatePool::bases() const {
  std::vector<void *> bases;
  bases.reserve(pools.size());
  for (const DeviceMemory &pool : pools)
    bases.push_back(pool.get());
  return bases;
}

template <typename Function> void StatePool::forEachState(bamba_rt_state_kind kind, const Function &function) const {
  for (uint32_t i = 0; i < model.num_states; ++i)
    if (model.states[i].kind == static_cast<uint32_t>(kind))
      function(pools[i].get(), model.states[i].item_bytes);
}

void StatePool::copy(bamba_rt_state_kind kind, uint32_t to, uint32_t from) {
  forEachState(kind,
               [&](std::byte *base, uint64_t bytes) { device.copy(base + to * bytes, base + from * bytes, bytes); });
}

void StatePool::clear(bamba_rt_state_kind kind, uint32_t item) {
  forEachState(kind, [&](std::byte *base, uint64_t bytes) { device.clear(base + item * bytes, bytes); });
}

void StatePool::clearSlot(uint32_t slot) { clear(BAMBA_RT_STATE_SLOT, slot); }
void StatePool::copySlot(uint32_t to, uint32_t from) { copy(BAMBA_RT_STATE_SLOT, to, from); }
void StatePool::clearPage(uint32_t page) { clear(BAMBA_RT_STATE_PAGE, page); }
void StatePool::copyPage(uint32_t to, uint32_t from) { copy(BAMBA_RT_STATE_PAGE, to, from); }

std::byte *StatePool::save(bamba_rt_state_kind kind, uint32_t item, std::byte *out) const {
  forEachState(kind, [&](std::byte *base, uint64_t bytes) {
    device.download(out, base + item * bytes, bytes);
    out += bytes;
  });
  return out;
}

const std::byte *StatePool::restore(bamba_rt_state_kind kind, uint32_t item, const std::byte *in) {
  forEachState(kind, [&](std::byte *base, uint64_t bytes) {
    device.upload(base + item * bytes, in, bytes);
    in += bytes;
  });
  return in;
}

} // namespace bambac::rt
