// Cases of the tests of a decode step of the state space recurrence: shapes, the kernel with convolution and gate, the
// memory of a problem and a reference in f64.
#pragma once
#include "common/ssm_step.cuh"
#include "tests/cuda/host_states.cuh"

namespace ssm_step_test {

using namespace bambac;
using namespace harness;

template <int Batch, int Heads, int HeadDim, int StateSize, int Groups, int Taps, int Tile, int ConvRing = Taps,
          int Threads = 256>
struct StepShape {
  static constexpr int kBatch = Batch, kHeads = Heads, kHeadDim = HeadDim, kStateSize = StateSize, kGroups = Groups;
  using Operand = harness::Operand;
  static constexpr int kTaps = Taps, kConvRing = ConvRing, kThreads = Threads, kChannelTile = Tile;
  static constexpr int kSharedLimit = 227 * 1024, kMultiprocessors = 132;
  static constexpr float kDtMin = 0.001f, kDtMax = 2.0f;
  static constexpr bool kLoadsEarly = Batch % 2 == 0; // both ways
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

/// What a step with a ring reads and writes in addition.
struct Entries {
  Operand *inputs = nullptr;
  float *deltas = nullptr;
  const int *pending = nullptr;
  float *scales = nullptr; ///< of a state of codes
};

/// What the convolution's inputs are kept as: as narrow as those of codes, where the states are codes.
template <class State> using KeptOf = std::conditional_t<kIsCoded<State>, Operand, float>;

/// `Length`: of the ring of states; 0: none.
template <class Shape, int Length>
using RingFor = std::conditional_t<(Length > 0), SsmRing<Shape, Length ? Length : 2>, NoRing>;

template <class Shape, class State, bool Convolved, int Length = 0, class Ring = RingFor<Shape, Length>>
__global__ void __launch_bounds__(SsmStep<Shape, State, Ring>::kThreads, SsmStep<Shape, State, Ring>::kMinBlocks)
    step(const Operand *zxBCdt, Parameters p, KeptOf<State> *ring, const int *slots, const int *positions, State *state,
         Operand *y, Entries entries = {}) {
  Ring waiting{};
  if constexpr (Length > 0)
    waiting = {entries.inputs, entries.deltas, entries.pending};
  using Step = SsmStep<Shape, State, Ring>;
  using View = Rows<const Operand, Shape::kWidth>;
  const View dt{zxBCdt + Shape::kX + Shape::kChannels};
  const GateEpilogue<Shape> epilogue{zxBCdt, y};
  if constexpr (Convolved)
    Step::run(
        ConvolvedInput<Shape, View, KeptOf<State>>{
            {zxBCdt + Shape::kX}, p.convWeight, p.convBias, ring, slots, positions},
        dt, p.aLog, p.d, p.dtBias, slots, state, epilogue, waiting, entries.scales);
  else
    Step::run(SsmInput<View, View, View>{{zxBCdt + Shape::kX},
                                         {zxBCdt + 2 * Shape::kX},
                                         {zxBCdt + 2 * Shape::kX + Shape::kBC}},
              dt, p.aLog, p.d, p.dtBias, slots, state, epilogue, waiting, entries.scales);
}

/// Takes states over the entries that wait.
template <class Shape, class State, int Length, class Ring = RingFor<Shape, Length>>
__global__ void __launch_bounds__(SsmStep<Shape, State, Ring>::kThreads, SsmStep<Shape, State, Ring>::kMinBlocks)
    fold(const float *aLog, const int *slots, State *state, Entries entries) {
  SsmStep<Shape, State, Ring>::fold(Shape::kBatch, aLog, slots, state,
                                    Ring{entries.inputs, entries.deltas, entries.pending}, entries.scales);
}

inline double siluOf(double v) { return v / (1 + std::exp(-v)); }

/// The pool of states, the weights and the inputs of one problem, on both sides.
template <class Shape, class State, bool Convolved, bool HasBias, int Length = 0> struct Problem {
  static constexpr int kSlots = Shape::kBatch + 2, kChannels = Shape::kChannels, kTaps = Shape::kTaps;
  static constexpr size_t kStateElements = size_t(Shape::kX) * Shape::kStateSize,
                          kRingElements = size_t(Shape::kConvRing) * kChannels;

  std::vector<float> convWeight = randomFloats(size_t(kTaps) * kChannels, 1, 0.7f),
                     convBias = randomFloats(kChannels, 2);
  std::vector<float> aLog = randomFloats(Shape::kHeads, 3, 1.0f), d = randomFloats(Shape::kHeads, 4),
                     dtBias = randomFloats(Shape::kHeads, 5, 2.0f, -1.0f);
  host_states::States<State> initialState{randomState(), Shape::kStateSize};
  std::vector<KeptOf<State>> initialRing = randomRing(kSlots * kRingElements);
  std::vector<int> slots, positions;
  int numPadding = Shape::kBatch > 3 ? 2 : 0;

  DeviceBuffer<float> convWeightDevice{convWeight}, convBiasDevice{convBias}, aLogDevice{aLog}, dDevice{d},
      dtBiasDevice{dtBias};
  DeviceBuffer<KeptOf<State>> ring{initialRing};
  host_states::DeviceStates<State> state{initialState};
  DeviceBuffer<Operand> y{size_t(Shape::kBatch) * Shape::kX};
  // Entries of the ring that do not wait are NaN.
  std::vector<int> pending = std::vector<int>(Shape::kBatch, 0);
  DeviceBuffer<Operand> entries{
      std::vector<Operand>(size_t(kSlots) * maxOf(Length - 1, 1) * (Shape::kX + Shape::kBC), Operand{0x7fff})};
  DeviceBuffer<float> deltas{std::vector<float>(size_t(kSlots) * maxOf(Length - 1, 1) * Shape::kHeads, NAN)};
  std::vector<double> stateReference, ringReference;

  Problem() {
    // Slots from the back, the last sequences padding that shares slot 0; every sequence at another place of its ring.
    for (int b = 0; b < Shape::kBatch; ++b) {
      slots.push_back(isPadding(b) ? 0 : kSlots - 1 - b);
      positions.push_back(isPadding(b) ? -1 : 3 * b);
    }
    stateReference = initialState.slice(0, kSlots * kStateElements);
    for (const auto &kept : initialRing)
      ringReference.push_back(toDouble(kept));
  }
  /// Every seventh row is zeros, and every eleventh nearly so.
  static std::vector<float> randomState() {
    std::vector<float> values = randomFloats(kSlots * kStateElements, 6);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] *= i / Shape::kStateSize % 7 == 3 ? 0.0f : i / Shape::kStateSize % 11 == 5 ? 0x1p-80f : 1.0f;
    return values;
  }
  static std::vector<KeptOf<State>> randomRing(size_t count) {
    if constexpr (kIsCoded<State>)
      return randomOperands(count, 7);
    else
      return randomFloats(count, 7);
  }
  bool isPadding(int b) const { return b >= Shape::kBatch - numPadding; }

  std::vector<Operand> run(const std::vector<Operand> &zxBCdt) {
    DeviceBuffer<Operand> input(zxBCdt);
    DeviceBuffer<int> slotsDevice(slots), positionsDevice(positions);
    Parameters parameters{convWeightDevice.data(), HasBias ? convBiasDevice.data() : nullptr, aLogDevice.data(),
                          dDevice.data(), dtBiasDevice.data()};
    y.poison();
    DeviceBuffer<int> pendingDevice(pending);
    launch(step<Shape, State, Convolved, Length>, SsmStep<Shape, State, RingFor<Shape, Length>>::kLaunch, 0,
           input.data(), parameters, ring.data(), slotsDevice.data(), positionsDevice.data(), state.elements.data(),
           y.data(), Entries{entries.data(), deltas.data(), pendingDevice.data(), state.scales.data()});
    return y.download();
  }

  void foldEntries() {
    DeviceBuffer<int> slotsDevice(slots), pendingDevice(pending);
    launch(fold<Shape, State, Length>, SsmStep<Shape, State, RingFor<Shape, Length>>::kFoldLaunch, 0,
           (const float *)aLogDevice.data(), (const int *)slotsDevice.data(), state.elements.data(),
           Entries{entries.data(), deltas.data(), pendingDevice.data(), state.scales.data()});
  }

  /// x, B and C of a sequence: the ring moves on.
  std::vector<double> inputsOf(int b, const Operand *xBC) {
    std::vector<double> result(kChannels);
    double *rows = ringReference.data() + slots[b] * kRingElements;
    for (int c = 0; c < kChannels; ++c) {
      double input = toDouble(xBC[c]), sum = HasBias ? convBias[c] : 0;
      if (Convolved) {
        constexpr int kRows = Shape::kConvRing;
        rows[positions[b] % kRows * kChannels + c] = input;
        for (int j = 0; j < kTaps; ++j)
          sum += convWeight[j * kChannels + c] * rows[(positions[b] + kRows - kTaps + 1 + j) % kRows * kChannels + c];
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

} // namespace ssm_step_test
