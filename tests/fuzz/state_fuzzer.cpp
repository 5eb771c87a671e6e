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
    bamba_batch_item item = {other, 5, tokens, BAMBA_LOGITS_LAST, 0};
    session->run({&item, 1});
  }

  Model model;
  std::unique_ptr<Session> session;
  bamba_sequence other;
};

/// Most inputs fail the checksum; an input whose first byte is odd is given a header that fits, so that the rest of the
/// way is walked too.
std::vector<std::byte> blobOf(std::span<const uint8_t> data) {
  std::span<const std::byte> bytes = std::as_bytes(data.subspan(1));
  std::vector<std::byte> blob(bytes.begin(), bytes.end());
  const StateShape shape = {toyTable.fingerprint, toyTable.max_context, toyTable.page_tokens, 16, 64};
  if (data[0] % 2 == 1) {
    uint32_t tokens = data[0] / 2 % (shape.maxContext + 2);
    blob.resize(stateHeaderBytes + shape.payloadBytes(tokens));
    sealStateBlob(shape, tokens, blob);
  }
  return blob;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Toy toy;
  if (size == 0)
    return 0;
  Session &session = *toy.session;
  bamba_sequence sequence = session.create();
  std::vector<std::byte> blob = blobOf({data, size});
  try {
    session.restore(sequence, blob);
    if (session.savedBytes(sequence) != blob.size())
      std::abort();
    const int32_t token = 1;
    bamba_batch_item item = {sequence, 1, &token, BAMBA_LOGITS_LAST, 0};
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
