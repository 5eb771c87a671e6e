// Running batches, and what they leave. session_sequences.cpp has what is done to sequences between them.

#include "runtime/session/session.h"
#include "runtime/support/error.h"
#include "runtime/support/processors.h"
#include <algorithm>

namespace bambac::rt {
namespace {

size_t arenaBytes(const bamba_rt_model &model) {
  size_t bytes = 0;
  for (const bamba_rt_entry &entry : std::span(model.entries, model.num_entries))
    bytes = std::max<size_t>(bytes, entry.arena_bytes);
  return bytes;
}

StateShape shapeOf(const bamba_rt_model &model, const Weights &weights) {
  return {model.fingerprint,
          weights.fingerprint(),
          model.max_context,
          model.page_tokens,
          model.state_ring,
          stateBytes(model, BAMBA_RT_STATE_SLOT),
          stateBytes(model, BAMBA_RT_STATE_PAGE)};
}

} // namespace

SessionSize SessionSize::resolved(const bamba_rt_model &model) const {
  SessionSize full = *this;
  // Slots and pages are numbered by i32 in the kernels' inputs; the spare slot is one more.
  constexpr uint64_t most = INT32_MAX - 1;
  if (full.slots == 0)
    full.slots = model.max_batch;
  if (full.threads == 0)
    full.threads = std::min(availableProcessors(), maxThreads);
  if (full.pages == 0)
    full.pages = std::min(most, uint64_t{full.slots} * model.max_pages);
  if (model.page_tokens == 0)
    full.pages = 0;
  if (full.slots > most)
    fail(BAMBA_INVALID_ARGUMENT, "slots: expected at most {}, found {}", most, full.slots);
  if (full.pages > most)
    fail(BAMBA_INVALID_ARGUMENT, "pages: expected at most {}, found {}", most, full.pages);
  if (full.threads > maxThreads)
    fail(BAMBA_INVALID_ARGUMENT, "threads: expected at most {}, found {}", maxThreads, full.threads);
  return full;
}

Session::Session(const Model &model, SessionSize wanted)
    : weights(model.weights()), table(model.table()), size(wanted.resolved(table)),
      shape(shapeOf(table, model.weights())), device(model.makeDevice(size.threads, size.stream)),
      sequences(table, size.slots, size.pages), states(table, size.slots, size.pages, *device),
      arena(device->allocate(arenaBytes(table), "the arena")), scheduler(table, size.slots),
      inputs(table, static_cast<uint32_t>(scheduler.mostLanes(size.slots)), size.slots, size.pages, *device),
      results(table, size.slots, scheduler.leastStepRows(size.slots), *device),
      executor(device->makeExecutor(table, buffers(results.stepBuffers()))), lastBatchSeen(size.slots, "the batch") {
  for (Batch &batch : batches) {
    batch.rows.resize(size.slots);
    batch.bestWanted.resize(size.slots);
  }
  stale.reserve(size.slots);
  device->finish();
}

Session::~Session() {
  try {
    device->finish(); // memory that is in use must not be freed
  } catch (...) {     // NOLINT(bugprone-empty-catch): a device that has failed uses nothing any more
  }
}

Buffers Session::buffers(const StepBuffers &step) const {
  Buffers all;
  for (uint32_t i = 0; i < table.num_weights; ++i)
    all.weights.push_back(weights.data(i));
  all.states = states.bases();
  for (uint32_t i = 0; i < table.num_states; ++i)
    all.stateItems.push_back(states.items(i));
  all.arena = arena.get();
  for (uint32_t i = 0; i < BAMBA_RT_NUM_INPUTS; ++i)
    all.inputs[i] = inputs.address(static_cast<bamba_rt_input>(i));
  all.outputs[BAMBA_RT_OUTPUT_LOGITS] = step.logits.get();
  all.outputs[BAMBA_RT_OUTPUT_GREEDY] = step.greedy.get();
  all.outputs[BAMBA_RT_OUTPUT_SAMPLES] = step.samples.get();
  return all;
}

void Session::checkItem(size_t index, const bamba_batch_item &item) {
  sequences.expectAlive(item.sequence);
  if (lastBatchSeen[item.sequence] == checked)
    fail(BAMBA_INVALID_ARGUMENT, "item {}: expected each sequence once in a batch, found sequence {} again", index,
         item.sequence);
  lastBatchSeen[item.sequence] = checked;
  if (item.num_tokens == 0 || !item.tokens)
    fail(BAMBA_INVALID_ARGUMENT, "item {}: expected at least one token, found {}", index,
         item.num_tokens == 0 ? "none" : "a null pointer");
  checkLogits(index, item);
  if (item.sampling)
    checkSampling(index, *item.sampling, table.vocab_size);
  if (item.reserved != 0 || item.reserved2 != 0)
    fail(BAMBA_INVALID_ARGUMENT, "item {}: reserved: expected 0, found {}", index,
         item.reserved != 0 ? item.reserved : item.reserved2);
  uint32_t held = sequences.length(item.sequence);
  if (item.num_tokens > table.max_context - held)
    fail(BAMBA_OUT_OF_RANGE, "item {}: expected at most {} more tokens for sequence {} that holds {} of {}, found {}",
         index, table.max_context - held, item.sequence, held, table.max_context, item.num_tokens);
  checkTokens(index, item);
}

/// The item of the batch before, after which a token that is not known yet is drawn.
static size_t sourceOf(int32_t token) { return static_cast<size_t>(-1 - int64_t{token}); }

void Session::checkTokens(size_t index, const bamba_batch_item &item) const {
  const Batch &before = batches[newest];
  if (int32_t token = item.tokens[0]; launched > 0 && item.num_tokens == 1 && token < 0 &&
                                      sourceOf(token) < before.items && before.rows[sourceOf(token)].count > 0)
    return;
  for (uint32_t t = 0; t < item.num_tokens; ++t)
    if (item.tokens[t] < 0 || static_cast<uint32_t>(item.tokens[t]) >= table.vocab_size)
      fail(BAMBA_OUT_OF_RANGE, "item {}: token {}: expected a number from 0 to {}, found {}", index, t,
           table.vocab_size - 1, item.tokens[t]);
}

void Session::expectBatchSize(size_t items) const {
  device->expectUsable();
  if (items == 0)
    fail(BAMBA_INVALID_ARGUMENT, "expected at least one item in the batch, found none");
  if (items > size.slots)
    fail(BAMBA_INVALID_ARGUMENT, "expected at most {} items in the batch, as many as the session has slots, found {}",
         size.slots, items);
}

void Session::checkBatch(std::span<const bamba_batch_item> items) {
  expectBatchSize(items.size());
  ++checked;
  uint64_t newPages = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    checkItem(i, items[i]);
    newPages += sequences.newPages(items[i].sequence, items[i].num_tokens);
  }
  sequences.expectFreePages(newPages);
}

/// Kernels that keep the logits of all tokens of a chunk write more rows than others: the memory for them is taken when
/// a batch asks for the first time.
void Session::reserveFor(std::span<const bamba_batch_item> items, bool isLaunch) {
  uint64_t rows = scheduler.mostStepRows(items);
  if (rows > results.stepBuffers().rows) {
    StepBuffers larger = results.makeStepBuffers(rows);
    std::unique_ptr<Executor> next = device->makeExecutor(table, buffers(larger));
    results.use(std::move(larger));
    executor = std::move(next);
  }
  inputs.sampling().prepare(items);
  results.begin(
      isLaunch ? 1 - newest : newest, Scheduler::countRows(items),
      {.isSampled = std::ranges::any_of(items, isSampled), .keepsLogits = !isLaunch, .keepsTokens = isLaunch});
}

/// What must be known of a batch after the scheduler has gone on to another.
void Session::note(std::span<const bamba_batch_item> items) {
  Batch &batch = batches[newest];
  batch.items = items.size();
  for (size_t i = 0; i < items.size(); ++i) {
    batch.rows[i] = {scheduler.firstRow(i), scheduler.numRows(i)};
    batch.bestWanted[i] = items[i].sampling && items[i].sampling->wants_logprobs
                              ? static_cast<uint8_t>(std::min(items[i].sampling->num_best, table.vocab_size) + 1)
                              : uint8_t{0};
  }
}

template <typename Execute>
void Session::runSteps(std::span<const bamba_batch_item> items, bool isLaunch, const Execute &execute) {
  checkBatch(items);
  reserveFor(items, isLaunch);
  // From here on nothing can fail but the device.
  scheduler.begin(items);
  newest = isLaunch ? 1 - newest : newest;
  batches[newest].items = 0;
  try {
    walkSteps(items, execute);
  } catch (...) { // pages for tokens that the sequences do not have
    for (const bamba_batch_item &item : items)
      sequences.dropPages(item.sequence, sequences.pagesFor(sequences.length(item.sequence)));
    throw;
  }
  note(items);
}

template <typename Execute> void Session::walkSteps(std::span<const bamba_batch_item> items, const Execute &execute) {
  clearSlots(items);
  for (const bamba_batch_item &item : items)
    addPages(item);
  Step step;
  while (scheduler.next(step)) {
    inputs.fill(step, items, sequences);
    copyTokens(step, items);
    results.direct(step, *executor);
    execute(*step.entry);
    results.collect(step);
    for (const Lane &lane : step.lanes) {
      bamba_sequence sequence = items[lane.item].sequence;
      if (step.entry->kind == BAMBA_RT_DECODE)
        sequences.appendDecoded(sequence);
      else
        sequences.appendRun(sequence, lane.count);
    }
  }
}

/// Tokens that the batch before has drawn go from its rows to those of the step; neighbours go together.
void Session::copyTokens(const Step &step, std::span<const bamba_batch_item> items) {
  auto *tokens = static_cast<int32_t *>(inputs.address(BAMBA_RT_INPUT_TOKENS));
  unsigned before = 1 - newest;
  auto tokenOf = [&](size_t lane) { return items[step.lanes[lane].item].tokens[step.lanes[lane].first]; };
  auto sourceRow = [&](size_t lane) {
    const Rows &rows = batches[before].rows[sourceOf(tokenOf(lane))];
    return rows.first + rows.count - 1;
  };
  for (size_t lane = 0, row = 0, end = 0; lane < step.lanes.size(); lane = end) {
    end = lane + 1;
    if (tokenOf(lane) < 0) {
      while (end < step.lanes.size() && tokenOf(end) < 0 && sourceRow(end) == sourceRow(lane) + (end - lane))
        ++end;
      results.copyTokens(before, sourceRow(lane), end - lane, tokens + row);
      row += end - lane;
    } else {
      row += step.lanes[lane].count;
    }
  }
}

void Session::run(std::span<const bamba_batch_item> items) {
  runSteps(items, false, [&](const bamba_rt_entry &entry) { executor->run(entry); });
  readable = newest;
  if (!device->isAsynchronous())
    results.settle();
}

void Session::prepareToLaunch() { results.makeRoomToAlternate(); }

void Session::launch(std::span<const bamba_batch_item> items) {
  runSteps(items, true, [&](const bamba_rt_entry &entry) { executor->run(entry); });
  results.mark();
  ++launched;
}

void Session::collect() {
  readable = launched == 2 ? 1 - newest : newest;
  results.waitFor(readable);
  --launched;
}

void Session::abandon() noexcept {
  try {
    device->finish();
  } catch (...) { // NOLINT(bugprone-empty-catch): a device that has failed does nothing any more
  }
  launched = 0;
}

void Session::profile(std::span<const bamba_batch_item> items, unsigned repeats,
                      const std::function<void(const bamba_launch_time &)> &report) {
  bamba_launch_time time = {};
  runSteps(items, false, [&](const bamba_rt_entry &entry) {
    std::vector<double> seconds = executor->profile(entry, repeats);
    for (uint32_t i = 0; i < entry.num_launches; ++i) {
      time.launch = i;
      time.entry = entry.name;
      time.kernel = table.kernels[table.launches[entry.first_launch + i].kernel].name;
      time.seconds = seconds[i];
      report(time);
    }
    ++time.step;
  });
  readable = newest;
  results.settle();
}

/// Zeroes slots with something of before their sequence was created or reset, neighbours together: many may start in
/// the same batch.
void Session::clearSlots(std::span<const bamba_batch_item> items) {
  stale.clear();
  for (const bamba_batch_item &item : items)
    if (sequences.isStale(item.sequence))
      stale.push_back(item.sequence);
  std::ranges::sort(stale);
  for (size_t first = 0, end = 0; first < stale.size(); first = end) {
    while (end < stale.size() && stale[end] == stale[first] + (end - first))
      ++end;
    states.clearSlots(stale[first], end - first);
    for (size_t i = first; i < end; ++i)
      sequences.setZeroed(stale[i]);
  }
}

/// The pages for a batch item's tokens.
void Session::addPages(const bamba_batch_item &item) {
  uint64_t tokens = uint64_t{sequences.length(item.sequence)} + item.num_tokens;
  sequences.setWritten(item.sequence);
  if (sequences.writesToSharedPage(item.sequence)) {
    SequenceTable::Replaced page = sequences.replaceSharedPage(item.sequence);
    states.copyPage(page.now, page.before);
  }
  for (uint64_t page = sequences.pages(item.sequence).size(); page < sequences.pagesFor(tokens); ++page) {
    // What another sequence left in a page must not show in this one's saved state. Pages that the batch fills to the
    // end need no clearing.
    NumberPool::Taken taken = sequences.addPage(item.sequence);
    if (taken.used && (page + 1) * table.page_tokens > tokens)
      states.clearPage(taken.number);
  }
}

/// The rows of logits that an item keeps.
const Session::Rows &Session::expectLogits(size_t item) const {
  device->expectUsable();
  const Batch &batch = batches[readable];
  if (batch.items == 0)
    fail(BAMBA_NOT_READY, "expected results of a batch, found a session that has run none");
  if (item >= batch.items)
    fail(BAMBA_INVALID_ARGUMENT, "expected an item of the last batch, from 0 to {}, found {}", batch.items - 1, item);
  if (batch.rows[item].count == 0)
    fail(BAMBA_NOT_READY, "expected an item that keeps logits, found item {} of BAMBA_LOGITS_NONE", item);
  return batch.rows[item];
}

std::span<const float> Session::logits(size_t item) const {
  const Rows &rows = expectLogits(item);
  return {results.logits(rows.first, rows.count), rows.count * table.vocab_size};
}

int32_t Session::greedy(size_t item) const {
  const Rows &rows = expectLogits(item);
  int32_t token = results.greedy(readable, rows.first + rows.count - 1);
  if (token < 0)
    fail(BAMBA_NOT_A_NUMBER, "expected numbers as logits after the last token of item {}, found one that is none",
         item);
  return token;
}

bamba_sample Session::sample(size_t item, size_t row) const {
  const Rows &rows = expectLogits(item);
  if (row >= rows.count)
    fail(BAMBA_INVALID_ARGUMENT, "row: expected one of the item's logits, from 0 to {}, found {}", rows.count - 1, row);
  const bamba_rt_sample &drawn = results.sample(readable, rows.first + row);
  if (drawn.token < 0)
    fail(BAMBA_NOT_A_NUMBER, "expected numbers as logits after {} of item {}, found one that is none",
         row + 1 == rows.count ? std::string("the last token") : fmt::format("row {}", row), item);
  bamba_sample sample = {};
  sample.token = drawn.token;
  unsigned wanted = batches[readable].bestWanted[item];
  if (wanted > 0)
    sample.logprob = drawn.logprob;
  if (wanted > 1) {
    sample.num_best = wanted - 1U;
    sample.best_tokens = drawn.best;
    sample.best_logprobs = drawn.best_logprobs;
  }
  return sample;
}

} // namespace bambac::rt
