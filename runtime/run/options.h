// Options that several commands have, and checks of their values that say what was expected.
#ifndef BAMBAC_RUNTIME_RUN_OPTIONS_H
#define BAMBAC_RUNTIME_RUN_OPTIONS_H

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bambac::run {

/// Options of every command that runs a model.
struct DeviceOptions {
  uint32_t threads = 0; ///< 0: one a processor
  std::string device;   ///< empty: the library's choice
};

/// Which weights a command loads.
struct WeightsOptions {
  std::string path;       ///< a folder or a file; empty: none
  bool anyConfig = false; ///< also of a checkpoint whose config.json is that of another model
};

/// --weights, which is returned, and --any-config.
CLI::Option *addWeightsOptions(CLI::App &command, WeightsOptions &weights, const char *description);

/// The library, the first argument of every command.
void addLibraryArgument(CLI::App &command, std::string &library);

/// What a command that runs a prompt needs: the library, a checkpoint and the prompt itself; with a list, prompts.
void addPromptOptions(CLI::App &command, std::string &library, WeightsOptions &weights, std::string &tokens);
void addPromptOptions(CLI::App &command, std::string &library, WeightsOptions &weights,
                      std::vector<std::string> &tokens);

void addThreadsOption(CLI::App &command, uint32_t &threads);
void addDeviceOptions(CLI::App &command, DeviceOptions &options);

/// The whole of `text` as a number in [min, max].
std::optional<uint64_t> parseNumber(std::string_view text, uint64_t min, uint64_t max);

/// Refuses all but numbers in [min, max], with "expected a number from ... to ..., found ...".
CLI::Validator numberBetween(uint64_t min, uint64_t max);

/// The same of numbers with a fraction.
CLI::Validator decimalBetween(double least, double most);

/// A list such as "1,4" as one option.
CLI::Option *addListOption(CLI::App &command, const std::string &name, std::vector<uint32_t> &values, uint32_t min,
                           const std::string &description);

} // namespace bambac::run

#endif // BAMBAC_RUNTIME_RUN_OPTIONS_H
