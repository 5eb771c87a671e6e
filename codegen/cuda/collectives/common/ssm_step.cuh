// One token of the selective state space recurrence (Dao and Gu, "Transformers are SSMs", the recurrent form):
//   S = S exp(delta A) + delta x B,  y = sum_n S C + D x.
//
// A block owns a tile of channels of one sequence: a part of a head, or some heads, which then share what is computed
// of B and C. It brings all its inputs to shared memory, passes over its rows of the state (common/ssm_state_rows.cuh)
// without a barrier between the passes, and then finishes the results of all its channels. With a ring
// (common/ssm_ring.cuh) the state is written only when the ring is full. A state of codes (common/coded_state.cuh) has
// one, and is multiplied on tensor cores (common/coded_rows.cuh).
#pragma once
#include "common/coded_rows.cuh"
#include "common/launch.cuh"
#include "common/ssm_inputs.cuh"

namespace bambac {

/// Shape: kBatch (a size of the launch), kHeads, kHeadDim, kStateSize, kGroups, kTaps and kConvRing (for
/// ConvolvedInput), kDtMin, kDtMax, kInputVector (the widest vector for which the input's views are aligned),
/// kLoadsEarly (no kernel of a step has written the state or the ring before this one, so that they are loaded before
/// it waits); the fields of geometry::SsmStep.
template <class Shape, class State, class Ring = NoRing> struct SsmStep {
  using StateRows = SsmStateRows<Shape, State, Ring::kEntries>;
  using Block = typename StateRows::Block;
  using Vector = typename StateRows::Vector;
  using Values = typename StateRows::Values;
  using Landing = typename StateRows::Landing;
  static constexpr int kThreads = StateRows::kThreads, kTile = StateRows::kTile, kTileHeads = StateRows::kTileHeads;
  static constexpr int kHeadDim = Shape::kHeadDim, kStateSize = Shape::kStateSize;
  static constexpr int kVector = StateRows::kVector, kLaneVectors = StateRows::kLaneVectors;
  static constexpr int kThreadRows = StateRows::kThreadRows, kPasses = StateRows::kPasses;
  static constexpr int kWarps = kThreads / 32, kHeadRounds = ceilDiv(kTileHeads, kWarps);

  // The inputs B | C | x, staged as f32: as wide as alignment allows, and no wider than it needs for a single round.
  static constexpr int kStaged = 2 * kStateSize + kTile;
  static __host__ __device__ constexpr int chooseInputVector() {
    int limit = minOf(dividingVector(minOf(Shape::kInputVector, 4), kStateSize),
                      minOf(dividingVector(4, kTile), dividingVector(4, kHeadDim)));
    int width = 1;
    while (width < limit && kStaged > kThreads * width)
      width *= 2;
    return width;
  }
  static constexpr int kInputVector = chooseInputVector();
  static constexpr int kRounds = ceilDiv(kStaged / kInputVector, kThreads);

  static constexpr bool kHasRing = Ring::kLength > 0;
  static_assert(kHasRing || !kIsCoded<State>, "codes are rounded when a ring is full, not at each token");
  static constexpr bool kIsMultiplied = StateRows::kIsMultiplied;
  static constexpr int kMinBlocks = StateRows::kGeometry.residents(StateRows::kShape, StateRows::kDevice);
  static constexpr Launch kLaunch = StateRows::launchOf(
      Shape::kBatch, StateRows::kGeometry.dynamicBytes(StateRows::kShape, StateRows::kDevice, Shape::kBatch));
  /// Sequences that a block of a fold looks after: one a lane.
  static constexpr int kFolded = 32;
  static constexpr Launch kFoldLaunch =
      StateRows::launchOf(ceilDiv(Shape::kBatch, kFolded), StateRows::kGeometry.stateBytes(StateRows::kShape));

  /// dt: rows [kBatch, kHeads]; aLog, d, dtBias: [kHeads]; state: [slots, kHeads, kHeadDim, kStateSize]; scales of a
  /// state of codes: [slots, kHeads, kHeadDim]. epilogue.store(sequence, head * kHeadDim + channel, y).
  template <class Input, class Dt, class Epilogue>
  static __device__ __forceinline__ void run(const Input &input, Dt dt, const float *aLog, const float *d,
                                             const float *dtBias, const int *slots, State *state,
                                             const Epilogue &epilogue, const Ring &ring = {}, float *scales = nullptr) {
    static_assert(sizeof(Shared) <= StateRows::kGeometry.inputBytes(StateRows::kShape),
                  "the geometry counts all of it");
    __shared__ Shared shared;
    extern __shared__ __align__(StateRows::kStateAlignment) uint8 sharedState[];
    launchDependents();
    Landing loaded(sharedState, shared.scales, &shared.landed);
    const Block block;
    typename Input::template Piece<kInputVector> pieces[kRounds];
    forEachPiece(block, [&](int round, const SsmChannels &channels, int) {
      input.template prefetch<kInputVector>(channels, pieces[round]);
    });
    HeadInputs<typename ElementOf<Dt>::Type> heads(block, aLog, dtBias, d);
    Results<Epilogue> results;
    const int slot = slots[block.sequence];
    Entries waiting(ring, shared.entries, block);
    if constexpr (!Shape::kLoadsEarly)
      waitForPredecessors();

    // All of it is under way before the first is waited for.
    const StateRows rows(block, state, scales, slot);
    rows.load(block, loaded);
    waiting.load(ring, block, slot);
    if constexpr (Shape::kLoadsEarly) {
      if constexpr (StateRows::kIsBulk)
        StateRows::prefetchNext(state, slots);
      waitForPredecessors();
    }
    forEachPiece(block, [&](int round, const SsmChannels &channels, int) {
      input.template load<kInputVector>(channels, pieces[round]);
    });
    heads.load(block, dt);
    results.load(block, epilogue);
    forEachPiece(block, [&](int round, const SsmChannels &channels, int offset) {
      input.template stage<kInputVector>(channels, pieces[round], shared.staged + offset);
    });
    heads.stage(waiting, shared);
    waitCopies<0>();
    __syncthreads();
    loaded.wait();
    bool isFull = true;
    if constexpr (kHasRing)
      isFull = waiting.isFull();
    if constexpr (kIsMultiplied)
      multiplyCodes(block, rows, loaded, waiting, shared);
    else if (isFull)
      update(block, rows, loaded, waiting, shared);
    // One way for whoever has room: the same as two branches took 1% longer in a step of 8 sequences.
    if constexpr (kHasRing)
      if (!isFull) {
        if constexpr (!kIsMultiplied)
          sumState(block, loaded, waiting, shared);
        waiting.keep(ring, block, slot, shared.x(), shared.b(), shared.deltas);
      }
    __syncthreads();
    results.store(block, epilogue, isFull && !kIsMultiplied, loaded, waiting, shared);
  }

  /// Takes the state of each sequence over the entries that wait, so that what follows may begin with it.
  static __device__ __forceinline__ void fold(int batch, const float *aLog, const int *slots, State *state,
                                              const Ring &ring, float *scales) {
    __shared__ Shared shared;
    extern __shared__ __align__(StateRows::kStateAlignment) uint8 sharedState[];
    launchDependents();
    Landing loaded(sharedState, shared.scales, &shared.landed);
    __syncthreads();
    Block block;
    HeadInputs<float> heads(block, aLog, nullptr, nullptr);
    const int first = block.sequence * kFolded, own = first + threadIdx.x % 32;
    waitForPredecessors();
    uint32 marked = __ballot_sync(0xffffffffu, own < batch && ring.waitingOf(own) > 0);
    for (; marked != 0; marked &= marked - 1) {
      block.sequence = first + __ffs(marked) - 1;
      const int slot = slots[block.sequence];
      const StateRows rows(block, state, scales, slot);
      Entries waiting(ring, shared.entries, block);
      rows.load(block, loaded);
      waiting.load(ring, block, slot);
      heads.template stage</*HasToken=*/false>(waiting, shared);
      waitCopies<0>();
      __syncthreads();
      loaded.wait();
      if constexpr (kIsMultiplied)
        Codes::update(block, rows, loaded, waiting, waiting.count(), shared.decays);
      else
#pragma unroll 1
        for (int pass = 0; pass < kPasses; ++pass) {
          Values values;
          foldRows(block, waiting, loaded, pass, shared, values);
          rows.write(block, pass, values);
        }
      if constexpr (StateRows::kIsBulk)
        fenceAsyncProxy();
      __syncthreads(); // what is in shared memory has been read; the next copies write there
    }
  }

private:
  using Entries = RingTile<Shape, Ring, StateRows>;
  using Codes = CodedRows<StateRows, Entries>;

  struct Shared {
    alignas(16) float staged[kStaged]; ///< B | C | x
    uint64 landed;                     ///< the state's barrier
    float scales[maxOf(StateRows::kScales, 1)];
    float sums[kTile];
    float deltas[kTileHeads], decays[kTileHeads], skips[kTileHeads]; ///< delta, exp(a) and D
    FixedVector<kIsMultiplied ? kStateSize : geometry::SsmStep::kChunk> fixedC;
    typename Entries::Shared entries;

    __device__ __forceinline__ const float *b() const { return staged; }
    __device__ __forceinline__ const float *c() const { return staged + kStateSize; }
    __device__ __forceinline__ const float *x() const { return staged + 2 * kStateSize; }
  };

  /// Calls `function(round, channels, offset)` for the inputs that this thread stages: `offset` in B | C | x.
  template <class Function> static __device__ __forceinline__ void forEachPiece(const Block &block, Function function) {
#pragma unroll
    for (int round = 0; round < kRounds; ++round) {
      const int offset = (threadIdx.x + round * kThreads) * kInputVector;
      if (offset >= 2 * kStateSize + block.channels)
        continue;
      SsmChannels channels{block.sequence, SsmChannels::kX, block.firstChannel + offset - 2 * kStateSize, true};
      if (offset < 2 * kStateSize) {
        const bool isB = offset < kStateSize;
        channels = {block.sequence, isB ? SsmChannels::kB : SsmChannels::kC,
                    block.group * kStateSize + offset - (isB ? 0 : kStateSize), block.isFirstOfGroup};
      }
      function(round, channels, offset);
    }
  }

  /// The heads of the tile: a warp takes every kWarps-th of them.
  template <class Step> struct HeadInputs {
    float rate[kHeadRounds], bias[kHeadRounds], skip[kHeadRounds];
    Step step[kHeadRounds] = {};

    /// `dtBias` and `d`: null where there is no new token.
    __device__ __forceinline__ HeadInputs(const Block &block, const float *aLog, const float *dtBias, const float *d) {
      forEach([&](int round, int head) {
        rate[round] = -expf(aLog[block.firstHead + head]);
        bias[round] = dtBias ? dtBias[block.firstHead + head] : 0.0f;
        skip[round] = d ? d[block.firstHead + head] : 0.0f;
      });
    }
    template <class Dt> __device__ __forceinline__ void load(const Block &block, const Dt &dt) {
      forEach([&](int round, int head) { step[round] = dt[block.sequence][block.firstHead + head]; });
    }
    /// min(max(softplus(dt + bias), kDtMin), kDtMax), and NaN for NaN; 0 where there is no new token.
    static __device__ __forceinline__ float clampDelta(float delta) {
      delta = delta < Shape::kDtMin ? Shape::kDtMin : delta;
      return delta > Shape::kDtMax ? Shape::kDtMax : delta;
    }
    template <bool HasToken = true>
    __device__ __forceinline__ void stage(const Entries &waiting, Shared &shared) const {
      forEach([&](int round, int head) {
        float delta = 0.0f;
        if constexpr (HasToken)
          delta = clampDelta(softplus(toFloat(step[round]) + bias[round]));
        const float decay = waiting.weigh(head, round, rate[round], delta);
        if (threadIdx.x % 32 == 0) {
          shared.deltas[head] = delta;
          shared.decays[head] = decay;
          shared.skips[head] = skip[round];
        }
      });
    }

  private:
    template <class Function> static __device__ __forceinline__ void forEach(const Function &function) {
#pragma unroll
      for (int round = 0; round < kHeadRounds; ++round)
        if (const int head = threadIdx.x / 32 + round * kWarps; head < kTileHeads)
          function(round, head);
    }
  };

  /// S C of the tile's channels, and B C of the entries and the new token: the decays and inputs come later.
  static __device__ __forceinline__ void sumState(const Block &block, const Landing &loaded, const Entries &waiting,
                                                  Shared &shared) {
    if constexpr (kHasRing)
      waiting.multiply(shared.b(), shared.c());
    float c[kLaneVectors][kVector] = {};
#pragma unroll
    for (int v = 0; v < kLaneVectors; ++v)
      if (block.hasVector(v))
        loadVector(shared.c() + block.columnOf(v), c[v]);
#pragma unroll 1
    for (int pass = 0; pass < kPasses; ++pass) {
      float sums[kThreadRows] = {};
      StateRows::forEachVector(block, pass, [&](int i, int v) {
        const Vector vector = loaded.at(block, pass, i, v);
#pragma unroll
        for (int k = 0; k < kVector; ++k)
          sums[i] += vector[k] * c[v][k];
      });
      StateRows::finishSums(block, pass, sums, shared.sums);
    }
  }

  /// The same of codes; where the ring is full, they are written after it and the new token.
  static __device__ __forceinline__ void multiplyCodes(const Block &block, const StateRows &rows, const Landing &loaded,
                                                       const Entries &waiting, Shared &shared) {
    if (threadIdx.x / 32 == kWarps - 1) // which has the fewest entries
      shared.fixedC.store(shared.c());
    waiting.multiply(shared.b(), shared.c());
    if (waiting.isFull())
      waiting.append(shared.x(), shared.b(), shared.deltas);
    __syncthreads();
    Codes::sum(shared.fixedC, block, loaded, shared.sums);
    if (waiting.isFull())
      Codes::update(block, rows, loaded, waiting, Entries::kMost, shared.decays);
  }

  /// A pass' rows after the waiting entries.
  static __device__ __forceinline__ void foldRows(const Block &block, const Entries &waiting, const Landing &loaded,
                                                  int pass, const Shared &shared, Values &values) {
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i) {
      const float factor =
          block.hasRow(pass, i) ? shared.decays[headOf(block, pass, i)] * loaded.scaleOf(block.rowOf(pass, i)) : 0.0f;
#pragma unroll
      for (int v = 0; v < kLaneVectors; ++v) {
        const bool exists = block.hasRow(pass, i) && block.hasVector(v);
        widen(exists ? loaded.at(block, pass, i, v) : Vector{}, values[i][v]);
#pragma unroll
        for (int k = 0; k < kVector; ++k)
          values[i][v][k] *= factor;
      }
    }
    if constexpr (kHasRing)
#pragma unroll 1
      for (int entry = 0; entry < waiting.count(); ++entry)
        addToken(
            block, pass, [&](int head, int row) { return waiting.weightOf(entry, head) * waiting.inputOf(entry, row); },
            [&](int n, float (&b)[kVector]) { waiting.loadB(entry, n, b); }, values);
  }

  /// Adds x B of a token to a pass' rows: `inputOf(head, row)` is x, weighted.
  template <class InputOf, class LoadB>
  static __device__ __forceinline__ void addToken(const Block &block, int pass, const InputOf &inputOf,
                                                  const LoadB &loadB, Values &values) {
    float inputs[kThreadRows];
#pragma unroll
    for (int i = 0; i < kThreadRows; ++i)
      inputs[i] = block.hasRow(pass, i) ? inputOf(headOf(block, pass, i), block.rowOf(pass, i)) : 0.0f;
#pragma unroll
    for (int v = 0; v < kLaneVectors; ++v) {
      if (!block.hasVector(v))
        continue;
      float b[kVector];
      loadB(block.columnOf(v), b);
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i)
#pragma unroll
        for (int k = 0; k < kVector; ++k)
          values[i][v][k] += inputs[i] * b[k];
    }
  }
  /// The head of a thread's row, or the last where it has none.
  static __device__ __forceinline__ int headOf(const Block &block, int pass, int i) {
    return minOf(Block::headOf(block.rowOf(pass, i)), kTileHeads - 1);
  }

  /// Writes the state after the waiting entries and the new token, and leaves its sums with C.
  static __device__ __forceinline__ void update(const Block &block, const StateRows &rows, const Landing &loaded,
                                                const Entries &waiting, Shared &shared) {
#pragma unroll 1
    for (int pass = 0; pass < kPasses; ++pass) {
      Values values;
      foldRows(block, waiting, loaded, pass, shared, values);
      addToken(
          block, pass, [&](int head, int row) { return shared.deltas[head] * shared.x()[row]; },
          [&](int n, float (&b)[kVector]) { loadVector(shared.b() + n, b); }, values);
      rows.write(block, pass, values);
      float sums[kThreadRows] = {};
#pragma unroll
      for (int v = 0; v < kLaneVectors; ++v) {
        if (!block.hasVector(v))
          continue;
        float c[kVector];
        loadVector(shared.c() + block.columnOf(v), c);
#pragma unroll
        for (int i = 0; i < kThreadRows; ++i)
#pragma unroll
          for (int k = 0; k < kVector; ++k)
            sums[i] += values[i][v][k] * c[k];
      }
      StateRows::finishSums(block, pass, sums, shared.sums);
    }
  }

  /// The results of some neighbouring channels, as few as make one round of all threads, and what is loaded early for
  /// them.
  template <class Epilogue> struct Results {
    static __host__ __device__ constexpr int chooseWidth() {
      int limit = dividingVector(dividingVector(Epilogue::kVector, kHeadDim), kTile), width = 1;
      while (width < limit && kTile > kThreads * width)
        width *= 2;
      return width;
    }
    static constexpr int kWidth = chooseWidth(), kRounds = ceilDiv(kTile, kThreads *kWidth);
    typename Epilogue::template Extra<kWidth> extra[kRounds];

    __device__ __forceinline__ void load(const Block &block, const Epilogue &epilogue) {
      forEach(block, [&](int round, int channel) {
        extra[round] = epilogue.template load<kWidth>(block.sequence, block.firstChannel + channel);
      });
    }
    __device__ __forceinline__ void store(const Block &block, const Epilogue &epilogue, bool isWritten,
                                          const Landing &loaded, const Entries &waiting, const Shared &shared) const {
      forEach(block, [&](int round, int channel) {
        const int head = Block::headOf(channel);
        float values[kWidth], x[kWidth];
#pragma unroll
        for (int k = 0; k < kWidth; ++k) {
          x[k] = shared.x()[channel + k];
          const float factor = isWritten ? 1.0f : shared.decays[head] * loaded.scaleOf(channel + k);
          values[k] = shared.sums[channel + k] * factor + shared.skips[head] * x[k];
        }
        if constexpr (kHasRing)
          if (!isWritten)
            waiting.addTo(values, head, channel, shared.deltas[head], x);
        epilogue.template store<kWidth>(block.sequence, block.firstChannel + channel, values, extra[round]);
      });
    }

  private:
    template <class Function> static __device__ __forceinline__ void forEach(const Block &block, const Function &run) {
#pragma unroll
      for (int round = 0; round < kRounds; ++round)
        if (const int channel = (threadIdx.x + round * kThreads) * kWidth; channel < block.channels)
          run(round, channel);
    }
  };
};

} // namespace bambac
