// Steps give way to a context that was asked for, a context to steps; where both were, they must fit.

#include "runtime/run/bench/sizes.h"
#include "runtime/run/failure.h"

#include <algorithm>

namespace bambac::run {

uint64_t countDecoded(bool onCuda, uint32_t steps) { return warmUpSteps + uint64_t(steps) * (onCuda ? 2 : 1); }

uint64_t averageContext(uint64_t maxContext, bool onCuda, uint32_t context, uint32_t steps) {
  uint64_t decoded = countDecoded(onCuda, steps);
  return context + decoded > maxContext ? maxContext / 2 : context + decoded / 2;
}

/// As many steps as follow `context` tokens, at most `wanted`; 1 where there are none.
static uint32_t fitSteps(uint64_t maxContext, bool onCuda, uint64_t context, uint32_t wanted) {
  uint64_t taken = context + warmUpSteps;
  uint64_t room = maxContext > taken ? (maxContext - taken) / (onCuda ? 2 : 1) : 0;
  return static_cast<uint32_t>(std::clamp<uint64_t>(room, 1, wanted));
}

BenchSizes chooseSizes(BenchSizes asked, const LoadedModel &model, bool onCuda) {
  constexpr uint32_t steps = 32, context = 256, prompt = 512;
  const bamba_model_info &info = model.getInfo();
  if (asked.fit && !onCuda)
    fail("--fit: expected a CUDA device, which gives memory only while it has some, found the device {}", info.device);
  if (asked.batches.empty() && !asked.fit)
    asked.batches = {1};
  for (uint32_t batch : asked.batches)
    if (batch > info.max_batch)
      fail("--batch: expected at most {} sequences, the limit that '{}' was compiled with, found {}", info.max_batch,
           model.getLibrary().path(), batch);

  if (asked.prompts.empty())
    asked.prompts = {std::min(prompt, info.max_context)};
  for (uint32_t tokens : asked.prompts)
    checkContext(model, tokens, "--prefill");

  bool chooseContext = asked.contexts.empty(), chooseSteps = asked.steps == 0;
  if (chooseContext) {
    uint64_t decoded = countDecoded(onCuda, chooseSteps ? steps : asked.steps);
    uint64_t room = info.max_context > decoded ? info.max_context - decoded : 0;
    asked.contexts = {static_cast<uint32_t>(std::min<uint64_t>(context, room))};
  }
  if (chooseSteps)
    asked.steps = chooseContext ? steps
                                : fitSteps(info.max_context, onCuda,
                                           *std::max_element(asked.contexts.begin(), asked.contexts.end()), steps);
  if (!chooseContext || !chooseSteps)
    for (uint32_t held : asked.contexts)
      checkContext(model, held + countDecoded(onCuda, asked.steps), "--context and --steps");
  return asked;
}

} // namespace bambac::run
