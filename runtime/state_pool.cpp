#include "runtime/state_pool.h"
#include <algorithm>
#include <cstring>
#include <span>

namespace bambac::rt {
namespace {

/// Calls function(begin, size) for pieces of `bytes` bytes, on all threads where that pays.
template <typename Function> void forEachPiece(ThreadPool *threads, size_t bytes, const Function &function) {
  constexpr size_t piece = size_t{1} << 20;
  if (!threads || bytes <= piece)
    return function(0, bytes);
  threads->forEach((bytes + piece - 1) / piece,
                   [&](uint64_t index, unsigned) { function(index * piece, std::min(piece, bytes - index * piece)); });
}

} // namespace

StatePool::StatePool(const bamba_rt_model &model, uint32_t slots, uint64_t pages, ThreadPool *threads)
    : model(model), threads(threads) {
  for (const bamba_rt_state &state : std::span(model.states, model.num_states)) {
    uint64_t items = state.kind == BAMBA_RT_STATE_SLOT ? uint64_t{slots} + 1 : pages;
    pools.emplace_back(checkedMul(items, state.item_bytes, state.name), state.name);
  }
}

std::vector<void *> StatePool::bases() const {
  std::vector<void *> bases;
  bases.reserve(pools.size());
  for (const Region &pool : pools)
    bases.push_back(pool.data());
  return bases;
}

template <typename Function> void StatePool::forEachState(bamba_rt_state_kind kind, const Function &function) const {
  for (uint32_t i = 0; i < model.num_states; ++i)
    if (model.states[i].kind == static_cast<uint32_t>(kind))
      function(pools[i].data(), model.states[i].item_bytes);
}

void StatePool::copy(bamba_rt_state_kind kind, uint32_t to, uint32_t from) {
  forEachState(kind, [&](std::byte *base, uint64_t bytes) {
    forEachPiece(threads, bytes, [&](size_t begin, size_t size) {
      std::memcpy(base + to * bytes + begin, base + from * bytes + begin, size);
    });
  });
}

void StatePool::clear(bamba_rt_state_kind kind, uint32_t item) {
  forEachState(kind, [&](std::byte *base, uint64_t bytes) {
    forEachPiece(threads, bytes, [&](size_t begin, size_t size) { std::memset(base + item * bytes + begin, 0, size); });
  });
}

void StatePool::clearSlot(uint32_t slot) { clear(BAMBA_RT_STATE_SLOT, slot); }
void StatePool::copySlot(uint32_t to, uint32_t from) { copy(BAMBA_RT_STATE_SLOT, to, from); }
void StatePool::clearPage(uint32_t page) { clear(BAMBA_RT_STATE_PAGE, page); }
void StatePool::copyPage(uint32_t to, uint32_t from) { copy(BAMBA_RT_STATE_PAGE, to, from); }

std::byte *StatePool::save(bamba_rt_state_kind kind, uint32_t item, std::byte *out) const {
  forEachState(kind, [&](std::byte *base, uint64_t bytes) {
    std::memcpy(out, base + item * bytes, bytes);
    out += bytes;
  });
  return out;
}

const std::byte *StatePool::restore(bamba_rt_state_kind kind, uint32_t item, const std::byte *in) {
  forEachState(kind, [&](std::byte *base, uint64_t bytes) {
    std::memcpy(base + item * bytes, in, bytes);
    in += bytes;
  });
  return in;
}

} // namespace bambac::rt
