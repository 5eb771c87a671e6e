#include "runtime/engine/engine_size.h"
#include "runtime/support/error.h"
#include <algorithm>

namespace bambac::rt {
namespace {

/// States that a cache keeps by default.
constexpr uint64_t defaultStates = 8;

/// No cache has more, whatever its budget: a model without SSM states has room for any number.
constexpr uint64_t mostStates = 4096;

CacheSize cacheSize(const bamba_engine_options &options, const bamba_rt_model &model) {
  int wanted = enumNumber(options.prefix_cache);
  if (wanted < BAMBA_PREFIX_CACHE_DEFAULT || wanted > BAMBA_PREFIX_CACHE_OFF)
    fail(BAMBA_INVALID_ARGUMENT,
         "prefix_cache: expected BAMBA_PREFIX_CACHE_DEFAULT, BAMBA_PREFIX_CACHE_ON or BAMBA_PREFIX_CACHE_OFF, found {}",
         wanted);
  CacheSize size;
  if (wanted == BAMBA_PREFIX_CACHE_OFF)
    return size;
  size.interval = options.snapshot_interval ? options.snapshot_interval : 1024;
  size.slotBytes = stateBytes(model, BAMBA_RT_STATE_SLOT);
  size.pageBytes = stateBytes(model, BAMBA_RT_STATE_PAGE);
  uint64_t pages = model.page_tokens ? (uint64_t{size.interval} + model.page_tokens - 1) / model.page_tokens : 0;
  uint64_t bytes =
      std::max<uint64_t>(size.slotBytes + pages * size.pageBytes, 1); // of a state with an interval's pages
  size.deviceBytes = options.cache_device_bytes ? options.cache_device_bytes : defaultStates * bytes;
  size.hostBytes = options.cache_host_bytes;
  uint64_t states = std::min(size.deviceBytes / bytes, mostStates);
  if (states == 0 && size.deviceBytes >= size.slotBytes)
    states = 1; // of a shorter prefix
  size.slots = static_cast<uint32_t>(states);
  return size;
}

} // namespace

EngineSize::EngineSize(const bamba_engine_options &options, const bamba_rt_model &model) {
  SessionSize wanted = {options.slots, options.threads, options.pages, nullptr};
  SessionSize full = wanted.resolved(model);
  slots = full.slots;
  threads = full.threads;
  pages = full.pages;
  if (model.page_tokens > 0 && pages < model.max_pages)
    fail(BAMBA_INVALID_ARGUMENT, "pages: expected at least {}, those of one sequence, found {}", model.max_pages,
         pages);
  maxStepRows = options.max_step_rows ? options.max_step_rows : std::max(slots, model.prefill_chunk);
  if (maxStepRows < slots)
    fail(BAMBA_INVALID_ARGUMENT, "max_step_rows: expected at least {}, a row for each slot, found {}", slots,
         maxStepRows);
  queueLimit = options.queue_limit ? options.queue_limit : 1024;
  cache = cacheSize(options, model);
  cachePages = 0;
  if (cache.slots > 0 && cache.pageBytes > 0)
    cachePages = (cache.deviceBytes - cache.slots * cache.slotBytes) / cache.pageBytes;
}

SessionSize EngineSize::session() const { return {slots + cache.slots, threads, pages + cachePages, nullptr}; }

} // namespace bambac::rt
