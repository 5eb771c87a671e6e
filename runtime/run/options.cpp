#include "runtime/run/options.h"
#include "runtime/support/processors.h"

#include <charconv>
#include <fmt/format.h>

namespace bambac::run {

void addLibraryArgument(CLI::App &command, std::string &library) {
  command.add_option("LIBRARY", library, "Model compiled by bambac (.so)")->required()->type_name("FILE");
}

CLI::Option *addWeightsOptions(CLI::App &command, WeightsOptions &weights, const char *description) {
  command.add_flag("--any-config", weights.anyConfig,
                   "Load even where the config.json next to the checkpoint is that of another model");
  return command.add_option("--weights", weights.path, description)->type_name("DIR");
}

static void addLibraryAndWeights(CLI::App &command, std::string &library, WeightsOptions &weights) {
  addLibraryArgument(command, library);
  addWeightsOptions(command, weights, "Checkpoint: a folder or one .safetensors file")->required();
}

static constexpr const char *tokensForm = "1,2,3|@FILE";

void addPromptOptions(CLI::App &command, std::string &library, WeightsOptions &weights, std::string &tokens) {
  addLibraryAndWeights(command, library, weights);
  command.add_option("--tokens", tokens, "Prompt: token numbers, or @FILE that holds them")
      ->required()
      ->type_name(tokensForm);
}

void addPromptOptions(CLI::App &command, std::string &library, WeightsOptions &weights,
                      std::vector<std::string> &tokens) {
  addLibraryAndWeights(command, library, weights);
  command
      .add_option("--tokens", tokens,
                  "Prompt: token numbers, or @FILE that holds them; once for each of several prompts")
      ->required()
      ->type_name(tokensForm)
      ->expected(1, -1)
      ->allow_extra_args(false);
}

void addThreadsOption(CLI::App &command, uint32_t &threads) {
  command.add_option("--threads", threads, "Threads that compute (default: one a processor)")
      ->check(numberBetween(1, rt::maxThreads))
      ->type_name("N");
}

void addDeviceOptions(CLI::App &command, DeviceOptions &options) {
  addThreadsOption(command, options.threads);
  command
      .add_option("--device", options.device,
                  "Device to run on: cpu, cuda or cuda:I (default: the best that the library has code for)")
      ->type_name("NAME");
}

std::optional<uint64_t> parseNumber(std::string_view text, uint64_t min, uint64_t max) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max)
    return std::nullopt;
  return value;
}

CLI::Validator numberBetween(uint64_t min, uint64_t max) {
  auto check = [min, max](std::string &text) {
    return parseNumber(text, min, max) ? std::string()
                                       : fmt::format("expected a number from {} to {}, found '{}'", min, max, text);
  };
  return CLI::Validator(check, "");
}

CLI::Validator decimalBetween(double least, double most) {
  return {[=](std::string &text) -> std::string {
            double value = 0;
            auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (code == std::errc() && end == text.data() + text.size() && value >= least && value <= most)
              return {};
            return fmt::format("expected a number from {} to {}, found '{}'", least, most, text);
          },
          ""};
}

CLI::Option *addListOption(CLI::App &command, const std::string &name, std::vector<uint32_t> &values, uint32_t min,
                           const std::string &description) {
  return command.add_option(name, values, description)
      ->delimiter(',')
      ->check(numberBetween(min, INT32_MAX))
      ->type_name("N,...")
      ->expected(1, -1)
      ->allow_extra_args(false);
}

} // namespace bambac::run
