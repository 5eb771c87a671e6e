#include "runtime/run/bench/timings.h"
#include "runtime/run/measure/stopwatch.h"

#include <algorithm>
#include <vector>

namespace bambac::run {
namespace {

/// Repeats of a profile.
constexpr uint32_t decodeRepeats = 20, prefillRepeats = 5;

/// Tokens from all over the vocabulary, always the same.
std::vector<int32_t> makeTokens(const LoadedModel &model, size_t count, uint64_t salt = 0) {
  constexpr uint64_t prime = 2654435761;
  std::vector<int32_t> tokens(count);
  for (size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<int32_t>((i + 1) * (salt + prime) % model.getInfo().vocab_size);
  return tokens;
}

/// A session whose creation was timed.
struct TimedSession {
  TimedSession(const Bench &bench, uint32_t slots, uint64_t context)
      : session(bench.model, slots, bench.threads, context, bench.gpu ? bench.gpu->stream() : nullptr) {
    cost = {watch.seconds(), slots, slots * countPages(bench.model, context), 0};
    if (bench.gpu) {
      measure::Gpu::MemoryInfo memory = bench.gpu->memory();
      cost.deviceBytes = memory.total - memory.free;
    }
  }

  measure::Stopwatch watch; // starts before the session is there
  ModelSession session;
  SessionCost cost;
};

/// Room for `context` tokens and `more`, or for as many as the library allows.
TimedSession makeSession(const Bench &bench, uint32_t batch, uint64_t context, uint64_t more) {
  return {bench, batch, std::min<uint64_t>(context + more, bench.model.getInfo().max_context)};
}

/// Sequences that hold about the same tokens, and what a step is to append to them.
class Decoding {
public:
  Decoding(const Bench &bench, uint32_t batch, uint32_t context, uint64_t room)
      : timed(makeSession(bench, batch, context, room)), model(bench.model), sequences(1, timed.session.create()),
        held(context) {
    fill(batch, context);
  }

  ModelSession &session() { return timed.session; }
  const SessionCost &cost() const { return timed.cost; }

  /// Empties the sequences where they are full, and says whether they were.
  bool makeRoom() {
    if (held < model.getInfo().max_context)
      return false;
    for (bamba_sequence sequence : sequences)
      timed.session.reset(sequence);
    held = 0;
    return true;
  }

  /// What a step appends; it needs room for one token.
  std::span<const bamba_batch_item> items(uint32_t step) {
    ++held;
    tokens = makeTokens(model, sequences.size(), step);
    batch.clear();
    for (size_t i = 0; i < sequences.size(); ++i)
      batch.push_back({sequences[i], 1, &tokens[i], BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr});
    return batch;
  }

private:
  /// What the tokens are does not matter, but that the states are no zeros does: one is computed, the others copied.
  /// They are copied at all places of the state ring, as the sequences of a service stand: then each step writes as
  /// many states as another.
  void fill(uint32_t batch, uint32_t context) {
    uint32_t places = std::clamp(model.getInfo().state_ring, 1U, std::max(context, 1U));
    if (context)
      timed.session.run(sequences[0], makeTokens(model, context - (places - 1)));
    for (uint32_t place = 0; place < places; ++place) {
      if (place > 0)
        timed.session.run(sequences[0], makeTokens(model, 1, place));
      while (sequences.size() < 1 + uint64_t{batch - 1} * (place + 1) / places)
        sequences.push_back(timed.session.fork(sequences[0]));
    }
  }

  TimedSession timed;
  const LoadedModel &model;
  std::vector<bamba_sequence> sequences;
  uint64_t held; ///< tokens of each sequence
  std::vector<int32_t> tokens;
  std::vector<bamba_batch_item> batch;
};

/// Steps that follow each other without a pause: the time from the end of one to the end of the next.
Spread timeOnDevice(Decoding &decoding, const measure::Gpu &gpu, uint32_t steps) {
  std::vector<std::pair<measure::Gpu::Mark, measure::Gpu::Mark>> marks;
  measure::Gpu::Mark start = gpu.mark();
  for (uint32_t step = 0; step < steps; ++step) {
    if (decoding.makeRoom())
      start = gpu.mark();
    decoding.session().run(decoding.items(0));
    measure::Gpu::Mark end = gpu.mark();
    marks.emplace_back(start, end);
    start = end;
  }
  gpu.finish();
  std::vector<double> seconds;
  for (size_t i = marks.size() > 1 ? 1 : 0; i < marks.size(); ++i) // the first has waited for the host
    seconds.push_back(gpu.secondsBetween(marks[i].first, marks[i].second));
  return spreadOf(std::move(seconds));
}

} // namespace

Timing timeDecode(const Bench &bench, uint32_t batch, uint32_t context, uint32_t steps, SessionCost &cost) {
  Decoding decoding(bench, batch, context, countDecoded(bench.gpu, steps));
  cost = decoding.cost();
  std::vector<double> seconds;
  for (uint32_t step = 0; step < warmUpSteps + steps; ++step) {
    decoding.makeRoom();
    std::span<const bamba_batch_item> items = decoding.items(step);
    measure::Stopwatch watch;
    decoding.session().run(items);
    decoding.session().getGreedy(0);
    if (step >= warmUpSteps)
      seconds.push_back(watch.seconds());
  }
  Timing timing = {spreadOf(std::move(seconds)), std::nullopt};
  if (bench.gpu)
    timing.device = timeOnDevice(decoding, *bench.gpu, steps);
  return timing;
}

void makeDecodeSession(const Bench &bench, uint32_t batch, uint32_t context, uint32_t steps) {
  makeSession(bench, batch, context, countDecoded(bench.gpu, steps));
}

Timing timePrefill(const Bench &bench, uint32_t tokens, SessionCost &cost) {
  constexpr size_t mostRuns = 20;
  constexpr double enoughSeconds = 2;
  TimedSession timed(bench, 1, tokens);
  cost = timed.cost;
  bamba_sequence sequence = timed.session.create();
  std::vector<int32_t> prompt = makeTokens(bench.model, tokens);
  std::vector<double> seconds, deviceSeconds;
  auto timeOnce = [&] {
    timed.session.reset(sequence);
    measure::Gpu::Mark start = bench.gpu ? bench.gpu->mark() : nullptr;
    measure::Stopwatch watch;
    timed.session.run(sequence, prompt);
    measure::Gpu::Mark end = bench.gpu ? bench.gpu->mark() : nullptr;
    timed.session.getGreedy(0);
    seconds.push_back(watch.seconds());
    if (bench.gpu)
      deviceSeconds.push_back(bench.gpu->secondsBetween(start, end));
  };

  // The first run warms up, and counts only where a second would take too long.
  timeOnce();
  if (seconds[0] <= enoughSeconds) {
    seconds.clear();
    deviceSeconds.clear();
    measure::Stopwatch total;
    while (seconds.empty() || (total.seconds() < enoughSeconds && seconds.size() < mostRuns))
      timeOnce();
  }
  Timing timing = {spreadOf(std::move(seconds)), std::nullopt};
  if (bench.gpu)
    timing.device = spreadOf(std::move(deviceSeconds));
  return timing;
}

std::vector<bamba_launch_time> profileDecode(const Bench &bench, uint32_t batch, uint32_t context) {
  Decoding decoding(bench, batch, context, 1);
  return decoding.session().profile(decoding.items(0), decodeRepeats);
}

std::vector<bamba_launch_time> profilePrefill(const Bench &bench, uint32_t tokens) {
  TimedSession timed(bench, 1, tokens);
  std::vector<int32_t> prompt = makeTokens(bench.model, tokens);
  bamba_batch_item item = {timed.session.create(), tokens, prompt.data(), BAMBA_LOGITS_LAST, 0, nullptr, 0, 0, nullptr};
  return timed.session.profile({&item, 1}, prefillRepeats);
}

} // namespace bambac::run
