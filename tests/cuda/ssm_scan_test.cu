// The chunked scans against the recurrence in double precision: padding, groups, odd sizes, pieces, continued states.
// Both collectives have the same name; here the one for sm_80 goes by another.
#define SsmScan SsmScanMma
#include "mma/ssm_scan.cuh"
#undef SsmScan
#include "tests/cuda/host_states.cuh"
#include "wgmma/ssm_scan.cuh"
#include "wgmma/wgmma_bf16.cuh"
#include "wgmma/wgmma_f16.cuh"

using namespace bambac;
using harness::DeviceBuffer;
using harness::Operand;

namespace {

enum class Steps { Usual, Large };

/// A case: the collective's shape and the buffers around it. `Offset` shifts every slice by as many columns; 1 leaves
/// no alignment but an element's.
template <int Pieces, int Rows, int Heads, int HeadDim, int StateSize, int Groups, class StateElement, int Offset>
struct Case {
  using Operand = harness::Operand;
  static constexpr int kPieces = Pieces, kHeads = Heads, kHeadDim = HeadDim;
  static constexpr int kStateSize = StateSize, kGroups = Groups, kMultiprocessors = 132, kSharedLimit = 232448;
  static constexpr int kLongest = bambac::alignTo(StateSize, 16) > 128 ? 32 : 64; // larger states leave room for less
  static constexpr int kChunk = bambac::minOf(kLongest, bambac::alignTo(Rows, 16));
  static constexpr float kDtMin = 0.0f, kDtMax = 3e38f;
  static constexpr int kInner = Heads * HeadDim, kWide = Groups * StateSize, kRows = Rows;
  // z | ... | dt of the input projection, x | B | C of the convolution
  static constexpr int kZ = Offset, kDt = Offset + 2 * kInner + 2 * kWide, kProjected = kDt + Heads + Offset;
  static constexpr int kX = Offset, kB = kX + kInner, kC = kB + kWide, kConvolved = kC + kWide;
  static constexpr bool kAligned = kX % 8 == 0 && kB % 8 == 0 && kC % 8 == 0;
  static constexpr bool kAlignedGate = kZ % 8 == 0 && kProjected % 8 == 0 && kInner % 8 == 0;
  using State = StateElement;
};

template <class C> struct Gate {
  using Element = Operand;
  static constexpr int kVector = C::kAlignedGate ? 8 : 1;
  Rows<const Operand, C::kProjected> z;
  Rows<Operand, C::kInner> result;
  template <int V> struct Extra {
    RawVector<Operand, V> gate;
  };
  template <int V> __device__ Extra<V> load(int row, int column) const { return {loadRaw<V>(z[row] + column)}; }
  template <int V> __device__ void store(int row, int column, const float (&y)[V], const Extra<V> &extra) const {
    float gated[V];
#pragma unroll
    for (int i = 0; i < V; ++i)
      gated[i] = y[i] * silu(extra.gate[i]);
    storeVector<V>(result[row] + column, gated);
  }
};

struct OnMma {
  static constexpr const char *kName = "mma ";
  template <class C> using Scan = SsmScanMma<C, typename C::State>;
};
struct OnWgmma {
  static constexpr const char *kName = "wgmma ";
  template <class C> using Scan = SsmScan<C, typename C::State>;
};

template <class C, class Scan>
__global__ void __launch_bounds__(Scan::kThreads, Scan::kMinBlocks)
    scanKernel(const Operand *projected, const Operand *convolved, const float *aLog, const float *d,
               const float *dtBias, const int *slots, const int *starts, typename C::State *state, float *scales,
               Operand *result) {
  using Convolved = Rows<const Operand, C::kConvolved>;
  using Projected = Rows<const Operand, C::kProjected>;
  Scan::run(C::kPieces, Convolved{convolved + C::kX}, Projected{projected + C::kDt}, Convolved{convolved + C::kB},
            Convolved{convolved + C::kC}, aLog, d, dtBias, slots, starts, state,
            Gate<C>{Projected{projected + C::kZ}, {result}}, scales);
}

/// Where pieces lie, and the end of the last.
std::vector<int> startsOf(const std::vector<int> &counts) {
  std::vector<int> starts = {0};
  for (int count : counts)
    starts.push_back(starts.back() + count);
  return starts;
}

/// One call's inputs. Rows after the last piece are NaN.
struct Inputs {
  std::vector<Operand> projected, convolved;
};

struct Parameters {
  std::vector<float> aLog, d, dtBias;
};

template <class C> Inputs makeInputs(unsigned seed, int rows, Steps steps) {
  Inputs inputs{harness::randomOperands(size_t(C::kRows) * C::kProjected, seed),
                harness::randomOperands(size_t(C::kRows) * C::kConvolved, seed + 1)};
  for (size_t row = 0; row < C::kRows; ++row) {
    Operand *dt = &inputs.projected[row * C::kProjected + C::kDt];
    for (int h = 0; h < C::kHeads; ++h) {
      float uniform = harness::randomAt(seed + 2, row * C::kHeads + h);
      dt[h] = harness::roundTo<Operand>(steps == Steps::Large ? 2 + 8 * uniform : 2 * uniform);
    }
  }
  std::fill(inputs.projected.begin() + size_t(rows) * C::kProjected, inputs.projected.end(), Operand{0x7fff});
  std::fill(inputs.convolved.begin() + size_t(rows) * C::kConvolved, inputs.convolved.end(), Operand{0x7fff});
  return inputs;
}

/// As Mamba initializes them: A from -1 to -16, softplus(bias) from 0.001 to 0.1, evenly in its logarithm.
template <class C> Parameters makeParameters() {
  Parameters parameters{std::vector<float>(C::kHeads), harness::randomFloats(C::kHeads, 7), {}};
  for (int h = 0; h < C::kHeads; ++h) {
    parameters.aLog[h] = std::log(1.0f + 7.5f * (1 + harness::randomAt(8, h)));
    double step = std::exp(std::log(0.001) + std::log(100.0) * 0.5 * (1 + harness::randomAt(9, h)));
    parameters.dtBias.push_back(float(step + std::log(-std::expm1(-step))));
  }
  return parameters;
}

/// The recurrence for one head and the piece of rows `first` to `end`; `state` [P, N] goes on, the gated rows are
/// appended to `rows`.
template <class C>
void recur(const Inputs &inputs, const Parameters &parameters, int first, int end, int head, std::vector<double> &state,
           std::vector<double> &rows) {
  double rate = -std::exp(double(parameters.aLog[head]));
  int group = head / (C::kHeads / C::kGroups) * C::kStateSize;
  std::vector<double> keys(C::kStateSize), queries(C::kStateSize);
  for (size_t row = first; row < size_t(end); ++row) {
    const Operand *projected = &inputs.projected[row * C::kProjected];
    const Operand *convolved = &inputs.convolved[row * C::kConvolved];
    double raw = harness::toDouble(projected[C::kDt + head]) + parameters.dtBias[head];
    double delta = raw > 30 ? raw : std::log1p(std::exp(raw)), decay = std::exp(delta * rate);
    for (int n = 0; n < C::kStateSize; ++n) {
      keys[n] = harness::toDouble(convolved[C::kB + group + n]);
      queries[n] = harness::toDouble(convolved[C::kC + group + n]);
    }
    for (int p = 0; p < C::kHeadDim; ++p) {
      double x = harness::toDouble(convolved[C::kX + head * C::kHeadDim + p]), y = parameters.d[head] * x;
      double *s = &state[size_t(p) * C::kStateSize];
      for (int n = 0; n < C::kStateSize; ++n) {
        s[n] = s[n] * decay + delta * x * keys[n];
        y += s[n] * queries[n];
      }
      double z = harness::toDouble(projected[C::kZ + head * C::kHeadDim + p]);
      rows.push_back(y * z / (1 + std::exp(-z)));
    }
  }
}

/// `singles` pieces of one token, `others`, and pieces that are not there.
template <class C> std::vector<int> manyPieces(int singles, const std::vector<int> &others) {
  std::vector<int> counts(singles, 1);
  counts.insert(counts.end(), others.begin(), others.end());
  counts.resize(C::kPieces, 0);
  return counts;
}

template <class C, class Scan> struct Device {
  using Element = typename C::State;
  DeviceBuffer<Operand> projected{size_t(C::kRows) * C::kProjected}, convolved{size_t(C::kRows) * C::kConvolved};
  DeviceBuffer<Operand> result{size_t(C::kRows) * C::kInner};
  DeviceBuffer<float> aLog, d, dtBias;
  DeviceBuffer<int> slots, starts;
  host_states::DeviceStates<Element> state;

  Device(const Parameters &parameters, const std::vector<int> &slots, const host_states::States<Element> &state)
      : aLog(parameters.aLog), d(parameters.d), dtBias(parameters.dtBias), slots(slots), starts(slots.size() + 1),
        state(state) {}
  void launch(cudaStream_t stream) {
    harness::launch(scanKernel<C, Scan>, Scan::kLaunch, stream, projected.data(), convolved.data(), aLog.data(),
                    d.data(), dtBias.data(), slots.data(), starts.data(), state.elements.data(), state.scales.data(),
                    result.data());
  }
  void run(const Inputs &inputs, const std::vector<int> &firstRows) {
    projected.upload(inputs.projected);
    convolved.upload(inputs.convolved);
    starts.upload(firstRows);
    result.poison();
    launch(nullptr);
  }
};

/// Two calls in a row, the second continuing from the first one's state. Big shapes are checked at a few heads.
template <class C, class On>
void checkOn(harness::Runner &runner, const std::string &plainName, const std::vector<int> &first,
             const std::vector<int> &second, Steps steps) {
  const std::string name = On::kName + plainName;
  if (!runner.wants(name))
    return;
  using Element = typename C::State;
  constexpr size_t kHeadState = size_t(C::kHeadDim) * C::kStateSize, kSlotState = C::kHeads * kHeadState;
  constexpr int kSlots = C::kPieces + 1; // in reverse order, slot 0 unused
  std::vector<int> slots, heads;
  for (int b = 0; b < C::kPieces; ++b)
    slots.push_back(C::kPieces - b);
  bool large = double(C::kRows) * kSlotState > 2e8;
  for (int h = 0; h < C::kHeads; h += large ? C::kHeads / 2 - 1 : 1)
    heads.push_back(h);
  Parameters parameters = makeParameters<C>();
  const host_states::States<Element> initial(harness::randomFloats(kSlots * kSlotState, 5), C::kStateSize);
  host_states::States<Element> before = initial, after = initial, repeated = initial;
  Device<C, typename On::template Scan<C>> device(parameters, slots, initial);
  std::vector<std::vector<double>> states; // of every sequence and sampled head
  for (int slot : slots)
    for (int h : heads)
      for (size_t i = 0, base = slot * kSlotState + h * kHeadState; i < kHeadState; ++i) {
        if (i == 0)
          states.emplace_back();
        states.back().push_back(initial[base + i]);
      }

  for (int call = 0; call < 2; ++call) {
    const std::vector<int> &counts = call == 0 ? first : second;
    std::vector<int> starts = startsOf(counts);
    Inputs inputs = makeInputs<C>(100 * (call + 1), starts.back(), steps);
    device.run(inputs, starts);
    std::vector<Operand> result = device.result.download();
    device.state.download(after);
    device.state.upload(before);
    device.run(inputs, starts);
    device.state.download(repeated);
    bool same = repeated.isSame(after, 0, kSlots * kSlotState);
    std::vector<Operand> again = device.result.download();

    std::vector<double> rows, stateRows;
    std::vector<Operand> produced;
    std::vector<double> producedState;
    for (int b = 0; b < C::kPieces; ++b)
      for (size_t i = 0; i < heads.size(); ++i) {
        recur<C>(inputs, parameters, starts[b], starts[b + 1], heads[i], states[b * heads.size() + i], rows);
        for (int row = starts[b]; row < starts[b + 1]; ++row)
          for (int p = 0; p < C::kHeadDim; ++p) {
            size_t place = size_t(row) * C::kInner + heads[i] * C::kHeadDim + p;
            produced.push_back(result[place]);
            same &= result[place].bits == again[place].bits;
          }
        const std::vector<double> &state = states[b * heads.size() + i];
        stateRows.insert(stateRows.end(), state.begin(), state.end());
        std::vector<double> found = after.slice(slots[b] * kSlotState + heads[i] * kHeadState, kHeadState);
        producedState.insert(producedState.end(), found.begin(), found.end());
      }
    std::string label = name + (call == 0 ? ", first call" : ", continued");
    // A state of less than f32 is rounded between the calls.
    const double bound = host_states::kStateError<Element>;
    runner.report(label + ", result", harness::relativeError(produced, rows),
                  sizeof(Element) == 4 ? harness::tolerance(1e-2) : bound);
    runner.report(label + ", state", harness::relativeError(producedState, stateRows),
                  sizeof(Element) == 4 ? harness::tolerance(5e-3) : bound);
    bool untouched = before.isSame(after, 0, kSlotState);
    runner.expect(label + ", same bits, other slots untouched", same && untouched);
    before = after;
  }
}

template <class C>
void check(harness::Runner &runner, const std::string &name, const std::vector<int> &first,
           const std::vector<int> &second, Steps steps = Steps::Usual) {
  checkOn<C, OnMma>(runner, name, first, second, steps);
  if constexpr (C::kStateSize <= 128)
    checkOn<C, OnWgmma>(runner, name, first, second, steps);
}

template <class C, class On> void benchOn(harness::Runner &runner, const std::string &plainName) {
  const std::string name = On::kName + plainName;
  if (!runner.benches(name))
    return;
  std::vector<int> slots, starts = startsOf(std::vector<int>(C::kPieces, C::kRows / C::kPieces));
  for (int b = 0; b < C::kPieces; ++b)
    slots.push_back(b);
  Device<C, typename On::template Scan<C>> device(
      makeParameters<C>(), slots,
      {harness::randomFloats(size_t(C::kPieces) * C::kHeads * C::kHeadDim * C::kStateSize, 5), C::kStateSize});
  device.projected.randomize(1);
  device.convolved.randomize(2);
  device.starts.upload(starts);
  double us = harness::medianMicroseconds([&](cudaStream_t stream, int) { device.launch(stream); }, 20, 7);
  // what the recurrence itself takes: two multiply-adds for each element of the state and token
  double operations = 4.0 * C::kRows * C::kInner * C::kStateSize;
  runner.benched(name, us, operations, "TFLOP/s");
  std::printf("bench %s  %.1f ns/token\n", name.c_str(), us * 1e3 / C::kRows);
}

template <class C> void bench(harness::Runner &runner, const std::string &name) {
  benchOn<C, OnMma>(runner, name);
  benchOn<C, OnWgmma>(runner, name);
}

template <int Tokens, class State, int Pieces = 1> using Bamba9B = Case<Pieces, Tokens, 128, 64, 128, 1, State, 0>;

} // namespace

int main(int argc, char **argv) {
  harness::Runner runner(argc, argv);
  check<Case<1, 64, 8, 32, 32, 1, float, 0>>(runner, "tiny", {64}, {37});
  check<Case<1, 64, 8, 32, 32, 1, float, 0>>(runner, "tiny, large steps", {64}, {64}, Steps::Large);
  check<Case<1, 16, 8, 32, 32, 1, bf16, 0>>(runner, "tiny, 16 tokens, bf16 state", {16}, {5});
  check<Case<1, 64, 8, 32, 32, 1, float, 0>>(runner, "tiny, empty", {0}, {1});
  check<Case<1, 100, 6, 20, 24, 2, float, 1>>(runner, "odd sizes, unaligned", {100}, {65});
  check<Case<1, 16, 8, 32, 32, 1, f16, 0>>(runner, "tiny, 16 tokens, f16 state", {16}, {5});
  check<Case<1, 330, 4, 80, 128, 2, f16, 0>>(runner, "80 channels, two groups, f16 state", {330}, {257});
  check<Case<1, 33, 3, 7, 17, 1, bf16, 1>>(runner, "odder sizes, bf16 state", {33}, {33});
  check<Case<2, 400, 8, 64, 64, 2, float, 0>>(runner, "two sequences, two groups", {200, 131}, {64, 0});
  check<Case<9, 400, 6, 32, 48, 2, float, 0>>(runner, "nine pieces", {1, 1, 1, 70, 2, 3, 64, 130, 1},
                                              {1, 2, 65, 3, 1, 0, 0, 0, 0});
  using Mixed = Case<70, 300, 128, 64, 128, 1, float, 0>;
  check<Mixed>(runner, "Bamba-9B, singles and pieces", manyPieces<Mixed>(66, {3, 100, 64, 1}),
               manyPieces<Mixed>(0, {200, 30, 2}));
  using OddMixed = Case<40, 80, 5, 20, 24, 1, bf16, 1>;
  check<OddMixed>(runner, "odd sizes, singles and pieces, bf16 state", manyPieces<OddMixed>(33, {2, 17, 5}),
                  manyPieces<OddMixed>(40, {}));
  check<Case<1, 16, 8, 32, 32, 1, int8, 0>>(runner, "tiny, 16 tokens, int8 state", {16}, {5});
  check<Case<1, 330, 4, 80, 128, 2, int8, 0>>(runner, "80 channels, two groups, int8 state", {330}, {257});
  check<Case<1, 33, 3, 7, 17, 1, int8, 1>>(runner, "odder sizes, int8 state", {33}, {33});
  using CodedMixed = Case<40, 80, 5, 20, 24, 1, int8, 1>;
  check<CodedMixed>(runner, "odd sizes, singles and pieces, int8 state", manyPieces<CodedMixed>(33, {2, 17, 5}),
                    manyPieces<CodedMixed>(40, {}));
  using LargeMixed = Case<70, 300, 128, 64, 128, 1, int8, 0>;
  check<LargeMixed>(runner, "Bamba-9B, singles and pieces, int8 state", manyPieces<LargeMixed>(66, {3, 100, 64, 1}),
                    manyPieces<LargeMixed>(0, {200, 30, 2}));
  check<Case<1, 96, 4, 80, 256, 1, float, 0>>(runner, "state size 256, 80 channels", {96}, {70});
  check<Case<1, 330, 4, 80, 128, 2, bf16, 0>>(runner, "80 channels, two groups, bf16 state", {330}, {257});
  check<Bamba9B<256, float>>(runner, "Bamba-9B, 256 tokens", {256}, {200});
  check<Bamba9B<256, float>>(runner, "Bamba-9B, 256 tokens, large steps", {256}, {200}, Steps::Large);
  check<Bamba9B<4096, bf16>>(runner, "Bamba-9B, 4096 tokens, bf16 state", {4000}, {100});

  bench<Bamba9B<64, float>>(runner, "Bamba-9B, 64 tokens");
  bench<Bamba9B<256, float>>(runner, "Bamba-9B, 256 tokens");
  bench<Bamba9B<1024, float>>(runner, "Bamba-9B, 1024 tokens");
  bench<Bamba9B<4096, float>>(runner, "Bamba-9B, 4096 tokens");
  bench<Bamba9B<4096, float, 8>>(runner, "Bamba-9B, 8 pieces of 512 tokens");
  bench<Bamba9B<64, float, 64>>(runner, "Bamba-9B, 64 pieces of 1 token");
  return runner.exitCode();
}
