// engine.h as functions: checks handles, reads structs of any version, and turns exceptions into statuses.

#include "runtime/api/engine_api.h"
#include "runtime/api/handles.h"
#include "runtime/api/structs.h"
#include "runtime/engine/engine.h"

using namespace bambac::rt;

struct bamba_engine {
  Engine impl;
};

bamba_status bamba_engine_create(const bamba_model *model, const bamba_engine_options *options, bamba_engine **engine,
                                 bamba_error *error) {
  return guard(error, [&] {
    expectPointer(model, "model");
    expectPointer(engine, "engine");
    bamba_engine_options known = readOptions(options, firstEngineOptions);
    *engine = new bamba_engine{{model->impl, known}};
  });
}

void bamba_engine_destroy(bamba_engine *engine) {
  // A child that was forked has no thread to stop, and a mutex that may be locked for good: it leaves all in place.
  if (engine && engine->impl.isOwner())
    delete engine;
}

bamba_status bamba_engine_submit(bamba_engine *engine, const bamba_request_options *options, bamba_request *request,
                                 bamba_error *error) {
  return guard(error, [&] {
    expectPointer(engine, "engine");
    expectPointer(options, "options");
    expectPointer(request, "request");
    bamba_request_options known = readOptions(options, firstRequestOptions);
    bamba_sampling sampling = {};
    if (known.sampling) {
      sampling = readSampling(*known.sampling, [] { return "sampling"; });
      known.sampling = &sampling;
    }
    engine->impl.submit(known, *request);
  });
}

bamba_status bamba_engine_cancel(bamba_engine *engine, bamba_request request, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(engine, "engine");
    engine->impl.cancel(request);
  });
}

bamba_status bamba_engine_poll(bamba_engine *engine, bamba_request request, bamba_engine_event *events, size_t capacity,
                               size_t event_size, uint32_t timeout_ms, size_t *count, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(engine, "engine");
    expectPointer(events, "events");
    expectPointer(count, "count");
    *count = 0;
    if (capacity == 0)
      fail(BAMBA_INVALID_ARGUMENT, "capacity: expected at least 1, found 0");
    expectStructSize(event_size, firstEngineEvent, "event_size");
    for (const bamba_engine_event &event : engine->impl.poll(request, capacity, timeout_ms)) {
      auto *to = reinterpret_cast<bamba_engine_event *>(reinterpret_cast<std::byte *>(events) + *count * event_size);
      to->struct_size = event_size;
      writeResult(event, to, firstEngineEvent, "events");
      ++*count;
    }
  });
}

bamba_status bamba_engine_drain(bamba_engine *engine, uint32_t timeout_ms, size_t *left, bamba_error *error) {
  return guard(error, [&] {
    expectPointer(engine, "engine");
    expectPointer(left, "left");
    *left = engine->impl.drain(timeout_ms);
  });
}

bamba_status bamba_engine_get_counters(const bamba_engine *engine, bamba_engine_counters *counters,
                                       bamba_error *error) {
  return guard(error, [&] {
    expectPointer(engine, "engine");
    expectPointer(counters, "counters");
    writeResult(engine->impl.counters(), counters, firstEngineCounters, "counters");
  });
}

const bamba_engine_api *bambac::rt::engineApi() {
  static const bamba_engine_api api = {
      .struct_size = sizeof(bamba_engine_api),
      .create = bamba_engine_create,
      .destroy = bamba_engine_destroy,
      .submit = bamba_engine_submit,
      .cancel = bamba_engine_cancel,
      .poll = bamba_engine_poll,
      .drain = bamba_engine_drain,
      .get_counters = bamba_engine_get_counters,
  };
  return &api;
}
