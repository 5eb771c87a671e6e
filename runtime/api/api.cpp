// The C interface: checks handles, reads structs of any version, and turns exceptions into statuses.

#include "runtime/api/engine_api.h"
#include "runtime/api/handles.h"
#include "runtime/api/linked_models.h"
#include "runtime/api/structs.h"
#include "runtime/model/open_model.h"
#include "runtime/session/session.h"
#include "runtime/support/error.h"
#include <algorithm>
#include <span>
#include <utility>
#include <vector>

using namespace bambac::rt;

struct bamba_session {
  Session impl;
  std::vector<bamba_batch_item> items;   ///< a batch of another version's items
  std::vector<bamba_sampling> samplings; ///< of such, and of those whose parameters are another version's
};

namespace {

/// The items as this library knows them: the caller's own where they have that size, else copies.
std::span<const bamba_batch_item> readItems(bamba_session &session, const bamba_batch_item *items, size_t count,
                                            size_t itemSize) {
  session.impl.expectBatchSize(count);
  expectPointer(items, "items");
  expectStructSize(itemSize, firstBatchItem, "item_size");
  std::span<const bamba_batch_item> known(items, itemSize == sizeof(bamba_batch_item) ? count : 0);
  auto hasKnownSampling = [](const bamba_batch_item &item) {
    return !item.sampling || item.sampling->struct_size == sizeof(bamba_sampling);
  };
  if (!known.empty() && std::ranges::all_of(known, hasKnownSampling))
    return known;
  session.items.assign(count, {});
  session.samplings.assign(count, {});
  for (size_t i = 0; i < count; ++i) {
    bamba_batch_item &item = session.items[i];
    readStruct(reinterpret_cast<const std::byte *>(items) + i * itemSize, itemSize, item,
               [&] { return fmt::format("item {}", i); });
    if (!item.sampling)
      continue;
    session.samplings[i] = readSampling(*item.sampling, [&] { return fmt::format("item {}: sampling", i); });
    item.sampling = &session.samplings[i];
  }
  return session.items;
}

} // namespace

uint32_t bamba_abi_version(void) { return BAMBA_ABI_VERSION; }
uint32_t bamba_version(void) { return BAMBA_VERSION; }

const char *bamba_status_name(bamba_status status) {
  switch (enumNumber(status)) {
#define STATUS(name)                                                                                                   \
  case name:                                                                                                           \
    return #name;
    STATUS(BAMBA_OK)
    STATUS(BAMBA_INVALID_ARGUMENT)
    STATUS(BAMBA_NOT_FOUND)
    STATUS(BAMBA_IO_ERROR)
    STATUS(BAMBA_BAD_CHECKPOINT)
    STATUS(BAMBA_OUT_OF_RANGE)
    STATUS(BAMBA_EXHAUSTED)
    STATUS(BAMBA_UNSUPPORTED)
    STATUS(BAMBA_OUT_OF_MEMORY)
    STATUS(BAMBA_BAD_STATE)
    STATUS(BAMBA_NOT_READY)
    STATUS(BAMBA_INTERNAL)
    STATUS(BAMBA_DEVICE_ERROR)
    STATUS(BAMBA_NOT_A_NUMBER)
#undef STATUS
  default:
    return "an unknown status";
  }
}

const char *bamba_metadata(void) { return bamba_rt_library_table.metadata; }

bamba_status bamba_model_open(const bamba_model_options *options, bamba_model **model, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(model, "model");
    expectNoOtherModel();
    bamba_model_options known = readOptions(options, firstModelOptions);
    *model = new bamba_model{openModel(bamba_rt_library_table, known.device)};
  });
}

void bamba_model_close(bamba_model *model) { delete model; }

bamba_status bamba_model_load(bamba_model *model, const char *path, const bamba_load_options *options,
                              bamba_error *error) {
  return guard(error, [&] {
    expectPointer(model, "model");
    expectPointer(path, "path");
    bamba_load_options known = readOptions(options, firstLoadOptions);
    if (known.reserved != 0)
      fail(BAMBA_INVALID_ARGUMENT, "options: reserved: expected 0, found {}", known.reserved);
    model->impl.load(path, known);
  });
}

bamba_status bamba_model_load_random(bamba_model *model, uint64_t seed, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(model, "model");
    model->impl.loadRandom(seed);
  });
}

bamba_status bamba_model_get_info(const bamba_model *model, bamba_model_info *info, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(model, "model");
    expectPointer(info, "info");
    bamba_model_info all = {};
    model->impl.describe(all);
    writeResult(all, info, firstModelInfo, "info");
  });
}

bamba_status bamba_session_create(const bamba_model *model, const bamba_session_options *options,
                                  bamba_session **session, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(model, "model");
    expectPointer(session, "session");
    bamba_session_options known = readOptions(options, firstSessionOptions);
    SessionSize size = {known.slots, known.threads, known.pages, known.stream};
    *session = new bamba_session{Session(model->impl, size), {}, {}};
  });
}

void bamba_session_destroy(bamba_session *session) { delete session; }

bamba_status bamba_session_run(bamba_session *session, const bamba_batch_item *items, size_t num_items,
                               size_t item_size, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    session->impl.run(readItems(*session, items, num_items, item_size));
  });
}

bamba_status bamba_session_get_logits(const bamba_session *session, size_t item, const float **logits, size_t *rows,
                                      bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(logits, "logits");
    expectPointer(rows, "rows");
    std::span<const float> values = session->impl.logits(item);
    *logits = values.data();
    *rows = values.size() / session->impl.vocabSize();
  });
}

bamba_status bamba_session_get_greedy(const bamba_session *session, size_t item, int32_t *token, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(token, "token");
    *token = session->impl.greedy(item);
  });
}

bamba_status bamba_session_get_sample(const bamba_session *session, size_t item, size_t row, bamba_sample *sample,
                                      bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(sample, "sample");
    writeResult(session->impl.sample(item, row), sample, firstSample, "sample");
  });
}

bamba_status bamba_session_profile(bamba_session *session, const bamba_batch_item *items, size_t num_items,
                                   size_t item_size, uint32_t repeats, bamba_profile profile, void *user,
                                   bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(profile, "profile");
    if (repeats == 0)
      fail(BAMBA_INVALID_ARGUMENT, "repeats: expected at least 1, found 0");
    std::span<const bamba_batch_item> batch = readItems(*session, items, num_items, item_size);
    session->impl.profile(batch, repeats, [&](bamba_launch_time time) {
      time.struct_size = sizeof(time);
      profile(user, &time);
    });
  });
}

bamba_status bamba_sequence_create(bamba_session *session, bamba_sequence *sequence, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(sequence, "sequence");
    *sequence = session->impl.create();
  });
}

bamba_status bamba_sequence_free(bamba_session *session, bamba_sequence sequence, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    session->impl.free(sequence);
  });
}

bamba_status bamba_sequence_fork(bamba_session *session, bamba_sequence source, bamba_sequence *fork,
                                 bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(fork, "fork");
    *fork = session->impl.fork(source);
  });
}

bamba_status bamba_sequence_reset(bamba_session *session, bamba_sequence sequence, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    session->impl.reset(sequence);
  });
}

bamba_status bamba_sequence_get_length(const bamba_session *session, bamba_sequence sequence, uint32_t *length,
                                       bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(length, "length");
    *length = session->impl.length(sequence);
  });
}

bamba_status bamba_sequence_get_rollback(const bamba_session *session, bamba_sequence sequence, uint32_t *tokens,
                                         bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(tokens, "tokens");
    *tokens = session->impl.mostDropped(sequence);
  });
}

bamba_status bamba_sequence_truncate(bamba_session *session, bamba_sequence sequence, uint32_t tokens,
                                     bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    session->impl.truncate(sequence, tokens);
  });
}

bamba_status bamba_sequence_save(const bamba_session *session, bamba_sequence sequence, void *buffer, size_t *size,
                                 bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(size, "size");
    size_t needed = session->impl.savedBytes(sequence), given = std::exchange(*size, needed);
    if (!buffer)
      return;
    if (given < needed)
      fail(BAMBA_INVALID_ARGUMENT, "size: expected at least {} bytes for the sequence's state, found {}", needed,
           given);
    session->impl.save(sequence, {static_cast<std::byte *>(buffer), needed});
  });
}

bamba_status bamba_sequence_restore(bamba_session *session, bamba_sequence sequence, const void *buffer, size_t size,
                                    bamba_error *error) {
  return guard(error, [&] {
    expectPointer(session, "session");
    expectPointer(buffer, "buffer");
    session->impl.restore(sequence, {static_cast<const std::byte *>(buffer), size});
  });
}

const bamba_api *bamba_get_api(uint32_t abi_version) {
  static const bamba_api api = {
      .struct_size = sizeof(bamba_api),
      .abi_version = BAMBA_ABI_VERSION,
      .version = BAMBA_VERSION,
      .status_name = bamba_status_name,
      .metadata = bamba_metadata,
      .model_open = bamba_model_open,
      .model_close = bamba_model_close,
      .model_load = bamba_model_load,
      .model_load_random = bamba_model_load_random,
      .model_get_info = bamba_model_get_info,
      .session_create = bamba_session_create,
      .session_destroy = bamba_session_destroy,
      .session_run = bamba_session_run,
      .session_get_logits = bamba_session_get_logits,
      .session_get_greedy = bamba_session_get_greedy,
      .sequence_create = bamba_sequence_create,
      .sequence_free = bamba_sequence_free,
      .sequence_fork = bamba_sequence_fork,
      .sequence_reset = bamba_sequence_reset,
      .sequence_get_length = bamba_sequence_get_length,
      .sequence_save = bamba_sequence_save,
      .sequence_restore = bamba_sequence_restore,
      .session_profile = bamba_session_profile,
      .sequence_get_rollback = bamba_sequence_get_rollback,
      .sequence_truncate = bamba_sequence_truncate,
      .engine = engineApi(),
      .session_get_sample = bamba_session_get_sample,
  };
  return abi_version == BAMBA_ABI_VERSION ? &api : nullptr;
}
