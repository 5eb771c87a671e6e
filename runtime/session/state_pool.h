// The memory of all sequences: slots and KV pages of every state.
#ifndef BAMBA_RUNTIME_SESSION_STATE_POOL_H
#define BAMBA_RUNTIME_SESSION_STATE_POOL_H

#include "runtime/contract/abi.h"
#include "runtime/device/device.h"
#include <cstdint>
#include <vector>

namespace bambac::rt {

/// Owns one pool for each state of a model: `slots` items and the spare one of slot states, `pages` items of page
/// states. Which item belongs to whom is SequenceTable's business. The layers of a model have states of the same sizes:
/// the pools of a kind and size lie in one block of memory at equal distances, so that an item of all of them is
/// cleared or copied by one call of the device. Used by one thread at a time. `model` and `device` must outlive it.
class StatePool {
public:
  /// Throws Error BAMBA_OUT_OF_MEMORY. Everything starts as zero.
  StatePool(const bamba_rt_model &model, uint32_t slots, uint64_t pages, Device &device);

  /// Base addresses, in the order of the model's states.
  std::vector<void *> bases() const;

  /// Slots or pages of state `index`.
  uint64_t items(uint32_t index) const { return itemsOf(model.states[index].kind); }

  void clearSlots(uint32_t first, uint64_t count);
  void copySlot(uint32_t to, uint32_t from);
  void clearPage(uint32_t page);
  void copyPage(uint32_t to, uint32_t from);

  /// One item of all states of a kind, one state after another, as bytes: stateBytes(model, kind) of them. Returns the
  /// end of what is written or read, which is done after the device's finish().
  std::byte *save(bamba_rt_state_kind kind, uint32_t item, std::byte *out) const;
  const std::byte *restore(bamba_rt_state_kind kind, uint32_t item, const std::byte *in);

private:
  /// Pools of a block whose items are as far apart from one to the next in a saved item: one call of the device.
  struct Run {
    uint64_t first, count; ///< pools
    uint64_t offset;       ///< of the first one's item in a saved one
    uint64_t distance = 0; ///< there, from one to the next
  };

  /// The pools of all states of a kind and size.
  struct Block {
    uint32_t kind = 0;
    uint64_t itemBytes = 0;
    std::vector<uint32_t> states; ///< of the model, ascending; each has a pool
    std::vector<Run> runs;        ///< in the order of the pools
    uint64_t pitch = 0;           ///< bytes from one pool to the next
    DeviceMemory memory;

    void add(uint32_t number, uint64_t offset);
    std::byte *item(uint64_t pool, uint64_t number) const { return memory.get() + pool * pitch + number * itemBytes; }
  };

  uint64_t itemsOf(uint32_t kind) const { return kind == BAMBA_RT_STATE_SLOT ? numSlots : numPages; }
  Block &blockOf(const bamba_rt_state &state);
  void allocate(Block &block);

  /// Calls function(block) for each block of a kind.
  template <typename Function> void forEachBlock(bamba_rt_state_kind kind, const Function &function) const;
  void copy(bamba_rt_state_kind kind, uint32_t to, uint32_t from);
  void clear(bamba_rt_state_kind kind, uint32_t first, uint64_t count);

  const bamba_rt_model &model;
  Device &device;
  uint64_t numSlots, numPages; ///< the spare slot included
  std::vector<Block> blocks;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_STATE_POOL_H
