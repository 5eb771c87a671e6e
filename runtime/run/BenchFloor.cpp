#include "runtime/run/BenchFloor.h"
#include "runtime/run/Error.h"

#include <algorithm>

namespace bambac::run {

double Machine::bandwidth() const { return std::max(memory.bytesPerSecond, weights ? weights->bytesPerSecond : 0.0); }

double PlannedRun::floorSeconds(const Machine &machine) const {
  return std::max(bytes / machine.bandwidth(), flops / machine.matrixRate);
}

/// The entry point of a kind that the runtime takes for `size` sequences or tokens: the smallest that holds them all,
/// or the largest.
static const EntryPoint &chooseEntry(const Metadata &metadata, const std::string &kind, uint64_t EntryPoint::*extent,
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
  if (!best)
    fail("cannot read the library's metadata: expected an entry point of kind '{}', found none", kind);
  return *best;
}

static PlannedRun makeRun(const EntryPoint &entry, uint64_t sequences, uint64_t context) {
  uint64_t held = sequences * context;
  uint64_t bytes = entry.weightBytes + entry.stateBytes + held * entry.contextBytes;
  uint64_t flops = entry.flops + held * entry.contextFlops;
  return {entry.name, static_cast<double>(bytes), static_cast<double>(flops)};
}

std::vector<PlannedRun> planDecode(const Metadata &metadata, uint64_t batch, uint64_t context) {
  std::vector<PlannedRun> runs;
  while (batch) {
    const EntryPoint &entry = chooseEntry(metadata, "decode", &EntryPoint::batch, batch);
    uint64_t sequences = std::min(batch, entry.batch);
    runs.push_back(makeRun(entry, sequences, context));
    batch -= sequences;
  }
  return runs;
}

std::vector<PlannedRun> planPrefill(const Metadata &metadata, uint64_t tokens) {
  std::vector<PlannedRun> runs;
  for (uint64_t done = 0; done < tokens;) {
    uint64_t rest = tokens - done;
    // The runtime decodes a token that is left alone.
    const EntryPoint &entry = rest == 1 ? chooseEntry(metadata, "decode", &EntryPoint::batch, 1)
                                        : chooseEntry(metadata, "prefill", &EntryPoint::chunk, rest);
    runs.push_back(makeRun(entry, 1, done));
    done += std::min(rest, entry.chunk);
  }
  return runs;
}

uint64_t getStreamedWeightBytes(const Metadata &metadata) {
  return chooseEntry(metadata, "decode", &EntryPoint::batch, 1).weightBytes;
}

} // namespace bambac::run
