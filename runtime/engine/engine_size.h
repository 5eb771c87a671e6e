// How large an engine is: bamba_engine_options with the defaults filled in.
#ifndef BAMBA_RUNTIME_ENGINE_ENGINE_SIZE_H
#define BAMBA_RUNTIME_ENGINE_ENGINE_SIZE_H

#include "runtime/contract/abi.h"
#include "runtime/engine/prefix_cache.h"
#include "runtime/include/bamba/engine.h"
#include "runtime/session/session.h"
#include <cstdint>
#include <optional>

namespace bambac::rt {

struct EngineSize {
  uint32_t slots, threads;
  uint64_t pages;
  uint32_t maxStepRows, queueLimit;
  CacheSize cache;
  uint64_t cachePages;               ///< that the session has for the cache
  std::optional<bool> launchesAhead; ///< none: where that pays

  /// Throws Error BAMBA_INVALID_ARGUMENT for numbers that no engine can have.
  EngineSize(const bamba_engine_options &options, const bamba_rt_model &model);

  /// The session that it needs: with slots and pages for the requests that run, and for the cache.
  SessionSize session() const;
};

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_ENGINE_ENGINE_SIZE_H
