// Sequences of a session: made, copied, cut, saved and restored, in the order of the device after all batches before.

#include "runtime/session/session.h"
#include "runtime/support/error.h"
#include <algorithm>

namespace bambac::rt {
namespace {

/// A sequence that is freed again unless it is kept: where the device fails, the caller never learns its number.
class NewSequence {
public:
  explicit NewSequence(SequenceTable &table) : table(table), sequence(table.create()) {}
  ~NewSequence() {
    if (!kept)
      table.free(sequence);
  }
  NewSequence(const NewSequence &) = delete;
  NewSequence &operator=(const NewSequence &) = delete;

  bamba_sequence number() const { return sequence; }
  bamba_sequence keep() {
    kept = true;
    return sequence;
  }

private:
  SequenceTable &table;
  bamba_sequence sequence;
  bool kept = false;
};

} // namespace

bamba_sequence Session::create() {
  device->expectUsable();
  NewSequence sequence(sequences);
  inputs.sampling().forget(sequence.number());
  return sequence.keep();
}

void Session::expectSequence(bamba_sequence sequence) const {
  device->expectUsable();
  sequences.expectAlive(sequence);
}

void Session::free(bamba_sequence sequence) {
  expectSequence(sequence);
  sequences.free(sequence);
}

bamba_sequence Session::fork(bamba_sequence source) {
  expectSequence(source);
  // Full pages are never written again and are shared; the one that goes on is copied.
  std::span<const int32_t> from = sequences.pages(source);
  size_t full = fullPages(sequences.length(source));
  sequences.expectFreePages(from.size() - full);
  NewSequence fork(sequences);
  inputs.sampling().forget(fork.number());
  if (!sequences.isStale(source)) { // else both are empty
    sequences.setWritten(fork.number());
    states.copySlot(fork.number(), source);
  }
  for (int32_t page : from.first(full))
    sequences.sharePage(fork.number(), static_cast<uint32_t>(page));
  for (int32_t page : from.subspan(full))
    states.copyPage(sequences.addPage(fork.number()).number, static_cast<uint32_t>(page));
  sequences.setTokens(fork.number(), sequences.tokens(source));
  return fork.keep();
}

void Session::reset(bamba_sequence sequence) {
  expectSequence(sequence);
  sequences.dropPages(sequence, 0);
  sequences.clear(sequence);
  inputs.sampling().forget(sequence);
}

uint32_t Session::length(bamba_sequence sequence) const {
  expectSequence(sequence);
  return sequences.length(sequence);
}

uint32_t Session::mostDropped(bamba_sequence sequence) const {
  expectSequence(sequence);
  return sequences.mostDropped(sequence);
}

void Session::truncate(bamba_sequence sequence, uint32_t tokens) {
  expectSequence(sequence);
  if (uint32_t most = sequences.mostDropped(sequence); tokens > most)
    fail(BAMBA_OUT_OF_RANGE, "expected at most {} tokens to drop from sequence {} that holds {}, found {}", most,
         sequence, sequences.length(sequence), tokens);
  sequences.drop(sequence, tokens);
  inputs.sampling().forget(sequence);
}

std::span<const int32_t> Session::pages(bamba_sequence sequence) const {
  expectSequence(sequence);
  return sequences.pages(sequence);
}

uint64_t Session::newPages(bamba_sequence sequence, uint32_t tokens) const {
  expectSequence(sequence);
  return sequences.newPages(sequence, tokens);
}

uint32_t Session::tokensFor(bamba_sequence sequence, uint64_t pages) const {
  expectSequence(sequence);
  uint32_t room = table.max_context - sequences.length(sequence);
  if (table.page_tokens == 0)
    return room;
  if (sequences.writesToSharedPage(sequence) && pages-- == 0)
    return 0;
  uint64_t end = (sequences.pages(sequence).size() + pages) * table.page_tokens;
  return static_cast<uint32_t>(std::min<uint64_t>(room, end - sequences.length(sequence)));
}

size_t Session::savedBytes(bamba_sequence sequence) const {
  return checkedAdd(stateHeaderBytes, shape.payloadBytes(length(sequence)), "a saved state");
}

void Session::save(bamba_sequence sequence, std::span<std::byte> blob) const {
  expectSequence(sequence);
  std::byte *out = blob.data() + stateHeaderBytes;
  out = sequences.isStale(sequence) ? std::fill_n(out, shape.slotBytes, std::byte{0})
                                    : states.save(BAMBA_RT_STATE_SLOT, sequence, out);
  for (int32_t page : sequences.pages(sequence))
    out = states.save(BAMBA_RT_STATE_PAGE, static_cast<uint32_t>(page), out);
  device->finish();
  sealStateBlob(shape, sequences.tokens(sequence), blob);
}

void Session::restore(bamba_sequence sequence, std::span<const std::byte> bytes) {
  expectSequence(sequence);
  StateBlob blob = openStateBlob(shape, bytes);
  uint64_t pages = sequences.pagesFor(blob.tokens.count), own = sequences.ownPages(sequence);
  sequences.expectFreePages(pages > own ? pages - own : 0);
  sequences.dropPages(sequence, 0); // other sequences may have some of them
  while (sequences.pages(sequence).size() < pages)
    sequences.addPage(sequence);
  sequences.setTokens(sequence, blob.tokens);
  inputs.sampling().forget(sequence);
  sequences.setWritten(sequence);
  const std::byte *in = states.restore(BAMBA_RT_STATE_SLOT, sequence, blob.payload.data());
  for (int32_t page : sequences.pages(sequence))
    in = states.restore(BAMBA_RT_STATE_PAGE, static_cast<uint32_t>(page), in);
  device->finish(); // the caller's bytes are not needed any more
}

} // namespace bambac::rt
