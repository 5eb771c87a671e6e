// The memory of all sequences: slots and KV pages of every state.
#ifndef BAMBA_RUNTIME_SESSION_STATE_POOL_H
#define BAMBA_RUNTIME_SESSION_STATE_POOL_H

#include "runtime/contract/abi.h"
#include "runtime/device/device.h"
#include <cstdint>
#include <vector>

namespace bambac::rt {

/// Owns one pool for each state of a model: `slots` items and the spare one of slot states, `pages` items of page
/// states. Which item belongs to whom is SequenceTable's business. Used by one thread at a time. `model` and `device`
/// must outlive it.
class StatePool {
public:
  /// Throws Error BAMBA_OUT_OF_MEMORY. Everything starts as zero.
  StatePool(const bamba_rt_model &model, uint32_t slots, uint64_t pages, Device &device);

  /// Base addresses, in the order of the model's states.
  std::vector<void *> bases() const;

  /// Slots or pages of state `index`.
  uint64_t items(uint32_t index) const { return model.states[index].kind == BAMBA_RT_STATE_SLOT ? numSlots : numPages; }

  void clearSlot(uint32_t slot);
  void copySlot(uint32_t to, uint32_t from);
  void clearPage(uint32_t page);
  void copyPage(uint32_t to, uint32_t from);

  /// One item of all states of a kind, one state after another, as bytes: stateBytes(model, kind) of them. Returns the
  /// end of what is written or read, which is done after the device's finish().
  std::byte *save(bamba_rt_state_kind kind, uint32_t item, std::byte *out) const;
  const std::byte *restore(bamba_rt_state_kind kind, uint32_t item, const std::byte *in);

private:
  /// Calls function(address of the first item, bytes of one) for each state of a kind.
  template <typename Function> void forEachState(bamba_rt_state_kind kind, const Function &function) const;
  void copy(bamba_rt_state_kind kind, uint32_t to, uint32_t from);
  void clear(bamba_rt_state_kind kind, uint32_t item);

  const bamba_rt_model &model;
  Device &device;
  uint64_t numSlots, numPages; ///< the spare slot included
  std::vector<DeviceMemory> pools;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_STATE_POOL_H
