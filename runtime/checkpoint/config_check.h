// Compares the config.json next to a checkpoint with the one that a model was compiled from.
#ifndef BAMBA_RUNTIME_CHECKPOINT_CONFIG_CHECK_H
#define BAMBA_RUNTIME_CHECKPOINT_CONFIG_CHECK_H

#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/rules.h"
#include <cstddef>
#include <span>
#include <string_view>

namespace bambac::rt {

/// Throws Error BAMBA_BAD_CHECKPOINT that names `path` and the first field that changes what the model computes. Reads
/// what Python's json.dump writes, infinite numbers included.
void checkConfig(const CheckpointRules &rules, std::string_view path, std::span<const std::byte> text);

/// The same for the config.json in the folder of a checkpoint; nothing where there is none. Throws also Error
/// BAMBA_IO_ERROR.
void checkConfigNextTo(const Checkpoint &checkpoint, const CheckpointRules &rules);

} // namespace bambac::rt
#endif // BAMBA_RUNTIME_CHECKPOINT_CONFIG_CHECK_H
