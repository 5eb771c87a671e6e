#include "runtime/run/sampling_options.h"
#include "runtime/run/options.h"

namespace bambac::run {

void addSamplingOptions(CLI::App &command, bamba_sampling &sampling) {
  constexpr double largest = 1e6;
  auto add = [&](const char *name, float &value, double least, double most, const char *description) {
    command.add_option(name, value, description)->check(decimalBetween(least, most))->type_name("X");
  };
  sampling.struct_size = sizeof(sampling);
  add("--temperature", sampling.temperature, 0, largest,
      "Draw tokens by softmax of logits / X; 0, the default: take the most likely one");
  command.add_option("--top-k", sampling.top_k, "Draw from the N most likely tokens")
      ->check(numberBetween(1, INT32_MAX))
      ->type_name("N");
  add("--top-p", sampling.top_p, 1e-6, 1, "Draw from the most likely tokens that have this share together");
  add("--min-p", sampling.min_p, 0, 1, "Draw from tokens at least X times as likely as the most likely one");
  add("--repetition-penalty", sampling.repetition_penalty, 1e-6, largest,
      "Divide positive logits of tokens that were there by X, multiply others");
  add("--presence-penalty", sampling.presence_penalty, -largest, largest, "Subtract X from logits of new tokens");
  add("--frequency-penalty", sampling.frequency_penalty, -largest, largest,
      "Subtract X from logits of new tokens for each time that they came");
}

void addSeedOption(CLI::App &command, uint64_t &seed, const char *description) {
  command.add_option("--seed", seed, description)
      ->check(numberBetween(0, UINT64_MAX))
      ->type_name("N")
      ->capture_default_str();
}

} // namespace bambac::run
