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

/// A sequence that is freed again unless it is kept: where the device fails, the caller never learns its number.
class NewSequence {
public:
  explicit NewSequence(SequenceTable &table) : table(table), sequence(table.create()) {}
  ~NewSequence() {
    if (!kept)
      table.free(sequence);
  }
  NewSequence(const NewSequence &) = delete;
  NewSequence &operator=(const NewSequence &) = delete;

  bamba_sequence number() const { return sequence; }
  bamba_sequence keep() {
    kept = true;
    return sequence;
  }

private:
  SequenceTable &table;
  bamba_sequence sequence;
  bool kept = false;
};

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
      executor(device->makeExecutor(table, buffers(results.stepBuffers()))), bestWanted(size.slots),
      lastBatchSeen(size.slots, "the batch") {
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
  if (lastBatchSeen[item.sequence] == batches)
    fail(BAMBA_INVALID_ARGUMENT, "item {}: expected each sequence once in a batch, found sequence {} again", index,
         item.sequence);
  lastBatchSeen[item.sequence] = batches;
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
  ++batches;
  uint64_t newPages = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    checkItem(i, items[i]);
    newPages += sequences.newPages(items[i].sequence, items[i].num_tokens);
  }
  sequences.expectFreePages(newPages);
}

/// Kernels that keep the logits of all tokens of a chunk write more rows than others: the memory for them is taken when
/// a batch asks for the first time.
void Session::reserveFor(std::span<const bamba_batch_item> items) {
  uint64_t rows = scheduler.mostStepRows(items);
  if (rows > results.stepBuffers().rows) {
    StepBuffers larger = results.makeStepBuffers(rows);
    std::unique_ptr<Executor> next = device->makeExecutor(table, buffers(larger));
    results.use(std::move(larger));
    executor = std::move(next);
  }
  inputs.sampling().prepare(items);
  results.begin(Scheduler::countRows(items), std::ranges::any_of(items, isSampled));
  for (size_t i = 0; i < items.size(); ++i)
    bestWanted[i] = items[i].sampling && items[i].sampling->wants_logprobs
                        ? static_cast<uint8_t>(std::min(items[i].sampling->num_best, table.vocab_size) + 1)
                        : uint8_t{0};
}

template <typename Execute> void Session::runSteps(std::span<const bamba_batch_item> items, const Execute &execute) {
  checkBatch(items);
  reserveFor(items);
  // From here on nothing can fail but the device.
  scheduler.begin(items);
  itemsRun = 0;
  try {
    walkSteps(items, execute);
  } catch (...) { // pages for tokens that the sequences do not have
    for (const bamba_batch_item &item : items)
      sequences.dropPages(item.sequence, sequences.pagesFor(sequences.length(item.sequence)));
    throw;
  }
  itemsRun = items.size();
}

template <typename Execute> void Session::walkSteps(std::span<const bamba_batch_item> items, const Execute &execute) {
  for (const bamba_batch_item &item : items)
    addPages(item);
  Step step;
  while (scheduler.next(step)) {
    inputs.fill(step, items, sequences);
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
  if (!device->isAsynchronous())
    results.settle();
}

void Session::run(std::span<const bamba_batch_item> items) {
  runSteps(items, [&](const bamba_rt_entry &entry) { executor->run(entry); });
}

void Session::profile(std::span<const bamba_batch_item> items, unsigned repeats,
                      const std::function<void(const bamba_launch_time &)> &report) {
  bamba_launch_time time = {};
  runSteps(items, [&](const bamba_rt_entry &entry) {
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
}

/// The pages for a batch item's tokens.
void Session::addPages(const bamba_batch_item &item) {
  uint64_t tokens = uint64_t{sequences.length(item.sequence)} + item.num_tokens;
  sequences.setDirty(item.sequence, true);
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

void Session::expectLogits(size_t item) const {
  device->expectUsable();
  if (itemsRun == 0)
    fail(BAMBA_NOT_READY, "expected results of a batch, found a session that has run none");
  if (item >= itemsRun)
    fail(BAMBA_INVALID_ARGUMENT, "expected an item of the last batch, from 0 to {}, found {}", itemsRun - 1, item);
  if (scheduler.numRows(item) == 0)
    fail(BAMBA_NOT_READY, "expected an item that keeps logits, found item {} of BAMBA_LOGITS_NONE", item);
}

std::span<const float> Session::logits(size_t item) const {
  expectLogits(item);
  uint64_t rows = scheduler.numRows(item);
  return {results.logits(scheduler.firstRow(item), rows), rows * table.vocab_size};
}

int32_t Session::greedy(size_t item) const {
  expectLogits(item);
  int32_t token = results.greedy(scheduler.firstRow(item) + scheduler.numRows(item) - 1);
  if (token < 0)
    fail(BAMBA_NOT_A_NUMBER, "expected numbers as logits after the last token of item {}, found one that is none",
         item);
  return token;
}

bamba_sample Session::sample(size_t item, size_t row) const {
  expectLogits(item);
  if (row >= scheduler.numRows(item))
    fail(BAMBA_INVALID_ARGUMENT, "row: expected one of the item's logits, from 0 to {}, found {}",
         scheduler.numRows(item) - 1, row);
  const bamba_rt_sample &drawn = results.sample(scheduler.firstRow(item) + row);
  if (drawn.token < 0)
    fail(BAMBA_NOT_A_NUMBER, "expected numbers as logits after {} of item {}, found one that is none",
         row + 1 == scheduler.numRows(item) ? std::string("the last token") : fmt::format("row {}", row), item);
  bamba_sample sample = {};
  sample.token = drawn.token;
  if (bestWanted[item] > 0)
    sample.logprob = drawn.logprob;
  if (bestWanted[item] > 1) {
    sample.num_best = bestWanted[item] - 1U;
    sample.best_tokens = drawn.best;
    sample.best_logprobs = drawn.best_logprobs;
  }
  return sample;
}

void Session::clearIfDirty(bamba_sequence sequence) {
  if (!sequences.isDirty(sequence))
    return;
  states.clearSlot(sequence);
  sequences.setDirty(sequence, false);
}

bamba_sequence Session::create() {
  device->expectUsable();
  NewSequence sequence(sequences);
  clearIfDirty(sequence.number());
  inputs.sampling().forget(sequence.number());
  return sequence.keep();
}

void Session::expectSequence(bamba_sequence sequence) const {
  device->expectUsable();
  sequences.expectAlive(sequence);
}

void Session::free(bamba_sequence sequence) {
  expectSequence(sequence);
  sequences.free(sequence);
}

bamba_sequence Session::fork(bamba_sequence source) {
  expectSequence(source);
  // Full pages are never written again and are shared; the one that goes on is copied.
  std::span<const int32_t> from = sequences.pages(source);
  size_t full = fullPages(sequences.length(source));
  sequences.expectFreePages(from.size() - full);
  NewSequence fork(sequences);
  inputs.sampling().forget(fork.number());
  sequences.setDirty(fork.number(), true);
  states.copySlot(fork.number(), source);
  for (int32_t page : from.first(full))
    sequences.sharePage(fork.number(), static_cast<uint32_t>(page));
  for (int32_t page : from.subspan(full))
    states.copyPage(sequences.addPage(fork.number()).number, static_cast<uint32_t>(page));
  sequences.setTokens(fork.number(), sequences.tokens(source));
  return fork.keep();
}

void Session::reset(bamba_sequence sequence) {
  expectSequence(sequence);
  sequences.dropPages(sequence, 0);
  sequences.setTokens(sequence, {});
  inputs.sampling().forget(sequence);
  clearIfDirty(sequence);
}

uint32_t Session::length(bamba_sequence sequence) const {
  expectSequence(sequence);
  return sequences.length(sequence);
}

uint32_t Session::mostDropped(bamba_sequence sequence) const {
  expectSequence(sequence);
  return sequences.mostDropped(sequence);
}

void Session::truncate(bamba_sequence sequence, uint32_t tokens) {
  expectSequence(sequence);
  if (uint32_t most = sequences.mostDropped(sequence); tokens > most)
    fail(BAMBA_OUT_OF_RANGE, "expected at most {} tokens to drop from sequence {} that holds {}, found {}", most,
         sequence, sequences.length(sequence), tokens);
  sequences.drop(sequence, tokens);
  inputs.sampling().forget(sequence);
}

std::span<const int32_t> Session::pages(bamba_sequence sequence) const {
  expectSequence(sequence);
  return sequences.pages(sequence);
}

uint64_t Session::newPages(bamba_sequence sequence, uint32_t tokens) const {
  expectSequence(sequence);
  return sequences.newPages(sequence, tokens);
}

uint32_t Session::tokensFor(bamba_sequence sequence, uint64_t pages) const {
  expectSequence(sequence);
  uint32_t room = table.max_context - sequences.length(sequence);
  if (table.page_tokens == 0)
    return room;
  if (sequences.writesToSharedPage(sequence) && pages-- == 0)
    return 0;
  uint64_t end = (sequences.pages(sequence).size() + pages) * table.page_tokens;
  return static_cast<uint32_t>(std::min<uint64_t>(room, end - sequences.length(sequence)));
}

size_t Session::savedBytes(bamba_sequence sequence) const {
  return checkedAdd(stateHeaderBytes, shape.payloadBytes(length(sequence)), "a saved state");
}

void Session::save(bamba_sequence sequence, std::span<std::byte> blob) const {
  expectSequence(sequence);
  std::byte *out = states.save(BAMBA_RT_STATE_SLOT, sequence, blob.data() + stateHeaderBytes);
  for (int32_t page : sequences.pages(sequence))
    out = states.save(BAMBA_RT_STATE_PAGE, static_cast<uint32_t>(page), out);
  device->finish();
  sealStateBlob(shape, sequences.tokens(sequence), blob);
}

void Session::restore(bamba_sequence sequence, std::span<const std::byte> bytes) {
  expectSequence(sequence);
  StateBlob blob = openStateBlob(shape, bytes);
  uint64_t pages = sequences.pagesFor(blob.tokens.count), own = sequences.ownPages(sequence);
  sequences.expectFreePages(pages > own ? pages - own : 0);
  sequences.dropPages(sequence, 0); // other sequences may have some of them
  while (sequences.pages(sequence).size() < pages)
    sequences.addPage(sequence);
  sequences.setTokens(sequence, blob.tokens);
  inputs.sampling().forget(sequence);
  sequences.setDirty(sequence, true);
  const std::byte *in = states.restore(BAMBA_RT_STATE_SLOT, sequence, blob.payload.data());
  for (int32_t page : sequences.pages(sequence))
    in = states.restore(BAMBA_RT_STATE_PAGE, static_cast<uint32_t>(page), in);
  device->finish(); // the caller's bytes are not needed any more
}

} // namespace bambac::rt
