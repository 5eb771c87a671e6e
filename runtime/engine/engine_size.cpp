#include "runtime/engine/engine_size.h"
#include "runtime/support/error.h"
#include <algorithm>

namespace bambac::rt {

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
}

SessionSize EngineSize::session() const { return {slots, threads, pages, nullptr}; }

} // namespace bambac::rt
