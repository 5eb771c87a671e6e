#include "runtime/results.h"
#include <algorithm>

namespace bambac::rt {

Results::Results(const bamba_rt_model &model, uint64_t rows) : vocab(model.vocab_size) {
  uint64_t stepRows = 0;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries))
    stepRows = std::max<uint64_t>(stepRows, logitsRowsOf(entry));
  besideLogits = {checkedMul(stepRows, vocab, "the logits"), "the logits"};
  besideGreedy = {stepRows, "the greedy tokens"};
  reserve(rows);
}

void Results::reserve(uint64_t wanted) {
  if (wanted <= rows)
    return;
  // Room for the padding rows of the last step too, so that it can be written in place.
  uint64_t room = checkedAdd(wanted, besideGreedy.size(), "the logits");
  LazyArray<float> newLogits(checkedMul(room, vocab, "the logits"), "the logits");
  LazyArray<int32_t> newGreedy(room, "the greedy tokens");
  rowLogits = std::move(newLogits);
  rowGreedy = std::move(newGreedy);
  rows = wanted;
}

bool Results::inPlace(const Step &step) const { return step.logitsRow * vocab * sizeof(float) % bufferAlignment == 0; }

void Results::direct(const Step &step, Interpreter &interpreter) {
  interpreter.setOutput(BAMBA_RT_OUTPUT_LOGITS, inPlace(step) ? &rowLogits[step.logitsRow * vocab] : stepLogits());
}

void Results::collect(const Step &step) {
  if (!inPlace(step))
    std::copy_n(besideLogits.data(), step.logitsRows * vocab, &rowLogits[step.logitsRow * vocab]);
  std::copy_n(besideGreedy.data(), step.logitsRows, &rowGreedy[step.logitsRow]);
}

} // namespace bambac::rt
