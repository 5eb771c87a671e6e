// Tests and times the decode step of the state space recurrence, alone and with convolution and gate.
#include "common/ssm_step.cuh"
#include "tests/cuda/harness.cuh"

using namespace bambac;
using namespace harness;

namespace {

template <int Batch, int Heads, int HeadDim, int StateSize, int Groups, int Taps, int Tile> struct StepShape {
  static constexpr int kBatch = Batch, kHeads = Heads, kHeadDim = HeadDim, kStateSize = StateSize, kGroups = Groups;
  using Operand = harness::Operand;
  static constexpr int kTaps = Taps, kThreads = 256, kChannelTile = Tile;
  static constexpr float kDtMin = 0.001f, kDtMax = 2.0f;
  // The columns of one buffer: z | x | B | C | dt.
  static constexpr int kX = Heads * HeadDim, kBC = Groups * StateSize, kChannels = kX + 2 * kBC;
  static constexpr int kWidth = kX + kChannels + Heads;
  static constexpr int kInputVector = dividingVector(8, kX | kWidth | kBC);
};

template <class Shape> struct GateEpilogue {
  static constexpr int kColumns = Shape::kX, kVector = dividingVector(8, Shape::kX | Shape::kWidth);
  const Operand *zxBCdt;
  Operand *y;

  template <int V> struct Extra {
    float gate[V];
  };
  template <int V> __device__ __forceinline__ Extra<V> load(int row, int column) const {
    Extra<V> extra;
    loadVector<V>(zxBCdt + static_cast<long long>(row) * Shape::kWidth + column, extra.gate);
    return extra;
  }
  template <int V>
  __device__ __forceinline__ void store(int row, int column, const float (&sums)[V], const Extra<V> &extra) const {
    float values[V];
#pragma unroll
    for (int i = 0; i < V; ++i)
      values[i] = sums[i] * silu(extra.gate[i]);
    storeVector<V>(y + static_cast<long long>(row) * kColumns + column, values);
  }
};

struct Parameters {
  const float *convWeight, *convBias, *aLog, *d, *dtBias;
};

template <class Shape, class State, bool Convolved>
__global__ void __launch_bounds__(SsmStep<Shape, State>::kThreads, SsmStep<Shape, State>::kMinBlocks)
    step(const Operand *zxBCdt, Parameters p, float *ring, const int *slots, const int *positions, State *state,
         Operand *y) {
  using View = Rows<const Operand, Shape::kWidth>;
  const View dt{zxBCdt + Shape::kX + Shape::kChannels};
  const GateEpilogue<Shape> epilogue{zxBCdt, y};
  if constexpr (Convolved)
    SsmStep<Shape, State>::run(
        ConvolvedInput<Shape, View>{{zxBCdt + Shape::kX}, p.convWeight, p.convBias, ring, slots, positions}, dt, p.aLog,
        p.d, p.dtBias, slots, state, epilogue);
  else
    SsmStep<Shape, State>::run(SsmInput<View, View, View>{{zxBCdt + Shape::kX},
                                                          {zxBCdt + 2 * Shape::kX},
                                                          {zxBCdt + 2 * Shape::kX + Shape::kBC}},
                               dt, p.aLog, p.d, p.dtBias, slots, state, epilogue);
}

double siluOf(double v) { return v / (1 + std::exp(-v)); }

/// The pool of states, the weights and the inputs of one problem, on both sides.
template <class Shape, class State, bool Convolved, bool HasBias> struct Problem {
  static constexpr int kSlots = Shape::kBatch + 2, kChannels = Shape::kChannels, kTaps = Shape::kTaps;
  static constexpr size_t kStateElements = size_t(Shape::kX) * Shape::kStateSize,
                          kRingElements = size_t(kTaps) * kChannels;

  std::vector<float> convWeight = randomFloats(kRingElements, 1, 0.7f), convBias = randomFloats(kChannels, 2);
  std::vector<float> aLog = randomFloats(Shape::kHeads, 3, 1.0f), d = randomFloats(Shape::kHeads, 4),
                     dtBias = randomFloats(Shape::kHeads, 5, 2.0f, -1.0f);
  std::vector<State> initialState = fromFloats<State>(randomFloats(kSlots * kStateElements, 6));
  std::vector<float> initialRing = randomFloats(kSlots * kRingElements, 7);
  std::vector<int> slots, positions;
  int numPadding = Shape::kBatch > 3 ? 2 : 0;

  DeviceBuffer<float> convWeightDevice{convWeight}, convBiasDevice{convBias}, aLogDevice{aLog}, dDevice{d},
      dtBiasDevice{dtBias}, ring{initialRing};
  DeviceBuffer<State> state{initialState};
  DeviceBuffer<Operand> y{size_t(Shape::kBatch) * Shape::kX};
  std::vector<double> stateReference, ringReference;

  Problem() {
    // Slots from the back, the last sequences padding that shares slot 0; every sequence at another place of its ring.
    for (int b = 0; b < Shape::kBatch; ++b) {
      slots.push_back(isPadding(b) ? 0 : kSlots - 1 - b);
      positions.push_back(isPadding(b) ? -1 : 3 * b);
    }
    for (State value : initialState)
      stateReference.push_back(toDouble(value));
    ringReference.assign(initialRing.begin(), initialRing.end());
  }
  bool isPadding(int b) const { return b >= Shape::kBatch - numPadding; }

  std::vector<Operand> run(const std::vector<Operand> &zxBCdt) {
    DeviceBuffer<Operand> input(zxBCdt);
    DeviceBuffer<int> slotsDevice(slots), positionsDevice(positions);
    Parameters parameters{convWeightDevice.data(), HasBias ? convBiasDevice.data() : nullptr, aLogDevice.data(),
                          dDevice.data(), dtBiasDevice.data()};
    y.poison();
    launch(step<Shape, State, Convolved>, SsmStep<Shape, State>::kLaunch, 0, input.data(), parameters, ring.data(),
           slotsDevice.data(), positionsDevice.data(), state.data(), y.data());
    return y.download();
  }

  /// x, B and C of a sequence: the ring moves on.
  std::vector<double> inputsOf(int b, const Operand *xBC) {
    std::vector<double> result(kChannels);
    double *rows = ringReference.data() + slots[b] * kRingElements;
    for (int c = 0; c < kChannels; ++c) {
      double input = toDouble(xBC[c]), sum = HasBias ? convBias[c] : 0;
      if (Convolved) {
        rows[positions[b] % kTaps * kChannels + c] = input;
        for (int j = 0; j < kTaps; ++j)
          sum += convWeight[j * kChannels + c] * rows[(positions[b] + 1 + j) % kTaps * kChannels + c];
      }
      result[c] = Convolved ? toDouble(harness::roundTo<Operand>(float(siluOf(sum)))) : input;
    }
    return result;
  }

  /// The result of one step for the sequences that are not padding; moves the reference's states on.
  std::vector<double> reference(const std::vector<Operand> &zxBCdt) {
    std::vector<double> result;
    for (int b = 0; b < Shape::kBatch - numPadding; ++b) {
      const Operand *row = zxBCdt.data() + size_t(b) * Shape::kWidth;
      std::vector<double> inputs = inputsOf(b, row + Shape::kX);
      for (int h = 0; h < Shape::kHeads; ++h) {
        const double *B = inputs.data() + Shape::kX + h / (Shape::kHeads / Shape::kGroups) * Shape::kStateSize;
        const double *C = B + Shape::kBC;
        double delta = std::log1p(std::exp(toDouble(row[Shape::kX + kChannels + h]) + dtBias[h]));
        delta = std::min<double>(std::max<double>(delta, Shape::kDtMin), Shape::kDtMax);
        double decay = std::exp(-delta * std::exp(double(aLog[h])));
        for (int c = h * Shape::kHeadDim; c < (h + 1) * Shape::kHeadDim; ++c) {
          double *S = stateReference.data() + slots[b] * kStateElements + size_t(c) * Shape::kStateSize;
          double sum = d[h] * inputs[c];
          for (int n = 0; n < Shape::kStateSize; ++n) {
            S[n] = S[n] * decay + delta * inputs[c] * B[n];
            sum += S[n] * C[n];
          }
          result.push_back(sum * siluOf(toDouble(row[c])));
        }
      }
    }
    return result;
  }
};

template <class T> std::vector<T> slice(const std::vector<T> &values, size_t from, size_t count) {
  return {values.begin() + from, values.begin() + from + count};
}

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
  std::vector<State> state = problem.state.download();
  std::vector<float> ring = problem.ring.download();
  const size_t stateFrom = P::kStateElements, ringFrom = P::kRingElements;
  runner.report(name + " state",
                relativeError(slice(state, stateFrom, state.size() - stateFrom),
                              slice(problem.stateReference, stateFrom, state.size() - stateFrom)),
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
  runner.expect(name + " others' states", sameBits(slice(clean.state.download(), slotsFrom, slotElements),
                                                   slice(nan.state.download(), slotsFrom, slotElements)));
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
           states.data() + layer * stateElements, y.data());
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
