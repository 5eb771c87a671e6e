#include "runtime/run/BenchTimings.h"
#include "runtime/run/Stopwatch.h"

#include <algorithm>
#include <cassert>
#include <vector>

namespace bambac::run {

static Timing summarize(std::vector<double> seconds) {
  assert(!seconds.empty() && "nothing was timed");
  std::sort(seconds.begin(), seconds.end());
  size_t middle = seconds.size() / 2;
  double median = seconds.size() % 2 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  return {median, seconds.front(), seconds.size()};
}

/// Tokens from all over the vocabulary, always the same.
static std::vector<int32_t> makeTokens(const Model &model, size_t count, uint64_t salt = 0) {
  constexpr uint64_t prime = 2654435761;
  std::vector<int32_t> tokens(count);
  for (size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<int32_t>((i + 1) * (salt + prime) % model.getInfo().vocab_size);
  return tokens;
}

Timing timeDecode(const Model &model, uint32_t threads, uint32_t batch, uint32_t context, uint32_t steps) {
  Session session(model, batch, threads, uint64_t(context) + warmUpSteps + steps);
  std::vector<bamba_sequence> sequences = {session.create()};
  if (context)
    session.run(sequences[0], makeTokens(model, context));
  while (sequences.size() < batch)
    sequences.push_back(session.fork(sequences[0]));

  std::vector<double> seconds;
  for (uint32_t step = 0; step < warmUpSteps + steps; ++step) {
    std::vector<int32_t> tokens = makeTokens(model, batch, step);
    std::vector<bamba_batch_item> items;
    items.reserve(batch);
    for (uint32_t i = 0; i < batch; ++i)
      items.push_back({sequences[i], 1, &tokens[i], BAMBA_LOGITS_LAST, 0});
    Stopwatch watch;
    session.run(items);
    if (step >= warmUpSteps)
      seconds.push_back(watch.seconds());
  }
  return summarize(std::move(seconds));
}

Timing timePrefill(const Model &model, uint32_t threads, uint32_t tokens) {
  constexpr size_t mostRuns = 20;
  constexpr double enoughSeconds = 2;
  Session session(model, 1, threads, tokens);
  bamba_sequence sequence = session.create();
  std::vector<int32_t> prompt = makeTokens(model, tokens);
  auto timeOnce = [&] {
    session.reset(sequence);
    Stopwatch watch;
    session.run(sequence, prompt);
    return watch.seconds();
  };

  // The first run warms up, and counts only where a second would take too long.
  std::vector<double> seconds = {timeOnce()};
  if (seconds[0] > enoughSeconds)
    return summarize(std::move(seconds));
  seconds.clear();
  Stopwatch total;
  while (seconds.empty() || (total.seconds() < enoughSeconds && seconds.size() < mostRuns))
    seconds.push_back(timeOnce());
  return summarize(std::move(seconds));
}

} // namespace bambac::run
