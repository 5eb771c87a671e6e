// States of prompts that were run before, so that another prompt with the same beginning goes on from there.
#ifndef BAMBA_RUNTIME_ENGINE_PREFIX_CACHE_H
#define BAMBA_RUNTIME_ENGINE_PREFIX_CACHE_H

#include "runtime/engine/prefix_tree.h"
#include "runtime/session/session.h"
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <vector>

namespace bambac::rt {

/// How much a cache keeps. With a budget of 0 bytes on both sides it keeps nothing.
struct CacheSize {
  uint32_t slots = 0;       ///< of the session, for the cache alone
  uint64_t deviceBytes = 0; ///< states and pages, where the device has them
  uint64_t hostBytes = 0;   ///< saved states
  uint64_t slotBytes = 0, pageBytes = 0;
  uint32_t interval = 0; ///< tokens

  /// A state is kept only where it saves as many tokens as this, compared with the one before.
  uint32_t leastGain() const { return interval > 16 ? interval / 16 : 1; }
};

/// A state, in one of two places.
struct PrefixEntry {
  PrefixTree::Node *node;
  std::optional<bamba_sequence> sequence; ///< on the device
  std::vector<std::byte> saved;           ///< else on the host
};

struct CacheCounts {
  uint64_t entries = 0, deviceBytes = 0, hostBytes = 0, evictions = 0, movesToHost = 0;
};

/// Keeps sequences of a session, which share pages with each other and with requests that go on from them: a state is
/// copied, full pages are not. Where the budget of the device is spent, the least recently used state is saved to the
/// host, and where that of the host is spent, it is dropped. The session must outlive it. Used by the session's thread.
class PrefixCache {
public:
  PrefixCache(Session &session, const CacheSize &size);

  bool isOn() const { return size.slots > 0 || size.hostBytes > 0; }

  /// The first length above `done` at which the state of a prompt is to be kept: a multiple of the interval, or
  /// `branch`.
  uint32_t nextSnapshot(uint32_t done, uint32_t branch) const;

  /// How many of `tokens` are on pages that a sequence would share.
  uint32_t findOnDevice(std::span<const int32_t> tokens) const;

  /// A prompt that is to be run: a sequence of its own, as long as the longest stored prefix, and the place after which
  /// it parts from others, where a state is worth keeping; 0 where there is none.
  struct Start {
    std::optional<bamba_sequence> sequence; ///< none where nothing is stored
    uint32_t length = 0, branch = 0;
  };
  /// `tokens` are at most those before the last one of the prompt. Throws Error BAMBA_DEVICE_ERROR.
  Start take(std::span<const int32_t> tokens);

  /// Keeps a copy of a sequence that holds `tokens`, unless that saves too little or there is no memory.
  void keep(std::span<const int32_t> tokens, bamba_sequence sequence) noexcept;

  /// Keeps the sequence itself. Returns false where it does not, and the sequence remains the caller's.
  bool adopt(std::span<const int32_t> tokens, bamba_sequence sequence) noexcept;

  /// Gives back what the least recently used state on the device has. False where there is none.
  bool evict();

  /// Pages that the states on the device have, those shared with requests too.
  uint64_t pages() const { return heldPages; }

  CacheCounts counts() const;

private:
  using Entries = std::list<PrefixEntry>; ///< the most recently used first

  bamba_sequence restore(std::span<const std::byte> saved);
  bool isWorthKeeping(std::span<const int32_t> tokens);
  bool makeRoom(bamba_sequence sequence);
  void touch(PrefixEntry &entry);
  void addDevice(std::span<const int32_t> tokens, bamba_sequence sequence);
  void addHost(std::span<const int32_t> tokens, std::vector<std::byte> saved);
  void dropOldestOnHost() noexcept;
  std::vector<std::byte> save(bamba_sequence sequence);
  void hold(bamba_sequence sequence);
  void letGo(bamba_sequence sequence);
  uint64_t newPages(bamba_sequence sequence) const;
  uint64_t deviceBytes() const { return onDevice.size() * size.slotBytes + heldPages * size.pageBytes; }

  Session &session;
  const CacheSize size;
  PrefixTree tree;
  Entries onDevice, onHost;
  std::vector<uint32_t> holders; ///< of each page, how many states on the device have it
  uint64_t heldPages = 0, hostBytes = 0, evictions = 0, movesToHost = 0;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_PREFIX_CACHE_H
