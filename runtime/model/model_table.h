// Checks the tables that bambac wrote into a library before anything is built on them.
#ifndef BAMBA_RUNTIME_MODEL_MODEL_TABLE_H
#define BAMBA_RUNTIME_MODEL_MODEL_TABLE_H

#include "runtime/contract/abi.h"

namespace bambac::rt {

/// Throws Error BAMBA_INTERNAL for tables of another version, or without a model.
void checkLibrary(const bamba_rt_library &library);

/// Throws Error BAMBA_INTERNAL for a table with an index, size or kind out of range: a fault of the compiler, caught
/// here rather than in a kernel.
void checkTable(const bamba_rt_model &model);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_MODEL_MODEL_TABLE_H
