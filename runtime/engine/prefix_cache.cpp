// Entries are in two lists by place, each in the order of use; the tree finds them by their tokens.

#include "runtime/engine/prefix_cache.h"
#include <algorithm>
#include <iterator>
#include <utility>

namespace bambac::rt {

PrefixCache::PrefixCache(Session &session, const CacheSize &size)
    : session(session), size(size), holders(session.numPages()) {}

uint32_t PrefixCache::nextSnapshot(uint32_t done, uint32_t branch) const {
  uint64_t next = (uint64_t{done} / size.interval + 1) * size.interval;
  return static_cast<uint32_t>(std::min<uint64_t>(next, branch > done ? branch : UINT32_MAX));
}

uint32_t PrefixCache::findOnDevice(std::span<const int32_t> tokens) const {
  PrefixTree::Node *node = tree.find(tokens).node;
  return node && node->entry->sequence ? node->length : 0;
}

PrefixCache::Start PrefixCache::take(std::span<const int32_t> tokens) {
  PrefixTree::Match match = tree.find(tokens);
  Start start;
  if (match.node) {
    PrefixEntry &entry = *match.node->entry;
    if (entry.sequence) {
      start.sequence = session.fork(*entry.sequence);
    } else {
      start.sequence = restore(entry.saved);
    }
    touch(entry);
    start.length = match.node->length;
  }
  if (match.common - start.length >= size.leastGain())
    start.branch = match.common;
  return start;
}

bamba_sequence PrefixCache::restore(std::span<const std::byte> saved) {
  bamba_sequence sequence = session.create();
  try {
    session.restore(sequence, saved);
  } catch (...) {
    session.free(sequence);
    throw;
  }
  return sequence;
}

/// Makes an entry the most recently used of its list.
void PrefixCache::touch(PrefixEntry &entry) {
  Entries &list = entry.sequence ? onDevice : onHost;
  auto place = std::ranges::find_if(list, [&](const PrefixEntry &other) { return &other == &entry; });
  list.splice(list.begin(), list, place);
}

/// False where the state is there already, or one that is nearly as long.
bool PrefixCache::isWorthKeeping(std::span<const int32_t> tokens) {
  PrefixTree::Node *node = tree.find(tokens).node;
  if (!node)
    return tokens.size() >= size.leastGain();
  if (node->length == tokens.size())
    touch(*node->entry);
  return tokens.size() - node->length >= size.leastGain();
}

void PrefixCache::keep(std::span<const int32_t> tokens, bamba_sequence sequence) noexcept {
  try {
    if (!isWorthKeeping(tokens))
      return;
    if (!makeRoom(sequence))
      return addHost(tokens, save(sequence));
    bamba_sequence copy = session.fork(sequence);
    try {
      addDevice(tokens, copy);
    } catch (...) {
      session.free(copy);
    }
  } catch (...) { // NOLINT(bugprone-empty-catch): a state that is not kept costs time only
  }
}

bool PrefixCache::adopt(std::span<const int32_t> tokens, bamba_sequence sequence) noexcept {
  try {
    if (!isWorthKeeping(tokens))
      return false;
    if (!makeRoom(sequence)) {
      addHost(tokens, save(sequence));
      return false;
    }
    addDevice(tokens, sequence);
    return true;
  } catch (...) { // as in keep()
    return false;
  }
}

/// Evicts states until another one fits into the budget of the device. False where it never does.
bool PrefixCache::makeRoom(bamba_sequence sequence) {
  auto bytes = [&] { return size.slotBytes + newPages(sequence) * size.pageBytes; };
  if (size.slots == 0)
    return false;
  while (onDevice.size() >= size.slots || deviceBytes() + bytes() > size.deviceBytes)
    if (!evict())
      return false;
  return true;
}

/// Pages of a sequence that no state on the device has.
uint64_t PrefixCache::newPages(bamba_sequence sequence) const {
  return static_cast<uint64_t>(
      std::ranges::count_if(session.pages(sequence), [&](int32_t page) { return holders[page] == 0; }));
}

void PrefixCache::hold(bamba_sequence sequence) {
  for (int32_t page : session.pages(sequence))
    heldPages += holders[page]++ == 0;
}

void PrefixCache::letGo(bamba_sequence sequence) {
  for (int32_t page : session.pages(sequence))
    heldPages -= --holders[page] == 0;
}

void PrefixCache::addDevice(std::span<const int32_t> tokens, bamba_sequence sequence) {
  Entries added;
  added.push_back({nullptr, sequence, {}}); // what may throw comes before the node, which would have no entry
  added.front().node = tree.insert(tokens);
  added.front().node->entry = &added.front();
  onDevice.splice(onDevice.begin(), added);
  hold(sequence);
}

void PrefixCache::addHost(std::span<const int32_t> tokens, std::vector<std::byte> saved) {
  if (saved.empty())
    return;
  Entries added;
  added.push_back({nullptr, std::nullopt, std::move(saved)});
  added.front().node = tree.insert(tokens);
  added.front().node->entry = &added.front();
  hostBytes += added.front().saved.size();
  onHost.splice(onHost.begin(), added);
}

/// A sequence's state as bytes, for which room is made; empty where there can be none.
std::vector<std::byte> PrefixCache::save(bamba_sequence sequence) {
  size_t bytes = session.savedBytes(sequence);
  if (bytes > size.hostBytes)
    return {};
  while (hostBytes + bytes > size.hostBytes)
    dropOldestOnHost();
  std::vector<std::byte> saved(bytes);
  session.save(sequence, saved);
  return saved;
}

void PrefixCache::dropOldestOnHost() noexcept {
  PrefixEntry &oldest = onHost.back();
  hostBytes -= oldest.saved.size();
  tree.remove(oldest.node);
  onHost.pop_back();
  ++evictions;
}

bool PrefixCache::evict() {
  if (onDevice.empty())
    return false;
  PrefixEntry &oldest = onDevice.back();
  bamba_sequence sequence = *oldest.sequence;
  try {
    oldest.saved = save(sequence);
  } catch (...) {
    oldest.saved = {};
  }
  letGo(sequence);
  try {
    session.free(sequence);
  } catch (...) { // NOLINT(bugprone-empty-catch): it is a sequence of this session, in the process that made it
  }
  oldest.sequence.reset();
  if (oldest.saved.empty()) {
    tree.remove(oldest.node);
    onDevice.pop_back();
    ++evictions;
    return true;
  }
  hostBytes += oldest.saved.size();
  onHost.splice(onHost.begin(), onDevice, std::prev(onDevice.end()));
  ++movesToHost;
  return true;
}

CacheCounts PrefixCache::counts() const {
  return {onDevice.size() + onHost.size(), deviceBytes(), hostBytes, evictions, movesToHost};
}

} // namespace bambac::rt
