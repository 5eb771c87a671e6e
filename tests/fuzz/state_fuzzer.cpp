// Feeds any bytes to a session as a saved state: it must refuse them and stay as it was, or take them and go on.

#include "runtime/host/cpu_device_backend.h"
#include "runtime/session/session.h"
#include "runtime/support/error.h"
#include "tests/runtime/toy_table.h"
#include <cstdlib>
#include <memory>
#include <vector>

using namespace bambac::rt;
using bambac::rt::toy::toyTable;

namespace {

struct Toy {
  Toy() : model(toyTable, std::make_shared<const CpuDeviceBackend>(toyTable)) {
    model.loadRandom(1);
    session = std::make_unique<Session>(model, SessionSize{.slots = 2, .threads = 1, .pages = 6});
    const int32_t tokens[] = {1, 2, 3, 4, 5};
    other = session->create();
    bamba_batch_item item = {other, 5, tokens, BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr};
    session->run({&item, 1});
  }

  Model model;
  std::unique_ptr<Session> session;
  bamba_sequence other;
};

/// What an input is made into: the two lowest bits of its first byte.
enum Kind { Raw, Sealed, OfAnotherModel, OfOtherWeights };

/// Most inputs fail the checksum; most kinds are given a header that fits, so that the rest of the way is walked too,
/// or one that fits but for a fingerprint.
std::vector<std::byte> blobOf(Kind kind, std::span<const uint8_t> data, uint64_t weights) {
  std::span<const std::byte> bytes = std::as_bytes(data.subspan(1));
  std::vector<std::byte> blob(bytes.begin(), bytes.end());
  if (kind == Raw)
    return blob;
  StateShape shape = {
      toyTable.fingerprint, weights, toyTable.max_context, toyTable.page_tokens, toyTable.state_ring, 48, 64};
  uint64_t change = 1 + data[0];
  if (kind == OfAnotherModel)
    shape.fingerprint += change;
  if (kind == OfOtherWeights)
    shape.weights += change;
  uint32_t tokens = data[0] / 4 % (shape.maxContext + 2);
  blob.resize(stateHeaderBytes + shape.payloadBytes(tokens));
  uint32_t pending = data[0] % (shape.stateRing + 1);
  sealStateBlob(shape, {tokens, pending}, blob);
  return blob;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Toy toy;
  if (size == 0)
    return 0;
  Session &session = *toy.session;
  bamba_sequence sequence = session.create();
  Kind kind = static_cast<Kind>(data[0] % 4);
  std::vector<std::byte> blob = blobOf(kind, {data, size}, toy.model.weights().fingerprint());
  try {
    session.restore(sequence, blob);
    if (kind >= OfAnotherModel || session.savedBytes(sequence) != blob.size())
      std::abort();
    const int32_t token = 1;
    bamba_batch_item item = {sequence, 1, &token, BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr};
    if (session.length(sequence) < toyTable.max_context)
      session.run({&item, 1});
  } catch (const Error &error) {
    // Six pages do not hold every length that the model can.
    if (error.status() != BAMBA_BAD_STATE && error.status() != BAMBA_EXHAUSTED)
      std::abort();
  }
  session.free(sequence);
  if (session.length(toy.other) != 5)
    std::abort();
  return 0;
}
