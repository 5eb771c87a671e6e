// The selective state space recurrence over a run of tokens, in chunks of 64, on wgmma (sm_90a).
//
// A block walks the chunks of one (head, slice of 64 channels) of one piece after another, in order, and keeps the
// state S in f32 registers from a piece's first chunk to its last. With a[t] the log of the decay from the chunk's
// start to token t, a chunk of L tokens is four matrix products (Dao and Gu, "Transformers are SSMs"):
//
//   scores   M[t, s] = (C B^T)[t, s] exp(a[t] - a[s]) delta[s], s <= t, and D on the diagonal  [L, N] x [N, L]
//   carried  Y = C S^T exp(a[t])                                                               [L, N] x [N, P]
//   within   Y += M X                                                                          [L, L] x [L, P]
//   state    S = exp(a[L-1]) S + (exp(a[L-1] - a[s]) delta[s] X)^T B                           [P, L] x [L, N]
//
// Only the last one hangs on the chunk before. Four warpgroups share the work, tied by barriers of shared memory:
//
//   one for the state: hands S over, rounded, and takes it through the chunk
//   two for the results, chunk about: scores, carried, within, and the epilogue; M never leaves the registers
//   one that brings B, C and X, up to four chunks ahead, and computes the decays
//
// Rounded to the type of X, B and C are M, S as an operand and delta X as an operand, each once.
//
// Barriers in shared memory. Chunk c, counted over all pieces, uses stage c % kStages of the ring and operand c %
// kResultGroups of S.
//
//   name       arrives                                       count  waits                   parity
//   full(c)    threads that bring, twice: copied, written      256  state, results of c     (c / kStages) & 1
//   empty(c)   lane 0 of each warp of state and results of c     8  the threads that bring  (c / kStages + 1) & 1
//   fullS(c)   lane 0 of each warp of state: S is stored         4  results of c            (c / kResultGroups) & 1
//   emptyS(c)  lane 0 of each warp of results of c: S is read    4  state                   (c / kResultGroups + 1) & 1
//
// One lane arrives for its warp after __syncwarp (arriveOnce), which orders what the other lanes have done before it.
//
// For states of up to 128; any number of channels, any alignment (16-byte copies where it allows them).
#pragma once
#include "common/limits.cuh"
#include "common/ssm_singles.cuh"
#include "wgmma/ssm_fragments.cuh"
#include "wgmma/ssm_rows.cuh"
#include "wgmma/ssm_tiles.cuh"
#include "wgmma/wgmma_registers.cuh"

namespace bambac {

/// Shape: Operand (of x, B and C), kPieces (1, or a size of the launch), kRows, kHeads, kHeadDim, kStateSize, kGroups,
/// kDtMin (not negative), kDtMax, kAligned, kMultiprocessors, kSharedLimit.
template <class Shape, class State> class SsmScan {
  using Operand = typename Shape::Operand;
  static constexpr geometry::SsmShape kShape = kSsmShape<Shape, State>;
  static constexpr geometry::wgmma::Scan kGeometry = {};
  static_assert(kGeometry.legal(kShape, kLimits<Shape>).isLegal(),
                "the device has the shared memory, the registers hold the state");
  static constexpr int kHeadDim = Shape::kHeadDim, kStateSize = Shape::kStateSize;
  static constexpr int kChunk = kGeometry.kChunk, kChannels = kGeometry.kChannels;
  using Slice = SsmSlice<Shape, kChunk, kChannels>;
  using Singles = SsmSingles<Shape, State, Slice, kGeometry.kThreads, kChannels>;

  // Shared memory: a ring of chunks, S as an operand for each warpgroup of results, their staging, barriers.
  using StateTile = PanelTile<kGeometry.panels(kShape) * kGeometry.kPanelColumns>; // of S, B and C
  using InputTile = PanelTile<kChannels>;
  static constexpr int kPanels = StateTile::kPanels;
  static constexpr int kStages = kGeometry.kStages, kStageBytes = kGeometry.stageBytes(kShape); // B, C, X
  static constexpr int kResultGroups = kGeometry.kResultGroups, kStagingBytes = kGeometry.kStagingBytes;
  static constexpr int kStates = kStages * kStageBytes;
  static constexpr int kStaging = kStates + kResultGroups * StateTile::kBytes;
  static constexpr int kFactors = kStaging + kResultGroups * 4 * kStagingBytes;
  static constexpr int kBarriers = kFactors + kStages * int(sizeof(ChunkFactors));
  static constexpr int kSharedBytes = kGeometry.sharedBytes(kShape);
  static_assert(kStageBytes == 2 * StateTile::kBytes + InputTile::kBytes);
  static_assert(kSharedBytes == kBarriers + (2 * kStages + 2 * kResultGroups) * 8);

  // Registers of the roles' threads: those that bring several pieces keep more in mind.
  static constexpr int kResultRegisters = Shape::kPieces == 1 ? 160 : 152, kStateRegisters = kPanels == 2 ? 144 : 136;
  static constexpr int kBringRegisters = 4 * 128 - kStateRegisters - kResultGroups * kResultRegisters;

public:
  static constexpr int kThreads = kGeometry.kThreads, kMinBlocks = 1;
  static constexpr Launch kLaunch = Slice::launch(kThreads, kSharedBytes);

  /// x, dt, b, c: rows of tokens (slices of columns); aLog, d, dtBias: one for each head; state [slots, heads, P, N];
  /// scales of a state of codes: [slots, heads, P].
  template <class X, class Dt, class B, class C, class Epilogue>
  static __device__ __forceinline__ void run(int pieces, X x, Dt dt, B b, C c, const float *aLog, const float *d,
                                             const float *dtBias, const int *slots, const int *starts, State *state,
                                             const Epilogue &epilogue, float *scales = nullptr) {
    extern __shared__ __align__(1024) uint8 shared[];
    launchDependents();
    Place at(pieces);
    at.warp = threadIdx.x / 32 % 4;
    at.base = sharedAddress(shared);
    at.shared = shared;
    if (threadIdx.x == 0)
      initializeBarriers(at);
    const int singles = Shape::kPieces == 1 ? 0 : Singles::count(starts, pieces);
    __syncthreads();
    waitForPredecessors();
    if (singles > 0)
      Singles::run(at, singles, x, dt, b, c, aLog, d, dtBias, slots, state, scales, epilogue);
    at.piece += singles;
    if (!at.enter(starts))
      return;
    int warpgroup = threadIdx.x / 128;
    if (warpgroup == 0) {
      releaseRegisters<kBringRegisters>();
      do {
        at.forget();
        bringChunks(at, aLog[at.head], dtBias[at.head], x, dt, b, c);
      } while (at.enterNext(starts));
      waitCopies<0>();
    } else if (warpgroup == 1) {
      claimRegisters<kStateRegisters>();
      do {
        at.forget();
        walkStates(at, at.stateOf(state, slots), state, scales, slots);
      } while (at.enterNext(starts));
    } else {
      claimRegisters<kResultRegisters>();
      do {
        at.forget();
        walkResults(at, warpgroup - 2, d[at.head], epilogue);
      } while (at.enterNext(starts));
    }
  }

private:
  /// What a thread works on.
  struct Place : Slice {
    using Slice::Slice;
    int warp; // in its warpgroup
    uint32 base;
    uint8 *shared;

    /// Hides from the compiler that these are the same for each piece: it would keep in registers what follows from
    /// them.
    __device__ __forceinline__ void forget() {
      if constexpr (Shape::kPieces > 1)
        asm volatile("" : "+r"(this->head), "+r"(this->channel), "+r"(warp));
    }

    // The slot of a chunk in the ring, chunks counted over all pieces of the block.
    __device__ __forceinline__ uint32 tileB(int chunk) const { return base + chunk % kStages * kStageBytes; }
    __device__ __forceinline__ uint32 tileC(int chunk) const { return tileB(chunk) + StateTile::kBytes; }
    __device__ __forceinline__ uint32 tileX(int chunk) const { return tileC(chunk) + StateTile::kBytes; }
    __device__ __forceinline__ ChunkFactors &factors(int chunk) const {
      return reinterpret_cast<ChunkFactors *>(shared + kFactors)[chunk % kStages];
    }
    /// The chunk is in, or its readers are done.
    __device__ __forceinline__ uint32 full(int chunk) const { return base + kBarriers + chunk % kStages * 16; }
    __device__ __forceinline__ uint32 empty(int chunk) const { return full(chunk) + 8; }
    // S before a chunk, as an operand.
    __device__ __forceinline__ uint32 operandS(int chunk) const {
      return base + kStates + chunk % kResultGroups * StateTile::kBytes;
    }
    __device__ __forceinline__ uint32 fullS(int chunk) const {
      return base + kBarriers + kStages * 16 + chunk % kResultGroups * 16;
    }
    __device__ __forceinline__ uint32 emptyS(int chunk) const { return fullS(chunk) + 8; }

    /// Waits for a chunk and lets matrix instructions see it.
    __device__ __forceinline__ void waitForChunk(int chunk) const {
      wait(full(chunk), chunk / kStages % 2);
      fenceAsyncProxy();
    }
    /// One arrival for the warp, after what all its lanes have done.
    __device__ __forceinline__ void arriveOnce(uint32 barrier) const {
      __syncwarp();
      if (this->lane == 0)
        arrive(barrier);
    }
  };

  static __device__ __forceinline__ void initializeBarriers(const Place &at) {
    for (int i = 0; i < kStages; ++i) {
      initBarrier(at.full(i), 2 * 128); // every thread's copies, and what it has written itself
      initBarrier(at.empty(i), 2 * 4);  // the warps of the state and of the results
    }
    for (int i = 0; i < kResultGroups; ++i) {
      initBarrier(at.fullS(i), 4);
      initBarrier(at.emptyS(i), 4);
    }
    fenceBarrierInit();
  }

  // --- the bringing warpgroup ------------------------------------------------------------------------------------

  template <class X, class Dt, class B, class C>
  static __device__ __forceinline__ void bringChunks(const Place &at, float aLog, float bias, const X &x, const Dt &dt,
                                                     const B &b, const C &c) {
    constexpr bool kWideState = Shape::kAligned && kStateSize % 8 == 0, kWideB = kWideState && B::kStride % 8 == 0;
    constexpr bool kWideC = kWideState && C::kStride % 8 == 0;
    constexpr bool kWideX = Shape::kAligned && X::kStride % 8 == 0 && kHeadDim % 8 == 0;
    int thread = at.warp * 32 + at.lane, column = at.group * kStateSize;
    float rate = -__expf(aLog) * kLog2E, raw[2];
    // Chunks by their numbers among all of the block, and rows, take fewer registers than both in the piece.
    int i = at.before, row = at.row, end = at.row + at.count;
    at.loadSteps(row + (at.warp - i & 3) * kChunk, end, dt, bias, raw);
    for (; row < end; row += kChunk, ++i) {
      int present = minOf(end - row, kChunk);
      wait(at.empty(i), (i / kStages + 1) % 2);
      copyPanels<Operand, StateTile::kPanels * 64, 128, kWideB>(at.tileB(i), b, row, present, column, kStateSize,
                                                                thread);
      copyPanels<Operand, StateTile::kPanels * 64, 128, kWideC>(at.tileC(i), c, row, present, column, kStateSize,
                                                                thread);
      copyPanels<Operand, kChannels, 128, kWideX>(at.tileX(i), x, row, present, at.head * kHeadDim + at.channel,
                                                  kHeadDim - at.channel, thread);
      arriveAfterCopies(at.full(i));
      if (i % 4 == at.warp) { // the warps take turns
        at.factors(i).write(ChunkDecay(raw, present, rate, Shape::kDtMin, Shape::kDtMax, at.lane), at.lane);
        at.loadSteps(row + 4 * kChunk, end, dt, bias, raw);
      }
      if constexpr (!kWideB || !kWideC || !kWideX)
        fenceAsyncProxy();
      arrive(at.full(i));
    }
  }

  // --- the state's warpgroup -------------------------------------------------------------------------------------

  using StateSums = float[kPanels][32];    // S: accumulators [64 channels, 64 states] a panel
  using Operands = uint32[kChunk / 16][4]; // a of four steps along the tokens

  /// `state`: the head's. `states`, `scales` and `slots` are the kernel's arguments, which take no registers.
  static __device__ __forceinline__ void walkStates(const Place &at, State *state, State *states, float *scales,
                                                    const int *slots) {
    StateSums s;
    Operands x, next;
    int chunk = at.before, chunks = chunk + at.chunks();
    moveState<true>(at, state, states, scales, slots, s);
    at.waitForChunk(chunk);
    float decay = weighInputs<Operand>(at.factors(chunk), at.tileX(chunk), at.warp, at.lane, x);
    for (; chunk < chunks; ++chunk) {
      wait(at.emptyS(chunk), (chunk / kResultGroups + 1) % 2);
      publishState<Operand>(at.operandS(chunk), at.warp, at.lane, s);
      fenceAsyncProxy();
      at.arriveOnce(at.fullS(chunk));
#pragma unroll
      for (int panel = 0; panel < kPanels; ++panel)
#pragma unroll
        for (int i = 0; i < 32; ++i)
          s[panel][i] *= decay;
      fenceSums(s);
      fenceOperands(x);
      warpgroupArrive();
#pragma unroll
      for (int panel = 0; panel < kPanels; ++panel) {
        uint64 b = transposedDescriptor(at.tileB(chunk) + panel * StateTile::kPanelBytes);
#pragma unroll
        for (int step = 0; step < kChunk / 16; ++step)
          WgmmaOfRegisters<64, Operand>::run(s[panel], x[step], advance(b, step * 2048));
      }
      warpgroupCommit();
      if (chunk + 1 < chunks) {
        at.waitForChunk(chunk + 1);
        decay = weighInputs<Operand>(at.factors(chunk + 1), at.tileX(chunk + 1), at.warp, at.lane, next);
      }
      warpgroupWait<0>();
      fenceSums(s);
      at.arriveOnce(at.empty(chunk));
      if (chunk + 1 < chunks)
        replaceOperands(x, next);
    }
    // Hides from the assembler that the stores go where the loads came from: it would keep the loads' addresses in
    // registers over the whole loop. On an H100 with Bamba-9B's sizes this saves 2% at 64 and at 256 tokens, and
    // nothing at 4,096.
    asm volatile("" : "+l"(state));
    moveState<false>(at, state, states, scales, slots, s);
  }

  /// Loads the state, or stores it.
  template <bool Loads>
  static __device__ __forceinline__ void moveState(const Place &at, State *state, State *states, float *scales,
                                                   const int *slots, StateSums &s) {
    if constexpr (kIsCoded<State>) {
      Place place = at;
      asm volatile("" : "+r"(place.piece)); // where codes and scales lie is found again for the stores, as above
      moveCodedFragment<Loads, kPanels * 32, kHeadDim, kStateSize>(
          place.stateOf(states, slots), place.scalesOf(scales, slots), at.channel + at.warp * 16 + at.lane / 4, at.lane,
          [&](int i) -> float & { return s[i / 32][i % 32]; });
    } else {
      movePlainFragment<Loads, kHeadDim, kStateSize>(state, at.channel + at.warp * 16 + at.lane / 4, at.lane, s);
    }
  }

  // --- the results' warpgroups -----------------------------------------------------------------------------------

  template <class Epilogue>
  static __device__ __forceinline__ void walkResults(const Place &at, int group, float skip, const Epilogue &epilogue) {
    using Output = ScanRows<Epilogue, kHeadDim>;
    static_assert(Output::kBytes == kStagingBytes, "one warp's share");
    float *staging = reinterpret_cast<float *>(at.shared + kStaging + (group * 4 + at.warp) * kStagingBytes);
    static_assert(kResultGroups == 2, "the parity of the chunks before says whose turn it is");
    int skipped = (group + at.before) % 2, row = at.row + skipped * kChunk, end = at.row + at.count;
    for (int chunk = at.before + skipped; row < end; chunk += kResultGroups, row += kResultGroups * kChunk) {
      Output output(row + at.warp * 16, minOf(end - row, kChunk) - at.warp * 16, at.head, at.channel, at.lane);
      float y[32];
      computeResults(at, chunk, skip, y, [&] { output.load(epilogue); });
      output.finish(epilogue, y, staging);
    }
  }

  /// Y of a chunk, and D X. `whileMultiplying` is called early.
  template <class Function>
  static __device__ __forceinline__ void computeResults(const Place &at, int chunk, float skip, float (&y)[32],
                                                        Function whileMultiplying) {
    float scores[32];
    at.waitForChunk(chunk);
    multiplyC(at.tileC(chunk), at.tileB(chunk), scores);
    wait(at.fullS(chunk), chunk / kResultGroups % 2);
    multiplyC(at.tileC(chunk), at.operandS(chunk), y);
    whileMultiplying();
    // Without this barrier the assembler places what whileMultiplying loads after the wait (in nvdisasm -c, LDG after
    // WARPGROUP.DEPBAR). On an H100 with Bamba-9B's sizes it saves 3% at 1,024 tokens and 2% at 4,096, and costs 5%
    // at 64.
    __syncwarp();
    warpgroupWait<1>();
    fenceSums(scores);
    Operands m;
    decayScores<Operand>(at.factors(chunk), at.warp, at.lane, skip, scores, m);
    warpgroupWait<0>();
    fenceSums(y);
    at.arriveOnce(at.emptyS(chunk));

    const ChunkFactors &factors = at.factors(chunk);
    int row = at.warp * 16 + at.lane / 4;
    float carried[2] = {factors.carried[row], factors.carried[row + 8]};
#pragma unroll
    for (int i = 0; i < 32; ++i)
      y[i] *= carried[i / 2 % 2];
    fenceSums(y);
    fenceOperands(m);
    warpgroupArrive();
    uint64 x = transposedDescriptor(at.tileX(chunk));
#pragma unroll
    for (int step = 0; step < kChunk / 16; ++step)
      WgmmaOfRegisters<64, Operand>::run(y, m[step], advance(x, step * 2048));
    warpgroupCommit();
    warpgroupWait<0>();
    fenceSums(y);
    at.arriveOnce(at.empty(chunk));
  }

  /// Starts sums = C b^T, where b are 64 rows of states: one group of matrix instructions.
  static __device__ __forceinline__ void multiplyC(uint32 c, uint32 b, float (&sums)[32]) {
    fenceSums(sums);
    warpgroupArrive();
#pragma unroll
    for (int step = 0; step < kPanels * 4; ++step) {
      int bytes = step / 4 * StateTile::kPanelBytes + step % 4 * 32;
      Wgmma<64, Operand>::run(sums, advance(swizzledDescriptor(c), bytes), advance(swizzledDescriptor(b), bytes),
                              step > 0);
    }
    warpgroupCommit();
  }
};

} // namespace bambac
