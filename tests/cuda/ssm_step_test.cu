// Tests and times the decode step of the state space recurrence, alone and with convolution and gate.
#include "ssm_step_cases.cuh"

using namespace ssm_step_test;

namespace {

/// Several steps in a row against a reference in f64, then the states.
template <class Shape, class State, bool Convolved = true, bool HasBias = true>
void testSteps(Runner &runner, const std::string &name, int steps = 10) {
  if (!runner.wants(name))
    return;
  using P = Problem<Shape, State, Convolved, HasBias>;
  P problem;
  double worst = 0;
  const size_t live = size_t(Shape::kBatch - problem.numPadding) * Shape::kX;
  for (int i = 0; i < steps; ++i) {
    std::vector<Operand> zxBCdt = randomOperands(size_t(Shape::kBatch) * Shape::kWidth, 100 + i);
    std::vector<Operand> y = problem.run(zxBCdt);
    worst = std::max(worst, relativeError(slice(y, 0, live), problem.reference(zxBCdt)));
    for (int b = 0; b < Shape::kBatch; ++b)
      problem.positions[b] += !problem.isPadding(b);
  }
  runner.report(name + " results", worst, sizeof(State) == 2 ? 1e-2 : tolerance(1e-2));
  // Slot 0 holds what padding left; slot 1 (and all but live ones) must be as it was.
  host_states::States<State> state = problem.initialState;
  problem.state.download(state);
  const auto ring = problem.ring.download();
  const size_t stateFrom = P::kStateElements, ringFrom = P::kRingElements;
  runner.report(name + " state",
                relativeError(state.slice(stateFrom, state.elements.size() - stateFrom),
                              slice(problem.stateReference, stateFrom, state.elements.size() - stateFrom)),
                sizeof(State) == 2 ? 1e-2
                : Convolved        ? 5e-4 // an x or B on the edge may round the other way
                                   : 1e-5);
  runner.report(name + " ring",
                relativeError(slice(ring, ringFrom, ring.size() - ringFrom),
                              slice(problem.ringReference, ringFrom, ring.size() - ringFrom)),
                0.0);
}

/// NaN in one sequence changes no bit of another, and a second run gives the same bits.
template <class Shape, class State> void testIsolation(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  using P = Problem<Shape, State, true, true>;
  std::vector<Operand> zxBCdt = randomOperands(size_t(Shape::kBatch) * Shape::kWidth, 100), spoiled = zxBCdt;
  for (int c = 0; c < Shape::kWidth; ++c)
    spoiled[c] = Operand{0x7fc0};
  P clean, again, nan;
  std::vector<Operand> expected = clean.run(zxBCdt), repeated = again.run(zxBCdt), isolated = nan.run(spoiled);
  // Sequence 0 has the last slot.
  const size_t live = size_t(Shape::kBatch - clean.numPadding) * Shape::kX - Shape::kX, first = Shape::kX;
  const size_t slotsFrom = P::kStateElements, slotElements = size_t(P::kSlots - 2) * P::kStateElements;
  runner.expect(name + " same bits again",
                sameBits(slice(expected, 0, live + first), slice(repeated, 0, live + first)));
  runner.expect(name + " others' results", sameBits(slice(expected, first, live), slice(isolated, first, live)));
  runner.expect(name + " others' states", sameBits(slice(clean.state.elements.download(), slotsFrom, slotElements),
                                                   slice(nan.state.elements.download(), slotsFrom, slotElements)));
}

template <int Batch, class State> void bench(Runner &runner, const std::string &name) {
  if (!runner.benches(name))
    return;
  using Shape = StepShape<Batch, 128, 64, 128, 1, 4, 64>;
  constexpr int kLayers = Batch < 16 ? 16 : 4;
  const size_t stateElements = size_t(Batch) * Shape::kX * Shape::kStateSize;
  const size_t ringElements = size_t(Batch) * Shape::kTaps * Shape::kChannels;
  DeviceBuffer<State> states(kLayers * stateElements);
  DeviceBuffer<float> rings(kLayers * ringElements), weights(kLayers * 5 * size_t(Shape::kChannels)),
      heads(Shape::kHeads);
  DeviceBuffer<Operand> input(size_t(Batch) * Shape::kWidth), y(size_t(Batch) * Shape::kX);
  states.randomize(1), rings.randomize(2), weights.randomize(3), heads.randomize(4), input.randomize(5);
  std::vector<int> slots(Batch);
  for (int b = 0; b < Batch; ++b)
    slots[b] = (b * 37 + 11) % Batch;
  DeviceBuffer<int> slotsDevice(slots), positions(std::vector<int>(Batch, 1001));
  double time = medianMicroseconds([&](cudaStream_t stream, int i) {
    const int layer = i % kLayers;
    const float *weight = weights.data() + layer * 5 * size_t(Shape::kChannels);
    Parameters parameters{weight, weight + 4 * Shape::kChannels, heads.data(), heads.data(), heads.data()};
    launch(step<Shape, State, true>, SsmStep<Shape, State>::kLaunch, stream, input.data(), parameters,
           rings.data() + layer * ringElements, slotsDevice.data(), positions.data(),
           states.data() + layer * stateElements, y.data(), Entries{});
  });
  runner.benched(name, time, 2.0 * sizeof(State) * stateElements, "GB/s");
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  testSteps<StepShape<1, 4, 8, 16, 1, 4, 8>, float>(runner, "tiny f32");
  testSteps<StepShape<5, 6, 20, 24, 2, 4, 20>, float>(runner, "odd f32");
  testSteps<StepShape<5, 6, 20, 24, 2, 3, 20>, bf16>(runner, "odd 3 taps bf16");
  testSteps<StepShape<5, 6, 20, 24, 2, 4, 8>, float, true, false>(runner, "odd tiled no bias f32");
  testSteps<StepShape<4, 6, 7, 9, 3, 2, 7>, float>(runner, "scalar 2 taps f32");
  testSteps<StepShape<4, 6, 7, 9, 3, 1, 7>, bf16>(runner, "scalar 1 tap bf16");
  testSteps<StepShape<5, 6, 20, 24, 2, 1, 20>, float, false>(runner, "odd not convolved f32");
  testSteps<StepShape<3, 8, 48, 256, 2, 4, 32>, float>(runner, "wide state f32");
  testSteps<StepShape<3, 8, 48, 256, 2, 4, 32>, bf16>(runner, "wide state bf16");
  testSteps<StepShape<2, 128, 64, 128, 1, 4, 64>, float>(runner, "Bamba-9B f32", 6);
  testSteps<StepShape<2, 128, 64, 128, 1, 4, 64>, bf16>(runner, "Bamba-9B bf16", 6);
  testSteps<StepShape<5, 6, 20, 24, 2, 3, 20>, f16>(runner, "odd 3 taps f16");
  testSteps<StepShape<2, 128, 64, 128, 1, 4, 64>, f16>(runner, "Bamba-9B f16", 6);
  testSteps<StepShape<2, 128, 64, 128, 1, 1, 64>, float, false>(runner, "Bamba-9B not convolved f32", 3);
  testSteps<StepShape<5, 6, 20, 24, 2, 4, 60>, float>(runner, "odd f32, 3 heads a block");
  testSteps<StepShape<4, 6, 7, 9, 3, 2, 14>, bf16>(runner, "scalar bf16, 2 heads a block");
  testSteps<StepShape<2, 128, 64, 128, 1, 4, 256>, float>(runner, "Bamba-9B f32, 4 heads a block", 3);
  testIsolation<StepShape<6, 6, 20, 24, 2, 4, 20>, float>(runner, "isolation odd f32");
  testIsolation<StepShape<4, 16, 64, 128, 1, 4, 64>, bf16>(runner, "isolation bf16");
  bench<1, float>(runner, "ssm_step f32 batch 1");
  bench<8, float>(runner, "ssm_step f32 batch 8");
  bench<64, float>(runner, "ssm_step f32 batch 64");
  bench<256, float>(runner, "ssm_step f32 batch 256");
  bench<1, bf16>(runner, "ssm_step bf16 batch 1");
  bench<64, bf16>(runner, "ssm_step bf16 batch 64");
  bench<256, bf16>(runner, "ssm_step bf16 batch 256");
  bench<256, f16>(runner, "ssm_step f16 batch 256");
  return runner.exitCode();
}
