// How the next token is drawn: options of commands that generate text.
#ifndef BAMBAC_RUNTIME_RUN_SAMPLING_OPTIONS_H
#define BAMBAC_RUNTIME_RUN_SAMPLING_OPTIONS_H

#include "bamba/bamba.h"

#include <CLI/CLI.hpp>

namespace bambac::run {

/// --temperature, --top-k, --top-p, --min-p, --repetition-penalty, --presence-penalty, --frequency-penalty. Without any
/// of them the most likely token follows.
void addSamplingOptions(CLI::App &command, bamba_sampling &sampling);

/// --seed.
void addSeedOption(CLI::App &command, uint64_t &seed, const char *description);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_SAMPLING_OPTIONS_H
