// The parameters by which kernels draw tokens, in device memory: a row for each row of logits of a step, and the lists
// of edited and allowed tokens that rows point to.
#ifndef BAMBA_RUNTIME_SESSION_SAMPLING_TABLE_H
#define BAMBA_RUNTIME_SESSION_SAMPLING_TABLE_H

#include "runtime/contract/abi.h"
#include "runtime/contract/sampling.h"
#include "runtime/device/device.h"
#include "runtime/include/bamba/bamba.h"
#include "runtime/session/scheduler.h"
#include <optional>
#include <vector>

namespace bambac::rt {

/// Throws Error BAMBA_INVALID_ARGUMENT or BAMBA_OUT_OF_RANGE for parameters that no row can have. `item` is the number
/// of the item that has them, where it is one of a batch.
void checkSampling(std::optional<size_t> item, const bamba_sampling &sampling, uint32_t vocabulary);

/// True where tokens that were there before change what is drawn.
bool hasPenalties(const bamba_sampling &sampling);

/// Words of a mask of allowed tokens.
constexpr size_t maskWords(uint32_t vocabulary) { return (size_t{vocabulary} + 31) / 32; }

/// False where a mask leaves out every token.
bool allowsAny(const uint32_t *allowed, uint32_t vocabulary);

/// True where the parameters ask for more than the most likely token.
bool isSampled(const bamba_batch_item &item);

/// Owns the table and the lists. Nothing is uploaded that the device has already: a row whose parameters stay as they
/// were costs a comparison. Lists belong to slots. Those of penalties grow by the tokens that are new in them: what a
/// list had in an earlier batch of the same sequence must still be there. Used by one thread at a time. Allocates in
/// the constructor and in prepare(). `device` must outlive it.
class SamplingTable {
public:
  SamplingTable(const bamba_rt_model &model, uint32_t slots, Device &device);

  /// Where kernels find the table.
  void *address() const { return table.get(); }

  /// Takes in the parameters of a batch, which were checked. Throws Error BAMBA_OUT_OF_MEMORY; then the next batch
  /// takes all of them in again.
  void prepare(std::span<const bamba_batch_item> items);

  /// Writes the rows of a step. `block` is the number of staging memory that the device does not read any more. What is
  /// drawn before the item's only token is known counts that too, which the device then has among the step's `tokens`.
  void fill(const Step &step, std::span<const bamba_batch_item> items, const int32_t *tokens, unsigned block);

  /// The slot's lists are those of another sequence from now on.
  void forget(bamba_sequence slot);

private:
  /// A list on the device: where, its room, and whether it has what the host has.
  struct Shown {
    DeviceMemory memory;
    size_t room = 0;
    bool isCurrent = false;
  };
  /// What a slot's rows point to.
  struct Lists {
    std::vector<bamba_rt_edit> edits; ///< ascending by token
    std::vector<bamba_logit_bias> bias;
    std::vector<uint32_t> allowed;
    uint32_t numPrompt = 0, numGenerated = 0; ///< tokens that are counted in the edits
    Shown shownEdits, shownAllowed;
  };

  void takeEdits(const bamba_sampling &sampling, Lists &list);
  void takeAllowed(const bamba_sampling &sampling, Lists &list);
  void makeRoom(Shown &shown, size_t bytes, const char *what);
  void makeStaging(size_t bytes);
  bamba_rt_sampling rowOf(const bamba_batch_item &item);
  void show(Shown &shown, const void *from, size_t bytes);
  void stage(std::byte *to, const void *from, size_t bytes);

  Device &device;
  uint32_t vocabulary;
  std::vector<bamba_rt_sampling> rows; ///< as the device has them
  std::vector<Lists> lists;            ///< of each slot
  DeviceMemory table;
  DeviceMemory staging; ///< Device::numMarks blocks; null on a host device, and until a batch samples
  size_t blockBytes = 0;
  std::byte *next = nullptr; ///< the free part of the block that is filled
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_SESSION_SAMPLING_TABLE_H
