#include "runtime/run/bench/ceilings.h"
#include "runtime/run/measure/gpu_bandwidth.h"
#include "runtime/run/measure/matrix_rate.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace bambac::run {

static void keepBest(measure::Bandwidth &best, const measure::Bandwidth &found) {
  if (found.bytesPerSecond > best.bytesPerSecond)
    best = found;
}

void measureMemory(Machine &machine, const Metadata &metadata, const measure::Gpu *gpu) {
  if (gpu) {
    measure::GpuBandwidth found = measure::measureGpuBandwidth(*gpu);
    keepBest(machine.memory, found.read);
    if (!machine.copy)
      machine.copy.emplace();
    keepBest(*machine.copy, found.copy);
    return;
  }
  uint64_t bytes = measure::chooseMemoryBufferBytes();
  keepBest(machine.memory, measure::measureReadBandwidth(bytes, machine.threads));
  if (uint64_t weights = getStreamedWeightBytes(metadata); weights < bytes) {
    if (!machine.weights)
      machine.weights.emplace();
    keepBest(*machine.weights, measure::measureReadBandwidth(weights, machine.threads));
  }
}

void measureArithmetic(Machine &machine, const measure::Gpu *gpu, const measure::Cublas *cublas) {
  if (cublas) {
    machine.blas = cublas->name();
    machine.matrixRate = measure::measureCublasRate(*cublas);
    machine.codeRate = measure::measureCublasCodeRate(*cublas, machine.noCodeRate).value_or(0);
  }
  if (gpu)
    return;
  machine.matrixRate = measure::measureMatrixRate(machine.threads);
  machine.blasRate = measure::measureBlasRate(machine.threads);
}

std::vector<measure::Gemm> listGemms(const Metadata &metadata, const PlannedRun &run) {
  auto entry = std::find_if(metadata.entryPoints.begin(), metadata.entryPoints.end(),
                            [&](const EntryPoint &candidate) { return candidate.name == run.entry; });
  if (entry == metadata.entryPoints.end())
    return {};
  auto tokens = static_cast<uint64_t>(
      std::max(1LL, std::llround(run.tokenShare * static_cast<double>(entry->chunk) * run.sequences)));
  std::map<std::pair<std::vector<uint64_t>, bool>, uint64_t> counts; // by shape, of numbers and of codes
  for (const WeightInfo &weight : metadata.weights)
    if (weight.panel && weight.shape.size() == 2)
      ++counts[{weight.shape, !weight.scales.empty()}];
  std::vector<measure::Gemm> gemms;
  for (const auto &[kind, count] : counts) {
    const auto &[shape, isCodes] = kind;
    bool isHead = shape[0] == metadata.vocabSize;
    gemms.push_back({isHead ? static_cast<uint64_t>(run.sequences) : tokens, shape[0], shape[1], count, isCodes});
  }
  return gemms;
}

} // namespace bambac::run
