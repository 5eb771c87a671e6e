// Tests and times the decode step with a state ring: results at every number of waiting entries, the state when the
// ring is full, and that nothing else is written.
#include "ssm_step_cases.cuh"

using namespace ssm_step_test;

namespace {

using host_states::kStateError;

template <class State> double resultError() { return sizeof(State) == 4 ? tolerance(1e-2) : kStateError<State>; }

/// The largest error of a sequence's state that was just written as codes, in codes of its rows; then the reference has
/// that state. Half a code is what rounding takes.
template <class P, class State> double takeOver(P &problem, const host_states::States<State> &state, size_t from) {
  double worst = 0;
  for (size_t i = from; i < from + P::kStateElements; ++i) {
    const double error = std::fabs(state[i] - problem.stateReference[i]);
    worst = std::max(worst, error == 0 ? 0.0 : error / state.scales[i / state.columns]);
    problem.stateReference[i] = state[i];
  }
  return worst;
}

/// Half a code, and what f32 sums lose. Where a convolution rounds an input the other way than the reference, that is
/// 2^-8 of what a token brings, and half a code at most.
template <bool Convolved> constexpr double kMostCodes = (Convolved ? 1.0 : 0.5) + 1e-3;

/// Steps in a row, the sequences at different places of their rings. A result is that of the recurrence; a state is
/// that of the recurrence when it is written, and the same bits as before when it is not.
template <class Shape, class State, int Length, bool Convolved = true>
void testRing(Runner &runner, const std::string &name, int steps = 2 * Length + 3) {
  if (!runner.wants(name))
    return;
  using P = Problem<Shape, State, Convolved, true, Length>;
  P problem;
  double worst = 0, worstState = 0, worstCode = 0;
  bool isKept = true;
  const int numLive = Shape::kBatch - problem.numPadding;
  host_states::States<State> before = problem.initialState, after = before;
  for (int i = 0; i < steps; ++i) {
    std::vector<Operand> zxBCdt = randomOperands(size_t(Shape::kBatch) * Shape::kWidth, 100 + i);
    std::vector<Operand> y = problem.run(zxBCdt);
    worst = std::max(worst, relativeError(slice(y, 0, size_t(numLive) * Shape::kX), problem.reference(zxBCdt)));
    problem.state.download(after);
    for (int b = 0; b < numLive; ++b) {
      const size_t from = problem.slots[b] * P::kStateElements;
      if (problem.pending[b] == Length - 1) {
        worstState = std::max(worstState, relativeError(after.slice(from, P::kStateElements),
                                                        slice(problem.stateReference, from, P::kStateElements)));
        if constexpr (kIsCoded<State>)
          worstCode = std::max(worstCode, takeOver(problem, after, from));
      } else
        isKept &= after.isSame(before, from, P::kStateElements);
      // A ring that was begun in the middle is emptied earlier, as a prompt in between does.
      problem.pending[b] = (problem.pending[b] + 1) % Length;
      ++problem.positions[b];
    }
    before = after;
  }
  runner.report(name + " results", worst, resultError<State>());
  runner.report(name + " state", worstState, kStateError<State>);
  if (kIsCoded<State>)
    runner.report(name + " codes", worstCode, kMostCodes<Convolved>);
  runner.expect(name + " state is kept between", isKept);
}

/// However many entries wait, the state after them is that of the recurrence, and steps go on from it.
template <class Shape, class State, int Length> void testFold(Runner &runner, const std::string &name) {
  if (!runner.wants(name))
    return;
  using P = Problem<Shape, State, true, true, Length>;
  for (int waiting : {0, 1, Length / 2, Length - 1}) {
    P problem;
    const int numLive = Shape::kBatch - problem.numPadding;
    auto takeSteps = [&](int count, int seed) {
      double worst = 0;
      for (int i = 0; i < count; ++i) {
        std::vector<Operand> zxBCdt = randomOperands(size_t(Shape::kBatch) * Shape::kWidth, seed + i);
        std::vector<Operand> y = problem.run(zxBCdt);
        worst = std::max(worst, relativeError(slice(y, 0, size_t(numLive) * Shape::kX), problem.reference(zxBCdt)));
        for (int b = 0; b < numLive; ++b) {
          problem.pending[b] = (problem.pending[b] + 1) % Length;
          ++problem.positions[b];
        }
      }
      return worst;
    };
    takeSteps(waiting, 100);
    problem.foldEntries();
    double worstState = 0;
    host_states::States<State> state = problem.initialState;
    problem.state.download(state);
    for (int b = 0; b < numLive; ++b) {
      const size_t from = problem.slots[b] * P::kStateElements;
      worstState = std::max(worstState, relativeError(state.slice(from, P::kStateElements),
                                                      slice(problem.stateReference, from, P::kStateElements)));
      problem.pending[b] = 0;
    }
    const std::string label = name + ", " + std::to_string(waiting) + " of " + std::to_string(Length);
    runner.report(label + " state", worstState, kStateError<State>);
    runner.report(label + " then", takeSteps(Length + 1, 200), resultError<State>());
  }
}

template <int Batch, class State, int Length, int Tile, int Threads> void bench(Runner &runner, std::string name) {
  name += ", tile " + std::to_string(Tile) + " of " + std::to_string(Threads) + " threads";
  if (!runner.benches(name))
    return;
  using Shape = StepShape<Batch, 128, 64, 128, 1, 4, Tile, 4 + Length, Threads>;
  using Ring = RingFor<Shape, Length>;
  constexpr int kLayers = 4;
  const size_t stateElements = size_t(Batch) * Shape::kX * Shape::kStateSize;
  const size_t ringElements = size_t(Batch) * Shape::kConvRing * Shape::kChannels;
  const size_t entryElements = size_t(Batch) * maxOf(Length - 1, 1) * (Shape::kX + Shape::kBC);
  const size_t deltaElements = size_t(Batch) * maxOf(Length - 1, 1) * Shape::kHeads;
  DeviceBuffer<State> states(kLayers * stateElements);
  DeviceBuffer<float> scales(kLayers * size_t(Batch) * Shape::kX);
  DeviceBuffer<KeptOf<State>> rings(kLayers * ringElements);
  DeviceBuffer<float> weights(kLayers * 5 * size_t(Shape::kChannels)), heads(Shape::kHeads),
      deltas(kLayers * deltaElements);
  DeviceBuffer<Operand> input(size_t(Batch) * Shape::kWidth), y(size_t(Batch) * Shape::kX),
      entries(kLayers * entryElements);
  scales.randomize(8), states.randomize(1), rings.randomize(2), weights.randomize(3), heads.randomize(4),
      input.randomize(5);
  entries.randomize(6), deltas.randomize(7);
  std::vector<int> slots(Batch), pending(Batch);
  for (int b = 0; b < Batch; ++b)
    slots[b] = (b * 37 + 11) % Batch, pending[b] = Length ? b % Length : 0; // each place of the ring as often
  DeviceBuffer<int> slotsDevice(slots), positions(std::vector<int>(Batch, 1001)), pendingDevice(pending);
  double time = medianMicroseconds([&](cudaStream_t stream, int i) {
    const int layer = i % kLayers;
    const float *weight = weights.data() + layer * 5 * size_t(Shape::kChannels);
    Parameters parameters{weight, weight + 4 * Shape::kChannels, heads.data(), heads.data(), heads.data()};
    launch(step<Shape, State, true, Length>, SsmStep<Shape, State, Ring>::kLaunch, stream, input.data(), parameters,
           rings.data() + layer * ringElements, slotsDevice.data(), positions.data(),
           states.data() + layer * stateElements, y.data(),
           Entries{entries.data() + layer * entryElements, deltas.data() + layer * deltaElements, pendingDevice.data(),
                   scales.data() + layer * size_t(Batch) * Shape::kX});
  });
  runner.benched(name, time, (1.0 + 1.0 / maxOf(Length, 1)) * sizeof(State) * stateElements, "GB/s");
}

/// A head, two and four heads a block, of few and of many threads.
template <int Batch, class State> void benchTiles(Runner &runner, const std::string &name) {
  bench<Batch, State, 16, 64, 128>(runner, name);
  bench<Batch, State, 16, 64, 256>(runner, name);
  bench<Batch, State, 16, 128, 128>(runner, name);
  bench<Batch, State, 16, 128, 256>(runner, name);
  if constexpr (sizeof(State) == 1)
    bench<Batch, State, 16, 256, 128>(runner, name);
}

} // namespace

int main(int argc, char **argv) {
  Runner runner(argc, argv);
  testRing<StepShape<1, 4, 8, 16, 1, 4, 8>, float, 4>(runner, "ring tiny of 4");
  testRing<StepShape<5, 6, 20, 24, 2, 4, 20, 19>, float, 16>(runner, "ring odd of 16");
  testRing<StepShape<5, 6, 20, 24, 2, 3, 8>, bf16, 5>(runner, "ring odd tiled of 5 bf16");
  testRing<StepShape<4, 6, 7, 9, 3, 2, 7>, float, 32>(runner, "ring scalar of 32");
  testRing<StepShape<4, 6, 7, 9, 3, 2, 7>, float, 2>(runner, "ring of 2");
  testRing<StepShape<5, 6, 20, 24, 2, 1, 20>, float, 3, false>(runner, "ring odd not convolved of 3");
  testRing<StepShape<3, 8, 48, 256, 2, 4, 32>, f16, 8>(runner, "ring wide state of 8 f16");
  testRing<StepShape<2, 128, 64, 128, 1, 4, 64, 19>, float, 16>(runner, "ring Bamba-9B of 16");
  testRing<StepShape<5, 6, 20, 24, 2, 4, 60, 19>, float, 16>(runner, "ring odd, 3 heads a block");
  testRing<StepShape<4, 6, 7, 9, 3, 2, 14>, bf16, 5>(runner, "ring scalar, 2 heads a block");
  testRing<StepShape<2, 128, 64, 128, 1, 4, 256, 19>, float, 16>(runner, "ring Bamba-9B, 4 heads a block");
  testRing<StepShape<2, 128, 64, 128, 1, 4, 256, 19>, f16, 16>(runner, "ring Bamba-9B f16, 4 heads a block");
  testRing<StepShape<1100, 6, 20, 24, 2, 4, 20>, float, 3>(runner, "ring, blocks of more than two rounds");
  testRing<StepShape<6, 6, 20, 24, 2, 4, 20>, float, 3>(runner, "ring, as many sequences as blocks");
  testFold<StepShape<5, 6, 20, 24, 2, 4, 20>, float, 16>(runner, "ring fold odd");
  testFold<StepShape<40, 6, 20, 24, 2, 4, 20>, float, 16>(runner, "ring fold of 40 sequences");
  testFold<StepShape<4, 6, 7, 9, 3, 2, 7>, float, 6>(runner, "ring fold scalar");
  testFold<StepShape<3, 8, 48, 256, 2, 4, 32>, f16, 8>(runner, "ring fold wide f16");
  testFold<StepShape<2, 128, 64, 128, 1, 4, 64>, float, 16>(runner, "ring fold Bamba-9B");
  testFold<StepShape<5, 6, 20, 24, 2, 4, 60>, float, 16>(runner, "ring fold odd, 3 heads a block");
  testRing<StepShape<5, 6, 20, 24, 2, 4, 20, 19>, int8, 16>(runner, "ring odd of 16 int8");
  testRing<StepShape<4, 6, 7, 9, 3, 2, 7>, int8, 4>(runner, "ring scalar of 4 int8");
  testRing<StepShape<3, 8, 48, 256, 2, 4, 32>, int8, 8>(runner, "ring wide state of 8 int8");
  testRing<StepShape<2, 128, 64, 128, 1, 4, 64, 19>, int8, 16>(runner, "ring Bamba-9B of 16 int8");
  testRing<StepShape<5, 6, 20, 24, 2, 4, 60, 19>, int8, 16>(runner, "ring odd int8, 3 heads a block");
  testRing<StepShape<2, 128, 64, 128, 1, 4, 512, 19>, int8, 16>(runner, "ring Bamba-9B int8, 8 heads a block");
  testRing<StepShape<2, 128, 64, 128, 1, 4, 256, 19>, int8, 8>(runner, "ring Bamba-9B of 8 int8, 4 heads a block");
  testRing<StepShape<3, 6, 20, 48, 2, 4, 20, 19>, int8, 6>(runner, "ring state of 48 int8");
  testRing<StepShape<3, 4, 24, 16, 1, 4, 48>, int8, 6>(runner, "ring state of 16 int8, 2 heads a block");
  testRing<StepShape<3, 4, 24, 16, 1, 4, 2>, int8, 8>(runner, "ring of 8 int8, tiles of 2 channels");
  testRing<StepShape<3, 4, 24, 144, 1, 4, 24>, int8, 20>(runner, "ring state of 144 int8 of 20");
  testRing<StepShape<3, 6, 20, 48, 2, 1, 20>, int8, 9, false>(runner, "ring not convolved of 9 int8");
  testRing<StepShape<2, 128, 64, 128, 1, 1, 256>, int8, 8, false>(runner, "ring Bamba-9B int8, not convolved");
  testRing<StepShape<3, 4, 20, 48, 2, 4, 16>, int8, 2>(runner, "ring of 2 int8, tiles that are not full");
  testRing<StepShape<3, 4, 20, 48, 2, 4, 40>, int8, 32>(runner, "ring of 32 int8, 2 heads a block");
  testRing<StepShape<2, 2, 8, 512, 1, 4, 8>, int8, 9>(runner, "ring state of 512 int8 of 9");
  testFold<StepShape<5, 6, 20, 24, 2, 4, 20>, int8, 16>(runner, "ring fold odd int8");
  testFold<StepShape<3, 6, 20, 48, 2, 4, 60>, int8, 20>(runner, "ring fold state of 48 int8, 3 heads a block");
  testFold<StepShape<3, 4, 20, 144, 2, 4, 20>, int8, 6>(runner, "ring fold state of 144 int8");
  testFold<StepShape<4, 6, 7, 9, 3, 2, 7>, int8, 6>(runner, "ring fold scalar int8");
  testFold<StepShape<2, 128, 64, 128, 1, 4, 64>, int8, 16>(runner, "ring fold Bamba-9B int8");
  benchTiles<8, float>(runner, "ring ssm_step f32 batch 8");
  benchTiles<64, float>(runner, "ring ssm_step f32 batch 64");
  benchTiles<64, int8>(runner, "ring ssm_step int8 batch 64");
  benchTiles<256, float>(runner, "ring ssm_step f32 batch 256");
  benchTiles<256, f16>(runner, "ring ssm_step f16 batch 256");
  benchTiles<256, int8>(runner, "ring ssm_step int8 batch 256");
  bench<256, int8, 8, 256, 128>(runner, "ring of 8 int8 batch 256");
  bench<256, int8, 8, 128, 128>(runner, "ring of 8 int8 batch 256");
  bench<64, int8, 8, 128, 128>(runner, "ring of 8 int8 batch 64");
  bench<64, int8, 8, 128, 256>(runner, "ring of 8 int8 batch 64");
  bench<64, int8, 8, 256, 128>(runner, "ring of 8 int8 batch 64");
  bench<8, int8, 8, 128, 128>(runner, "ring of 8 int8 batch 8");
  bench<8, int8, 8, 128, 256>(runner, "ring of 8 int8 batch 8");
  return runner.exitCode();
}
