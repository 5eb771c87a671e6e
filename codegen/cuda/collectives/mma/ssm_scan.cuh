// The selective state space recurrence over a run of tokens, in chunks, on mma.sync (sm_80 and up).
//
// A block walks the chunks of one (head, slice of the head's channels) of one piece after another, in order, and keeps
// the state S in f32 registers from a piece's first chunk to its last. With a[t] the log of the decay from the chunk's
// start to token t, a chunk of L tokens is four matrix products (Dao and Gu, "Transformers are SSMs"):
//
//   scores   M[t, s] = (C B^T)[t, s] exp(a[t] - a[s]) delta[s], s <= t            [L, N] x [N, L]
//   carried  Y^T = S C^T exp(a[t])                                                [P, N] x [N, L]
//   within   Y^T += X^T M^T + D X^T                                               [P, L] x [L, L]
//   state    S = exp(a[L-1]) S + (exp(a[L-1] - a[s]) delta[s] X)^T B              [P, L] x [L, N]
//
// Y is computed transposed: an accumulator of S is then the A fragment of the carried product as it stands, after
// rounding it, and the fragments of X^T serve two products. The warps have two roles, which work side by side:
//
//   state warps, one for 16 channels each: carried, within, state, and the epilogue, for chunk c
//   score warps, one for 16 tokens each: the decays and scores of chunk c + 1, and the copies of chunk c + 2
//
// with one barrier of the whole block (__syncthreads) a chunk: before it the score warps have copied and scored chunk c
// + 1 and the state warps have consumed chunk c - 1; after it each side may overwrite what the other has read. One more
// barrier at the start publishes the zeros of columns that no copy writes. Rounded to the type of X, B and C are M, S
// as an operand and delta X as an operand, each once.
#pragma once
#include "common/limits.cuh"
#include "common/ssm_chunk.cuh"
#include "common/ssm_singles.cuh"
#include "mma/ssm_output.cuh"

namespace bambac {

/// Shape: Operand (of x, B and C), kPieces (1, or a size of the launch), kRows, kHeads, kHeadDim, kStateSize, kGroups,
/// kDtMin, kDtMax, kAligned, kMultiprocessors, kSharedLimit; the fields of geometry::mma::Scan.
template <class Shape, class State> class SsmScan {
  using Operand = typename Shape::Operand;
  static constexpr geometry::SsmShape kShape = kSsmShape<Shape, State>;
  static constexpr geometry::mma::Scan kGeometry = {Shape::kChunk};
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(), "the schedule is legal");
  static constexpr int kHeadDim = Shape::kHeadDim, kStateSize = Shape::kStateSize;
  static constexpr int kPaddedState = kGeometry.paddedState(kShape);
  static constexpr int kChunk = Shape::kChunk;
  static constexpr int kChannels = kGeometry.channels(kShape, kLimits<Shape>);
  using Slice = SsmSlice<Shape, kChunk, kChannels>;

  static constexpr int kStateWarps = kGeometry.stateWarps(kShape, kLimits<Shape>), kScoreWarps = kGeometry.scoreWarps();
  static constexpr int kScoreThreads = kScoreWarps * 32;
  using Singles = SsmSingles<Shape, State, Slice, (kStateWarps + kScoreWarps) * 32, kChannels>;
  static constexpr int kBlocks = kChunk / 16; // 16-token blocks of a chunk

  // Shared memory. B and C live three chunks (copied, scored, consumed), X and the scores two.
  using WideTile = ChunkTile<kChunk, kPaddedState>;
  using InputTile = ChunkTile<kChunk, kChannels>;
  using ScoreTile = ChunkTile<kChunk, kChunk>;
  static constexpr int kStages = kGeometry.kStages;
  static constexpr int kStageBytes = kGeometry.stageBytes(kShape); // B, C
  static constexpr int kInputs = kStages * kStageBytes;
  static constexpr int kScores = kInputs + 2 * InputTile::kBytes;
  // What the state warps scale by, for each token: carried from the chunk's start, into its end. Two chunks.
  static constexpr int kFactors = kScores + 2 * ScoreTile::kBytes;
  static constexpr int kFactorBytes = kGeometry.factorBytes();
  static constexpr int kResults = kFactors + 2 * kFactorBytes, kResultBytes = kGeometry.resultBytes();
  static constexpr int kSharedBytes = kGeometry.sharedBytes(kShape, kLimits<Shape>);
  static_assert(kStageBytes == 2 * WideTile::kBytes && kSharedBytes == kResults + kStateWarps * kResultBytes);

public:
  static constexpr int kThreads = (kStateWarps + kScoreWarps) * 32;
  static constexpr int kMinBlocks = 1;
  static constexpr Launch kLaunch = Slice::launch(kThreads, kSharedBytes);

  /// x, dt, b, c: rows of tokens (slices of columns); aLog, d, dtBias: one for each head; state [slots, heads, P, N];
  /// scales of a state of codes: [slots, heads, P].
  template <class X, class Dt, class B, class C, class Epilogue>
  static __device__ __forceinline__ void run(int pieces, X x, Dt dt, B b, C c, const float *aLog, const float *d,
                                             const float *dtBias, const int *slots, const int *starts, State *state,
                                             const Epilogue &epilogue, float *scales = nullptr) {
    extern __shared__ __align__(1024) uint8 shared[];
    launchDependents();
    Slice at(pieces);
    int warp = threadIdx.x / 32;
    if constexpr (kPaddedState != kStateSize || kHeadDim % kChannels != 0)
      for (int i = threadIdx.x; i < kScores / 16; i += kThreads) // columns that no copy writes
        reinterpret_cast<uint4 *>(shared)[i] = make_uint4(0, 0, 0, 0);
    float skip = d[at.head], bias = dtBias[at.head];
    float rate = -__expf(aLog[at.head]) * kLog2E;
    const int singles = Shape::kPieces == 1 ? 0 : Singles::count(starts, pieces);
    waitForPredecessors();
    if (singles > 0)
      Singles::run(at, singles, x, dt, b, c, aLog, d, dtBias, slots, state, scales, epilogue);
    at.piece += singles;
    if (!at.enter(starts))
      return;
    __syncthreads();
    if (warp < kStateWarps) {
      do
        walkStates(at, warp, sharedAddress(shared), shared, skip, at.stateOf(state, slots), scalesOf(at, scales, slots),
                   epilogue);
      while (at.enterNext(starts));
    } else {
      do
        walkScores(at, warp - kStateWarps, sharedAddress(shared), shared, rate, bias, x, dt, b, c);
      while (at.enterNext(starts));
    }
  }

private:
  // --- score warps -----------------------------------------------------------------------------------------------

  template <class X, class Dt, class B, class C>
  static __device__ __forceinline__ void walkScores(const Slice &at, int warp, uint32 base, uint8 *shared, float rate,
                                                    float bias, const X &x, const Dt &dt, const B &b, const C &c) {
    int thread = warp * 32 + at.lane, chunks = at.chunks();
    float raw[2];
    at.loadSteps(at.row, at.row + at.count, dt, bias, raw);
    copyStage(at, 0, base, b, c, thread);
    commitCopies();
    // In iteration i the state warps consume chunk i - 1 while these warps score chunk i and copy what follows. In the
    // first they consume the last chunk of the piece before.
    for (int i = 0; i <= chunks; ++i) {
      waitCopies<0>();
      __syncthreads();
      if (i == chunks)
        break;
      copyTile<Operand, kChunk, kChannels, kScoreThreads, Shape::kAligned && X::kStride % 8 == 0 && kHeadDim % 8 == 0>(
          base + kInputs + at.number(i) % 2 * InputTile::kBytes, x, at.row + i * kChunk, at.present(i),
          at.head * kHeadDim + at.channel, minOf(kHeadDim - at.channel, kChannels), thread);
      if (i + 1 < chunks)
        copyStage(at, i + 1, base, b, c, thread);
      commitCopies();
      ChunkDecay decay(raw, at.present(i), rate, Shape::kDtMin, Shape::kDtMax, at.lane);
      at.loadSteps(at.row + (i + 1) * kChunk, at.row + at.count, dt, bias, raw);
      if (warp == 0)
        writeFactors(decay, reinterpret_cast<float *>(shared + kFactors + at.number(i) % 2 * kFactorBytes), at.lane);
      scoreChunk(at, i, warp, base, decay);
    }
  }

  template <class B, class C>
  static __device__ __forceinline__ void copyStage(const Slice &at, int chunk, uint32 base, const B &b, const C &c,
                                                   int thread) {
    uint32 stage = base + at.number(chunk) % kStages * kStageBytes;
    int row = at.row + chunk * kChunk, present = at.present(chunk), column = at.group * kStateSize;
    constexpr bool kWideState = Shape::kAligned && kStateSize % 8 == 0;
    copyTile<Operand, kChunk, kPaddedState, kScoreThreads, kWideState && B::kStride % 8 == 0>(
        stage, b, row, present, column, kStateSize, thread);
    copyTile<Operand, kChunk, kPaddedState, kScoreThreads, kWideState && C::kStride % 8 == 0>(
        stage + WideTile::kBytes, c, row, present, column, kStateSize, thread);
  }

  /// exp(a[t]) and exp(a[last] - a[t]) delta[t].
  static __device__ __forceinline__ void writeFactors(const ChunkDecay &decay, float *factors, int lane) {
    float last = decay.last();
    if (2 * lane >= kChunk)
      return;
    storeVector<2>(factors + 2 * lane, {exp2Fast(decay.sum[0]), exp2Fast(decay.sum[1])});
    storeVector<2>(factors + kChunk + 2 * lane, {exp2Fast(fminf(last - decay.sum[0], 0.0f)) * decay.delta[0],
                                                 exp2Fast(fminf(last - decay.sum[1], 0.0f)) * decay.delta[1]});
  }

  /// Sixteen rows of M. Blocks right of the diagonal are neither computed nor read.
  static __device__ __forceinline__ void scoreChunk(const Slice &at, int chunk, int warp, uint32 base,
                                                    const ChunkDecay &decay) {
    uint32 stage = base + at.number(chunk) % kStages * kStageBytes;
    uint32 rows = stage + WideTile::kBytes + WideTile::offset(warp * 16, 0) + WideTile::laneRowsFirst(at.lane);
    uint32 columns = stage + WideTile::laneColumnsFirst(at.lane);
    float sums[2 * kBlocks][4] = {};
#pragma unroll
    for (int k = 0; k < kPaddedState; k += 16) {
      uint32 cFragment[4], bFragment[4];
      ldmatrixX4(cFragment, rows + WideTile::offset(0, k));
#pragma unroll
      for (int block = 0; block < kBlocks; ++block)
        if (block <= warp) {
          ldmatrixX4(bFragment, columns + WideTile::offset(block * 16, k));
          mma<Operand>(sums[2 * block], cFragment, bFragment[0], bFragment[1]);
          mma<Operand>(sums[2 * block + 1], cFragment, bFragment[2], bFragment[3]);
        }
    }
    int group = at.lane / 4, pair = at.lane % 4 * 2, token = warp * 16 + group;
    float through[2] = {decay.sumOf(token), decay.sumOf(token + 8)};
    uint32 to = base + kScores + at.number(chunk) % 2 * ScoreTile::kBytes + ScoreTile::offset(token, pair);
#pragma unroll
    for (int tile = 0; tile < 2 * kBlocks; ++tile)
      if (tile / 2 <= warp) {
        int source = tile * 8 + pair;
        float2 from = decay.sumsOfPair(source / 2), delta = decay.deltasOfPair(source / 2);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float first = sums[tile][2 * half] * exp2Fast(fminf(through[half] - from.x, 0.0f)) * delta.x;
          float second = sums[tile][2 * half + 1] * exp2Fast(fminf(through[half] - from.y, 0.0f)) * delta.y;
          int row = token + 8 * half;
          uint32 packed = pack<Operand>(source <= row ? first : 0.0f, source + 1 <= row ? second : 0.0f);
          storeShared(to + ScoreTile::offset(8 * half, tile * 8), packed);
        }
      }
  }

  // --- state warps -----------------------------------------------------------------------------------------------

  using StateTile = float[kPaddedState / 8][4]; // S, 16 channels: accumulators [16 channels, 8 states]
  using ResultTile = float[2 * kBlocks][4];     // Y^T, 16 channels: accumulators [16 channels, 8 tokens]
  using InputFragments = uint32[kBlocks][4];    // X^T, 16 channels: A fragments [16 channels, 16 tokens]

  static __device__ __forceinline__ float *scalesOf(const Slice &at, float *scales, const int *slots) {
    if constexpr (kIsCoded<State>)
      return at.scalesOf(scales, slots);
    else
      return nullptr;
  }

  template <class Epilogue>
  static __device__ __forceinline__ void walkStates(const Slice &at, int warp, uint32 base, uint8 *shared, float skip,
                                                    State *state, float *scales, const Epilogue &epilogue) {
    StateTile s;
    moveState<true>(at, warp, state, scales, s);
    int chunks = at.chunks();
    __syncthreads(); // the score warps' first iteration
    for (int chunk = 0; chunk < chunks; ++chunk) {
      __syncthreads();
      consumeChunk(at, chunk, warp, base, shared, skip, s, epilogue);
    }
    moveState<false>(at, warp, state, scales, s);
  }

  template <class Epilogue>
  static __device__ __forceinline__ void consumeChunk(const Slice &at, int chunk, int warp, uint32 base, uint8 *shared,
                                                      float skip, StateTile &s, const Epilogue &epilogue) {
    uint32 stage = base + at.number(chunk) % kStages * kStageBytes;
    const float *factors = reinterpret_cast<const float *>(shared + kFactors + at.number(chunk) % 2 * kFactorBytes);
    float *results = reinterpret_cast<float *>(shared + kResults + warp * kResultBytes);
    ScanOutput<Epilogue, kHeadDim, kChunk> output(at.row + chunk * kChunk, at.present(chunk), at.head,
                                                  at.channel + warp * 16, at.lane);
    output.load(epilogue);

    InputFragments x;
    uint32 inputs = base + kInputs + at.number(chunk) % 2 * InputTile::kBytes + InputTile::laneColumnsFirst(at.lane);
#pragma unroll
    for (int block = 0; block < kBlocks; ++block)
      ldmatrixX4Trans(x[block], inputs + InputTile::offset(block * 16, warp * 16));

    ResultTile y = {};
    addCarried(y, s, stage + WideTile::kBytes + WideTile::laneColumnsFirst(at.lane));
    scaleAndSkip(y, x, factors, skip, at.lane);
    addWithin(y, x, base + kScores + at.number(chunk) % 2 * ScoreTile::kBytes + ScoreTile::laneColumnsFirst(at.lane));
    output.stage(y, results);
    updateState(s, x, factors, stage + WideTile::laneRowsFirst(at.lane), at.lane);
    __syncwarp();
    output.store(epilogue, results);
  }

  /// Y^T += S C^T; `c`: this lane's address in the tile of C.
  static __device__ __forceinline__ void addCarried(ResultTile &y, const StateTile &s, uint32 c) {
#pragma unroll
    for (int k = 0; k < kPaddedState; k += 16) {
      const float (&low)[4] = s[k / 8], (&high)[4] = s[k / 8 + 1];
      uint32 sFragment[4] = {pack<Operand>(low[0], low[1]), pack<Operand>(low[2], low[3]),
                             pack<Operand>(high[0], high[1]), pack<Operand>(high[2], high[3])};
#pragma unroll
      for (int block = 0; block < kBlocks; ++block) {
        uint32 cFragment[4];
        ldmatrixX4(cFragment, c + WideTile::offset(block * 16, k));
        mma<Operand>(y[2 * block], sFragment, cFragment[0], cFragment[1]);
        mma<Operand>(y[2 * block + 1], sFragment, cFragment[2], cFragment[3]);
      }
    }
  }

  /// Y^T = Y^T exp(a[t]) + D X^T. The accumulator of tokens 8 i .. 8 i + 7 and half a fragment of X^T hold the same
  /// elements.
  static __device__ __forceinline__ void scaleAndSkip(ResultTile &y, const InputFragments &x, const float *factors,
                                                      float skip, int lane) {
#pragma unroll
    for (int tile = 0; tile < 2 * kBlocks; ++tile) {
      float carried[2];
      loadVector<2>(factors + tile * 8 + lane % 4 * 2, carried);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        uint32 input = x[tile / 2][tile % 2 * 2 + half];
        y[tile][2 * half] = y[tile][2 * half] * carried[0] + skip * low<Operand>(input);
        y[tile][2 * half + 1] = y[tile][2 * half + 1] * carried[1] + skip * high<Operand>(input);
      }
    }
  }

  /// Y^T += X^T M^T, where M is not zero.
  static __device__ __forceinline__ void addWithin(ResultTile &y, const InputFragments &x, uint32 scores) {
#pragma unroll
    for (int source = 0; source < kBlocks; ++source)
#pragma unroll
      for (int block = source; block < kBlocks; ++block) {
        uint32 fragment[4];
        ldmatrixX4(fragment, scores + ScoreTile::offset(block * 16, source * 16));
        mma<Operand>(y[2 * block], x[source], fragment[0], fragment[1]);
        mma<Operand>(y[2 * block + 1], x[source], fragment[2], fragment[3]);
      }
  }

  /// S = exp(a[last]) S + (weight X)^T B; `b`: this lane's address in the tile of B.
  static __device__ __forceinline__ void updateState(StateTile &s, const InputFragments &x, const float *factors,
                                                     uint32 b, int lane) {
    float decay = factors[kChunk - 1];
#pragma unroll
    for (int tile = 0; tile < kPaddedState / 8; ++tile)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        s[tile][i] *= decay;
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) {
      uint32 weighted[4];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float weight[2];
        loadVector<2>(factors + kChunk + block * 16 + half * 8 + lane % 4 * 2, weight);
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i)
          weighted[i] = pack<Operand>(low<Operand>(x[block][i]) * weight[0], high<Operand>(x[block][i]) * weight[1]);
      }
#pragma unroll
      for (int n = 0; n < kPaddedState; n += 16) {
        uint32 fragment[4];
        ldmatrixX4Trans(fragment, b + WideTile::offset(block * 16, n));
        mma<Operand>(s[n / 8], weighted, fragment[0], fragment[1]);
        mma<Operand>(s[n / 8 + 1], weighted, fragment[2], fragment[3]);
      }
    }
  }

  /// Loads this warp's 16 channels of the state, or stores them.
  template <bool Loads>
  static __device__ __forceinline__ void moveState(const Slice &at, int warp, State *state, float *scales,
                                                   StateTile &s) {
    if constexpr (kIsCoded<State>) {
      moveCodedFragment<Loads, kPaddedState / 2, kHeadDim, kStateSize>(
          state, scales, at.channel + warp * 16 + at.lane / 4, at.lane,
          [&](int i) -> float & { return s[i / 4][i % 4]; });
    } else {
      movePlainState<Loads>(at, warp, state, s);
    }
  }

  template <bool Loads>
  static __device__ __forceinline__ void movePlainState(const Slice &at, int warp, State *state, StateTile &s) {
    constexpr int kVector = kStateSize % 2 == 0 ? 2 : 1;
#pragma unroll
    for (int tile = 0; tile < kPaddedState / 8; ++tile)
#pragma unroll
      for (int i = 0; i < 4; i += kVector) {
        int channel = at.channel + warp * 16 + at.lane / 4 + i / 2 * 8;
        int n = tile * 8 + at.lane % 4 * 2 + i % 2;
        bool exists = channel < kHeadDim && n < kStateSize;
        State *place = state + (exists ? channel * kStateSize + n : 0);
        float values[kVector] = {};
#pragma unroll
        for (int j = 0; j < kVector && !Loads; ++j)
          values[j] = s[tile][i + j];
        if (exists && Loads)
          loadVector<kVector>(place, values);
        if (exists && !Loads)
          storeVector<kVector>(place, values);
#pragma unroll
        for (int j = 0; j < kVector && Loads; ++j)
          s[tile][i + j] = values[j];
      }
  }
};

} // namespace bambac
