// The table of the engine's functions, which the table of the whole interface leads to.
#ifndef BAMBA_RUNTIME_API_ENGINE_API_H
#define BAMBA_RUNTIME_API_ENGINE_API_H

#include "runtime/include/bamba/engine.h"

namespace bambac::rt {

const bamba_engine_api *engineApi();

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_API_ENGINE_API_H
