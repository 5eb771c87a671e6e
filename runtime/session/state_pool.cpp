// Blocks are found by kind and size. A saved item has the states in the order of the model, so that those of a block
// are spread over it.

#include "runtime/session/state_pool.h"
#include "runtime/model/model.h"
#include "runtime/support/error.h"
#include "runtime/support/memory.h"
#include <algorithm>
#include <string>

namespace bambac::rt {

StatePool::StatePool(const bamba_rt_model &model, uint32_t slots, uint64_t pages, Device &device)
    : model(model), device(device), numSlots(uint64_t{slots} + 1), numPages(pages) {
  uint64_t saved[] = {0, 0}; // bytes of the states so far in an item of each kind
  for (uint32_t i = 0; i < model.num_states; ++i) {
    const bamba_rt_state &state = model.states[i];
    uint64_t &offset = saved[state.kind == BAMBA_RT_STATE_PAGE];
    blockOf(state).add(i, offset);
    offset += state.item_bytes;
  }
  for (Block &block : blocks)
    allocate(block);
}

StatePool::Block &StatePool::blockOf(const bamba_rt_state &state) {
  auto found = std::ranges::find_if(
      blocks, [&](const Block &block) { return block.kind == state.kind && block.itemBytes == state.item_bytes; });
  if (found != blocks.end())
    return *found;
  Block &block = blocks.emplace_back();
  block.kind = state.kind;
  block.itemBytes = state.item_bytes;
  return block;
}

/// The pool of state `number`, whose item starts at `offset` of a saved one.
void StatePool::Block::add(uint32_t number, uint64_t offset) {
  uint64_t pool = states.size();
  states.push_back(number);
  if (!runs.empty()) {
    Run &run = runs.back();
    uint64_t distance = offset - run.offset - (run.count - 1) * run.distance;
    if (run.count == 1 || distance == run.distance) {
      run.distance = distance;
      ++run.count;
      return;
    }
  }
  runs.push_back({pool, 1, offset});
}

void StatePool::allocate(Block &block) {
  std::string name = model.states[block.states[0]].name;
  if (block.states.size() > 1)
    name += fmt::format(" and {} more states in one block", block.states.size() - 1);
  const char *what = name.c_str();
  // Pools of a block start at multiples of deviceAlignment.
  block.pitch = checkedMul(itemsOf(block.kind), block.itemBytes, what);
  if (block.states.size() > 1)
    block.pitch = alignUp(block.pitch, deviceAlignment, what);
  block.memory = device.allocate(checkedMul(block.pitch, block.states.size(), what), what);
}

std::vector<void *> StatePool::bases() const {
  std::vector<void *> bases(model.num_states);
  for (const Block &block : blocks)
    for (size_t pool = 0; pool < block.states.size(); ++pool)
      bases[block.states[pool]] = block.item(pool, 0);
  return bases;
}

template <typename Function> void StatePool::forEachBlock(bamba_rt_state_kind kind, const Function &function) const {
  for (const Block &block : blocks)
    if (block.kind == static_cast<uint32_t>(kind))
      function(block);
}

void StatePool::copy(bamba_rt_state_kind kind, uint32_t to, uint32_t from) {
  forEachBlock(kind, [&](const Block &block) {
    device.copyRows(block.item(0, to), block.pitch, block.item(0, from), block.pitch, block.itemBytes,
                    block.states.size());
  });
}

void StatePool::clear(bamba_rt_state_kind kind, uint32_t first, uint64_t count) {
  forEachBlock(kind, [&](const Block &block) {
    device.clearRows(block.item(0, first), block.pitch, count * block.itemBytes, block.states.size());
  });
}

void StatePool::clearSlots(uint32_t first, uint64_t count) { clear(BAMBA_RT_STATE_SLOT, first, count); }
void StatePool::copySlot(uint32_t to, uint32_t from) { copy(BAMBA_RT_STATE_SLOT, to, from); }
void StatePool::clearPage(uint32_t page) { clear(BAMBA_RT_STATE_PAGE, page, 1); }
void StatePool::copyPage(uint32_t to, uint32_t from) { copy(BAMBA_RT_STATE_PAGE, to, from); }

std::byte *StatePool::save(bamba_rt_state_kind kind, uint32_t item, std::byte *out) const {
  forEachBlock(kind, [&](const Block &block) {
    for (const Run &run : block.runs)
      device.downloadRows(out + run.offset, run.distance, block.item(run.first, item), block.pitch, block.itemBytes,
                          run.count);
  });
  return out + stateBytes(model, kind);
}

const std::byte *StatePool::restore(bamba_rt_state_kind kind, uint32_t item, const std::byte *in) {
  forEachBlock(kind, [&](const Block &block) {
    for (const Run &run : block.runs)
      device.uploadRows(block.item(run.first, item), block.pitch, in + run.offset, run.distance, block.itemBytes,
                        run.count);
  });
  return in + stateBytes(model, kind);
}

} // namespace bambac::rt
