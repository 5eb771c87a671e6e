#include "runtime/run/bench/floor.h"
#include "runtime/run/failure.h"

#include <algorithm>

namespace bambac::run {

double Machine::readRate() const { return std::max(memory.bytesPerSecond, weights ? weights->bytesPerSecond : 0.0); }

double Floor::seconds() const { return std::max(weights, arithmetic) + states + context; }

const char *Floor::mostly() const {
  double matrices = std::max(weights, arithmetic);
  if (states > matrices && states > context)
    return "states";
  if (context > matrices)
    return "KV cache";
  return weights > arithmetic ? "weights" : "arithmetic";
}

Floor &Floor::operator+=(const Floor &other) {
  // Runs follow each other, so each has had its own choice between weights and arithmetic.
  double matrices = std::max(weights, arithmetic) + std::max(other.weights, other.arithmetic);
  bool mostlyWeights = weights + other.weights > arithmetic + other.arithmetic;
  weights += other.weights;
  arithmetic += other.arithmetic;
  (mostlyWeights ? weights : arithmetic) = matrices;
  states += other.states;
  context += other.context;
  return *this;
}

double Machine::arithmeticSeconds(double flops, double codeFlops) const {
  if (matrixRate <= 0)
    return 0;
  return (flops - codeFlops) / matrixRate + codeFlops / (codeRate > 0 ? codeRate : matrixRate);
}

Floor PlannedRun::floor(const Machine &machine) const {
  return {weightBytes / machine.readRate(), machine.arithmeticSeconds(flops, codeFlops),
          stateBytes / machine.copyRate(), contextBytes / machine.readRate()};
}

/// The entry point of a kind that the runtime takes for `size` sequences or tokens: the smallest that holds them all,
/// or the largest; null where there are none.
static const EntryPoint *findEntry(const Metadata &metadata, const std::string &kind, uint64_t EntryPoint::*extent,
                                   uint64_t size) {
  const EntryPoint *best = nullptr;
  for (const EntryPoint &entry : metadata.entryPoints) {
    if (entry.kind != kind || entry.*extent == 0)
      continue;
    bool fits = entry.*extent >= size;
    bool bestFits = best && best->*extent >= size;
    if (!best || (fits && !bestFits) || (fits == bestFits && (entry.*extent < best->*extent) == fits))
      best = &entry;
  }
  return best;
}

static const EntryPoint &chooseDecode(const Metadata &metadata, uint64_t batch) {
  if (const EntryPoint *entry = findEntry(metadata, "decode", &EntryPoint::batch, batch))
    return *entry;
  fail("cannot read the library's metadata: expected an entry point of kind 'decode', found none");
}

static double number(uint64_t value) { return static_cast<double>(value); }

/// Costs are those of all rows of an entry point; only what comes with the context is that of one sequence, with as
/// many tokens as it may have.
static double flopsOf(const Cost &cost, const PlannedRun &run) {
  return number(cost.flops) * run.rowShare + number(cost.contextFlops) * run.sequences * run.context * run.tokenShare;
}

/// Linears know no context.
static double codeFlopsOf(const Cost &cost, const PlannedRun &run) { return number(cost.codeFlops) * run.rowShare; }

/// Of an entry point, `sequences` take part with `tokens` each.
static PlannedRun makeRun(const EntryPoint &entry, uint64_t sequences, uint64_t tokens, double context) {
  PlannedRun run;
  run.entry = entry.name;
  run.sequences = number(sequences);
  run.sequenceShare = run.sequences / number(entry.batch);
  run.tokenShare = number(tokens) / number(entry.chunk);
  run.rowShare = entry.chunk == 1 ? run.sequenceShare : run.sequences * run.tokenShare;
  run.context = context;
  run.weightBytes = number(entry.cost.weightBytes);
  run.stateBytes = number(entry.cost.stateBytes) * run.sequenceShare;
  run.contextBytes = number(entry.cost.contextBytes) * run.sequences * context;
  run.flops = flopsOf(entry.cost, run);
  run.codeFlops = codeFlopsOf(entry.cost, run);
  return run;
}

std::vector<PlannedRun> planDecode(const Metadata &metadata, uint64_t batch, uint64_t context) {
  std::vector<PlannedRun> runs;
  while (batch) {
    const EntryPoint &entry = chooseDecode(metadata, batch);
    uint64_t sequences = std::min(batch, entry.batch);
    runs.push_back(makeRun(entry, sequences, 1, number(context)));
    batch -= sequences;
  }
  return runs;
}

std::vector<PlannedRun> planPrefill(const Metadata &metadata, uint64_t tokens) {
  std::vector<PlannedRun> runs;
  for (uint64_t done = 0; done < tokens;) {
    uint64_t rest = tokens - done;
    // The runtime decodes a token that is left alone, and all where the library has no program for a chunk.
    const EntryPoint *entry = rest == 1 ? nullptr : findEntry(metadata, "prefill", &EntryPoint::chunk, rest);
    if (!entry)
      entry = &chooseDecode(metadata, 1);
    uint64_t count = std::min(rest, entry->chunk);
    // A token sees those before its chunk and, on average, half of its chunk.
    runs.push_back(makeRun(*entry, 1, count, number(done) + number(count - 1) / 2));
    done += count;
  }
  return runs;
}

uint64_t getStreamedWeightBytes(const Metadata &metadata) { return chooseDecode(metadata, 1).cost.weightBytes; }

double KernelWork::floorSeconds(const Machine &machine) const {
  double memory = streamBytes / machine.readRate() + stateBytes / machine.copyRate();
  return std::max(memory, machine.arithmeticSeconds(flops, codeFlops));
}

KernelWork workOf(const Cost &cost, const PlannedRun &run) {
  KernelWork work;
  work.streamBytes = number(cost.weightBytes) + number(cost.activationBytes) * run.rowShare +
                     number(cost.contextBytes) * run.sequences * run.context;
  work.stateBytes = number(cost.stateBytes) * run.sequenceShare;
  work.flops = flopsOf(cost, run);
  work.codeFlops = codeFlopsOf(cost, run);
  return work;
}

} // namespace bambac::run
